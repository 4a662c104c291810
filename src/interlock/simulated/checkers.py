"""The watch over a simulated night: what must hold after every event, and what must hold of the history at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interlock.dataclass import dataclass
from interlock.engine.journal import Progress, RecordKind, progress_by
from interlock.engine.scripts import scripts
from interlock.engine.states import FINAL, State
from interlock.errors import StoreFailed
from interlock.model.effects import Fence, Hold, Open, PointTo, RunSql
from interlock.ports import Record, World
from interlock.simulated.faults import Faults
from interlock.simulated.pair import Sent, SimulatedPair

ROUTE_BOUND_S = 90.0
"""How long a route may lead to a server that takes no writes while a program works: the longest outage, and the whole way back."""

_NOT_OURS = {"xa_prepared", "x"}
"""Settings that clients make, or a person who mends what a check had found."""

_NOTICED_S = 2.5
"""A server that was started unfenced must be noticed by an opening later than this: a proof younger than a second is not repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """All that a run may change, and must put back when it goes back."""

    writers: tuple[str, ...]
    leads_to: tuple[str, ...]
    holding: bool
    weights: Mapping[str, str]
    schedulers: tuple[str, ...]
    settings: tuple[Mapping[str, str], ...]


def shape_of(pair: SimulatedPair) -> Shape:
    return Shape(
        writers=pair.writers(),
        leads_to=pair.proxy.leads_to,
        holding=pair.proxy.holding,
        weights={str(cluster): weight for cluster, weight in pair.proxy.weights.items()},
        schedulers=(pair.east.scheduler, pair.west.scheduler),
        settings=tuple(
            {name: value for name, value in each.settings.items() if value and name not in _NOT_OURS} for each in (pair.east, pair.west)
        ),
    )


