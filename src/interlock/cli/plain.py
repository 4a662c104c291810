"""A run as plain lines, for logs and pipes. During the outage lines are kept back, so that no slow reader can lengthen it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import field

from interlock.dataclass import dataclass
from interlock.engine.events import (
    OutageBegan,
    OutageEnded,
    PhaseBegan,
    PhaseEnded,
    RunBegan,
    RunEnded,
    RunEvent,
    StateChanged,
    StepActs,
    StepBegan,
    StepEnded,
    StepWaits,
    UndoBegan,
    UndoEnded,
)
from interlock.engine.states import State
from interlock.report.durations import span, span_ms
from interlock.report.tables import printable


@dataclass(slots=True)
class PlainView:
    """Each step takes a line when it has ended; what it sends stands indented before it."""

    write: Callable[[str], None]
    _kept: list[str] = field(default_factory=list)
    _keeps: bool = False

    def show(self, event: RunEvent, /) -> None:
        if isinstance(event, OutageBegan):
            self._keeps = True
        self._kept += [printable(line) for line in lines_of(event)]
        going_back = isinstance(event, StateChanged) and event.state in {State.ROLLING_BACK, State.HALTED}
        if isinstance(event, OutageEnded | RunEnded) or going_back:
            self._keeps = False
        if not self._keeps:
            self.flush()

    def say(self, line: str, /) -> None:
        with contextlib.suppress(OSError):
            os.write(2, f"{line}\n".encode())

    def pause(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def flush(self) -> None:
        """What was kept back, in one piece."""
        kept, self._kept = self._kept, []
        if kept:
            self.write("\n".join(kept))


def lines_of(event: RunEvent) -> list[str]:
    """What is said of an event; most say nothing."""
    match event:
        case RunBegan(run=run, playbook=playbook, topology=topology, resumed=resumed):
            return [f"run {run}: {playbook} on {topology}{', resumed' if resumed else ''}"]
        case PhaseBegan(phase=phase):
            return [f"{phase}:"]
        case StepActs(script=script):
            return [f"      {line}" for line in script]
        case StepEnded(action=action, result=result, detail=detail, ms=ms, hint=hint, warnings=warnings):
            head = f"  {_MARKS.get(result, '?')} {action}: {detail} ({span_ms(ms)})"
            return [head, *(f"      warning: {each}" for each in warnings), *([f"      hint: {hint}"] if hint else [])]
        case UndoBegan(step=step, script=script):
            return [f"  undo {step}", *(f"      {line}" for line in script)]
        case UndoEnded(step=step, result=result, detail=detail, ms=ms):
            why = f": {detail}" if result == "failed" else ""
            return [f"  {'✗' if result == 'failed' else '✓'} undo {step}: {result.replace('_', ' ')}{why} ({span_ms(ms)})"]
        case OutageBegan(bound_s=bound_s):
            return [f"-- from here clients may wait, {span(bound_s)} at the very most"]
        case OutageEnded(ms=ms, held=held):
            return [f"-- {'clients are let through' if held else 'writes are taken'} again after {span_ms(ms)}"]
        case StateChanged(state=State.ROLLING_BACK.value, reason=reason):
            return [f"going back: {reason}"]
        case RunEnded(outcome=outcome, detail=detail):
            return [f"{outcome.replace('_', ' ')}: {detail}"]
        case StateChanged() | PhaseEnded() | StepBegan() | StepWaits():
            return []


_MARKS = {"done": "✓", "failed": "✗", "skipped": "-"}
