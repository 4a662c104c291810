"""Seeded bugs: each takes one safety away from the engine, an action or a decision, and a simulation that is worth its name notices.

A bug is a few attributes that are swapped while it is in force, and put back. `python tests/simulation/mutants.py` counts after how many
nights each is noticed, and prints the table of `docs/reliability.md`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from interlock.actions import replication_checks, route_flip, route_hold, server_fence, server_open
from interlock.actions.events_hand_over import HandOverEvents
from interlock.clock import Deadline
from interlock.decisions import replication, writes
from interlock.engine import back, endings, forward, halting, journal, runs, steps
from interlock.engine import interlock as interlocks
from interlock.engine.execution import Execution
from interlock.engine.guard import Guard
from interlock.engine.journal import Intent, Journal, RecordKind
from interlock.engine.states import State
from interlock.engine.steps import BoundStep
from interlock.errors import UsageError
from interlock.model.effects import Open, PointTo, SetEventScheduler
from interlock.model.facts import WriteFacts
from interlock.model.position import FilePosition, MariaDBPosition, MySQLPosition, Position
from interlock.model.verdict import Act, Done, Wait
from interlock.simulated import store as stores
from interlock.simulated.play import Played, play
from interlock.simulated.schedules import Fault, FaultKind, Recovery, Schedule, Sickness, StoreFault, schedule_of
from interlock.simulated.server import SimulatedServer
from interlock.simulated.variants import TEXTS, drawn

Swap = tuple[Any, str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """`swaps`: owner, attribute, and what takes its place. `within` so many nights from seed `first` it must be noticed; a bug that shows
    itself in rare nights only has its own, `among` which it must be. Where it takes hundreds, `first` spares those that show nothing.
    """

    bug: str
    swaps: Sequence[Swap]
    within: int = 400
    first: int = 0
    among: Sequence[Schedule] = ()


@contextmanager
def in_force(mutant: Mutant) -> Iterator[None]:
    """Put back at the end, whatever happened."""
    with ExitStack() as stack:
        for owner, name, new in mutant.swaps:
            stack.callback(setattr, owner, name, vars(owner)[name])
            setattr(owner, name, new)
        yield


def nights_until_noticed(mutant: Mutant, nights: Iterable[Schedule]) -> tuple[int, Played] | None:
    """How many nights were played until it was noticed, and the last one of them; None if it never was."""
    with in_force(mutant):
        for number, night in enumerate(nights, start=1):
            played = play(night)
            if played.violations:
                return number, played
    return None


def nights_from(first: int, most: int) -> Iterator[Schedule]:
    """As they are drawn from one seed after the other."""
    return (schedule_of(first + number, drawn()) for number in range(most))


def noticed_by(played: Played) -> str:
    """The checker's name, from what it noted first."""
    what = re.sub(r"^at [\d.]+s ", "", played.violations[0])
    if "take writes" in what and not what.startswith(("end:", "halt:", "interlock:")):
        return "two writers"
    if "is open without" in what:
        return "keys at the opening"
    return what.partition(":")[0]


# -- what takes the place of the right code --


def _nothing(*_args: object, **_named: object) -> None:
    """A safety that is not there."""


def _always(answer: object) -> Callable[..., Any]:
    return lambda *_args, **_named: answer


def _opens_without_catching_up(target: str, position: object, others: Any, *, lease_held: bool) -> Any:
    verdict = _MAY_OPEN(target, position, others, lease_held=lease_held)  # type: ignore[arg-type]
    return Done("never mind what is missing") if isinstance(verdict, Wait) else verdict


def _proves_by_the_first_look(self: Any, server: Any) -> Any:
    """Once proved, always proved, at the position of then."""
    known = _REMEMBERED.get((id(self), server))
    if known is None:
        known = _REMEMBERED[id(self), server] = _PROVE(self, server)
        _KEPT.append(self)
    return known


