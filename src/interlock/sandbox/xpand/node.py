"""A node of a cluster: clients log in, and ask one statement at a time, or for a binary log."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator

from interlock.sandbox.proxysql import wire
from interlock.sandbox.xpand.cluster import Cluster, Session
from interlock.sandbox.xpand.data import Answer
from interlock.sandbox.xpand.errors import Refusal
from interlock.sandbox.xpand.statements import run
from interlock.servers.dumped_log import COM_BINLOG_DUMP

_NON_BLOCK = 1


async def serve(cluster: Cluster, node: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    client = wire.Stream(reader, writer)
    try:
        session = await _log_in(cluster, node, client)
        if session is None:
            return
        work = asyncio.ensure_future(_converse(cluster, session, client))
        cut = asyncio.ensure_future(session.cut.wait())
        try:
            await asyncio.wait({work, cut}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, cut):
                task.cancel()
            await asyncio.gather(work, cut, return_exceptions=True)
            cluster.leave(session)
    except (wire.Gone, OSError):
        pass  # the client went
    finally:
        writer.close()


async def _log_in(cluster: Cluster, node: int, client: wire.Stream) -> Session | None:
    number = cluster.next_number()
    login, salt = await wire.greet(client, str(cluster.variables["version"]), number)
    host, port = (client.writer.get_extra_info("peername") or ("localhost", 0))[:2]
    if wire.scramble(cluster.accounts.get(login.user, ""), salt) != login.answer or login.user not in cluster.accounts:
        await client.send(wire.error(1045, f"Access denied for user '{login.user}'@'{host}' (using password: YES)", "28000"))
        return None
    session = cluster.enter(node, number, login.user, f"{host}:{port}")
    await client.send(wire.ok())
    return session


async def _converse(cluster: Cluster, session: Session, client: wire.Stream) -> None:
    while (packet := await client.read())[0] != wire.QUIT:
        session.since_s = cluster.clock.monotonic_s()
        try:
            if packet[0] == COM_BINLOG_DUMP:
                await _dump(cluster, session, client, packet[1:])
                continue
            if packet[0] == wire.QUERY:
                session.statement, session.command = packet[1:].decode(errors="replace"), "Query"
                _put(client, session, await run(cluster, session, session.statement))
            else:
                client.put(wire.ok(status=_status(session)))
        except Refusal as refused:
            client.put(wire.error(refused.number, refused.words))
        finally:
            session.command, session.since_s = "Sleep", cluster.clock.monotonic_s()
        await client.flush()


async def _dump(cluster: Cluster, session: Session, client: wire.Stream, asked: bytes) -> None:
    offset, flags, _ = struct.unpack_from("<IHI", asked)
    file = asked[10:].decode()
    log = cluster.logs.get(file.rpartition(".")[0])
    if log is None:
        raise Refusal(f"[50179] No such binlog: {file}", 1236)
    session.statement, session.command = f"dump {file}", "Binlog Dump"
    async for event in log.dump(file, offset, blocks=not flags & _NON_BLOCK):
        await client.send(b"\0" + event)
    await client.send(b"\xfe" + struct.pack("<HH", 0, wire.AUTOCOMMIT))


def _put(client: wire.Stream, session: Session, answer: Answer) -> None:
    if not answer.names:
        client.put(wire.ok(answer.affected, _status(session)))
        return
    for payload in wire.resultset(answer.names, answer.rows, kinds=tuple(_kinds(answer))):
        client.put(payload)


def _status(session: Session) -> int:
    return wire.AUTOCOMMIT | (wire.IN_TRANSACTION if session.pending is not None else 0)


def _kinds(answer: Answer) -> Iterator[int]:
    """A column's type is that of its first value that is not NULL."""
    for number in range(len(answer.names)):
        first = next((row[number] for row in answer.rows if row[number] is not None), "")
        yield wire.INTEGER if isinstance(first, int) else wire.DOUBLE if isinstance(first, float) else wire.TEXT
