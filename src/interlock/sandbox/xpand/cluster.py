"""A cluster: its variables, sessions, locks, binlogs and slaves, shared by all of its nodes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import field
from itertools import count

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.sandbox.xpand.data import Answer, Data
from interlock.sandbox.xpand.errors import Refusal, denied, read_only
from interlock.sandbox.xpand.log import Log
from interlock.sandbox.xpand.rewriting import Rewritten, rewritten, settled

SUPER = frozenset({"interlock", "admin"})
_ENDED_KEPT = 20
_CREATE_DATABASE = re.compile(r"CREATE\s+(?:DATABASE|SCHEMA)\s+(?P<exists>IF\s+NOT\s+EXISTS\s+)?`?(?P<name>\w+)`?", re.IGNORECASE)


@dataclass(slots=True, kw_only=True, eq=False)
class Session:
    """A connection to a node. `pending` are the writes of its open transaction, None without one; `cut` ends the connection."""

    id: int
    node: int
    user: str
    peer: str
    since_s: float
    cut: asyncio.Event = field(default_factory=asyncio.Event)
    statement: str = ""
    command: str = "Sleep"
    began_s: float = 0.0
    pending: list[tuple[str, Rewritten]] | None = None

    @property
    def is_super(self) -> bool:
        return self.user in SUPER


@dataclass(slots=True, kw_only=True)
class Slave:
    """A named slave: where its source's log is applied up to. `task` runs while it is started."""

    name: str
    host: str
    port: int
    user: str
    password: str
    log: str
    sequence: int
    position: int
    error: str = ""
    connection: str = "Disconnected"
    received: int = 0
    task: asyncio.Task[None] | None = None