def _stale_target(self: Any, name: Any) -> Any:
    """The catch-up's target is what the other one held a transaction earlier."""
    other = _OTHER(self, name)
    return replace(other, proof=replace(other.proof, position=_one_less(other.proof.position))) if other.proof is not None else other


def _one_less(position: Position) -> Position:
    match position:
        case MariaDBPosition(gtids):
            return MariaDBPosition(tuple(replace(gtid, sequence=gtid.sequence - 1) for gtid in gtids))
        case MySQLPosition(sets):
            return MySQLPosition(tuple((source, ((1, intervals[-1][1] - 1),)) for source, intervals in sets if intervals[-1][1] > 1))
        case FilePosition(points):
            return FilePosition(tuple((server, replace(point, offset=point.offset - 1)) for server, point in points))
        case _:
            return position


def _behind_of_shared_domains(self: MariaDBPosition, other: Any) -> int:
    """A domain that it does not have is taken for one that does not matter."""
    mine = {gtid.domain: gtid.sequence for gtid in self.gtids}
    return sum(max(0, gtid.sequence - mine[gtid.domain]) for gtid in other.gtids if gtid.domain in mine)


def _lag_null_is_zero(server: Any, source: Any, channels: Any, max_lag_s: Any) -> Any:
    return _HEALTHY(server, source, [replace(c, lag_s=c.lag_s or 0) for c in channels], max_lag_s)


def _one_direction(self: Any, seen: Any) -> Any:
    """Only the channel that the switchover itself needs is looked at."""
    east, west = seen.into
    return replication.is_channel_healthy(west, east, seen.into[west], self.max_lag_s)


def _in_the_order_of_the_run(execution: Execution, bounds: dict[str, BoundStep]) -> list[Intent]:
    return list(reversed(list(_LAST_FIRST(execution, bounds))))


def _all_but_the_first(execution: Execution) -> None:
    """The first effect of the run is forgotten on the way back."""
    for intent in list(execution.intents.values())[:1]:
        intent.undone = True
    _GO_BACK(execution)


def _only_what_the_process_began(execution: Execution) -> None:
    """On resume the journal's intents without an effect on record are taken for not begun."""
    execution.taken_over = False
    _GO_BACK(execution)


def _over(clock: Any, seconds: float) -> Deadline:
    del seconds
    return Deadline(clock, clock.monotonic_s())


def _without_looking(execution: Any, intent: Any, bound: Any, deadline: Any) -> None:
    """Believed undone."""
    del bound, deadline
    intent.undone = True
    execution.journal.write(RecordKind.UNDONE, step=intent.step, detail="", ms=0.0)


def _undo_by_a_constant(self: Any, before: WriteFacts, now: WriteFacts | None) -> Any:
    """Opened and started, whatever it was before."""
    del before, now
    return (Open(server=self.server), SetEventScheduler(server=self.server, on=True))


def _flip_undone_by_a_constant(self: Any, before: Any, now: Any) -> Any:
    del now
    other = next(e.cluster for e in before.routes[0].endpoints if e.cluster not in before.routes[0].leads_to)
    return tuple(PointTo(route=route.route, cluster=other) for route in before.routes) if self else ()


def _fence_without_events(self: Any, seen: WriteFacts) -> Any:
    return tuple(e for e in _FENCE_EFFECTS(self, seen) if not isinstance(e, SetEventScheduler))


def _fence_done_when_read_only(self: Any, seen: WriteFacts) -> Any:
    return Done(f"{self.server} is fenced") if seen.read_only else Act("it takes writes")


def _fence_undone_without_events(self: Any, before: WriteFacts, now: WriteFacts | None) -> Any:
    return tuple(e for e in _FENCE_UNDO(self, before, now) if not isinstance(e, SetEventScheduler))


def _intents_in_memory(self: Journal, entries: Any, *, durable: bool) -> None:
    """The intent reaches the disk some time later."""
    _WRITE_ALL(self, entries, durable=durable and not any(entry.kind is RecordKind.INTENDED for entry in entries))


