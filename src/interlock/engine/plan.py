"""What a run would do: every statement and command in order, the undo of each, live check results, the expected outage. Changes nothing.

Checks that stand before the first effect are run for real. What comes after it can't be looked at yet: values that do not exist are shown
as `<fenced.position>`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, cast

from interlock.actions.action import Action
from interlock.dataclass import dataclass
from interlock.engine.forward import critical_spans, steps_of
from interlock.engine.roles import pair_roles
from interlock.engine.scripts import scripts
from interlock.engine.steps import BoundStep, bind, plain_args
from interlock.errors import DriverError, InterlockError, Refused
from interlock.model.codec import to_plain
from interlock.model.effects import only_reads
from interlock.model.verdict import Act, Done, Refuse, Wait
from interlock.playbook.against import check_against, see_segments_left_alone
from interlock.playbook.catalogue import Verb
from interlock.playbook.inputs import resolve_inputs, scope_of
from interlock.playbook.tree import OnFailure, Playbook, Step
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """`result`: passes, fails (a live check's), would (an effect), holds (nothing to do), later (can't be looked at yet), skipped, gate."""

    id: str
    verb: str
    action: str
    result: str
    detail: str
    hint: str = ""
    args: object = None
    script: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    bound_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPhase:
    phase: str
    steps: tuple[PlannedStep, ...]
    clients_wait: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport:
    """`would` is what a run would end as at this moment: `succeed` or `be_refused`. `outage_at_most_s` is the sum of the steps' bounds."""

    playbook: str
    topology: str
    summary: str
    would: str
    inputs: Mapping[str, object]
    phases: tuple[PlannedPhase, ...]
    problems: tuple[Mapping[str, str], ...] = ()
    outage_at_most_s: float | None = None
    expected_outage_ms: float | None = None
    expected_from: str = ""
    past_outages_ms: tuple[float, ...] = ()


@dataclass(slots=True)
class _Planning:
    world: World
    scope: dict[str, object]
    problems: list[Mapping[str, str]] = field(default_factory=list)
    effects_begun: bool = False


def plan(playbook: Playbook, given: Mapping[str, str], world: World, past_outages_ms: Sequence[float]) -> PlanReport:
    """UsageError for wrong inputs; everything else that stands in the way is in the report."""
    check_against(playbook, world.topology)
    roles = pair_roles(world)
    try:
        see_segments_left_alone(playbook, world.topology, given)
        inputs = resolve_inputs(playbook, given, world.topology, writer=roles.writer, standby=roles.standby, unseen=roles.unseen)
    except Refused as refused:
        return PlanReport(
            playbook=playbook.name,
            topology=world.topology.name,
            summary=playbook.summary,
            would="be_refused",
            inputs=dict(given),
            phases=(),
            problems=({"what": refused.message, "hint": refused.hint},),
        )
    planning = _Planning(world=world, scope=scope_of(inputs, world.topology, roles.writer, roles.standby))
    spans = critical_spans(playbook)
    planned = [tuple(each for step in steps_of(phase) for each in _plan_step(planning, step)) for phase in playbook.phases]
    felt = {number for span in spans if any(not is_left_out(planned[each]) for each in span) for number in span}
    phases = tuple(
        PlannedPhase(phase=phase.name, steps=steps, clients_wait=number in felt)
        for number, (phase, steps) in enumerate(zip(playbook.phases, planned, strict=True))
    )
    expected, why = _expected(playbook.name, phases, past_outages_ms)
    return PlanReport(
        playbook=playbook.name,
        topology=world.topology.name,
        summary=playbook.summary,
        would="be_refused" if planning.problems else "succeed",
        inputs=cast("Mapping[str, object]", to_plain(inputs)),
        phases=phases,
        problems=tuple(planning.problems),
        outage_at_most_s=sum(s.bound_s for p in phases if p.clients_wait for s in p.steps) if spans else None,
        expected_outage_ms=expected if spans else None,
        expected_from=why if spans else "",
        past_outages_ms=tuple(past_outages_ms),
    )


def is_left_out(steps: Sequence[PlannedStep]) -> bool:
    """Whether the condition of each step of a phase does not hold."""
    return all(step.result == "skipped" for step in steps)


def _plan_step(planning: _Planning, step: Step) -> list[PlannedStep]:
    try:
        bounds = bind(step, planning.scope)
    except InterlockError as error:
        planning.problems.append({"what": f"{step.id}: {error.message}", "hint": error.hint})
        return [_planned_as(step, "fails", error.message, error.hint)]
    if isinstance(bounds, str):
        return [_planned_as(step, "skipped", bounds)]
    return [_plan_bound(planning, bound) for bound in bounds]