class Cluster:
    """`accounts` holds each account's password."""

    def __init__(self, *, name: str, server_id: int, accounts: Mapping[str, str], clock: Clock, version: str) -> None:
        self.name = name
        self.accounts = accounts
        self.clock = clock
        self.data = Data()
        self.variables: dict[str, object] = {
            "version": version,
            "server_id": server_id,
            "read_only": 1,
            "auto_increment_increment": 2,
            "auto_increment_offset": server_id,
            "hostname": name,
            "port": 3306,
            "sql_mode": "STRICT_TRANS_TABLES",
        }
        self.logs: dict[str, Log] = {}
        self.slaves: dict[str, Slave] = {}
        self.sessions: dict[int, Session] = {}
        self.nodes: dict[int, asyncio.Server] = {}
        self._ended: list[Session] = []
        self._locks: dict[str, int] = {}
        self._numbers = count(1025)
        self._asking: Session | None = None
        self._functions()

    @property
    def server_id(self) -> int:
        return int(str(self.variables["server_id"]))

    # -- sessions

    def enter(self, node: int, number: int, user: str, peer: str) -> Session:
        session = Session(id=number, node=node, user=user, peer=peer, since_s=self.clock.monotonic_s())
        self.sessions[session.id] = session
        return session

    def next_number(self) -> int:
        return next(self._numbers)

    def leave(self, session: Session) -> None:
        """Its transaction is rolled back, its locks are free."""
        self.sessions.pop(session.id, None)
        session.pending = None
        self._locks = {name: holder for name, holder in self._locks.items() if holder != session.id}
        self._ended = [*self._ended, session][-_ENDED_KEPT:]

    def kill(self, number: int) -> None:
        if number not in self.sessions:
            raise Refusal(f"[49153] No such session: {number}")
        session = self.sessions[number]
        self.leave(session)
        session.cut.set()

    # -- statements

    def read(self, session: Session, statement: str) -> Answer:
        self._asking = session
        if "processlist" in statement:
            self.data.fill("information_schema.processlist", map(self._process, self.sessions.values()))
        if "system.sessions" in statement:
            self.data.fill("system.sessions", map(self._row, (*self.sessions.values(), *self._ended)))
        return self.data.run(self._rewritten(statement))

    def write(self, session: Session, statement: str) -> Answer:
        """In the session's transaction, or at once."""
        self._may_write(session)
        uuid = f"{self.server_id:08x}-0000-0000-0000-{self.next_number():012x}"
        said = settled(statement, self.variable, self._now(), uuid)
        done = self._rewritten(said)
        if session.pending is not None:
            answer = self.data.tried([one for _, one in session.pending], done)
            session.pending.append((said, done))
            return answer
        answer = self.data.run(done)
        if answer.affected:
            self._log([said])
        return answer

    def commit(self, session: Session) -> None:
        pending, session.pending = session.pending, None
        if pending:
            self._may_write(session)
            self.data.together([done for _, done in pending])
            self._log([said for said, _ in pending])

    def define(self, session: Session, statement: str) -> None:
        """DDL; it commits what is open."""
        self.commit(session)
        self._may_write(session)
        self._define(statement)
        self._log_definition(settled(statement, self.variable, self._now(), ""), self.server_id)

    def apply(self, statements: list[str], origin: int, *, definition: bool) -> None:
        """What a slave brought: it passes read_only, and is logged as its origin's."""
        if definition:
            self._define(statements[0])
            self._log_definition(statements[0], origin)
        else:
            self.data.together([self._rewritten(statement) for statement in statements])
            self._log(statements, origin)

    def may(self, session: Session, privilege: str) -> None:
        if not session.is_super:
            raise denied(privilege)

    def variable(self, name: str) -> object:
        if name == "autocommit":
            return 1
        if name not in self.variables:
            raise Refusal(f"[35841] Unknown variable: {name}")
        return self.variables[name]

    def _define(self, statement: str) -> None:
        found = _CREATE_DATABASE.match(statement)
        if found is None:
            self.data.run(self._rewritten(statement))
        elif found["name"] not in self.data.databases():
            self.data.create_database(found["name"])
        elif found["exists"] is None:
            raise Refusal(f"[13315] Database already there: {found['name']}", 1007)

    def _log_definition(self, statement: str, origin: int) -> None:
        for log in self.logs.values():
            log.definition(statement, origin)

    def _log(self, statements: list[str], origin: int | None = None) -> None:
        for log in self.logs.values():
            log.transaction(statements, self.server_id if origin is None else origin)

    def _may_write(self, session: Session) -> None:
        if self.variables["read_only"] and not session.is_super:
            session.pending = None if session.pending is None else []
            raise read_only()

    def _rewritten(self, statement: str) -> Rewritten:
        return rewritten(statement, self.variable, self._now())

    def _now(self) -> str:
        return self.clock.wall().strftime("%Y-%m-%d %H:%M:%S.%f")

    # -- what it tells of itself

    def _process(self, session: Session) -> dict[str, object]:
        return {
            "id": session.id,
            "user": session.user,
            "host": session.peer,
            "command": session.command,
            "time": int(self.clock.monotonic_s() - session.since_s),
            "info": session.statement if session.command == "Query" else None,
        }

    def _row(self, session: Session) -> dict[str, object]:
        now_s = self.clock.monotonic_s()
        return {
            "nodeid": session.node,
            "session_id": session.id,
            "source_ip": session.peer.partition(":")[0],
            "user": 4096 + sorted(self.accounts).index(session.user),
            "trx_state": "closed" if session.pending is None else "open",
            "statement_state": "executing" if session.command == "Query" else "finished",
            "last_statement": session.statement,
            "time_in_state_s": int(now_s - session.since_s),
            "trx_age": None if session.pending is None else int(now_s - session.began_s),
            "trx_counter_insert": len(session.pending or ()),
            "trx_counter_update": 0,
            "trx_counter_delete": 0,
            "trx_is_writer": int(bool(session.pending)),
        }

    def _functions(self) -> None:
        def asking() -> Session:
            assert self._asking is not None  # noqa: S101 - a function runs inside a statement only
            return self._asking

        def get_lock(name: str, _timeout: float) -> int:
            return int(self._locks.setdefault(name.lower(), asking().id) == asking().id)

        def release_lock(name: str) -> int | None:
            if name.lower() not in self._locks:
                return None
            return int(self._locks[name.lower()] == asking().id and bool(self._locks.pop(name.lower())))

        self.data.function("get_lock", 2, get_lock)
        self.data.function("release_lock", 1, release_lock)
        self.data.function("is_used_lock", 1, lambda name: self._locks.get(name.lower()))
        self.data.function("connection_id", 0, lambda: asking().id)
        self.data.function("user", 0, lambda: f"{asking().user}@{asking().peer.partition(':')[0]}")
        self.data.function("current_user", 0, lambda: f"{asking().user}@%")
        self.data.function("unix_timestamp", 0, lambda: int(self.clock.wall().timestamp()))
