from __future__ import annotations

import pytest

from interlock.cli.plain import PlainView
from interlock.cli.watching import Watch
from interlock.engine.events import OutageBegan, OutageEnded, PhaseBegan, RunBegan, RunEvent, StateChanged, StepActs, StepEnded, UndoEnded

_BEGAN = RunBegan(run="r1", playbook="switchover", topology="shop", inputs={})
_FENCED = StepEnded(step="fenced", action="server.fence", result="done", detail="east is fenced at 1-1-2", ms=2.7)


def _shown(*events: RunEvent) -> list[str]:
    said: list[str] = []
    view = PlainView(said.append)
    for event in events:
        view.show(event)
    return said


def test_a_step_takes_a_line_and_what_it_sends_stands_indented() -> None:
    acts = StepActs(step="fenced", why="east takes writes", script=("east: SET GLOBAL read_only=1",))
    assert _shown(acts, _FENCED) == ["      east: SET GLOBAL read_only=1", "  ✓ server.fence: east is fenced at 1-1-2 (2.7ms)"]


def test_nothing_is_written_during_the_outage() -> None:
    said = _shown(_BEGAN, OutageBegan(bound_s=5.0), PhaseBegan(phase="fence", steps=1), _FENCED)
    assert said == ["run r1: switchover on shop"]
    said = _shown(OutageBegan(bound_s=5.0), _FENCED, OutageEnded(ms=12.0))
    assert len(said) == 1
    assert said[0].splitlines()[-1] == "-- clients are let through again after 12ms"


def test_nobody_is_let_through_where_no_route_held_anybody() -> None:
    assert _shown(OutageEnded(ms=12.0, held=False)) == ["-- writes are taken again after 12ms"]


def test_what_was_kept_back_is_written_when_the_run_goes_back() -> None:
    said = _shown(OutageBegan(bound_s=5.0), _FENCED, StateChanged(state="rolling_back", reason="a step failed"))
    assert "going back: a step failed" in said[0]
    assert "fenced" in said[0]


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\u202e"], ids=["escape", "newline", "reading direction"])
def test_control_characters_from_servers_are_shown_and_not_obeyed(text: str) -> None:
    (line,) = _shown(UndoEnded(step="s", result="failed", detail=f"said {text}", ms=1.0))
    assert text not in line
    assert "said " in line


@pytest.mark.parametrize("error", [BrokenPipeError(), KeyError("a defect")], ids=["nobody reads", "a defect"])
def test_a_view_that_fails_does_not_reach_the_engine(error: Exception) -> None:
    def broken(_line: str) -> None:
        raise error

    Watch(view=PlainView(broken), yes=False, can_ask=False).observe(_BEGAN)


@pytest.mark.parametrize(
    ("state", "follows"), [("changing", "it goes back to how it was"), ("opened", "it goes on to the end")], ids=["before", "after"]
)
def test_the_first_stop_says_what_follows(state: str, follows: str, capfd: pytest.CaptureFixture[str]) -> None:
    watch = Watch(view=PlainView(print), yes=False, can_ask=False)
    watch.observe(StateChanged(state=state, reason=""))
    watch.on_signal(2, None)
    assert watch.stop.requested
    assert follows in capfd.readouterr().err


def test_a_gate_is_not_passed_when_nobody_can_be_asked() -> None:
    view = PlainView(print)
    assert Watch(view=view, yes=False, can_ask=False).ask("go?") is False
    assert Watch(view=view, yes=True, can_ask=False).ask("go?") is True
