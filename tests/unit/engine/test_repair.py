"""The shipped repair: rows are mended one by one behind the fence, and from any move of it to a named outcome."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.engine.plan import plan
from interlock.model.effects import Fence
from interlock.model.mending import MendRows
from interlock.playbook.load import load_playbook
from interlock.simulated.database import Flavor
from interlock.simulated.pair import simulated_pair
from interlock.simulated.process import ProcessKilled
from unit.engine.stage import CATALOGUE, SHIPPED, Stage, assert_safe

REPAIR = load_playbook(SHIPPED / "repair.yaml", CATALOGUE)
KEYS = ("a", "b")
GIVEN = {"diff": "c1"}
UNDO = {**GIVEN, "undo": "true"}


def differing(*, ajar: bool | None = False, clients: int = 0) -> Stage:
    """West lacks some rows. `ajar` False: its fence lets nobody write."""
    played = Stage(pair=simulated_pair(clients=clients, flavor=Flavor.MYSQL))
    pair = played.pair
    for key in KEYS:
        pair.east.commit(key)
    played.settle()
    pair.west.rows.difference_update(KEYS)
    pair.differing["c1"] = KEYS
    pair.west.ajar = ajar
    return played


def lacks(played: Stage) -> int:
    """How many of the rows west does not have."""
    return len(set(KEYS) - played.pair.west.rows)


def test_rows_are_mended_behind_a_fence_that_is_put_back() -> None:
    played = differing(clients=2)
    assert played.run(REPAIR, GIVEN).outcome == "succeeded"
    kinds = [type(effect) for effect in played.effects()]
    assert kinds == [Fence, *(MendRows for _ in KEYS), Fence]
    assert (lacks(played), played.pair.west.fence) == (0, "shut")
    assert_safe(played, writer="east")


@pytest.mark.parametrize("ajar", [None, True], ids=["one fence", "ajar already"])
def test_a_fence_that_lets_us_write_is_not_touched(ajar: bool | None) -> None:  # noqa: FBT001 - a table's column
    played = differing(ajar=ajar)
    assert played.run(REPAIR, GIVEN).outcome == "succeeded"
    assert [type(effect) for effect in played.effects()] == [MendRows for _ in KEYS]
    assert played.pair.west.ajar is ajar


def test_what_was_mended_is_taken_back_by_a_later_run() -> None:
    played = differing()
    before = played.shape()
    played.run(REPAIR, GIVEN)
    assert played.engine("second").start(REPAIR, UNDO).outcome == "succeeded"
    assert (lacks(played), played.shape()) == (len(KEYS), before)


def test_a_plan_tells_what_is_changed_and_changes_nothing() -> None:
    played = differing()
    before, sent = played.shape(), len(played.effects())
    told = plan(REPAIR, GIVEN, played.engine().world, ())
    (step,) = [step for phase in told.phases for step in phase.steps if step.action == "data.mend"]
    assert (told.would, step.result) == ("succeed", "would")
    assert step.script == ("west: SET GLOBAL read_only=1", "west: mend rows")
    assert step.undo == ("west: SET GLOBAL read_only=1", "west: take back what was mended after note 0", "west: SET GLOBAL read_only=1")
    assert (played.shape(), len(played.effects())) == (before, sent)


@pytest.mark.parametrize(
    ("given", "arrange", "why"),
    [
        ({"diff": "c2"}, "", "there is no comparison 'c2'"),
        (GIVEN, "open", "east and west take writes at the same time"),
    ],
    ids=["no comparison", "two writers"],
)
def test_nothing_is_touched_if_it_is_not_clear_what_is_right(given: dict[str, str], arrange: str, why: str) -> None:
    played = differing()
    if arrange:
        played.pair.west.set_read_only(on=False)
        played.settle()
    report = played.run(REPAIR, given)
    (problem,) = report.problems
    assert (report.outcome, played.effects()) == ("refused", [])
    assert why in problem.what
    assert problem.hint


def moves_of(given: dict[str, str]) -> int:
    counted = prepared(given)
    counted.engine("counted").start(REPAIR, given)
    return counted.processes["counted"].moves


def prepared(given: dict[str, str]) -> Stage:
    played = differing()
    if given is UNDO:
        assert played.engine("before").start(REPAIR, GIVEN).outcome == "succeeded"
    return played


@pytest.mark.parametrize("how", ["resume", "rollback"])
@pytest.mark.parametrize("given", [GIVEN, UNDO], ids=["mend", "undo"])
def test_one_that_was_killed_at_any_move_goes_on_or_back(given: dict[str, str], how: str) -> None:
    """Each move is a call to a server or the store, before and after it: all records are among them."""
    for move in range(1, moves_of(given) + 1):
        played = prepared(given)
        before, lacked = played.shape(), lacks(played)
        with pytest.raises(ProcessKilled):
            played.engine(kill_at=move).start(REPAIR, given)
        assert played.pair.west.read_only
        newest = played.store.runs(None)[:1]
        if not newest or newest[0].outcome is not None:
            continue
        had_ended = any(record.kind == "ended" for record in played.store.records(newest[0].run))
        engine = replace(played.engine("second"), parse=lambda *_, **__: REPAIR)
        report = engine.resume(newest[0].run) if how == "resume" else engine.roll_back(newest[0].run)
        played.settle()
        is_done = report.outcome == "succeeded"
        assert is_done or report.outcome in ({"refused"} if how == "resume" else {"rolled_back", "refused"}), move
        assert not (is_done and how == "rollback") or had_ended, move
        assert (lacks(played), played.shape() == before) == ((len(KEYS) - lacked, False) if is_done else (lacked, True)), move
        assert (played.pair.west.fence, played.pair.violations) == ("shut", []), move


def test_one_that_can_not_go_on_is_left_as_it_is_with_the_fence_put_back_and_goes_on_later() -> None:
    played = differing()
    played.when(lambda _: lacks(played) == 1, played.pair.east.crash)
    report = played.run(REPAIR, GIVEN)
    assert (report.outcome, lacks(played), played.pair.west.fence) == ("halted", 1, "shut")
    assert report.next_commands[:2] == (f"interlock resume {report.run}", f"interlock rollback {report.run}")
    played.pair.east.start()
    played.pair.east.set_read_only(on=False)
    assert played.engine("second").resume(report.run).outcome == "succeeded"
    assert (lacks(played), played.pair.west.fence) == (0, "shut")


def test_a_server_that_somebody_opened_meanwhile_is_left_open() -> None:
    played = differing()

    def take_over() -> None:
        played.pair.east.set_read_only(on=True)
        played.settle()
        played.pair.west.set_read_only(on=False)

    played.when(lambda _: lacks(played) == 1, take_over)
    played.run(REPAIR, GIVEN)
    assert played.pair.writers() == ("west",)