class Watch:
    """Promises 1 and 2 are watched by the pair itself, whenever a server turns; here are the others. All notes go to `pair.violations`."""

    def __init__(self, pair: SimulatedPair, faults: Faults, world: World) -> None:
        self._pair = pair
        self._faults = faults
        self._world = world
        self._progress: dict[str, Progress] = {}
        self._unsynced: list[str] = []
        self._intended: set[str] = set()
        self._senders: list[str] = []
        self._astray_since_s: float | None = None
        self.store_fails = False
        self.fenced_by_tool: set[str] = set()
        pair.on_sent.append(self.sent)
        pair.proxy.on_turn.append(self.turned)
        for database in (pair.east, pair.west):
            database.on_turn.append(self.turned)

    def note(self, what: str) -> None:
        self._pair.violations.append(f"at {self._pair.clock.monotonic_s():.3f}s {what}")

    # -- effects

    def sent(self, sent: Sent) -> None:
        """Before an effect: its intent is on the disk, whoever sends it is the last one who began to, and an opening meets nobody open."""
        effect = sent.effect
        if self._senders and self._senders[-1] != sent.process and sent.process in self._senders:
            self.note(f"one operator: {sent.process} sends {effect} after {self._senders[-1]} has taken over")
        if sent.process not in self._senders:
            self._senders.append(sent.process)
        lines = scripts(self._world, [effect])
        known = self._may_fence() if isinstance(effect, Fence) else self._intended.issuperset(lines)
        back = not isinstance(effect, Hold | PointTo) and not (isinstance(effect, Open) and effect.server == "west")
        if not known and not (self.store_fails and back) and not isinstance(effect, RunSql):
            self.note(f"journal: {lines[0]} is sent, and no intent of it is on the disk")
        if isinstance(effect, Fence):
            self.fenced_by_tool.add(effect.server)
            self._pair.excused.discard(effect.server)
        if isinstance(effect, Open):
            self._opening(effect)

    def _may_fence(self) -> bool:
        """A run that may fence or open at all may fence everything, and one on its way back every master but the old writer."""
        going_back = any(progress.state is State.ROLLING_BACK for progress in self._progress.values())
        return going_back or any("read_only" in line for line in self._intended)

    def _opening(self, effect: Open) -> None:
        now_s = self._pair.clock.monotonic_s()
        for other in (self._pair.east, self._pair.west):
            since_s = self._faults.opened_by_start.get(other.name)
            if other.name == effect.server or not other.takes_writes or not other.is_in_reach():
                continue
            if since_s is None or now_s - since_s > _NOTICED_S:
                self.note(f"interlock: {effect.server} is being opened while {other.name} takes writes")

    def halted(self, problems: Sequence[str], *, since: int) -> None:
        """After a halt: what the run has fenced or opened once, nobody may write on, unless the operator was told that it is not proved.

        `since` is how many effects had been sent when the run began.
        """
        touched = any(isinstance(sent.effect, Fence | Open) for sent in self._pair.sent[since:])
        for database in (self._pair.east, self._pair.west) if touched else ():
            told = any(f"{database.name} is not proved fenced" in problem for problem in problems)
            if database.takes_writes and not told and database.name not in self._pair.excused:
                self.note(f"halt: {database.name} takes writes, and nobody was told")

    # -- the journal

    def appended(self, run: str, records: Sequence[Record], durable: bool) -> None:  # noqa: FBT001 - the store's own word
        progress = self._progress.setdefault(run, Progress())
        for record in records:
            self._fold(run, progress, record)
            self._unsynced += _lines(record)
        if durable:
            self._intended.update(self._unsynced)
            self._unsynced.clear()

    def power_failed(self, records: Mapping[str, Sequence[Record]]) -> None:
        """What was not on the disk is gone: the journals are shorter, and valid all the same."""
        self._unsynced.clear()
        self._progress.clear()
        for run, kept in records.items():
            self.appended(run, kept, durable=True)

    def _fold(self, run: str, progress: Progress, record: Record) -> None:
        state, outcome = progress.state, progress.outcome
        if outcome in FINAL:
            self.note(f"journal: run {run} has ended as {outcome}, and record {record.seq} ({record.kind}) follows")
        if record.kind == RecordKind.MOVED and record.body["source"] != state:
            self.note(f"journal: run {run} is {state}, and record {record.seq} moves it from {record.body['source']}")
        try:
            progress_by(progress, record)
        except StoreFailed as failed:
            self.note(f"journal: {failed.message}")

    # -- the route

    def turned(self) -> None:
        """Whenever a server or the proxy turns: since when are clients led to where they can't write?"""
        proxy, now_s = self._pair.proxy, self._pair.clock.monotonic_s()
        target = proxy.target()
        astray = not proxy.down and (target is None or target.read_only)
        if not astray:
            if self._astray_since_s is not None and now_s - self._astray_since_s > ROUTE_BOUND_S:
                self.note(f"route: clients were led to a fenced server for {now_s - self._astray_since_s:.0f}s")
            self._astray_since_s = None
        elif self._astray_since_s is None:
            self._astray_since_s = now_s

    def program_begins(self) -> None:
        """While nobody works, nobody can mend the route."""
        self._astray_since_s = None
        self.turned()

    def program_ends(self) -> None:
        since_s, now_s = self._astray_since_s, self._pair.clock.monotonic_s()
        if since_s is not None and now_s - since_s > ROUTE_BOUND_S:
            self.note(f"route: clients were led to a fenced server for {now_s - since_s:.0f}s")


def _lines(record: Record) -> list[str]:
    if record.kind not in {RecordKind.INTENDED, RecordKind.UNDOING}:
        return []
    texts = [record.body.get("script"), record.body.get("undo")]
    return [str(line) for lines in texts if isinstance(lines, list) for line in lines]


def history(pair: SimulatedPair) -> list[str]:
    """Keys by what clients were told of them: acknowledged ones lost, refused ones resurrected, any of them written twice."""
    found: list[str] = []
    everywhere = pair.east.rows | pair.west.rows
    acknowledged = pair.ledger.acknowledged.keys()
    found += [f"history: {key} was acknowledged and is lost" for key in sorted(acknowledged - everywhere)]
    found += [f"history: {key} was refused and is there" for key in sorted(pair.ledger.failed & everywhere - acknowledged)]
    first: dict[str, str] = {}
    for database in (pair.east, pair.west):
        for transaction in database.log:
            gtid = str(transaction.gtid)
            if first.setdefault(transaction.key, gtid) != gtid:
                found.append(f"history: {transaction.key} was written twice, as {first[transaction.key]} and as {gtid}")
    return found