def _intents_after_the_effect(execution: Any, seen: Any) -> None:
    """Known to the process; the journal is told when the effect is made."""
    buffered: list[Any] = []
    journal_of, execution.journal = execution.journal, _Buffer(execution.journal, buffered)
    _RECORD_INTENTS(execution, seen)
    execution.journal = journal_of
    execution.clock.after(0.002, lambda: journal_of.write_all(buffered, durable=True))


class _Buffer:
    def __init__(self, real: Journal, kept: list[Any]) -> None:
        self._real = real
        self._kept = kept

    def write(self, *args: Any, **named: Any) -> None:
        self._real.write(*args, **named)

    def set_state(self, *args: Any) -> None:
        self._real.set_state(*args)

    def write_all(self, entries: Any, *, durable: bool) -> None:
        del durable
        self._kept += entries


def _never_fails(self: Journal, entries: Any, *, durable: bool) -> None:
    """What can't be recorded is done all the same."""
    self.lenient = True
    _WRITE_ALL(self, entries, durable=durable)


def _end_in_two_records(self: Journal, entries: Any, *, durable: bool) -> None:
    """The last move, and later the outcome: a kill between them leaves a run that can neither go on nor end."""
    for entry in entries:
        _WRITE_ALL(self, [entry], durable=durable)


def _fresh_before(execution: Any, bound: Any, seen: Any, **rest: Any) -> None:
    """A resumed run takes what it sees now for what was there before."""
    known = execution.intents.get(bound.key)
    if known is not None:
        known.before = seen
    _ACT(execution, bound, seen, **rest)


def _forward_again(progress: Any, record: Any) -> None:
    """A run that was on its way back is taken for one that goes on."""
    _PROGRESS_BY(progress, record)
    if progress.state is State.ROLLING_BACK:
        progress.state = State.OPENED


def _mends_nothing(self: Any, name: str, *, back: bool) -> Any:
    header = self.store.header(name)
    progress = journal.read_progress(self.store.records(header.run))
    if progress.outcome is not None and header.outcome is None:
        raise UsageError(f"run {header.run} has ended: {progress.outcome}")
    return _TAKE_UP(self, name, back=back)


_MAY_OPEN = writes.may_open
_PROVE = interlocks.Interlock.prove_fenced
_OTHER = interlocks.Interlock._other
_HEALTHY = replication.is_channel_healthy
_GO_BACK = back.go_back
_LAST_FIRST = back._last_first
_ACT = steps._act
_PROGRESS_BY = journal.progress_by
_WRITE_ALL = Journal.write_all
_RECORD_INTENTS = steps.record_intents
_TAKE_UP = runs.Engine._take_up
_FENCE_EFFECTS = server_fence.FenceServer.effects
_FENCE_UNDO = server_fence.FenceServer.undo
_REMEMBERED: dict[tuple[int, Any], Any] = {}
_KEPT: list[Any] = []  # so that no other interlock gets the identity of one that is gone

_FENCE = server_fence.FenceServer

_SICK = tuple(Schedule(playbook="bones", sickness=sickness) for sickness in Sickness)
_QUIET = tuple(Schedule(playbook=name, delays_s=(0.05, 0.05)) for name in TEXTS)
_KILLED = tuple(Schedule(playbook="bones", kills=(move,), recoveries=(Recovery.RESUME,)) for move in range(100, 150))
_WITHOUT_STORE = tuple(
    Schedule(playbook="bones", store=StoreFault(at_record=record, dead=True), recoveries=(Recovery.RESUME,)) for record in range(1, 50)
)
_BROKEN_LATE = tuple(
    Schedule(playbook="switchover", events=True, faults=(Fault(kind=FaultKind.APPLIER_STOPS, place=("east",), at_move=move, for_s=9.0),))
    for move in range(150, 260)
)

