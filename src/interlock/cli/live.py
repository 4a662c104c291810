"""A run on a terminal: its phases, the step under way with its bound, the outage clock. Drawn on stderr, gone when the run has ended.

The engine's thread only notes facts in `Picture`; a thread of ours draws them ten times a second. It rests in the first moments of the
outage, which is usually over by then: drawing takes the interpreter's lock, and clients would wait for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import field
from threading import Event, Thread

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from interlock.clock import Clock, SystemClock
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
from interlock.report.durations import span, span_ms
from interlock.report.tables import printable

_EVERY_S = 0.1
_REST_S = 0.25
"""How long into an outage nothing is drawn."""

_MARKS = {"done": ("✓", "green"), "failed": ("✗", "bold red"), "skipped": ("-", "dim")}
_LAST_STEPS = 4


@dataclass(slots=True, kw_only=True)
class Doing:
    """The step under way."""

    action: str
    began_s: float
    bound_s: float
    why: str = ""


@dataclass(slots=True, kw_only=True)
class Picture:
    """What is known of the run. Written by the engine's threads, read by ours: each field is replaced, never changed in place."""

    clock: Clock
    title: str = ""
    state: str = ""
    phases: tuple[tuple[str, float | None], ...] = ()
    doing: tuple[tuple[str, Doing], ...] = ()
    ended: tuple[tuple[str, str], ...] = ()
    outage_began_s: float | None = None
    outage_ms: float | None = None
    notice: str = ""

    def take(self, event: RunEvent) -> None:
        now = self.clock.monotonic_s()
        match event:
            case RunBegan(run=run, playbook=playbook, topology=topology):
                self.title = f"{playbook} of {topology}, run {run}"
            case StateChanged(state=state):
                self.state = state
            case PhaseBegan(phase=phase):
                self.phases, self.ended = (*self.phases, (phase, None)), ()
            case PhaseEnded(phase=phase, ms=ms):
                self.phases = tuple((name, ms if name == phase else took) for name, took in self.phases)
            case StepBegan(step=step, action=action, bound_s=bound_s):
                self.doing = (*self.doing, (step, Doing(action=action, began_s=now, bound_s=bound_s)))
            case StepWaits(step=step, why=why) | StepActs(step=step, why=why):
                for key, doing in self.doing:
                    if key == step:
                        doing.why = why
            case StepEnded(step=step, action=action, result=result, detail=detail, ms=ms):
                self._end(step, result, f"{action}: {detail} ({span_ms(ms)})")
            case UndoBegan(step=step):
                self.doing = (*self.doing, (step, Doing(action=f"undo {step}", began_s=now, bound_s=0.0)))
            case UndoEnded(step=step, result=result, ms=ms):
                self._end(step, "failed" if result == "failed" else "done", f"undo {step}: {result.replace('_', ' ')} ({span_ms(ms)})")
            case OutageBegan():
                self.outage_began_s = now
            case OutageEnded(ms=ms):
                self.outage_ms = ms
            case RunEnded():
                self.doing = ()

    def _end(self, step: str, result: str, line: str) -> None:
        self.doing = tuple(each for each in self.doing if each[0] != step)
        self.ended = (*self.ended, (result, line))[-_LAST_STEPS:]

    def rests(self) -> bool:
        began = self.outage_began_s
        return began is not None and self.outage_ms is None and self.clock.monotonic_s() - began < _REST_S

    def render(self) -> Group:
        now = self.clock.monotonic_s()
        lines = [Text(printable(self.title), style="bold"), _phases(self.phases)]
        lines += [_line("    ", *_MARKS.get(result, ("?", "")), line) for result, line in self.ended]
        lines += [_doing(doing, now) for _, doing in self.doing]
        if self.outage_began_s is not None:
            lines.append(_outage(self.outage_ms, now - self.outage_began_s))
        if self.state == "rolling_back":
            lines.append(Text("  going back to how it was", style="bold yellow"))
        if self.notice:
            lines.append(Text(f"  {self.notice}", style="bold yellow"))
        return Group(*lines)


@dataclass(slots=True, kw_only=True)
class LiveView:
    """Notes events; `drawing` draws them."""

    picture: Picture
    live: Live
    paused: Event = field(default_factory=Event)

    def show(self, event: RunEvent, /) -> None:
        self.picture.take(event)

    def say(self, line: str, /) -> None:
        self.picture.notice = line

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        self.paused.set()
        self.live.stop()
        try:
            yield
        finally:
            self.live.start()
            self.paused.clear()


@contextlib.contextmanager
def live_view() -> Iterator[LiveView]:
    """The view, drawn by a thread of its own until the block ends."""
    picture = Picture(clock=SystemClock())
    over = Event()
    live = Live(console=Console(stderr=True), auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
    view = LiveView(picture=picture, live=live)

    def draw() -> None:
        while not over.wait(_EVERY_S):
            if not view.paused.is_set() and not picture.rests():
                with contextlib.suppress(Exception):  # whatever is wrong with the terminal, the run goes on and nothing is written over it
                    live.update(picture.render(), refresh=True)

    thread = Thread(target=draw, name="interlock-view", daemon=True)
    with live:
        thread.start()
        try:
            yield view
        finally:
            over.set()
            thread.join(timeout=1.0)


def _phases(phases: tuple[tuple[str, float | None], ...]) -> Text:
    text = Text("  ")
    for name, ms in phases:
        text.append(f"{printable(name)} ", style="bold cyan" if ms is None else "green")
        text.append(f"{span_ms(ms)}  " if ms is not None else "…  ", style="dim")
    return text


def _doing(doing: Doing, now: float) -> Text:
    left = f", {span(max(0.0, doing.bound_s - (now - doing.began_s)))} left" if doing.bound_s else ""
    return _line("    ", "▶", "cyan", f"{doing.action} {doing.why} ({span(now - doing.began_s)}{left})")


def _outage(ended_ms: float | None, seconds: float) -> Text:
    if ended_ms is None:
        return Text(f"  clients wait: {span(seconds)}", style="bold yellow")
    return Text(f"  clients waited {span_ms(ended_ms)}", style="green")


def _line(indent: str, mark: str, style: str, text: str) -> Text:
    line = Text(indent, no_wrap=True, overflow="ellipsis")
    line.append(f"{mark} ", style=style)
    line.append(printable(text))
    return line
