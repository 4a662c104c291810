"""What a fleet would do, without doing it: the plan of each pair, made by a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.errors import ExitCode, StatementFailed
from interlock.fleet.children import Child, End, Programs
from interlock.fleet.model import Limits, Pair, Trouble, worst
from interlock.fleet.pool import Pool, StopAsked
from interlock.fleet.work import troubles


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPlan:
    """`would` is `succeed`, `be_refused`, or `unknown` if no plan could be made."""

    topology: str
    file: str
    would: str
    exit_code: int
    expected_outage_ms: float | None = None
    problems: tuple[Trouble, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    playbook: str
    exit_code: int
    pairs: tuple[PairPlan, ...]
    would_succeed: int
    would_not: int


@dataclass(slots=True, kw_only=True)
class _Planners:
    """`Hands` whose jobs are pairs, and whose results are plans."""

    programs: Programs
    words: tuple[str, ...]
    plans: dict[str, PairPlan] = field(default_factory=dict)

    def begin(self, pair: Pair, /) -> Child | None:
        try:
            return self.programs.start(["--topology", pair.file, "--json", *self.words], pair.name)
        except StatementFailed as error:
            self.plans[pair.name] = _none(pair, int(ExitCode.CRASHED), error.message, error.hint)
            return None

    def ended(self, pair: Pair, end: End, /) -> bool:
        self.plans[pair.name] = plan_of(pair, end)
        return self.plans[pair.name].exit_code == ExitCode.SUCCEEDED

    def stopped(self) -> bool:
        return False


def plan_all(
    pairs: tuple[Pair, ...], playbook: str, words: tuple[str, ...], programs: Programs, *, at_once: int, clock: Clock, stop: StopAsked
) -> FleetPlan:
    """`words` are those of `interlock … plan …`. A pair that was not looked at when a person said stop is left out."""
    planners = _Planners(programs=programs, words=words)
    limits = Limits(at_once=at_once, stop_after_failures=len(pairs) + 1, each_within_s=300.0)
    Pool(hands=planners, limits=limits, clock=clock, stop=stop).work_off(pairs)
    plans = tuple(planners.plans[pair.name] for pair in pairs if pair.name in planners.plans)
    good = sum(each.would == "succeed" for each in plans)
    code = worst([each.exit_code for each in plans] + ([int(ExitCode.STOPPED)] if len(plans) < len(pairs) else []))
    return FleetPlan(playbook=playbook, exit_code=code, pairs=plans, would_succeed=good, would_not=len(plans) - good)


def plan_of(pair: Pair, end: End) -> PairPlan:
    document: Mapping[str, object] = end.document
    would, expected = document.get("would"), document.get("expected_outage_ms")
    code = end.exit_code if end.exit_code is not None and end.exit_code >= 0 else int(ExitCode.CRASHED)
    found = troubles(document)
    if not isinstance(would, str):
        return _none(pair, code or int(ExitCode.CRASHED), "no plan was made", "") if not found else _with(pair, code, found)
    outage = float(expected) if isinstance(expected, int | float) else None
    return PairPlan(topology=pair.name, file=pair.file, would=would, exit_code=code, expected_outage_ms=outage, problems=found)


def _with(pair: Pair, code: int, found: tuple[Trouble, ...]) -> PairPlan:
    return PairPlan(topology=pair.name, file=pair.file, would="unknown", exit_code=code, problems=found)


def _none(pair: Pair, code: int, what: str, hint: str) -> PairPlan:
    return _with(pair, code, (Trouble(what=what, hint=hint),))
