"""Whoever sits at the command line during a run: asked only if they can answer, and heard the first time."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from interlock.cli.watching import Watch
from interlock.engine.events import RunEvent

_ASKS = """
from interlock.cli.plain import PlainView
from interlock.cli.watching import Watch
print(Watch(view=PlainView(print), yes=False, can_ask=True).ask("Shall clients wait now?"))
"""


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("y\n", "True"), ("YES \n", "True"), ("\n", "False"), ("", "False"), ("yep\n", "False")],
    ids=["y", "YES", "nothing", "the end of input", "something else"],
)
def test_a_gate_passes_by_yes_alone(typed: str, answer: str) -> None:
    done = subprocess.run([sys.executable, "-c", _ASKS], input=typed, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == answer
    assert "Shall clients wait now?" in done.stderr


@dataclass(slots=True)
class _View:
    """Keeps what it is to say."""

    said: list[str] = field(default_factory=list)

    def show(self, event: RunEvent, /) -> None: ...

    def say(self, line: str, /) -> None:
        self.said.append(line)

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        yield


def test_a_terminal_that_hangs_up_again_and_again_ends_nothing() -> None:
    view = _View()
    sitting = Watch(view=view, yes=False, can_ask=False)
    for _ in range(3):
        sitting.on_signal(signal.SIGHUP, None)
    assert (sitting.stop.requested, len(view.said)) == (True, 1)


_IS_STOPPED_TWICE = """
import signal
from interlock.cli.plain import PlainView
from interlock.cli.watching import Watch
watch = Watch(view=PlainView(print), yes=False, can_ask=False, as_json=True, run="r1")
watch.on_signal(signal.SIGINT, None)
watch.on_signal(signal.SIGINT, None)
print("it went on")
"""


def test_the_second_signal_ends_it_and_says_how_to_go_on() -> None:
    done = subprocess.run([sys.executable, "-c", _IS_STOPPED_TWICE], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 130
    assert "interlock resume r1" in done.stderr
    assert '"exit_code": 130' in done.stdout
    assert "it went on" not in done.stdout
