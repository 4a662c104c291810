"""The traffic port: clients' statements, one by one, over the pool; those that can't be multiplexed keep their connection.

A session keeps its server connection in a transaction, and for good after a user variable, a session setting, a lock or a temporary
table (ProxySQL documentation, "Multiplexing"). In a transaction no rule leads it elsewhere (`transaction_persistent`); one that keeps its
connection for good gets an error where a rule does (`mysql-set_query_lock_on_hostgroup`; there only after a SET).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import field

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.sandbox.proxysql import wire
from interlock.sandbox.proxysql.hostgroups import Connection, Hostgroups
from interlock.sandbox.proxysql.rules import Rules

_OURS = re.compile(rb"\s*(SET\s+NAMES\b|SET\s+(SESSION\s+)?AUTOCOMMIT\s*=\s*1\s*;?\s*$)", re.IGNORECASE)
_PINS = re.compile(
    rb"@[a-z_]|^\s*SET\b|\bGET_LOCK\s*\(|^\s*LOCK\s+TABLE|\bCREATE\s+TEMPORARY\b|\bSQL_CALC_FOUND_ROWS\b|^\s*PREPARE\b", re.IGNORECASE
)
_SYSTEM_VARIABLE = re.compile(rb"@@[\w.]+")
_LOST = wire.error(2013, "Lost connection to MySQL server during query")


@dataclass(slots=True, kw_only=True, eq=False)
class Session:
    """A client. `server` is the connection it keeps, or uses now; `hostgroup` where its last statement went."""

    id: int
    user: str
    database: str
    peer: tuple[str, int]
    default_hostgroup: int
    hostgroup: int
    since_s: float
    server: Connection | None = None
    statement: str = ""
    waits: bool = False
    kept_for_good: bool = False
    in_transaction: bool = False


@dataclass(slots=True, kw_only=True)
class Traffic:
    """`user` gives a user's password and hostgroup, None for one who is unknown; `hold_s` how long a statement may wait."""

    hostgroups: Hostgroups
    user: Callable[[str], Mapping[str, str] | None]
    hold_s: Callable[[], float]
    clock: Clock
    rules: Rules = Rules()
    sessions: dict[int, Session] = field(default_factory=dict)
    last_id: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = wire.Stream(reader, writer)
        self.last_id += 1
        number = self.last_id
        try:
            session = await self._log_in(client, number)
            if session is not None:
                self.sessions[number] = session
                while await self._one(client, session):
                    pass
        except wire.Gone:
            pass  # the client went
        finally:
            gone = self.sessions.pop(number, None)
            if gone is not None and gone.server is not None:
                self.hostgroups.give_back(gone.server, whole=False)
            writer.close()

    async def _log_in(self, client: wire.Stream, number: int) -> Session | None:
        login, salt = await wire.greet(client, "8.0.27", number)
        known = self.user(login.user)
        peer = client.writer.get_extra_info("peername")
        if known is None or wire.scramble(known["password"], salt) != login.answer:
            words = f"ProxySQL Error: Access denied for user '{login.user}'@'{peer[0]}' (using password: YES)"
            await client.send(wire.error(1045, words, "28000"))
            return None
        await client.send(wire.ok())
        return Session(
            id=number,
            user=login.user,
            database=login.database,
            peer=peer[:2],
            default_hostgroup=int(known["default_hostgroup"]),
            hostgroup=int(known["default_hostgroup"]),
            since_s=self.clock.monotonic_s(),
        )

    async def _one(self, client: wire.Stream, session: Session) -> bool:
        """One command of the client's; whether there may be another."""
        packet = await client.read()
        kind, body = packet[0], packet[1:]
        session.since_s = self.clock.monotonic_s()
        if kind == wire.QUIT:
            return False
        if kind == wire.PING or (kind == wire.QUERY and _OURS.match(body)):
            await client.send(wire.ok())
        elif kind == wire.INIT_DB and session.server is None:
            session.database = body.decode()
            await client.send(wire.ok())
        elif kind == wire.QUERY:
            return await self._query(client, session, packet)
        else:
            await client.send(wire.error(1047, f"the stand-in for ProxySQL has no command {kind}", "08S01"))
        return True

    async def _query(self, client: wire.Stream, session: Session, packet: bytes) -> bool:
        session.statement = packet[1:].decode(errors="replace")
        wanted = self._wanted(session)
        if session.kept_for_good and session.server is not None and wanted != session.hostgroup:
            words = f"ProxySQL Error: connection is locked to hostgroup {session.hostgroup} but trying to reach hostgroup {wanted}"
            await client.send(wire.error(9006, words))
            return True
        session.hostgroup, session.waits = wanted, True
        try:
            connection = session.server = session.server or await self._take(session)
        except TimeoutError:
            waited_ms = int(self.hold_s() * 1000)
            words = f"Max connect timeout reached while reaching hostgroup {session.hostgroup} after {waited_ms}ms"
            await client.send(wire.error(9001, words))
            return True
        except wire.Refused as refused:
            await client.send(refused.packet)
            return True
        finally:
            session.waits = False
        if connection.server.status == "OFFLINE_HARD":
            await client.send(_LOST)
            return False
        session.kept_for_good |= bool(_PINS.search(_SYSTEM_VARIABLE.sub(b"", packet[1:])))
        connection.running = True
        connection.server.statements += 1
        try:
            await connection.stream.command(packet)
            status = await wire.relay(connection.stream, client)
        except wire.Gone:
            await client.send(_LOST)
            return False
        finally:
            connection.running = False
            session.statement, session.since_s = "", self.clock.monotonic_s()
        session.in_transaction = bool(status & wire.IN_TRANSACTION)
        if not session.kept_for_good and not session.in_transaction:
            session.server = None
            self.hostgroups.give_back(connection, whole=True)
        return True

    def _wanted(self, session: Session) -> int:
        """The hostgroup that its statement is to go to."""
        if session.server is not None and session.in_transaction:
            return session.hostgroup
        return self.rules.hostgroup(
            account=session.user,
            schema=session.database,
            client=session.peer[0],
            statement=session.statement,
            default=session.default_hostgroup,
        )

    async def _take(self, session: Session) -> Connection:
        known = self.user(session.user) or {"password": ""}
        return await self.hostgroups.take(session.hostgroup, session.user, known["password"], session.database, self.hold_s())
