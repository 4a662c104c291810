"""The way forward: phase by phase. Everything that can be done before the fence, or after the flip, is not done between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from interlock.actions.action import Action
from interlock.engine.events import OutageBegan, OutageEnded, PhaseBegan, PhaseEnded, StepEnded
from interlock.engine.execution import Execution
from interlock.engine.gates import pass_gate
from interlock.engine.journal import RecordKind
from interlock.engine.steps import BoundStep, bind, record_intents, run_step
from interlock.errors import DriverError, StepFailed
from interlock.model.topology import ServerName
from interlock.model.verdict import Act
from interlock.playbook.catalogue import Role, Verb
from interlock.playbook.expressions import Scope
from interlock.playbook.tree import OnFailure, Parallel, Phase, Playbook, Step

_BEGINS = {Role.HOLDS, Role.FENCES, Role.FENCES_OUTSIDE, Role.CLOSES_SEGMENT}
OPENING = frozenset({Role.OPENS, Role.OPENS_SEGMENT})
_ENDS = frozenset({*OPENING, Role.FLIPS})
_SEGMENTS = frozenset({Role.CLOSES_SEGMENT, Role.OPENS_SEGMENT})

_MOVES = frozenset({Role.FENCES, Role.LOOSENS, Role.OPENS, Role.OPENS_BESIDE, Role.FLIPS, *_SEGMENTS})

_CLIENTS_FIRST_S = 0.3
"""How long the checks behind the flip stand back at the most, if no write comes through the routes."""


def steps_of(phase: Phase) -> tuple[Step, ...]:
    """Every step of a phase, in the order of the file."""
    return tuple(step for item in phase.steps for step in (item.steps if isinstance(item, Parallel) else (item,)))


def fenced_outside(playbook: Playbook, scope: Scope) -> set[ServerName]:
    """The masters that the playbook fences from outside: they need not answer, nor be what they were when they do."""
    found: set[ServerName] = set()
    for step in (step for phase in playbook.phases for step in steps_of(phase) if step.spec.role is Role.FENCES_OUTSIDE):
        bounds = bind(step, scope)
        found |= {ServerName(str(bound.args["cluster"])) for bound in bounds} if isinstance(bounds, list) else set()
    return found


def needs_no_answer(playbook: Playbook) -> bool:
    """Whether it is a playbook for a pair of which one side is gone."""
    return any(step.spec.role is Role.FENCES_OUTSIDE for phase in playbook.phases for step in steps_of(phase))


def opens_a_server(playbook: Playbook) -> bool:
    """Whether it may take the writes to another master than had them."""
    return any(step.spec.role in {Role.OPENS, Role.OPENS_BESIDE} for phase in playbook.phases for step in steps_of(phase))


def critical_spans(playbook: Playbook) -> tuple[range, ...]:
    """The phases in which clients may feel something: from one that holds or fences to the last one that opens or flips. What holds or
    fences after that begins another span: a playbook that moves the writes there and back has two.
    """
    spans: list[range] = []
    began: int | None = None
    for number, phase in enumerate(playbook.phases):
        roles = {step.spec.role for step in steps_of(phase)}
        if roles & _BEGINS and (began is None or (spans and spans[-1].start == began)):
            began = number
        if roles & _ENDS and began is not None:
            spans = [*(span for span in spans if span.start != began), range(began, number + 1)]
    return tuple(spans)


def _moves(execution: Execution) -> dict[tuple[object, ...], BoundStep]:
    """By what was moved (a server, its segment, routes) the last step that fenced, opened or flipped it, of those that are done. How it
    stands while one of them is under way, that step itself says.
    """
    last: dict[tuple[object, ...], BoundStep] = {}
    for step in (step for phase in execution.playbook.phases for step in steps_of(phase)):
        role = step.spec.role
        bounds = bind(step, execution.scope) if role in _MOVES else ""
        for bound in bounds if isinstance(bounds, list) else ():
            moved = ("route", bound.args["route"]) if role is Role.FLIPS else (bound.args["server"], bound.args.get("segment"))
            if step.id not in execution.passed:
                if bound.key in execution.intents:
                    last.pop(moved, None)
            elif role is not Role.LOOSENS:
                last[moved] = bound
    return last


def steps_undone_by_halting(execution: Execution) -> set[str]:
    """The steps that must be looked at again after a halt, which fenced everything: the opening that stood then, and the openings, flips
    and checks that came after it; and a server that was opened beside another one.
    """
    steps = [step for phase in execution.playbook.phases for step in steps_of(phase)]
    last = [bound.step for bound in _moves(execution).values()]
    stood = {step.id for step in last if step.spec.role in OPENING}
    first = next((number for number, step in enumerate(steps) if step.id in stood), len(steps))
    beside = {step.id for step in last if step.spec.role is Role.OPENS_BESIDE}
    return beside | {step.id for step in steps[first:] if step.spec.role in {*OPENING, Role.FLIPS} or step.spec.verb is Verb.CHECK}


def what_was_undone(execution: Execution) -> str:
    """The first fence, opening or flip that the journal has as done and that is seen not to hold any more; empty if all of them hold.

    Somebody put it back since, or the run itself did while its store could not take that down. What can't be seen is left to the steps.
    """
    for bound in _moves(execution).values():
        action = cast("Action[Any]", bound.action)
        try:
            verdict = action.decide(action.look(execution.world))
        except DriverError:
            continue
        if isinstance(verdict, Act) and not verdict.once:
            return f"{bound.key} was done and holds no more: {verdict.why}"
    return ""


def go_forward(execution: Execution) -> None:
    """Run what is not done yet, to the end of the playbook. StepFailed (or StopRequested) as soon as it can't go on."""
    phases, spans = execution.playbook.phases, critical_spans(execution.playbook)
    outage_began_s = 0.0
    for number, phase in enumerate(phases):
        if all(step.id in execution.passed for step in steps_of(phase)):
            continue
        span = next((each for each in spans if number in each), range(0))
        within = phases[span.start : span.stop]
        if span and number == span.start and not _is_left_out(execution, within):
            prepare(execution, within)
            outage_began_s = execution.clock.monotonic_s()
            execution.observe(OutageBegan(bound_s=_bound_of(execution, within)))
        _run_phase(execution, phase)
        if number == span.stop - 1 and outage_began_s:
            execution.observe(OutageEnded(ms=(execution.clock.monotonic_s() - outage_began_s) * 1000, held=_has_held(execution)))
            outage_began_s = 0.0
            if execution.prober is not None:  # clients first: every check from here on would take its time from their first write
                execution.prober.await_writes(_CLIENTS_FIRST_S)


