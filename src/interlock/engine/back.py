"""The way back: undo in reverse order, on fresh connections, before a deadline of its own. What can't be undone halts (`halting.py`).

The interlock holds here too: what was opened is fenced, the old writer catches up with it, then the old writer is opened.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast

from interlock.actions.action import Action, facts_type
from interlock.clock import Deadline
from interlock.decisions.replication import is_channel_healthy
from interlock.engine.apply import carry_out, touched_servers
from interlock.engine.events import UndoBegan, UndoEnded
from interlock.engine.execution import Execution
from interlock.engine.forward import needs_no_answer, steps_of
from interlock.engine.journal import Intent, RecordKind
from interlock.engine.scripts import scripts
from interlock.engine.steps import BoundStep, bind
from interlock.errors import DriverError, LeaseLost, NotPermitted, StepFailed, StoreFailed
from interlock.model.codec import from_plain
from interlock.model.effects import Effect, is_repeatable
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Refuse, Wait
from interlock.playbook.catalogue import Role

_SEGMENTS = frozenset({Role.CLOSES_SEGMENT, Role.OPENS_SEGMENT})
_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 2.0


class UndoFailed(StepFailed):
    """Something could not be put back. `script` is what a person can run instead."""

    script: tuple[str, ...] = ()


def go_back(execution: Execution) -> None:
    """Undo every intent that may have had its effect. UndoFailed if one can't be undone before the deadline."""
    execution.spare_the_store()
    deadline = Deadline.after(execution.clock, execution.playbook.rollback_within_s)
    bounds = bound_intents(execution)
    if execution.taken_over:
        look_again_at_fences(execution)
    if has_opened(execution) and not needs_no_answer(execution.playbook):
        _await_old_writers(execution, bounds, deadline)
    for intent in _last_first(execution, bounds):
        if intent.undone or _goes_last(bounds[intent.step]):
            continue
        if intent.begun and _stays(execution, bounds[intent.step]):
            _note_that_it_stays(execution, intent)
        elif intent.begun or execution.taken_over:
            _undo(execution, intent, bounds[intent.step], deadline)
        else:
            _note_that_it_never_began(execution, intent)


def why_not_back(execution: Execution) -> str:
    """Why a segment that is opened elsewhere can't be given back to whom it was taken from: what was written since does not come there, as
    was known when it moved (`replication.leads_back`). Empty if it can: somebody let the channel go on, or the run never opened it.
    """
    for intent in intents_of(execution, {Role.CLOSES_SEGMENT}):
        server, segment = ServerName(str(intent.args["server"])), str(intent.args["segment"])
        source = execution.segments.opened_for_good(server, segment)
        if source is None:
            continue
        try:
            seen = is_channel_healthy(server, source, execution.world.server(server).channels(), None)
            why = "" if isinstance(seen, Done) else seen.why
        except DriverError as error:
            why = error.message
        if why:
            return f"segment {segment} can't be taken back: it was opened on {source}, whose writes {server} can't have ({why})"
    return ""


def _await_old_writers(execution: Execution, bounds: dict[str, BoundStep], deadline: Deadline) -> None:
    """What was opened stays open, and clients go on there, until whoever is to take the writes back answers. UndoFailed if none does."""
    for intent in intents_of(execution, {Role.FENCES, Role.CLOSES_SEGMENT}):
        server = execution.world.server(ServerName(str(intent.args["server"])))
        began_s, pause_s = execution.clock.monotonic_s(), _PAUSE_S
        while not intent.undone:
            try:
                server.write_facts()
                break
            except DriverError as error:
                if pause_s == _PAUSE_S:
                    stays = f"# {server.name} does not answer; what was opened stays open until it does"
                    execution.observe(UndoBegan(step=intent.step, script=(stays,)))
                _again_or_fail(
                    execution, intent, bounds[intent.step], error, script=(), deadline=deadline, began_s=began_s, pause_s=pause_s
                )
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _note_that_it_never_began(execution: Execution, intent: Intent) -> None:
    """Only this process knows it. Another one that takes the run up would undo it, after what was undone here."""
    intent.undone = True
    execution.journal.write(RecordKind.UNDONE, step=intent.step, detail="it never began", ms=0.0)


