"""Plays one day of `interlock watch --act failover`: links that flap, servers that are slow or start again, and whatever else happens.

Trouble comes in three lanes. In each of them one follows the other with a pause that a look fits into; the lanes overlap. The first keeps
the tool from the writer: its link is cut, it starts again, it hangs, it refuses. The second keeps the other side from it, or blinds that
side. The third is all the rest. In a storm the links of the first or of the second may be cut for minutes, and those of the other are cut
for moments: so the writer is never out of everybody's reach for as long as `--after`, and nobody may act.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cache, partial
from random import Random

from interlock.dataclass import dataclass
from interlock.decisions.watching import Policy
from interlock.engine.emergency import knock
from interlock.engine.execution import Stop
from interlock.engine.runs import Engine
from interlock.engine.states import State
from interlock.engine.watch import AUTOMATIC
from interlock.engine.watcher import Begin, Told, Watcher
from interlock.model.topology import ClusterName
from interlock.playbook.find import shipped_folder
from interlock.playbook.load import load_playbook
from interlock.playbook.tree import Playbook
from interlock.ports import Holder, RunHeader
from interlock.simulated.faults import Faults
from interlock.simulated.pair import SimulatedPair, simulated_pair
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.schedules import Fault, FaultKind
from interlock.simulated.store import MemoryStore
from interlock.simulated.variants import known
from interlock.simulated.world import SimulatedWorld

HOUR_S = 3600.0
_STORM_S = 480.0
_SHORTEST_S, _SHORT_S, _LONG_S = 0.05, 3.5, 150.0
"""The short ones stay below `--after`, the long ones go far beyond it and beyond what a receiver takes to notice."""

_PAUSE_S = 3.0

_Kinds = tuple[tuple[FaultKind, tuple[str, ...]], ...]

_TO_THE_TOOL: _Kinds = (
    (FaultKind.CUT, ("tool", "east")),
    (FaultKind.CUT, ("east", "tool")),
    (FaultKind.SPLIT, ("tool", "east")),
    (FaultKind.REFUSING, ("east",)),
    (FaultKind.HANG, ("east",)),
)
_RESTARTS: _Kinds = ((FaultKind.CRASH_UNFENCED, ("east",)),) * 2
_TO_THE_OTHER: _Kinds = (
    (FaultKind.CUT, ("east", "west")),
    (FaultKind.CUT, ("west", "east")),
    (FaultKind.SPLIT, ("east", "west")),
)
_BLIND: _Kinds = (
    (FaultKind.SPLIT, ("tool", "west")),
    (FaultKind.HANG, ("west",)),
    (FaultKind.REFUSING, ("west",)),
    (FaultKind.CRASH, ("west",)),
)
_REST: _Kinds = (
    (FaultKind.SLOW, ("east",)),
    (FaultKind.SLOW, ("west",)),
    (FaultKind.SPLIT, ("tool", "proxy")),
    (FaultKind.PROXY_DOWN, ("proxy",)),
    (FaultKind.APPLIER_STOPS, ("west",)),
    (FaultKind.LAG, ("west",)),
    (FaultKind.CLOCK_JUMP, ("clock",)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A fault and when it strikes, in seconds from the day's beginning."""

    at_s: float
    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What is watched, how, and the trouble of it."""

    hours: float
    every_s: float = 1.0
    policy: Policy = field(default_factory=Policy)
    troubles: tuple[Trouble, ...] = ()
    watchers: int = 1


Happening = tuple[float, Callable[[SimulatedPair, MemoryStore], None]]
"""What else befalls the pair, and when, in seconds from the day's beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A line of a watcher."""

    at_s: float
    watcher: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """`runs` are all of the pair, oldest first; `said` what the watchers told."""

    pair: SimulatedPair
    runs: tuple[RunHeader, ...]
    looks: int
    said: tuple[Said, ...]

    @property
    def acts(self) -> tuple[RunHeader, ...]:
        """What watchers began, and was not refused."""
        return tuple(header for header in self.runs if header.run.startswith(AUTOMATIC) and header.outcome != State.REFUSED)