def _is_left_out(execution: Execution, phases: Sequence[Phase]) -> bool:
    """Whether the conditions leave out every step of these phases."""
    return all(isinstance(bind(step, execution.scope), str) for phase in phases for step in steps_of(phase))


def _has_held(execution: Execution) -> bool:
    """A step that holds routes acted: some route can hold."""
    holds = {step.spec.name for phase in execution.playbook.phases for step in steps_of(phase) if step.spec.role is Role.HOLDS}
    return any(intent.begun and intent.action in holds for intent in execution.intents.values())


def prepare(execution: Execution, phases: Sequence[Phase]) -> None:
    """Before the first effect that clients may feel: connections warm, fences proved, intents on the disk in one write, prober running."""
    world = execution.world
    gone = fenced_outside(execution.playbook, execution.scope)
    masters = [master.name for master in world.topology.masters() if master.name not in gone]
    warm_ups: list[Callable[[], object]] = [world.server(name).warm_up for name in masters]
    warm_ups += [world.route(name).warm_up for name in world.topology.routes]
    try:
        kept = dict(zip(masters, world.gather(warm_ups), strict=False))
        ours = {moved[0] for moved in _moves(execution)}  # a second move finds what the first one left, and no loose fence for good
        for name in masters:
            if world.server(name).write_facts().read_only:
                (execution.interlock.prove_fenced if name in ours else execution.interlock.prove_as_found)(name)
        execution.interlock.see_marks()
    except DriverError as error:
        raise StepFailed(error.message, hint=error.hint, server=error.server) from error
    if any(kept.values()):
        execution.journal.write(RecordKind.WARMED, kept={name: each for name, each in kept.items() if each})
    _record_intents(execution, phases)
    execution.heed_stop()
    # It writes with the canary account, which no segment keeps out: of a segment's outage it would know nothing.
    if any(step.spec.role in _SEGMENTS for phase in phases for step in steps_of(phase)):
        return
    if execution.prober is None:
        execution.prober = world.prober()
        if execution.prober is not None:
            execution.prober.start(in_outage=bool(gone))


