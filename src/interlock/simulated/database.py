"""One database server in memory: what it holds, who may write, and the faults it can be given.

Read-only and locks behave as MariaDB's do, held to that by the suite in `tests/contract`: transactions are numbered within the domain of
the server that first wrote them; what is applied is logged too; a fence lets open transactions live and refuses their commit. How it tells
its position is its flavor's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum

from interlock.dataclass import dataclass
from interlock.errors import BoundReached, OutcomeUnknown, RefusedButAlive, StatementFailed, Unreachable, WriteRefused
from interlock.model.effects import ChannelEffect, Effect
from interlock.model.facts import ChannelFacts, EventFacts
from interlock.model.marks import Mark
from interlock.model.position import FilePosition, Gtid, GtidSource, LogPoint, MariaDBPosition, MySQLPosition, Position
from interlock.model.topology import ServerName
from interlock.simulated.clock import SimulatedClock
from interlock.simulated.network import PROXY, TOOL, Network
from interlock.simulated.parts import Faults, SegmentHere, Session

CALL_S = 0.0005
"""What half a round trip takes."""

BOUND_S = 3.0
"""How long a client waits for a server that does not answer."""


AJAR = "ajar"
"""The name of the fence that lets administrators write."""


class Flavor(StrEnum):
    """How a server tells what it holds."""

    MARIADB = "mariadb"
    MYSQL = "mysql"
    FILES = "mysql without GTIDs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One committed row: the transaction's GTID, the row's key, and when it was committed here."""

    gtid: Gtid
    key: str
    at_s: float


def uuid_of(server_id: int) -> str:
    return f"{server_id:08x}-0000-0000-0000-{server_id:012x}"


def point(server: str, number: int) -> LogPoint:
    """After so many transactions of a server's log: here each is as long as the other."""
    return LogPoint(f"{server}-bin.", 1, number)


def _no_channel(effect: ChannelEffect) -> None:
    raise StatementFailed(f"{effect.server} has no channel", server=effect.server)


