"""Of which runs each command warns: of those that left the pair as it still is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interlock.cli.context import _warn
from interlock.playbook.load import parse_playbook
from interlock.simulated.pair import EAST
from interlock.simulated.process import ProcessKilled
from unit.engine.stage import CATALOGUE, SWITCHOVER, Stage, short

FAILS = "- check: sql\n  with: {server: west, query: SELECT x, matches: never}"
HALTS = f"{FAILS}\n  on_failure: halt"

LOOKS = parse_playbook(
    "playbook: looks\nversion: 1\nsummary: Looks.\nphases:\n- phase: all\n  steps:\n  - check: pair.one_writer\n    with: {server: east}\n",
    file="looks.yaml",
    catalogue=CATALOGUE,
)


def halted() -> tuple[Stage, str]:
    """After it a person has opened the old writer by hand."""
    stage = Stage()
    run = stage.run(short(between=HALTS)).run
    assert stage.store.header(run).outcome == "halted"
    stage.pair.east.set_read_only(on=False)
    stage.pair.proxy.leads_to, stage.pair.proxy.holding = (EAST,), False
    stage.settle()
    return stage, run


def later_refused(stage: Stage) -> str | None:
    stage.pair.to_west.stop()
    return stage.engine("later").start(SWITCHOVER, {}).outcome


def later_that_looks(stage: Stage) -> str | None:
    return stage.engine("later").start(LOOKS, {}).outcome


def later_that_went_back_before_the_opening(stage: Stage) -> str | None:
    """To go back, it opened the old writer again: what the halted run had left is no longer so."""
    return stage.engine("later").start(short(between=FAILS), {}).outcome


def later_that_switched(stage: Stage) -> str | None:
    return stage.engine("later").start(short(), {}).outcome


@pytest.mark.parametrize(
    ("later", "outcome", "warned"),
    [
        pytest.param(later_refused, "refused", True, id="a refused one"),
        pytest.param(later_that_looks, "succeeded", True, id="one of checks alone"),
        pytest.param(later_that_went_back_before_the_opening, "rolled_back", False, id="one that went back"),
        pytest.param(later_that_switched, "succeeded", False, id="one that switched"),
    ],
)
def test_a_halted_run_is_warned_of_until_a_later_one_has_opened_a_server(
    later: Callable[[Stage], str | None],
    outcome: str,
    warned: bool,  # noqa: FBT001 - a table's column
    capsys: pytest.CaptureFixture[str],
) -> None:
    stage, run = halted()
    assert later(stage) == outcome
    _warn(stage.store, "shop", None)
    line = f"warning: run {run} (short) is halted: interlock resume {run} | interlock rollback {run}\n"
    assert capsys.readouterr().err == (line if warned else "")


def test_one_refused_after_the_one_that_switched_brings_no_warning_back(capsys: pytest.CaptureFixture[str]) -> None:
    stage, _ = halted()
    assert later_that_switched(stage) == "succeeded"
    stage.settle()
    stage.pair.to_east.stop()
    assert stage.engine("last").start(SWITCHOVER, {}).outcome == "refused"
    _warn(stage.store, "shop", None)
    assert capsys.readouterr().err == ""


def test_a_command_does_not_warn_of_the_run_that_it_is_about_nor_of_another_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    stage, run = halted()
    _warn(stage.store, "shop", run)
    _warn(stage.store, "another", None)
    assert capsys.readouterr().err == ""


def test_an_unfinished_run_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    stage = Stage()
    with pytest.raises(ProcessKilled):
        stage.engine(kill_at=150).start(SWITCHOVER, {})
    _warn(stage.store, "shop", None)
    assert f"warning: run {stage.only_run()} (switchover) is unfinished" in capsys.readouterr().err