def put_the_rest_back(execution: Execution) -> list[UndoFailed]:
    """What follows the pair goes back last: only once the old writer takes writes again is it sure to hold all that a replica holds. So do
    notes: a store that fails must not keep the writer closed, and a note on a server is erased where the writes are.

    What can't be put back stays where it is, and is told; the pair itself is as it was.
    """
    deadline = Deadline.after(execution.clock, execution.playbook.rollback_within_s)
    bounds = bound_intents(execution)
    failed: list[UndoFailed] = []
    for intent in _last_first(execution, bounds):
        if intent.undone or not (intent.begun or execution.taken_over) or not _goes_last(bounds[intent.step]):
            continue
        if _stays(execution, bounds[intent.step]):
            _note_that_it_stays(execution, intent)
            continue
        try:
            _undo(execution, intent, bounds[intent.step], deadline)
        except UndoFailed as error:
            failed.append(error)
    return failed


def _stays(execution: Execution, bound: BoundStep) -> bool:
    """Once the other side was opened beside a master that is gone, that one stays closed and marked, though the run goes back: it lacks
    what was written meanwhile, and only a rejoin brings it that.
    """
    role = bound.step.spec.role
    return role in {Role.NOTES, Role.FENCES_OUTSIDE} and needs_no_answer(execution.playbook) and has_opened(execution)


def has_opened(execution: Execution) -> bool:
    return any(record.kind == RecordKind.OPENING for record in execution.journal.records)


def _note_that_it_stays(execution: Execution, intent: Intent) -> None:
    intent.undone = True
    execution.journal.write(RecordKind.UNDONE, step=intent.step, detail="it stays: the other side was opened, and may hold more", ms=0.0)


def _goes_last(bound: BoundStep) -> bool:
    return bound.step.spec.role in {Role.FOLLOWS, Role.NOTES}


def look_again_at_fences(execution: Execution) -> None:
    """A halt fences what the way back had opened already. So of a server, what was undone once is not undone for good."""
    for intent in (*intents_of_writes(execution), *intents_of(execution, _SEGMENTS)):
        intent.undone = False


def intents_of_writes(execution: Execution) -> list[Intent]:
    """The intents that fence or open a server, of those that may have had their effect."""
    return intents_of(execution, {Role.FENCES, Role.OPENS, Role.OPENS_BESIDE})


def touched_segments(execution: Execution) -> tuple[str, ...]:
    """The segments that this run may have closed or opened somewhere."""
    return tuple(dict.fromkeys(str(intent.args["segment"]) for intent in intents_of(execution, _SEGMENTS)))


def intents_of(execution: Execution, wanted: Collection[Role]) -> list[Intent]:
    """Of those steps, the intents that may have had their effect."""
    roles = {step.id: step.spec.role for phase in execution.playbook.phases for step in steps_of(phase)}
    touched = [intent for intent in execution.intents.values() if intent.begun or execution.taken_over]
    return [intent for intent in touched if roles.get(intent.step.partition("[")[0]) in wanted]


def bound_intents(execution: Execution) -> dict[str, BoundStep]:
    """The steps of the intents, with their values. StepFailed if the journal names a step that the playbook does not have."""
    found: dict[str, BoundStep] = {}
    for step in (step for phase in execution.playbook.phases for step in steps_of(phase)):
        bounds = bind(step, execution.scope)
        found |= {bound.key: bound for bound in bounds} if isinstance(bounds, list) else {}
    missing = [key for key in execution.intents if key not in found]
    if missing:
        raise StepFailed(f"the journal has an effect of {missing[0]}, and the playbook in it has no such step")
    return found


def _last_first(execution: Execution, bounds: dict[str, BoundStep]) -> list[Intent]:
    """By their places in the playbook: of those that were recorded together, some may have been begun before one that was not."""
    return [execution.intents[key] for key in reversed(bounds) if key in execution.intents]


