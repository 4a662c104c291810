"""`ports.Server` on a database in memory, as one process sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from interlock.errors import PairBusy, StatementFailed, Unreachable, WriteRefused
from interlock.model.effects import (
    ChannelEffect,
    EraseNote,
    Fence,
    KillSessions,
    Open,
    Repoint,
    RunSql,
    SegmentEffect,
    SendHeartbeat,
    ServerEffect,
    SetEventScheduler,
    SetSemiSync,
    StartApplier,
    StartReceiver,
    StopApplier,
    StopReceiver,
    TableEffect,
    WriteNote,
)
from interlock.model.facts import (
    ChannelFacts,
    EventFacts,
    FenceProof,
    LoggedTransaction,
    SemiSyncFacts,
    ServerFacts,
    SessionFacts,
    WriteFacts,
)
from interlock.model.marks import Mark
from interlock.model.position import Position
from interlock.model.topology import ServerName, ServerSpec
from interlock.simulated.database import AJAR, BOUND_S, CALL_S, Database, Flavor
from interlock.simulated.parts import Session
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.segments import SimulatedSegments
from interlock.simulated.tables import SimulatedTables

_LATER_S = 1.0
"""How much later than the server's own bound the client gives up."""


class SimulatedServer:
    """`done` gets every effect that is sent, with the process that sent it."""

    def __init__(
        self,
        spec: ServerSpec,
        database: Database,
        process: SimulatedProcess,
        done: Callable[[ServerEffect | ChannelEffect | SegmentEffect | TableEffect], None],
    ) -> None:
        self._spec = spec
        self._database = database
        self._process = process
        self._done = done
        process.at_death.append(self._drop_locks)

    @property
    def name(self) -> ServerName:
        return self._spec.name

    @property
    def spec(self) -> ServerSpec:
        return self._spec

    # -- facts

    def facts(self) -> ServerFacts:
        database = self._read()
        return ServerFacts(
            server=self.name,
            flavor="mariadb" if database.flavor is Flavor.MARIADB else "mysql",
            version="10.11.6" if database.flavor is Flavor.MARIADB else "9.7.0",
            server_id=database.server_id,
            gtid_domain_id=database.identity[0] if database.flavor is Flavor.MARIADB else None,
            log_bin=True,
            log_slave_updates=database.settings.get("log_slave_updates", "1") == "1",
            binlog_format="ROW",
            auto_increment_increment=2,
            auto_increment_offset=int(database.settings.get("auto_increment_offset", database.server_id)),
            clock_offset_s=float(database.settings.get("clock_offset_s", "0")),
            log_keeps_s=float(database.settings.get("log_keeps_s", "0")),
            filters={"replicate_ignore_db": database.settings["replicate_ignore_db"]} if "replicate_ignore_db" in database.settings else {},
        )

    def write_facts(self) -> WriteFacts:
        database = self._read()
        return WriteFacts(
            server=self.name,
            read_only=database.read_only,
            position=database.position,
            event_scheduler=database.scheduler,
            fence=database.fence,
            loose=database.read_only and bool(database.ajar),
            lesser=AJAR if database.read_only and database.ajar is False else "",
        )

    def channels(self) -> tuple[ChannelFacts, ...]:
        return self._read().channels()

    def semi_sync(self) -> SemiSyncFacts:
        """Each side as a setting of its name, `1` or `0`; without one the server has none of it. A peer that acknowledges is a client."""
        settings = self._read().settings
        words = "master/slave" if "semi_sync_waits" in settings or "semi_sync_acknowledges" in settings else ""
        return SemiSyncFacts(
            server=self.name,
            words=words,
            waits=settings.get("semi_sync_waits") == "1",
            acknowledges=settings.get("semi_sync_acknowledges") == "1",
            active=settings.get("semi_sync_acknowledges") == "1",
            clients=sum(each() for each in self._database.acknowledging),
            timeout_ms=10_000,
        )

    def sessions(self) -> tuple[SessionFacts, ...]:
        database = self._read()
        now_s = database.clock.monotonic_s()
        return tuple(_facts_of(session, now_s) for session in database.sessions.values())

    def ddl_running(self) -> tuple[SessionFacts, ...]:
        return tuple(session for session in self.sessions() if session.statement.startswith("ALTER"))

    def lock_holders(self) -> tuple[str, ...]:
        return tuple(str(session) for session in self.sessions() if session.statement.startswith("LOCK TABLES"))

    @property
    def segments(self) -> SimulatedSegments:
        return SimulatedSegments(self._database, self._process, read=self._read, connected=self._must_be_connected, done=self._done)

    @property
    def tables(self) -> SimulatedTables:
        return SimulatedTables(self._database, self._process, read=self._read, connected=self._must_be_connected, done=self._done)

    def prepared_transactions(self) -> tuple[str, ...]:
        return tuple(filter(None, (self._read().settings.get("xa_prepared"),)))

    def events(self) -> tuple[EventFacts, ...]:
        return self._read().events

    def missing_privileges(self) -> tuple[str, ...]:
        return tuple(filter(None, (self._read().settings.get("missing_privilege"),)))

    def noted(self, topology: str, /) -> tuple[Mark, ...]:
        """Those of the pair: here a note is on both sides at once."""
        return tuple(mark for mark in self._read().notes.values() if mark.topology == topology)

    def logged_since(self, position: Position, /, limit: int) -> tuple[LoggedTransaction, ...]:
        database = self._read()
        later = [
            LoggedTransaction(gtid=str(own), server_id=each.gtid.server_id, file=f"{self.name}-bin.000001", offset=number)
            for number, each in enumerate(database.log, start=1)
            if not position.contains(own := database.position_of(number))
        ]
        return tuple(later[:limit])

    # -- proofs

    def proof_of_fence(self) -> FenceProof:
        seen = self.write_facts()
        if not seen.read_only:
            raise StatementFailed(f"{self.name} takes writes: read_only=0", hint="fence it first", server=self.name)
        try:
            self.write_canary(f"fence-{self.name}")
        except WriteRefused:
            return FenceProof(server=self.name, position=seen.position, own=self._database.own_position, canary="refused", loose=seen.loose)
        raise StatementFailed(f"{self.name} took a canary write although read_only=1", server=self.name)

    def write_canary(self, token: str, /) -> None:
        self._read().commit(_canary(token))

    def sees_canary(self, token: str, /) -> bool:
        return _canary(token) in self._read().rows

    def wait_applied(self, position: Position, within_s: float, /) -> bool:
        database = self._read()
        database.clock.wait_until(lambda: database.is_in_reach() and database.position.contains(position), max(within_s, 0.001))
        if not database.is_in_reach():
            database.answer()
        database.must_answer()
        return database.position.contains(position)

    # -- effects

    def script(self, effect: ServerEffect | ChannelEffect, /) -> tuple[str, ...]:
        match effect:
            case Fence():
                return ("SET GLOBAL read_only=1",)
            case Open():
                return ("SET GLOBAL read_only=0",)
            case SetEventScheduler(on=on):
                return (f"SET GLOBAL event_scheduler={'ON' if on else 'OFF'}",)
            case KillSessions(ids=ids):
                return tuple(f"KILL {one}" for one in ids)
            case RunSql(statements=statements):
                return statements
            case WriteNote(mark=mark):
                return (f"note: {mark.subject} is {mark.kind.value}",)
            case EraseNote(mark=mark):
                return (f"erase the note: {mark.subject} is {mark.kind.value}",)
            case Repoint(source=source):
                return (f"follow {source}",)
            case StopApplier():
                return ("stop applying",)
            case StartApplier():
                return ("apply",)
            case StopReceiver():
                return ("stop receiving",)
            case StartReceiver():
                return ("receive",)
            case SendHeartbeat():
                return ("a heartbeat",)
            case SetSemiSync(waits=waits, acknowledges=acknowledges):
                return (f"semi-sync: waits {waits}, acknowledges {acknowledges}",)

    def apply(self, effect: ServerEffect | ChannelEffect, /, mark: str) -> Mapping[str, object]:
        del mark
        self._process.move()
        self._must_be_connected()
        if not isinstance(effect, RunSql):
            self._done(effect)
        database = self._database
        rows: list[Mapping[str, str]] = []
        match effect:
            case Fence(within_s=within_s, as_was=as_was):
                if database.is_held_up() and database.is_in_reach():
                    database.answer()
                    database.stick(within_s)
                database.carry_out(Fence, lambda: database.close(as_was), within_s + _LATER_S)
            case Open(within_s=within_s):
                database.carry_out(Open, lambda: database.set_read_only(on=False), within_s + _LATER_S)
            case SetEventScheduler(on=on):
                database.carry_out(SetEventScheduler, lambda: setattr(database, "scheduler", "ON" if on else "OFF"), BOUND_S)
            case Repoint() | StopApplier() | StartApplier() | StopReceiver() | StartReceiver() | SendHeartbeat() | SetSemiSync():
                database.carry_out(type(effect), lambda: database.change_channel(effect), effect.within_s + _LATER_S)
            case WriteNote(mark=kept, within_s=within_s):
                database.carry_out(WriteNote, lambda: database.notes.__setitem__((kept.kind, kept.subject), kept), within_s + _LATER_S)
            case EraseNote(mark=kept, within_s=within_s):
                database.carry_out(EraseNote, lambda: _forget(database, kept), within_s + _LATER_S)
            case KillSessions(ids=ids):
                database.carry_out(KillSessions, lambda: _end(database, ids), BOUND_S)
            case RunSql(statements=statements, within_s=within_s):
                if any(statement.startswith("SET ") for statement in statements):
                    self._done(effect)
                database.carry_out(RunSql, lambda: rows.extend(_run(database, statements)), within_s + _LATER_S)
        self._process.move()
        return {"rows": rows}

    def settle(self) -> None:
        self._read().pending.clear()

    # -- one operator at a time

    def take_lock(self, name: str, /, *, owner: str = "", again: bool = False) -> None:
        """A broken connection's lock goes at once here, so nothing is to be ended `again`."""
        del owner, again
        locks = self._read().locks
        if locks.setdefault(name, self._process.name) != self._process.name:
            raise PairBusy(f"{self.name}: the lock {name} is held by session of {locks[name]}", hint="wait for it", server=self.name)

    def holds_lock(self, name: str, /) -> bool:
        return self._read().locks.get(name) == self._process.name

    def release_lock(self, name: str, /) -> None:
        if self.holds_lock(name):
            del self._database.locks[name]

    def warm_up(self) -> Mapping[str, object] | None:
        kept = self._read().settings.get("kept")
        return {"kept": kept} if kept else None

    def recall(self, kept: Mapping[str, object], /) -> None:
        self._database.settings["recalled"] = str(kept["kept"])

    def close(self) -> None:
        self._drop_locks()

    def _must_be_connected(self) -> None:
        if self.name in self._process.cut_off:
            self._process.cut_off.discard(self.name)
            raise Unreachable(f"{self.name}: 2013: lost connection", hint="it was ended meanwhile", server=self.name)

    def _read(self) -> Database:
        self._process.move()
        self._must_be_connected()
        self._database.answer()
        self._database.clock.sleep(CALL_S)
        if self._process.is_dead:
            self._process.move()  # killed while it waited: the answer reaches nobody, and its connection is gone
        return self._database

    def _drop_locks(self) -> None:
        locks = self._database.locks
        for name in [name for name, holder in locks.items() if holder == self._process.name]:
            del locks[name]


