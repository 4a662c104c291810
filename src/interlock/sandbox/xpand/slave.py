"""A named slave at work: it asks its source for the log as any replica does, and applies what others than itself wrote."""

from __future__ import annotations

import asyncio
import struct

from interlock.sandbox.proxysql.wire import Gone, Stream, log_in
from interlock.sandbox.xpand.cluster import Cluster, Slave
from interlock.sandbox.xpand.errors import Refusal
from interlock.servers.dumped_log import COM_BINLOG_DUMP, Event, event_of, statement_of

_QUERY, _ROTATE, _XID = 2, 4, 16
_AGAIN_S = 0.2


def start(cluster: Cluster, slave: Slave) -> None:
    """Starting one that runs has no effect."""
    if slave.task is None or slave.task.done():
        slave.error = ""
        slave.task = asyncio.get_running_loop().create_task(_run(cluster, slave))


async def stop(slave: Slave) -> None:
    if slave.task is not None:
        slave.task.cancel()
        await asyncio.gather(slave.task, return_exceptions=True)
    slave.task, slave.connection, slave.received = None, "Disconnected", 0


async def _run(cluster: Cluster, slave: Slave) -> None:
    """Until it is stopped, or what it brings can't be applied; a source that is away is asked again."""
    while True:
        try:
            await _follow(cluster, slave)
        except (Gone, OSError, TimeoutError):
            slave.connection = "Connecting"
            await asyncio.sleep(_AGAIN_S)
        except Refusal as refused:
            slave.error, slave.connection = refused.words, "Disconnected"
            return


async def _follow(cluster: Cluster, slave: Slave) -> None:
    reader, writer = await asyncio.open_connection(slave.host, slave.port)
    stream = Stream(reader, writer)
    try:
        await log_in(stream, slave.user, slave.password, "")
        file = f"{slave.log}.{slave.sequence:06d}"
        ask = struct.pack("<IHI", slave.position, 0, cluster.server_id) + file.encode()
        await stream.command(bytes([COM_BINLOG_DUMP]) + ask)
        slave.connection = "Connected"
        waiting: list[str] | None = None
        while True:
            packet = await stream.read()
            if packet[0] == 0xFF:
                raise Refusal(packet[9:].decode(errors="replace"))
            waiting = _take(cluster, slave, event_of(packet[1:]), waiting)
    finally:
        slave.connection = "Connecting"
        writer.close()


def _take(cluster: Cluster, slave: Slave, event: Event, waiting: list[str] | None) -> list[str] | None:
    """One event, after those that are `waiting` for the end of their transaction; those that wait then, None outside of one."""
    if event.kind == _ROTATE:
        name, _, number = event.body[8:].decode().rpartition(".")
        slave.log, slave.sequence = name, int(number)
        slave.position = struct.unpack_from("<Q", event.body)[0]
        return None
    words = statement_of(event) if event.kind == _QUERY else ""
    ours = event.server_id == cluster.server_id
    if words == "BEGIN":
        waiting = []
    elif waiting is not None and event.kind == _QUERY:
        waiting.append(words)
    elif event.kind == _QUERY and not ours:
        cluster.apply([words], event.server_id, definition=True)
    elif event.kind == _XID and waiting and not ours:
        cluster.apply(waiting, event.server_id, definition=False)
    if event.kind == _XID:
        waiting = None
    if event.end and waiting is None:
        slave.position = event.end
    return waiting