@dataclass(slots=True, kw_only=True)
class Database:
    """`on_turn` is called whenever it begins or ends to take writes, or to answer. `settings` is what a team's own SQL reads and sets.
    `cut` are the keys of rows that came with a column that it did not have.
    `barred`: it was fenced from outside, and does not start. `ajar`: its fence lets administrators write; None if there is but one fence.
    `sources` tells, for each server that it replicates from, how many transactions of that server's log it has been through.
    """

    name: ServerName
    server_id: int
    clock: SimulatedClock
    network: Network = field(default_factory=Network)
    flavor: Flavor = Flavor.MARIADB
    read_only: bool = True
    scheduler: str = "OFF"
    faults: Faults = field(default_factory=Faults)
    log: list[Transaction] = field(default_factory=list)
    held: dict[int, Gtid] = field(default_factory=dict)
    rows: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)
    sessions: dict[int, Session] = field(default_factory=dict)
    events: tuple[EventFacts, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    locks: dict[str, str] = field(default_factory=dict)
    notes: dict[tuple[str, str], Mark] = field(default_factory=dict)
    pending: list[Callable[[], None]] = field(default_factory=list)
    pending_of_clients: list[tuple[int, str]] = field(default_factory=list)
    channels: Callable[[], tuple[ChannelFacts, ...]] = tuple
    barred: bool = False
    ajar: bool | None = None
    sources: dict[ServerName, Callable[[], int]] = field(default_factory=dict)
    change_channel: Callable[[ChannelEffect], None] = _no_channel
    acknowledging: list[Callable[[], bool]] = field(default_factory=list)
    on_log: list[Callable[[Transaction], None]] = field(default_factory=list)
    on_turn: list[Callable[[], None]] = field(default_factory=list)
    segments: dict[str, SegmentHere] = field(default_factory=dict)
    sessions_made: int = 0
    fences_waiting: int = 0

    @property
    def takes_writes(self) -> bool:
        return not self.read_only and not self.faults.down

    @property
    def position(self) -> Position:
        """What it holds: all that it logged, as its flavor tells it."""
        points = {str(name): point(name, applied()) for name, applied in self.sources.items()}
        return self._told(self.held, points | {self.name: point(self.name, len(self.log))})

    @property
    def own_position(self) -> Position:
        """The part of it that it wrote itself."""
        match self.position:
            case MariaDBPosition() as position:
                return position.written_by(*self.identity)
            case MySQLPosition() as position:
                return position.written_by(uuid_of(self.server_id))
            case FilePosition() as position:
                return position.only(self.name)
            case other:
                return other

    @property
    def identity(self) -> tuple[int, int]:
        """GTID domain and server id."""
        return int(self.settings.get("gtid_domain_id", self.server_id)), self.server_id

    def position_after(self, number: int) -> Position:
        """What somebody holds who has been through so many transactions of its log."""
        return self._told({each.gtid.domain: each.gtid for each in self.log[:number]}, {self.name: point(self.name, number)})

    def _told(self, held: Mapping[int, Gtid], points: Mapping[str, LogPoint]) -> Position:
        gtids = tuple(held[domain] for domain in sorted(held))
        match self.flavor:
            case Flavor.MARIADB:
                return MariaDBPosition(gtids)
            case Flavor.MYSQL:
                return MySQLPosition(tuple((GtidSource(uuid_of(gtid.domain)), ((1, gtid.sequence),)) for gtid in gtids))
            case Flavor.FILES:
                return FilePosition.of(points)

    def position_of(self, number: int) -> Position:
        """Of the transaction at this place of its log alone, counted from 1."""
        gtid = self.log[number - 1].gtid
        match self.flavor:
            case Flavor.MARIADB:
                return MariaDBPosition((gtid,))
            case Flavor.MYSQL:
                return MySQLPosition(((GtidSource(uuid_of(gtid.domain)), ((gtid.sequence, gtid.sequence),)),))
            case Flavor.FILES:
                return FilePosition.of({self.name: point(self.name, number)})

    # -- what clients do

    def connect(self, user: str = "app") -> Session:
        """Unreachable if it is down or hung."""
        self.must_answer()
        self.sessions_made += 1
        session = Session(id=self.sessions_made, user=user)
        self.sessions[session.id] = session
        return session

    def commit(self, key: str, *, passes_read_only: bool = False) -> Transaction:
        """Write one row. WriteRefused while it is read-only; StatementFailed if the key is there already."""
        self.must_answer()
        if self.read_only and not passes_read_only:
            raise WriteRefused(f"{self.name}: 1290: the server is running with --read-only", server=self.name)
        if key in self.rows:
            raise StatementFailed(f"{self.name}: 1062: duplicate entry {key!r}", server=self.name)
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

    def is_in_reach(self) -> bool:
        """Whether Interlock's connections get an answer: it does not hang, and the link passes both ways."""
        return not self.faults.hung and self.network.joins(TOOL, self.name)

    def answer(self, bound_s: float = BOUND_S) -> None:
        """The way there of a read. Unreachable at once if it is down, after `bound_s` if it hangs or the link is cut."""
        faults = self.faults
        self.clock.sleep(CALL_S + faults.slow_s)
        if not self.is_in_reach() and not self.clock.wait_until(self.is_in_reach, bound_s):
            raise Unreachable(f"{self.name} does not answer", hint=f"is {self.name} running?", server=self.name)
        self.must_answer()
        if faults.refuses:
            raise RefusedButAlive(f"{self.name}: 1040: too many connections", hint="make room for Interlock's account", server=self.name)

    def carry_out(self, kind: type[Effect], change: Callable[[], None], bound_s: float) -> None:
        """Send an effect, wait for the reply. BoundReached: it had no effect; OutcomeUnknown: it had, or may still have."""
        self.clock.sleep(CALL_S + self.faults.slow_s)
        if self.faults.down:
            self.must_answer()
        if self.faults.hung or kind in self.faults.land_late or not self.network.passes(TOOL, self.name):
            self._send(kind, change, bound_s)
        else:
            change()
            if kind in self.faults.lose_reply or not self.network.passes(self.name, TOOL):
                self.faults.lose_reply.discard(kind)
                self.clock.sleep(bound_s)
                raise self._unknown(bound_s)
        self.clock.sleep(CALL_S)

    def stick(self, within_s: float) -> None:
        """A fence waits for whoever holds it up, and new writers wait behind it. BoundReached at the server's own bound."""
        self.fences_waiting += 1
        freed = self.clock.wait_until(lambda: not self.is_held_up(), within_s)
        self.fences_waiting -= 1
        if not freed:
            raise BoundReached(
                f"{self.name}: fence had no effect within {within_s:g}s: 1205", hint="held up by session 7 of app@%", server=self.name
            )

    def is_held_up(self) -> bool:
        return self.faults.fence_stuck or any(session.holds_fence_up for session in self.sessions.values())

    def land_all(self) -> None:
        """What was sent while it could not arrive lands now, if it can."""
        if not self.faults.hung and self.network.passes(TOOL, self.name):
            for land in tuple(self.pending):
                land()
        if self.pending_of_clients and not self.faults.hung and self.network.passes(PROXY, self.name):
            late, self.pending_of_clients = self.pending_of_clients, []
            for session, key in late:
                if self.sessions.pop(session, None) and not self.read_only and key not in self.rows:
                    self.commit(key)

    def _send(self, kind: type[Effect], change: Callable[[], None], bound_s: float) -> None:
        landed: list[bool] = []

        def land() -> None:
            if land in self.pending:
                self.pending.remove(land)
                change()
                landed.append(True)

        self.pending.append(land)
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

    @property
    def fence(self) -> str:
        """As `WriteFacts.fence` tells it."""
        return "" if self.ajar is None or not self.read_only else AJAR if self.ajar else "shut"

    def close(self, as_was: str) -> None:
        self.set_read_only(on=True)
        if self.ajar is not None:
            self.ajar = as_was == AJAR

    def turned(self) -> None:
        for tell in self.on_turn:
            tell()

    def hang(self) -> None:
        """SIGSTOP: sockets stay open, nothing is answered, what is sent meanwhile waits."""
        self.faults.hung = True

    def go_on(self) -> None:
        """SIGCONT: what was sent meanwhile lands."""
        self.faults.hung = False
        self.land_all()
        self.turned()

    def crash(self) -> None:
        """End at once, as by kill -9: sessions, locks and statements end with it."""
        self.faults.down, self.faults.hung = True, False
        self.sessions.clear()
        self.locks.clear()
        self.pending.clear()
        self.pending_of_clients.clear()
        self.turned()

    def start(self, *, read_only: bool = True) -> None:
        """As its option file says, whatever it was before. Nothing happens while it is barred."""
        if self.barred:
            return
        self.faults.down = False
        self.read_only = read_only
        self.turned()
