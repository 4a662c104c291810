"""Whoever sits at the command line during a run: sees what happens, is asked at gates, and can stop it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import field
from types import FrameType
from typing import Protocol

from interlock.cli.context import Context, note
from interlock.cli.signals import signals_to
from interlock.dataclass import dataclass
from interlock.engine.events import RunBegan, RunEvent, StateChanged
from interlock.engine.execution import Stop
from interlock.engine.states import State
from interlock.errors import ExitCode

_SHOW_CURSOR = "\x1b[?25h"


class View(Protocol):
    """What shows events. `say` shows a line at once and may be called by a signal's handler: it takes no lock."""

    def show(self, event: RunEvent, /) -> None: ...
    def say(self, line: str, /) -> None: ...
    def pause(self) -> contextlib.AbstractContextManager[None]:
        """Leave the terminal to a question."""
        ...


@dataclass(slots=True, kw_only=True)
class Watch:
    """What the engine is given. `run` and `opened` are what a stop has to know of it."""

    view: View
    yes: bool
    can_ask: bool
    as_json: bool = False
    stop: Stop = field(default_factory=Stop)
    run: str = ""
    opened: bool = False

    def observe(self, event: RunEvent, /) -> None:
        """Never raises into the engine."""
        match event:
            case RunBegan(run=run):
                self.run = run
            case StateChanged(state=state):
                self.opened = state == State.OPENED.value
            case _:
                pass
        with contextlib.suppress(Exception):  # whatever is wrong with a terminal or a view, it must not take back a switchover
            self.view.show(event)

    def ask(self, question: str, /) -> bool:
        """`--yes`, or a person at the terminal; False when nobody can be asked."""
        if self.yes:
            return True
        if not self.can_ask:
            return False
        with self.view.pause():
            try:
                sys.stderr.write(f"\n{question}\ngo on? [y/N] ")
                sys.stderr.flush()
                return sys.stdin.readline().strip().lower() in {"y", "yes"}
            except (OSError, ValueError):
                return False

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """The first one asks the engine to stop; the second ends the program where it is. A hang-up alone never does that."""
        if not self.stop.requested:
            self.stop.requested = True
            self.view.say(f"stop requested: {self._what_follows()}; once more to stop at once")
        elif number != signal.SIGHUP:
            self._end_now()

    def _what_follows(self) -> str:
        if self.opened:
            return "the other side is open already, so it goes on to the end"
        return "it goes back to how it was, as soon as the present statement ends"

    def _end_now(self) -> None:
        hint = f"interlock resume {self.run} | interlock rollback {self.run}" if self.run else ""
        line = f"stopped; {hint}" if hint else "stopped"
        with contextlib.suppress(OSError):
            os.write(2, f"{_SHOW_CURSOR if os.isatty(2) else ''}\n{line}\n".encode())
            if self.as_json:
                plain = {"outcome": None, "run": self.run, "exit_code": 130, "problems": [{"what": "stopped", "hint": hint}]}
                os.write(1, f"{json.dumps(plain)}\n".encode())
        os._exit(ExitCode.STOPPED)


@contextlib.contextmanager
def watching(context: Context, make_view: Callable[[], contextlib.AbstractContextManager[View]] | None = None) -> Iterator[Watch]:
    """A watch with the view that fits the terminal, and signals led to it while it lasts."""
    with (make_view or _view)() as view:
        watch = Watch(
            view=view, yes=bool(context.options.yes), can_ask=sys.stdin.isatty() and sys.stderr.isatty(), as_json=bool(context.options.json)
        )
        with signals_to(watch.on_signal):
            yield watch


@contextlib.contextmanager
def _view() -> Iterator[View]:
    if sys.stderr.isatty():
        from interlock.cli.live import live_view  # noqa: PLC0415 - rich takes memory and time

        with live_view() as view:
            yield view
    else:
        from interlock.cli.plain import PlainView  # noqa: PLC0415 - only then

        plain = PlainView(note)
        yield plain
        plain.flush()