def _planned_as(step: Step, result: str, detail: str, hint: str = "") -> PlannedStep:
    return PlannedStep(id=step.id, verb=step.spec.verb.value, action=step.spec.name, result=result, detail=detail, hint=hint)


def _plan_bound(planning: _Planning, bound: BoundStep) -> PlannedStep:
    step = bound.step
    base: dict[str, Any] = {
        "id": bound.key,
        "verb": step.spec.verb.value,
        "action": step.spec.name,
        "args": plain_args(bound),
        "bound_s": bound.limit_s,
    }
    if step.spec.verb is Verb.GATE:
        return PlannedStep(**base, result="gate", detail=str(bound.args.get("message", "a person is asked")))
    if not bound.is_known:
        return PlannedStep(**base, result="later", detail=step.spec.summary)
    if step.spec.verb is Verb.CHECK:
        if planning.effects_begun:
            return PlannedStep(**base, result="later", detail=step.spec.summary)
        return _live_check(planning, bound, base)
    return _effect(planning, bound, base)


def _live_check(planning: _Planning, bound: BoundStep, base: dict[str, Any]) -> PlannedStep:
    check = bound.action
    try:
        seen = check.look(planning.world)
        verdict = check.decide(seen)
    except DriverError as error:
        verdict = Refuse(error.message, error.hint)
        seen = None
    match verdict:
        case Done(why, warnings):
            planning.scope[bound.key] = dict(check.outputs(seen))
            return PlannedStep(**base, result="passes", detail=why, warnings=warnings)
        case Wait(why):
            hint = "it may pass by itself"
        case Refuse(why, hint):
            pass
        case Act(why):
            hint = ""
    if bound.step.on_failure is OnFailure.CONTINUE:
        planning.scope[bound.key] = {}
        return PlannedStep(**base, result="fails", detail=why, hint=hint, warnings=("it may fail: the run would go on",))
    _note_problem(planning, bound.key, why, hint)
    return PlannedStep(**base, result="fails", detail=why, hint=hint)


def _effect(planning: _Planning, bound: BoundStep, base: dict[str, Any]) -> PlannedStep:
    action = cast("Action[Any]", bound.action)
    try:
        seen = action.look(planning.world)
        verdict = action.decide(seen)
    except DriverError as error:
        _note_problem(planning, bound.key, error.message, error.hint)
        return PlannedStep(**base, result="fails", detail=error.message, hint=error.hint)
    effects = action.effects(seen) if isinstance(verdict, Act) else ()
    planning.effects_begun = planning.effects_begun or not all(only_reads(effect) for effect in effects)
    undo = scripts(planning.world, action.undo(seen, None)) if effects and bound.step.undo is None else ()
    if bound.step.undo is not None:
        undo = tuple(f"{step.spec.name}: {step.spec.summary}" for step in bound.step.undo)
    match verdict:
        case Act(why):
            return PlannedStep(**base, result="would", detail=why, script=scripts(planning.world, effects), undo=undo)
        case Done(why, warnings):
            return PlannedStep(**base, result="holds", detail=why, warnings=warnings)
        case Wait(why):
            return PlannedStep(**base, result="later", detail=why)
        case Refuse(why, hint):
            _note_problem(planning, bound.key, why, hint)
            return PlannedStep(**base, result="fails", detail=why, hint=hint)


def _note_problem(planning: _Planning, key: str, why: str, hint: str) -> None:
    """Under the first step that meets it: a server that does not answer is one problem, however many steps ask it."""
    if not any(one["what"].partition(": ")[2] == why for one in planning.problems):
        planning.problems.append({"what": f"{key}: {why}", "hint": hint})


def _expected(playbook: str, phases: Sequence[PlannedPhase], past: Sequence[float]) -> tuple[float | None, str]:
    """The median of the last runs of this playbook; without any, nothing is claimed."""
    if not past:
        waits = sum(1 for phase in phases if phase.clients_wait for _ in phase.steps)
        return None, f"no earlier {playbook} of this pair was measured; {waits} steps stand between fence and flip"
    ordered = sorted(past)
    runs = f"the last {len(past)} runs" if len(past) > 1 else "the last run"
    return ordered[len(ordered) // 2], f"{'the median of ' if len(past) > 1 else ''}{runs} of {playbook} on this pair"
