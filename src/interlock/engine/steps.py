"""One step: look, decide, act, look again; bounded, journalled, and stopped when the operator asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from interlock.actions.action import Action, Check
from interlock.clock import Deadline
from interlock.dataclass import dataclass
from interlock.decisions.fencing import sentence
from interlock.engine.apply import Watch, carry_out, touched_servers
from interlock.engine.events import StepActs, StepBegan, StepEnded, StepWaits
from interlock.engine.execution import Execution
from interlock.engine.journal import Entry, Intent, RecordKind
from interlock.engine.scripts import scripts
from interlock.engine.states import Event, State
from interlock.errors import DriverError, OutcomeUnknown, StepFailed
from interlock.model.codec import to_plain
from interlock.model.effects import Effect, is_repeatable, only_reads
from interlock.model.topology import ClusterName, ServerName
from interlock.model.verdict import Act, Applied, Done, Refuse, Wait
from interlock.playbook.catalogue import Role, Verb
from interlock.playbook.expressions import Scope, Unknown
from interlock.playbook.resolve import resolve_args
from interlock.playbook.tree import Step

DEFAULT_LIMIT_S = 30.0
"""How long a step may take that says nothing of it."""

_MARGIN_S = 1.0
"""The engine's bound is later than the server's own (`within`), so that the server is the one that gives up."""

_POLL_S = 0.05
_POLLS = 50
"""A step that may take little time is looked at often."""
_AGAIN_S = 1.0
"""Who fences from outside is told no oftener: what went well may be seen later, and a service limits how many orders it takes."""
_SLICE_S = 0.2
"""How long a server blocks at a time before it is looked at again: a stopped applier does not end the wait by itself (MDEV, facts.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundStep:
    """A step with its values: one for each item of a `foreach`. `key` names it in the journal."""

    key: str
    step: Step
    args: Mapping[str, object]
    scope: Scope

    @property
    def action(self) -> Check[Any]:
        return cast("Check[Any]", self.step.spec.build(self.args))

    @property
    def is_known(self) -> bool:
        """Whether every value exists by now."""
        return not any(_has_unknown(value) for value in self.args.values())

    @property
    def limit_s(self) -> float:
        """The step's own `timeout`, or what its parameters say, or the default."""
        if self.step.timeout_s is not None:
            return self.step.timeout_s
        within = self.args.get("within")
        if not isinstance(within, int | float):
            return DEFAULT_LIMIT_S
        margin = _MARGIN_S if self.step.spec.bounds_on_server == "within" else 0.0
        return float(within) + margin


def bind(step: Step, scope: Scope) -> list[BoundStep] | str:
    """The step with its values from the scope, once or for each item; or why it is skipped."""
    if step.when is not None:
        holds = step.when.holds(scope)
        if holds is False:
            return "its condition does not hold"
    if step.foreach is None:
        return [BoundStep(key=step.id, step=step, args=resolve_args(step, scope), scope=scope)]
    items = step.foreach.resolve(scope)
    if isinstance(items, Unknown):
        return [BoundStep(key=step.id, step=step, args=resolve_args(step, {**scope, "item": items}), scope=scope)]
    if not isinstance(items, Sequence) or isinstance(items, str):
        raise StepFailed(f"foreach of {step.id} is no list: {items!r}", step=step.id)
    each = [{**scope, "item": item} for item in items]
    return [
        BoundStep(key=f"{step.id}[{number}]", step=step, args=resolve_args(step, inner), scope=inner) for number, inner in enumerate(each)
    ] or "its foreach is empty"


def _has_unknown(value: object) -> bool:
    match value:
        case Unknown():
            return True
        case str():
            return False
        case Mapping():
            return any(_has_unknown(item) for item in value.values())
        case Sequence():
            return any(_has_unknown(item) for item in value)
        case _:
            return False


def _intent_of(execution: Execution, bound: BoundStep, seen: object) -> Entry:
    """What is recorded before the effect: what was seen, what will be sent, and how it is undone."""
    action = cast("Action[Any]", bound.action)
    return Entry(
        RecordKind.INTENDED,
        {
            "step": bound.key,
            "action": bound.step.spec.name,
            "args": bound.args,
            "before": seen,
            "script": scripts(execution.world, action.effects(seen)),
            "undo": scripts(execution.world, action.undo(seen, None)),
        },
    )


def record_intents(execution: Execution, seen: Sequence[tuple[BoundStep, object]]) -> None:
    """On the disk first, then known to this process: the way back undoes what the journal has, and nothing that it does not have."""
    with execution.world.turn:  # of two steps in a `parallel`, one makes the move
        if execution.life.now is State.CHECKING and not all(_only_reads(bound, before) for bound, before in seen):
            execution.move(Event.INTEND)
    execution.journal.write_all([_intent_of(execution, bound, before) for bound, before in seen], durable=True)
    for bound, before in seen:
        execution.intents[bound.key] = Intent(step=bound.key, action=bound.step.spec.name, args=bound.args, before=before)


def _only_reads(bound: BoundStep, before: object) -> bool:
    return all(only_reads(effect) for effect in cast("Action[Any]", bound.action).effects(before))


def run_step(execution: Execution, bound: BoundStep) -> None:
    """Carry a step through, with its retries. StepFailed once it has failed for good; the reason is in the journal."""
    began_s = execution.clock.monotonic_s()
    execution.observe(StepBegan(step=bound.key, action=bound.step.spec.name, bound_s=bound.limit_s))
    times = bound.step.retry.times if bound.step.retry else 0
    for attempt in range(times + 1):
        try:
            done, seen = _attempt(execution, bound)
        except StepFailed as failed:
            if attempt < times and not isinstance(failed, _NotRepeatable):
                execution.clock.sleep(bound.step.retry.pause_s if bound.step.retry else 0.0)
                continue
            ms = (execution.clock.monotonic_s() - began_s) * 1000
            told: dict[str, Any] = {"outputs": failed.outputs} if failed.outputs is not None else {}
            execution.journal.write(
                RecordKind.FAILED, step=bound.key, action=bound.step.spec.name, message=failed.message, hint=failed.hint, ms=ms, **told
            )
            _tell_end(execution, bound, "failed", failed.message, ms=ms, hint=failed.hint)
            failed.step = bound.key
            raise
        _see_who_opened(execution, bound)
        ms = (execution.clock.monotonic_s() - began_s) * 1000
        outputs = bound.action.outputs(seen)
        _note_accepted(execution, bound, outputs)
        name = bound.step.spec.name
        execution.journal.write(RecordKind.DONE, step=bound.key, action=name, why=done.why, warnings=done.warnings, outputs=outputs, ms=ms)
        if bound.key in execution.intents:
            execution.intents[bound.key].done = True
        execution.remember(bound.key, outputs)
        _tell_end(execution, bound, "done", done.why, ms=ms, warnings=done.warnings)
        return


def _see_who_opened(execution: Execution, bound: BoundStep) -> None:
    """StepFailed if a server that this run was to open takes writes, and not by this run: nothing was proved for that opening."""
    if bound.step.spec.role in {Role.OPENS, Role.OPENS_SEGMENT} and execution.life.now in {State.CHECKING, State.CHANGING}:
        raise StepFailed(
            f"{bound.args.get('segment', '')} {bound.args.get('server')} takes writes already, and not by this run".lstrip(),
            hint="see who opened it: nobody proved that the other side is closed",
            step=bound.key,
        )


def _note_accepted(execution: Execution, bound: BoundStep, outputs: Mapping[str, object]) -> None:
    """Of a fence from outside that ended without a proof, of a catch-up that ended without the position, and of a move that can't come
    back: they rest on the operator's word.
    """
    if bound.step.spec.role is Role.CATCHES_UP and (said := str(outputs.get("given_up") or "")):
        execution.interlock.give_up(ServerName(str(bound.args["server"])), said)
    if bound.step.spec.role is Role.LEADS_BACK and not outputs["runs"]:
        execution.segments.go_one_way(ServerName(str(bound.args["server"])))
    if bound.step.spec.role is Role.FENCES_OUTSIDE and not outputs.get("proved_by"):
        cluster = execution.world.topology.clusters[ClusterName(str(bound.args["cluster"]))]
        execution.interlock.accept(cluster.master.name, sentence(cluster))


class _NotRepeatable(StepFailed):
    """Whether the effect took place is not known and can't be looked at: it must not be tried again."""


def _attempt(execution: Execution, bound: BoundStep) -> tuple[Done, Any]:
    action = bound.action
    deadline = Deadline.after(execution.clock, bound.limit_s)
    acted = False
    pause = Deadline.after(execution.clock, 0.0)
    why_not = ""
    while True:
        execution.heed_stop()
        seen = _look(execution, action)
        match action.decide(seen):
            case Done() as done:
                return done, seen
            case Refuse(why, hint):
                raise _not_passed(bound, seen, why, hint)
            case Wait(why, until, otherwise, hint):
                if deadline.is_over():
                    if otherwise is not None:
                        return _with_why(otherwise, why_not), seen
                    hint = hint or "raise its time, or find what holds it up"
                    raise _not_passed(bound, seen, f"{why} after {bound.limit_s:g}s", hint)
                _wait(execution, bound, why, until, deadline)
            case Act(why, once, otherwise):
                if bound.step.spec.verb is not Verb.DO:
                    raise StepFailed(why, step=bound.key)
                if acted and deadline.is_over():
                    if otherwise is not None:
                        return _with_why(otherwise, why_not), seen
                    raise StepFailed(f"it did not take hold within {bound.limit_s:g}s: {why}", step=bound.key)
                if not pause.is_over():
                    _wait(execution, bound, why, None, deadline)
                    continue
                effects = cast("Action[Any]", action).effects(seen)
                try:
                    _act(execution, bound, seen, why=why, effects=effects, deadline=deadline)
                except StepFailed as failed:
                    if otherwise is None:
                        raise
                    why_not = failed.message
                    execution.clock.sleep(min(_POLL_S, deadline.left_s()))  # the next look says what came of it
                acted = True
                pause = Deadline.after(execution.clock, _AGAIN_S if bound.step.spec.role is Role.FENCES_OUTSIDE else 0.0)
                if once:
                    return Done(why), seen


def _wait(execution: Execution, bound: BoundStep, why: str, until: Applied | None, deadline: Deadline) -> None:
    """For a moment, before the next look; the server blocks by itself `until` it has applied something."""
    execution.observe(StepWaits(step=bound.key, why=why, left_s=deadline.left_s()))
    execution.guard.renew()
    if until is None:
        execution.clock.sleep(min(_POLL_S, bound.limit_s / _POLLS, deadline.left_s()))
    else:
        _guarded(lambda: execution.world.server(until.server).wait_applied(until.position, min(_SLICE_S, deadline.left_s())))


def _not_passed(bound: BoundStep, seen: Any, why: str, hint: str) -> StepFailed:
    failed = StepFailed(why, hint=hint, step=bound.key)
    if bound.step.spec.tells_failures:
        failed.outputs = bound.action.outputs(seen)
    return failed


def _with_why(otherwise: Done, why_not: str) -> Done:
    """With what the last effect that failed had to say."""
    return replace(otherwise, warnings=(*otherwise.warnings, why_not)) if why_not else otherwise


def _look(execution: Execution, action: Check[Any]) -> Any:
    """DriverErrors become StepFailed: what can't be seen is not healthy."""
    return _guarded(lambda: action.look(execution.world))


def _guarded(call: Any) -> Any:
    try:
        return call()
    except DriverError as error:
        raise StepFailed(error.message, hint=error.hint, server=error.server) from error


def _act(execution: Execution, bound: BoundStep, seen: Any, *, why: str, effects: tuple[Effect, ...], deadline: Deadline) -> None:
    """Intent on the disk, lease and locks, effect. An unknown result is settled and looked at by the caller's next round."""
    repeatable = all(is_repeatable(effect) for effect in effects)
    intent = execution.intents.get(bound.key)
    if intent is not None and intent.begun and not repeatable and execution.taken_over:
        raise _NotRepeatable(
            f"whether {bound.key} took effect before the run was interrupted is not known",
            hint="give the step `show` and `done`, so that it can be looked at",
        )
    if intent is None:
        record_intents(execution, [(bound, seen)])
        intent = execution.intents[bound.key]
    if not intent.begun and not execution.taken_over:
        intent.before = seen
    script = scripts(execution.world, effects)
    execution.journal.write(RecordKind.ACTING, step=bound.key, action=bound.step.spec.name, before=intent.before, script=script)
    execution.observe(StepActs(step=bound.key, why=why, script=script))
    try:
        carry_out(execution, effects, deadline, Watch(sending=intent.begin, unsure=partial(_note_unsure, execution, intent)))
    except OutcomeUnknown as unknown:
        for server in touched_servers(effects):
            _guarded(execution.world.server(server).settle)
        if not repeatable:
            raise _NotRepeatable(unknown.message, hint=unknown.hint, server=unknown.server) from unknown
    except DriverError as error:
        raise StepFailed(error.message, hint=error.hint, server=error.server) from error


def _note_unsure(execution: Execution, intent: Intent, error: DriverError) -> None:
    """In the journal too: whoever takes the run up must not trust a look either."""
    intent.unsure = True
    execution.journal.write(RecordKind.UNSURE, durable=True, step=intent.step, message=error.message)


def _tell_end(
    execution: Execution, bound: BoundStep, result: str, detail: str, *, ms: float, hint: str = "", warnings: tuple[str, ...] = ()
) -> None:
    execution.observe(
        StepEnded(step=bound.key, action=bound.step.spec.name, result=result, detail=detail, ms=ms, hint=hint, warnings=warnings)
    )


def plain_args(bound: BoundStep) -> object:
    """The values of a step as JSON can write them; what does not exist yet as `<reference>`."""
    return to_plain({name: str(value) if isinstance(value, Unknown) else value for name, value in bound.args.items()})