def day_of(seed: int, *, hours: float, calm_from_s: float | None = None) -> Day:
    """The same for the same seed. Nothing strikes any more that would not be over by `calm_from_s`, by default the day's end."""
    draw = Random(seed)  # noqa: S311 - a day must be drawn again from its seed; nothing is kept secret by it
    end_s = hours * HOUR_S
    found: list[Trouble] = []
    start_s = 0.0
    while start_s < end_s:
        storm_s = (start_s, min(start_s + _STORM_S, end_s))
        tool_s, other_s = (_LONG_S, _SHORT_S) if draw.random() < 0.5 else (_SHORT_S, _LONG_S)
        for lane in (
            {_TO_THE_TOOL: tool_s, _RESTARTS: _SHORT_S},
            {_TO_THE_OTHER: other_s, _BLIND: _LONG_S},
            {_REST: _LONG_S},
        ):
            found += _lane(draw, lane, storm_s)
        start_s += _STORM_S + _LONG_S / 2
    calm_s = end_s if calm_from_s is None else calm_from_s
    kept = [each for each in found if each.at_s + each.fault.for_s < calm_s]
    return Day(hours=hours, troubles=tuple(sorted(kept, key=lambda each: each.at_s)))


def _lane(draw: Random, lasting_s: Mapping[_Kinds, float], within_s: tuple[float, float]) -> list[Trouble]:
    """`lasting_s` says of each kind how long it may last."""
    kinds = [(kind, place, longest_s) for each, longest_s in lasting_s.items() for kind, place in each]
    found: list[Trouble] = []
    at_s = within_s[0] + draw.uniform(0.0, 20.0)
    while True:
        kind, place, longest_s = draw.choice(kinds)
        for_s = float(_SHORTEST_S * (longest_s / _SHORTEST_S) ** draw.random())
        if at_s + for_s > within_s[1]:
            return found
        found.append(Trouble(at_s=at_s, fault=Fault(kind=kind, place=place, at_move=0, for_s=for_s)))
        at_s += for_s + _PAUSE_S + draw.expovariate(1 / 15.0)


def watch_through(day: Day, *happenings: Happening) -> Watched:
    """The real watcher, engine and playbook on a pair in memory; each watcher is a program on a machine of its own."""
    pair = simulated_pair(clients=0)
    store = MemoryStore(pair.clock)  # nobody can look at a process on another machine
    faults = Faults(pair, _nobody)
    said: list[Said] = []
    for trouble in day.troubles:
        pair.clock.after(trouble.at_s, partial(_strike, pair, faults, trouble.fault))
    for at_s, happen in happenings:
        pair.clock.after(at_s, partial(happen, pair, store))
    looks = [0] * day.watchers

    def program(number: int) -> None:
        watcher = _watcher(pair, store, day.policy, f"watcher {number + 1}", said)
        while pair.clock.monotonic_s() < day.hours * HOUR_S:
            watcher.look()
            looks[number] += 1
            pair.clock.sleep(day.every_s)

    others = [pair.clock.begin(partial(program, number)) for number in range(1, day.watchers)]
    program(0)
    for other in others:
        pair.clock.wait_until(partial(getattr, other, "ended"), 60.0)
        other.join()
    runs = tuple(sorted(store.runs(pair.topology.name), key=lambda header: header.started_at))
    return Watched(pair=pair, runs=runs, looks=sum(looks), said=tuple(said))


def _watcher(pair: SimulatedPair, store: MemoryStore, policy: Policy, name: str, said: list[Said]) -> Watcher:
    world = SimulatedWorld(pair, SimulatedProcess(name), store)

    def tell(told: Told) -> None:
        at_s = pair.clock.monotonic_s()
        said.extend(Said(at_s=at_s, watcher=name, subject=subject, text=text) for subject, text in told.changed.items())

    return Watcher(world=world, store=store, clock=pair.clock, policy=policy, tell=tell, begin=_begin(pair, store, world, name))


def _begin(pair: SimulatedPair, store: MemoryStore, world: SimulatedWorld, name: str) -> Begin:
    engine = Engine(
        world=world,
        store=store,
        catalogue=known(),
        clock=pair.clock,
        observe=lambda _: None,
        ask=lambda _: False,
        stop=Stop(),
        holder=lambda run: Holder(user="ops", host=name, pid=1, process_started=name, run=run),
        redact=str,
    )

    def begin(dead: ClusterName, to: ClusterName, run: str) -> str | None:
        return engine.start(_failover(), {"to": to, "from": dead}, run, knock=knock(world, dead, pair.clock)).outcome

    return begin


@cache
def _failover() -> Playbook:
    return load_playbook(shipped_folder() / "failover.yaml", known())


def _strike(pair: SimulatedPair, faults: Faults, fault: Fault) -> None:
    """A server that starts again as its option file says is this pair's ordinary writer: it is not excused from anything."""
    faults.strike(fault)
    if fault.kind is FaultKind.CRASH_UNFENCED:
        pair.clock.after(fault.for_s, partial(pair.excused.discard, ClusterName(fault.place[0])))


def _nobody() -> None:
    """No fault of a day ends a watcher."""
