from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO

from rich.console import Console

from interlock.cli.live import Picture
from interlock.engine.events import OutageBegan, OutageEnded, PhaseBegan, RunBegan, StateChanged, StepBegan, StepEnded, StepWaits


@dataclass(slots=True)
class HandClock:
    """Time goes on when the test says so."""

    now_s: float = 100.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall(self) -> datetime:
        return datetime(2025, 3, 1, tzinfo=UTC)

    def sleep(self, seconds: float, /) -> None:
        self.now_s += seconds


def _drawn(picture: Picture) -> str:
    page = StringIO()
    Console(file=page, width=100, color_system=None).print(picture.render())
    return page.getvalue()


def test_the_step_under_way_shows_what_it_waits_for_and_the_time_left() -> None:
    clock = HandClock()
    picture = Picture(clock=clock)
    picture.take(RunBegan(run="r1", playbook="switchover", topology="shop", inputs={}))
    picture.take(PhaseBegan(phase="catch_up", steps=1))
    picture.take(StepBegan(step="c", action="replication.wait", bound_s=10.0))
    picture.take(StepWaits(step="c", why="west is 41 transactions behind", left_s=7.0))
    clock.sleep(3.0)
    assert "replication.wait west is 41 transactions behind (3.0s, 7.0s left)" in _drawn(picture)
    picture.take(StepEnded(step="c", action="replication.wait", result="done", detail="west holds it", ms=3000))
    assert "✓ replication.wait: west holds it (3.0s)" in _drawn(picture)
    assert "left)" not in _drawn(picture)


def test_the_outage_clock_runs_from_its_beginning_to_its_end() -> None:
    clock = HandClock()
    picture = Picture(clock=clock)
    assert "clients wait" not in _drawn(picture)
    picture.take(OutageBegan(bound_s=20.0))
    assert picture.rests()
    clock.sleep(2.0)
    assert not picture.rests()
    assert "clients wait: 2.0s" in _drawn(picture)
    picture.take(OutageEnded(ms=2100.0))
    assert "clients waited 2.1s" in _drawn(picture)


def test_a_run_that_goes_back_and_a_stop_are_said() -> None:
    picture = Picture(clock=HandClock())
    picture.take(StateChanged(state="rolling_back", reason="a step failed"))
    picture.notice = "stop requested"
    assert "going back" in _drawn(picture)
    assert "stop requested" in _drawn(picture)


def test_control_characters_are_not_obeyed() -> None:
    picture = Picture(clock=HandClock())
    picture.take(StepBegan(step="s", action="x\x1b[2J", bound_s=1.0))
    assert "\x1b" not in _drawn(picture)
