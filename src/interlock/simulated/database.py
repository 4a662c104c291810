"""One database server in memory: what it holds, who may write, and the faults it can be given.

Positions, read-only and locks behave as MariaDB's do, held to that by the suite in `tests/contract`: transactions are numbered within the
domain of the server that first wrote them; what is applied is logged too; a fence lets open transactions live and refuses their commit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from interlock.errors import BoundReached, OutcomeUnknown, Unreachable, WriteRefused
from interlock.model.effects import Effect
from interlock.model.facts import ChannelFacts, EventFacts
from interlock.model.position import Gtid, MariaDBPosition
from interlock.model.topology import ServerName
from interlock.simulated.clock import SimulatedClock

CALL_S = 0.0005
"""What half a round trip takes."""

BOUND_S = 3.0
"""How long a client waits for a server that does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One committed row: the transaction's GTID, the row's key, and when it was committed here."""

    gtid: Gtid
    key: str
    at_s: float


@dataclass(slots=True, kw_only=True)
class Session:
    """A client's session. `began_s` is when its open transaction began."""

    id: int
    user: str = "app"
    statement: str = ""
    began_s: float | None = None
    rows_modified: int = 0
    passes_read_only: bool = False


@dataclass(slots=True, kw_only=True)
class Faults:
    """What is wrong with a server. `lose_reply` and `land_late` name kinds of effects, once each: the effect takes place at once, or after
    so many seconds, and its reply never comes.
    """

    down: bool = False
    hung: bool = False
    fence_stuck: bool = False
    lose_reply: set[type[Effect]] = field(default_factory=set)
    land_late: dict[type[Effect], float] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Database:
    """`on_turn` is called whenever it begins or ends to take writes, or to answer. `settings` is what a team's own SQL reads and sets."""

    name: ServerName
    server_id: int
    clock: SimulatedClock
    read_only: bool = True
    scheduler: str = "OFF"
    faults: Faults = field(default_factory=Faults)
    log: list[Transaction] = field(default_factory=list)
    held: dict[int, Gtid] = field(default_factory=dict)
    rows: set[str] = field(default_factory=set)
    sessions: dict[int, Session] = field(default_factory=dict)
    events: tuple[EventFacts, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    locks: dict[str, str] = field(default_factory=dict)
    pending: list[Callable[[], None]] = field(default_factory=list)
    channels: Callable[[], tuple[ChannelFacts, ...]] = tuple
    on_log: list[Callable[[Transaction], None]] = field(default_factory=list)
    on_turn: list[Callable[[], None]] = field(default_factory=list)
    sessions_made: int = 0

    @property
    def takes_writes(self) -> bool:
        return not self.read_only and not self.faults.down

    @property
    def position(self) -> MariaDBPosition:
        return MariaDBPosition(tuple(self.held[domain] for domain in sorted(self.held)))

    # -- what clients do

    def connect(self, user: str = "app") -> Session:
        """Unreachable if it is down or hung."""
        self.must_answer()
        self.sessions_made += 1
        session = Session(id=self.sessions_made, user=user)
        self.sessions[session.id] = session
        return session

    def commit(self, key: str, *, passes_read_only: bool = False) -> Transaction:
        """Write one row. WriteRefused while it is read-only."""
        self.must_answer()
        if self.read_only and not passes_read_only:
            raise WriteRefused(f"{self.name}: 1290: the server is running with --read-only", server=self.name)
        last = self.held.get(self.server_id)
        gtid = Gtid(self.server_id, self.server_id, last.sequence + 1 if last else 1)
        return self.take(Transaction(gtid=gtid, key=key, at_s=self.clock.monotonic_s()))

    def take(self, transaction: Transaction) -> Transaction:
        """Log it: a client's commit, or one that replication brought."""
        self.held[transaction.gtid.domain] = transaction.gtid
        self.rows.add(transaction.key)
        self.log.append(transaction)
        for tell in self.on_log:
            tell(transaction)
        return transaction

    def must_answer(self) -> None:
        if self.faults.down or self.faults.hung:
            raise Unreachable(f"{self.name} does not answer", hint=f"is {self.name} running?", server=self.name)

    # -- what Interlock does

    def answer(self, bound_s: float = BOUND_S) -> None:
        """The way there of a read. Unreachable at once if it is down, after `bound_s` if it is hung."""
        self.clock.sleep(CALL_S)
        self.clock.wait_until(lambda: not self.faults.hung, bound_s)
        self.must_answer()

    def carry_out(self, kind: type[Effect], change: Callable[[], None], bound_s: float) -> None:
        """Send an effect, wait for the reply. BoundReached: it had no effect; OutcomeUnknown: it had, or may still have."""
        self.clock.sleep(CALL_S)
        if self.faults.down:
            self.must_answer()
        if self.faults.hung or kind in self.faults.land_late:
            self._send(kind, change, bound_s)
        else:
            change()
            if kind in self.faults.lose_reply:
                self.faults.lose_reply.discard(kind)
                self.clock.sleep(bound_s)
                raise self._unknown(bound_s)
        self.clock.sleep(CALL_S)

    def stick(self, within_s: float) -> None:
        """A fence that a lock holds up until the server's own bound."""
        self.clock.sleep(within_s)
        raise BoundReached(
            f"{self.name}: fence had no effect within {within_s:g}s: 1205", hint="held up by session 7 of app@%", server=self.name
        )

    def _send(self, kind: type[Effect], change: Callable[[], None], bound_s: float) -> None:
        landed: list[bool] = []

        def land() -> None:
            if statement in self.pending:
                self.pending.remove(statement)
                change()
                landed.append(True)

        statement = land
        self.pending.append(statement)
        if kind in self.faults.land_late:
            self.clock.after(self.faults.land_late.pop(kind), lambda: None if self.faults.hung else land())
        if not self.clock.wait_until(lambda: bool(landed), bound_s):
            raise self._unknown(bound_s)

    def _unknown(self, bound_s: float) -> OutcomeUnknown:
        return OutcomeUnknown(f"{self.name} did not answer within {bound_s:g}s", hint="it may still take effect", server=self.name)

    # -- changes of state

    def set_read_only(self, *, on: bool) -> None:
        if self.read_only is not on:
            self.read_only = on
            self.turned()

    def turned(self) -> None:
        for tell in self.on_turn:
            tell()

    def hang(self) -> None:
        """SIGSTOP: sockets stay open, nothing is answered, what is sent meanwhile waits."""
        self.faults.hung = True

    def go_on(self) -> None:
        """SIGCONT: what was sent meanwhile lands."""
        self.faults.hung = False
        for land in tuple(self.pending):
            land()
        self.turned()

    def crash(self) -> None:
        """End at once, as by kill -9: sessions, locks and statements end with it."""
        self.faults.down, self.faults.hung = True, False
        self.sessions.clear()
        self.locks.clear()
        self.pending.clear()
        self.turned()

    def start(self, *, read_only: bool = True) -> None:
        """As its option file says, whatever it was before."""
        self.faults.down = False
        self.read_only = read_only
        self.turned()