def _record_intents(execution: Execution, phases: Sequence[Phase]) -> None:
    """But of a fence from outside: a look at a service or a machine's power takes longer than the write that is spared."""
    sure: list[tuple[BoundStep, object]] = []
    for step in (step for phase in phases for step in steps_of(phase)):
        bounds = bind(step, execution.scope)
        for bound in bounds if isinstance(bounds, list) else ():
            begins = step.spec.verb is Verb.DO and step.spec.role is not Role.FENCES_OUTSIDE
            if begins and bound.is_known and bound.key not in execution.intents:
                sure += _early_intent(execution, bound)
    if sure:
        record_intents(execution, sure)


def _early_intent(execution: Execution, bound: BoundStep) -> list[tuple[BoundStep, object]]:
    """A step that is sure to act and can be looked at, with what was seen; the others record their intents when their turn comes."""
    action = cast("Action[Any]", bound.action)
    try:
        seen = action.look(execution.world)
    except DriverError as error:
        raise StepFailed(error.message, hint=error.hint, server=error.server, step=bound.key) from error
    verdict = action.decide(seen)
    if isinstance(verdict, Act) and not verdict.once:
        return [(bound, seen)]
    return []


def _run_phase(execution: Execution, phase: Phase) -> None:
    began_s = execution.clock.monotonic_s()
    execution.journal.write(RecordKind.PHASE, phase=phase.name, event="began")
    execution.observe(PhaseBegan(phase=phase.name, steps=len(steps_of(phase))))
    for item in phase.steps:
        execution.heed_stop()
        if isinstance(item, Parallel):
            if item.when is not None and item.when.holds(execution.scope) is False:
                for step in item.steps:
                    _skip(execution, step, "its condition does not hold")
                continue
            execution.world.gather([_call(execution, step) for step in item.steps])
        else:
            _run(execution, item)
    ms = (execution.clock.monotonic_s() - began_s) * 1000
    execution.journal.write(RecordKind.PHASE, phase=phase.name, event="ended", ms=ms)
    execution.observe(PhaseEnded(phase=phase.name, ms=ms))


def _call(execution: Execution, step: Step) -> Any:
    return lambda: _run(execution, step)


def _run(execution: Execution, step: Step) -> None:
    if step.id in execution.passed:
        return
    bounds = bind(step, execution.scope)
    if isinstance(bounds, str):
        _skip(execution, step, bounds)
        return
    for bound in bounds:
        if bound.key in execution.passed:
            continue
        try:
            if step.spec.verb is Verb.GATE:
                pass_gate(execution, bound)
            else:
                run_step(execution, bound)
        except StepFailed as failed:
            if step.on_failure is not OnFailure.CONTINUE:
                failed.on_failure = step.on_failure
                raise
            execution.remember(bound.key, {})
    if step.foreach is not None:
        execution.remember(step.id, {})


def _skip(execution: Execution, step: Step, why: str) -> None:
    execution.journal.write(RecordKind.SKIPPED, step=step.id, action=step.spec.name, why=why)
    execution.remember(step.id, {})
    execution.observe(StepEnded(step=step.id, action=step.spec.name, result="skipped", detail=why, ms=0.0))


def _bound_of(execution: Execution, phases: Sequence[Phase]) -> float:
    """How long the critical phases may take at the most, in seconds: the sum of their steps' bounds."""
    total_s = 0.0
    for step in (step for phase in phases for step in steps_of(phase)):
        bounds = bind(step, execution.scope)
        total_s += sum(bound.limit_s for bound in bounds) if isinstance(bounds, list) else 0.0
    return total_s
