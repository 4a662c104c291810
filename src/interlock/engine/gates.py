"""A gate waits for a person."""

from __future__ import annotations

from interlock.engine.events import StepBegan, StepEnded
from interlock.engine.execution import Execution
from interlock.engine.journal import RecordKind
from interlock.engine.steps import BoundStep
from interlock.errors import StepFailed


def pass_gate(execution: Execution, bound: BoundStep) -> None:
    """StepFailed unless a person (or `--yes`) lets the run through."""
    began_s = execution.clock.monotonic_s()
    question = str(bound.args.get("message", "go on?"))
    execution.observe(StepBegan(step=bound.key, action="gate", bound_s=0.0))
    said_yes = execution.ask(question)
    ms = (execution.clock.monotonic_s() - began_s) * 1000
    if not said_yes:
        hint = "run it on a terminal to be asked, or with --yes to let every gate pass"
        execution.journal.write(
            RecordKind.FAILED, step=bound.key, action="gate", message=f"nobody let it pass: {question}", hint=hint, ms=ms
        )
        execution.observe(StepEnded(step=bound.key, action="gate", result="failed", detail=question, ms=ms, hint=hint))
        raise StepFailed(f"nobody let it pass: {question}", hint=hint, step=bound.key)
    execution.guard.renew()
    execution.journal.write(RecordKind.DONE, step=bound.key, action="gate", why="a person let it pass", warnings=(), outputs={}, ms=ms)
    execution.remember(bound.key, {})
    execution.observe(StepEnded(step=bound.key, action="gate", result="done", detail="a person let it pass", ms=ms))