def _undo(execution: Execution, intent: Intent, bound: BoundStep, deadline: Deadline) -> None:
    began_s = execution.clock.monotonic_s()
    action = cast("Action[Any]", bound.action)
    before = intent.before if not _is_plain(intent.before) else from_plain(intent.before, facts_type(action))
    script: tuple[str, ...] = ()
    done_once, took_hold = False, False
    blindly = intent.unsure  # what may still land has not landed yet: that all looks as before says nothing
    pause_s = _PAUSE_S
    owes_nothing = _owes_nothing(execution, intent, bound)
    while not owes_nothing:
        try:
            if not script:
                _refresh(execution, bound)
            now = action.look(execution.world)
            effects = _undo_effects(execution, bound, before, None if blindly else now)
            if not effects or done_once:
                break
            _see_it_stays(took_hold, deadline)
            script = scripts(execution.world, effects)
            execution.journal.write(RecordKind.UNDOING, durable=True, step=intent.step, script=script)
            execution.observe(UndoBegan(step=intent.step, script=script))
            for server in touched_servers(effects) & {master.name for master in execution.world.topology.masters()}:
                execution.guard.recover(server)
            took_hold, blindly = False, False  # sent once: from here on a look decides, lest one lost proxy halts the run
            carry_out(execution, effects, deadline)
            took_hold = True
            done_once = not all(is_repeatable(effect) for effect in effects) or bound.step.undo is not None
        except LeaseLost:
            raise
        except (DriverError, StepFailed, StoreFailed) as error:
            _again_or_fail(execution, intent, bound, error, script=script, deadline=deadline, began_s=began_s, pause_s=pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    intent.undone = True
    ms = (execution.clock.monotonic_s() - began_s) * 1000
    detail = "; ".join(script) or "nothing to undo"
    execution.journal.write(RecordKind.UNDONE, step=intent.step, detail=detail, ms=ms)
    execution.observe(UndoEnded(step=intent.step, result="undone" if script else "nothing_to_undo", detail=detail, ms=ms))


def _owes_nothing(execution: Execution, intent: Intent, bound: BoundStep) -> bool:
    """The playbook says `undo: none`, and nothing may still land: then nobody need answer either."""
    return bound.step.undo == () and not intent.unsure and not execution.taken_over


def _see_it_stays(took_hold: bool, deadline: Deadline) -> None:  # noqa: FBT001 - a judgement of two things
    """StepFailed once it was put back without an error, is not so, and the time is over."""
    if took_hold and deadline.is_over():
        raise StepFailed("what was put back did not stay so", hint="find what changes it meanwhile")


def _again_or_fail(
    execution: Execution,
    intent: Intent,
    bound: BoundStep,
    error: DriverError | StepFailed | StoreFailed,
    *,
    script: tuple[str, ...],
    deadline: Deadline,
    began_s: float,
    pause_s: float,
) -> None:
    """Fresh connections and another try while there is time; then UndoFailed. A right that is missing does not come by waiting."""
    if not deadline.is_over() and not isinstance(error, NotPermitted):
        execution.clock.sleep(min(pause_s, deadline.left_s()))
        try:
            _refresh(execution, bound)
        except DriverError:
            return  # still out of reach: the next look says so
        return
    ms = (execution.clock.monotonic_s() - began_s) * 1000
    execution.journal.write(RecordKind.NOT_UNDONE, step=intent.step, message=error.message, hint=error.hint, script=script)
    execution.observe(UndoEnded(step=intent.step, result="failed", detail=error.message, ms=ms))
    failed = UndoFailed(f"{intent.step} could not be undone: {error.message}", hint=error.hint, server=error.server, step=intent.step)
    failed.script = script
    raise failed from error


def _refresh(execution: Execution, bound: BoundStep) -> None:
    """End what may still land on the server that the step touches, and begin with fresh connections."""
    name = bound.args.get("server")
    if isinstance(name, str):
        server = execution.world.server(name)
        server.settle()
        execution.guard.recover(server.name)


def _undo_effects(execution: Execution, bound: BoundStep, before: object, now: object) -> Sequence[Effect]:
    if bound.step.undo is None:
        return cast("Action[Any]", bound.action).undo(before, now)
    effects: list[Effect] = []
    for step in bound.step.undo:
        bounds = bind(step, bound.scope)
        for each in bounds if isinstance(bounds, list) else ():
            undo = cast("Action[Any]", each.action)
            seen = undo.look(execution.world)
            match undo.decide(seen):
                case Act():
                    effects += undo.effects(seen)
                case Refuse(why, hint):
                    raise StepFailed(why, hint=hint, step=each.key)
                case Done() | Wait():
                    pass
    return effects


def _is_plain(before: object) -> bool:
    """Whether it comes from a journal (JSON) or was seen by this process (facts)."""
    return before is None or isinstance(before, dict | list | str | int | float | bool)


def what_is_left(execution: Execution) -> list[str]:
    """The commands that a person can run by hand to go back: the undo of everything that was not undone, in order, without the reads."""
    lines: list[str] = []
    bounds = bound_intents(execution)
    for intent in _last_first(execution, bounds):
        if intent.undone or not (intent.begun or execution.taken_over):
            continue
        action = cast("Action[Any]", bounds[intent.step].action)
        before = intent.before if not _is_plain(intent.before) else from_plain(intent.before, facts_type(action))
        lines += [line for line in scripts(execution.world, action.undo(before, None)) if ": SELECT " not in line]
    return lines
