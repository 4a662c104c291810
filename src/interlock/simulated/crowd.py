"""Clients of every habit, writing unique keys through the route. What they were told of each key is the history that is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed, Unreachable, WriteRefused
from interlock.simulated.database import Database
from interlock.simulated.network import CLIENTS, PROXY
from interlock.simulated.pair import SimulatedPair
from interlock.simulated.parts import Session
from interlock.simulated.schedules import Clients

_PAUSE_S = 0.012
_SLOWEST_S = 0.6
_SLOWER = 1.25
_LONG_S = {Clients.LONG: 0.15, Clients.XA: 0.05, Clients.LOCKER: 0.08, Clients.PRIVILEGED: 0.0}


@dataclass(slots=True, kw_only=True)
class Writer:
    """One client. A key whose fate it does not know is written again on its next connection, as applications do."""

    name: str
    habit: Clients
    pair: SimulatedPair
    database: Database | None = None
    session: Session | None = None
    written: int = 0
    doubtful: str = ""

    def turn(self) -> None:
        """Connect if need be, and do what it does next."""
        if not self.pair.network.passes(CLIENTS, PROXY) or not self._connected():
            return
        database, session = self.database, self.session
        if database is None or session is None:
            return
        match self.habit:
            case Clients.PRIVILEGED:
                session.user, session.passes_read_only = "admin", True
            case Clients.LONG | Clients.XA | Clients.LOCKER:
                self._long(database, session)
            case Clients.POOLED | Clients.SHORT:
                if not database.fences_waiting:
                    self._write(database, session)
        if self.habit is Clients.SHORT and self.session is session:
            database.sessions.pop(session.id, None)
            self.session = None

    def _connected(self) -> bool:
        if self.session is not None and self.database is not None and self.session.id in self.database.sessions:
            return True
        target = self.pair.proxy.target()
        if target is None or not self.pair.network.joins(PROXY, target.name):
            return False
        try:
            self.database, self.session = target, target.connect()
        except Unreachable:
            self.database = self.session = None
        return self.session is not None

    def _long(self, database: Database, session: Session) -> None:
        """A transaction that is begun in one turn and committed in a later one."""
        if session.began_s is None:
            session.began_s, session.rows_modified = database.clock.monotonic_s(), 1
            session.holds_fence_up = self.habit is Clients.LOCKER
            session.statement = "LOCK TABLES t WRITE" if session.holds_fence_up else ""
            if self.habit is Clients.XA:
                database.settings["xa_prepared"] = self.name
        elif database.clock.monotonic_s() - session.began_s >= _LONG_S[self.habit]:
            self._write(database, session)
            session.began_s, session.rows_modified, session.holds_fence_up, session.statement = None, 0, False, ""
            if database.settings.get("xa_prepared") == self.name:
                del database.settings["xa_prepared"]

    def _write(self, database: Database, session: Session) -> None:
        key = self.doubtful
        if not key:
            self.written += 1
            key = f"{self.name}-{self.written}"
        ledger, network = self.pair.ledger, self.pair.network
        if database.faults.hung or not network.passes(PROXY, database.name):
            database.pending_of_clients.append((session.id, key))
            self._doubt(key)
            return
        try:
            at_s = database.commit(key).at_s
        except WriteRefused:
            if key != self.doubtful:
                ledger.failed.add(key)
        except StatementFailed:
            self._acknowledged(key, database.clock.monotonic_s())  # it is there: the first try had done it
        except Unreachable:
            self._doubt(key)
        else:
            if network.passes(database.name, PROXY) and network.passes(PROXY, CLIENTS):
                self._acknowledged(key, at_s)
            else:
                self._doubt(key)

    def _acknowledged(self, key: str, at_s: float) -> None:
        self.pair.ledger.acknowledged[key] = at_s
        self.pair.ledger.unknown.discard(key)
        if key == self.doubtful:
            self.doubtful = ""

    def _doubt(self, key: str) -> None:
        """The connection is given up; the statement may still land."""
        self.pair.ledger.unknown.add(key)
        self.doubtful, self.session, self.database = key, None, None


@dataclass(slots=True, kw_only=True)
class Crowd:
    """All the clients. They are quick when something has just happened, and slow down while nothing does: so the dangerous instants are
    dense with writes, and an hour of waiting costs little.
    """

    pair: SimulatedPair
    writers: Sequence[Writer] = ()
    pause_s: float = _PAUSE_S
    quick_until_s: float = 0.5
    fired: int = 0

    @classmethod
    def of(cls, pair: SimulatedPair, habits: Sequence[Clients]) -> Crowd:
        crowd = cls(pair=pair, writers=[Writer(name=f"c{number}", habit=habit, pair=pair) for number, habit in enumerate(habits)])
        for number in range(len(crowd.writers)):
            pair.clock.after(_PAUSE_S * (number + 1) / len(crowd.writers), crowd.begin(number))
        for database in (pair.east, pair.west):
            database.on_turn.append(crowd.hurry)
        pair.proxy.on_turn.append(crowd.hurry)
        pair.on_sent.append(lambda _: crowd.hurry())
        pair.clock.after(_PAUSE_S, crowd.fire_events)
        return crowd

    def begin(self, number: int) -> Callable[[], None]:
        """Its turns, one after the other, for ever."""
        writer, clock = self.writers[number], self.pair.clock

        def turn() -> None:
            writer.turn()
            self.pause_s = min(_SLOWEST_S, self.pause_s * _SLOWER) if clock.monotonic_s() > self.quick_until_s else _PAUSE_S
            clock.after(self.pause_s, turn)

        return turn

    def fire_events(self) -> None:
        """Scheduled events whose definer passes `read_only`: where the scheduler runs and they are enabled, they write, fence or not."""
        for database in (self.pair.east, self.pair.west):
            if database.events and database.scheduler == "ON" and not database.faults.down and not database.faults.hung:
                self.fired += 1
                key = f"event-{self.fired}"
                self.pair.ledger.acknowledged[key] = database.commit(key, passes_read_only=True).at_s
        self.pair.clock.after(2 * self.pause_s, self.fire_events)

    def hurry(self) -> None:
        self.quick_until_s = self.pair.clock.monotonic_s() + 0.1
        self.pause_s = _PAUSE_S