def _canary(token: str) -> str:
    return f"canary {token}"


def _forget(database: Database, mark: Mark) -> None:
    database.notes.pop((mark.kind, mark.subject), None)


def _end(database: Database, ids: tuple[int, ...]) -> None:
    for one in ids:
        database.sessions.pop(one, None)


def _facts_of(session: Session, now_s: float) -> SessionFacts:
    return SessionFacts(
        id=session.id,
        user=session.user,
        host="10.0.0.1",
        command="Query" if session.statement else "Sleep",
        state="",
        time_s=0.0,
        statement=session.statement,
        transaction_s=None if session.began_s is None else now_s - session.began_s,
        rows_modified=session.rows_modified,
        passes_read_only=session.passes_read_only,
        administrator=session.passes_read_only,
    )


def _run(database: Database, statements: tuple[str, ...]) -> list[Mapping[str, str]]:
    """Understood are `SET name=value`, `SELECT name`, and a statement that is itself a setting's name. StatementFailed for `FAIL`."""
    rows: list[Mapping[str, str]] = []
    for statement in statements:
        verb, _, rest = statement.partition(" ")
        if verb == "SET":
            name, _, value = rest.partition("=")
            database.settings[name] = value
        elif verb == "SELECT":
            rows.append({rest: database.settings.get(rest, "")})
        elif statement in database.settings:
            rows.append({statement: database.settings[statement]})
        elif verb == "FAIL":
            raise StatementFailed(f"{database.name}: 1064: {statement}", server=database.name)
    return rows