MUTANTS: dict[str, Mutant] = {
    "opening-before-catch-up": Mutant(
        bug="a server is opened although it lacks what the other one acknowledged",
        swaps=[(interlocks, "may_open", _opens_without_catching_up)],
    ),
    "stale-proof": Mutant(
        bug="a fence that was proved once is not proved again, after an opening either",
        swaps=[
            (interlocks.Interlock, "prove_as_found", _proves_by_the_first_look),
            (interlocks.Interlock, "prove_fenced", _proves_by_the_first_look),
            (interlocks, "has_stayed_fenced", _always(Done(""))),
        ],
    ),
    "stale-catch-up-target": Mutant(
        bug="the catch-up's target is one transaction old", swaps=[(interlocks.Interlock, "_other", _stale_target)]
    ),
    "unknown-domain-ignored": Mutant(
        bug="a replication domain that a server never saw is taken for caught up with",
        swaps=[(MariaDBPosition, "behind", _behind_of_shared_domains)],
    ),
    "null-lag-is-zero": Mutant(
        bug="a lag that is not known is taken for none", swaps=[(replication_checks, "is_channel_healthy", _lag_null_is_zero)], among=_SICK
    ),
    "one-direction": Mutant(
        bug="only one of the two channels is looked at",
        swaps=[(replication_checks.ReplicationHealthy, "decide", _one_direction)],
        among=_SICK,
    ),
    "time-out-trusted": Mutant(
        bug="what timed out is taken for cancelled: its connection is not ended", swaps=[(SimulatedServer, "settle", _nothing)], within=1500
    ),
    "killed-programs-statements-left": Mutant(
        bug="what a killed program had sent is not ended when its run is taken up",
        swaps=[(back, "_refresh", _nothing), (runs.Engine, "_settle_all", _nothing)],
        within=3000,
    ),
    "undo-to-a-constant": Mutant(
        bug="the undo of a fence opens and starts events, whatever was before", swaps=[(_FENCE, "undo", _undo_by_a_constant)]
    ),
    "flip-undone-to-a-constant": Mutant(
        bug="the undo of a flip points to the other side, wherever the route led before",
        swaps=[(route_flip.FlipRoutes, "undo", _flip_undone_by_a_constant)],
    ),
    "events-not-restarted": Mutant(
        bug="the undo of a fence forgets the event scheduler", swaps=[(_FENCE, "undo", _fence_undone_without_events)], within=800
    ),
    "events-not-handed-back": Mutant(
        bug="the events that were handed over run on after the way back", swaps=[(HandOverEvents, "undo", _always(()))], among=_BROKEN_LATE
    ),
    "events-write-through-the-fence": Mutant(
        bug="the fence does not stop the event scheduler",
        swaps=[(_FENCE, "effects", _fence_without_events), (_FENCE, "decide", _fence_done_when_read_only)],
        within=800,
    ),
    "undo-on-an-expired-deadline": Mutant(
        bug="the way back has the time that the failed step has left",
        swaps=[(back, "Deadline", type("Spent", (), {"after": staticmethod(_over)}))],
        among=_QUIET,
    ),
    "undo-in-the-order-of-the-run": Mutant(
        bug="the way back undoes the first effect first", swaps=[(back, "_last_first", _in_the_order_of_the_run)]
    ),
    "first-effect-not-undone": Mutant(bug="the way back forgets the first effect", swaps=[(endings, "go_back", _all_but_the_first)]),
    "hold-not-released": Mutant(bug="the undo of a hold does not release it", swaps=[(route_hold.HoldRoutes, "undo", _always(()))]),
    "opening-not-undone": Mutant(
        bug="what was opened is not fenced on the way back", swaps=[(server_open.OpenServer, "undo", _always(()))], among=_QUIET
    ),
    "undo-believed": Mutant(bug="an undo is recorded and not made", swaps=[(back, "_undo", _without_looking)]),
    "unrecorded-effects-not-undone": Mutant(
        bug="after a loss of power, an effect whose record was lost is not undone",
        swaps=[(endings, "go_back", _only_what_the_process_began)],
        within=3000,
    ),
    "halt-leaves-open": Mutant(bug="a halt does not fence", swaps=[(endings, "halt", _always([]))]),
    "halted-fence-believed-undone": Mutant(
        bug="after a halt, what it fenced is taken for put back",
        swaps=[(each, "look_again_at_fences", _nothing) for each in (back, halting)],
        within=3000,
        first=1700,
    ),
    "locks-not-taken": Mutant(
        bug="nobody takes the locks on the servers", swaps=[(Guard, "take_locks", _nothing), (Guard, "check", _nothing)], within=1500
    ),
    "lease-not-looked-at-again": Mutant(
        bug="lease and locks are not looked at again before each effect",
        swaps=[(Guard, "check", _nothing), (Guard, "renew", _nothing)],
        within=3000,
        first=1200,
    ),
    "lease-taken-from-the-living": Mutant(
        bug="the lease of a program that lives can be taken", swaps=[(stores, "may_be_taken", _always(Act("")))], within=3000
    ),
    "intent-not-synced": Mutant(
        bug="intents are written and not on the disk", swaps=[(Journal, "write_all", _intents_in_memory)], within=50
    ),
    "intent-after-its-effect": Mutant(
        bug="intents are recorded after their effects",
        swaps=[(steps, "record_intents", _intents_after_the_effect), (forward, "record_intents", _intents_after_the_effect)],
        within=50,
    ),
    "end-in-two-records": Mutant(
        bug="the last move and the outcome are two records", swaps=[(Journal, "write_all", _end_in_two_records)], among=_KILLED
    ),
    "header-not-mended": Mutant(
        bug="a run whose end did not reach its header is not mended", swaps=[(runs.Engine, "_take_up", _mends_nothing)], among=_KILLED
    ),
    "store-stops-the-way-back": Mutant(
        bug="a store that fails stops the way back", swaps=[(Execution, "spare_the_store", _nothing)], within=800
    ),
    "store-failure-ignored": Mutant(
        bug="a store that fails stops nothing, on the way forward either",
        swaps=[(Journal, "write_all", _never_fails)],
        within=1500,
        first=300,
    ),
    "fresh-before": Mutant(
        bug="a resumed run looks afresh for its `before`", swaps=[(steps, "_act", _fresh_before)], within=3000, first=300
    ),
    "stale-journal-believed": Mutant(
        bug="a resumed run believes its journal without a look at the pair",
        swaps=[(runs, "what_was_undone", _always(""))],
        among=_WITHOUT_STORE,
    ),
    "way-back-forgotten": Mutant(
        bug="a run that was on its way back is resumed forward",
        swaps=[(journal, "progress_by", _forward_again)],
        within=3000,
    ),
}


def table(firsts: Sequence[int], most: int) -> Iterator[str]:
    """A row for each bug: who noticed it, after how many drawn nights from each first seed, and after how many of its own if any."""
    yield "| seeded bug | noticed by | drawn nights: least, median, most | nights of its own |"
    yield "|---|---|---|---|"
    for mutant in MUTANTS.values():
        found = [nights_until_noticed(mutant, nights_from(first, most)) for first in firsts]
        own = nights_until_noticed(mutant, mutant.among)
        checkers = {noticed_by(each[1]) for each in (*found, own) if each is not None}
        counts = sorted(each[0] for each in found if each is not None)
        missed = f"; not within {most} from {len(firsts) - len(counts)} of {len(firsts)} seeds" if len(counts) < len(firsts) else ""
        nights = f"{counts[0]}, {counts[len(counts) // 2]}, {counts[-1]}{missed}" if counts else f"not within {most}"
        yield f"| {mutant.bug} | {', '.join(sorted(checkers))} | {nights} | {own[0] if own else ''} |"


if __name__ == "__main__":
    for line in table(firsts=(0, 1_000_000, 2_000_000), most=int(sys.argv[1]) if len(sys.argv) > 1 else 2000):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
