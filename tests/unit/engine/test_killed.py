"""Kill -9 of the program at each of its moves: `resume` and `rollback` always end in a named outcome, with one writer and nothing lost.

A move is every call to a server, a route or the store, before and after its effect: more instants than there are journal records.
"""

from __future__ import annotations

import pytest

from interlock.engine.events import StepActs
from interlock.engine.runs import Engine
from interlock.errors import UsageError
from interlock.model.effects import Fence, Open
from interlock.playbook.tree import Playbook
from interlock.simulated.process import ProcessKilled
from unit.engine.stage import SWITCHOVER, Shape, Stage, assert_safe, short

FAILS = "- check: sql\n  with: {server: west, query: SELECT x, matches: never}"
GOES_BACK = short(after=FAILS)


def stage() -> Stage:
    prepared = Stage()
    prepared.pair.east.scheduler = "ON"
    return prepared


def moves_of(playbook: Playbook) -> int:
    counted = stage()
    counted.run(playbook)
    return counted.processes["first"].moves


BONES = short()
MOVES = range(1, moves_of(SWITCHOVER) + 1)
MOVES_OF_BONES = range(1, moves_of(BONES) + 1)
MOVES_BACK = range(1, moves_of(GOES_BACK) + 1)


def kill_at(played: Stage, move: int, playbook: Playbook, *, power: bool = False) -> None:
    with pytest.raises(ProcessKilled):
        played.engine(kill_at=move).start(playbook, {})
    if power:
        played.store.lose_power()
    played.settle()
    assert played.pair.violations == []


def take_up(played: Stage, engine: Engine, how: str, before: Shape) -> str:
    """Resume or roll back; the outcome, once the pair was seen to be as it says."""
    headers = played.store.runs(None)
    if not headers:
        assert played.shape() == before
        return "refused"
    (header,) = headers
    if header.outcome is not None:
        with pytest.raises(UsageError, match="has ended"):
            engine.resume(header.run)
        outcome = header.outcome
    else:
        report = engine.resume(header.run) if how == "resume" else engine.roll_back(header.run)
        assert report.outcome is not None
        outcome = report.outcome
        assert played.store.header(header.run).outcome == outcome
    assert_as_it_says(played, outcome, before)
    return outcome


def assert_as_it_says(played: Stage, outcome: str, before: Shape) -> None:
    assert outcome in {"succeeded", "rolled_back", "refused"}
    assert_safe(played, writer="west" if outcome == "succeeded" else "east")
    if outcome != "succeeded":
        assert played.shape() == before


@pytest.mark.parametrize("move", MOVES)
def test_a_switchover_that_was_killed_at_any_move_can_be_resumed(move: int) -> None:
    played = stage()
    before = played.shape()
    kill_at(played, move, SWITCHOVER)
    began = any(played.store.records(header.run) for header in played.store.runs(None))
    assert take_up(played, played.engine("second"), "resume", before) == ("succeeded" if began else "refused")


@pytest.mark.parametrize("power", [False, True], ids=["killed", "power lost"])
@pytest.mark.parametrize("how", ["resume", "rollback"])
@pytest.mark.parametrize("move", MOVES_OF_BONES)
def test_a_run_that_was_killed_at_any_move_can_be_taken_up(move: int, how: str, power: bool) -> None:  # noqa: FBT001 - a table's column
    played = stage()
    before = played.shape()
    kill_at(played, move, BONES, power=power)
    had_ended = any(record.kind == "ended" for header in played.store.runs(None) for record in played.store.records(header.run))
    outcome = take_up(played, played.engine("second"), how, before)
    if how == "rollback" and not had_ended:
        assert outcome in {"rolled_back", "refused"}


@pytest.mark.parametrize("power", [False, True], ids=["killed", "power lost"])
@pytest.mark.parametrize("move", MOVES_BACK)
def test_a_run_that_is_resumed_and_goes_back_puts_back_what_the_journal_says(move: int, power: bool) -> None:  # noqa: FBT001 - a table's column
    """With the power, records of effects are lost whose intents are not: what is seen then is no longer what was before."""
    played = stage()
    before = played.shape()
    kill_at(played, move, GOES_BACK, power=power)
    assert take_up(played, played.engine("second"), "resume", before) in {"rolled_back", "refused"}


@pytest.mark.parametrize("how", ["resume", "rollback"])
@pytest.mark.parametrize("move", MOVES_OF_BONES[::5])
def test_a_run_that_was_killed_twice_can_be_taken_up(move: int, how: str) -> None:
    """The second time at every seventh move of the recovery, from the first on to its end."""
    again = 1
    while True:
        played = stage()
        before = played.shape()
        kill_at(played, move, BONES)
        try:
            take_up(played, played.engine("second", kill_at=again), how, before)
        except ProcessKilled:
            played.settle()
            assert played.pair.violations == []
        else:
            return
        take_up(played, played.engine("third"), how, before)
        again += 7


def is_nobody_open(move: int) -> bool:
    played = stage()
    kill_at(played, move, BONES)
    return not played.pair.writers()


def test_a_run_that_was_killed_is_taken_up_by_what_it_began_with() -> None:
    """The writer and the standby as they were, although nobody takes writes any more."""
    played = stage()
    fenced = next(move for move in MOVES_OF_BONES if is_nobody_open(move))
    kill_at(played, fenced, BONES)
    assert played.pair.writers() == ()
    run = played.only_run()
    records = played.store.records(run)
    assert records[0].body["text"] == BONES.text
    assert played.engine("second").resume(run).outcome == "succeeded"
    assert_safe(played, writer="west")


@pytest.mark.parametrize(("server", "kind"), [("east", Fence), ("west", Open)], ids=["fence", "open"])
@pytest.mark.parametrize("how", ["resume", "rollback"])
def test_a_statement_of_the_killed_program_does_not_land_after_the_run_was_taken_up(
    server: str, kind: type[Fence | Open], how: str
) -> None:
    """It was sent, the program died, and the server would carry it out 20 s later."""
    played = stage()
    before = played.shape()
    played.pair.database(server).faults.land_late[kind] = 20.0
    step = "fenced" if kind is Fence else "open"
    played.when(
        lambda event: isinstance(event, StepActs) and event.step == step,
        lambda: played.pair.clock.after(0.5, played.processes["first"].kill),
    )
    with pytest.raises(ProcessKilled):
        played.engine().start(BONES, {})
    outcome = take_up(played, played.engine("second"), how, before)
    assert outcome == ("succeeded" if how == "resume" else "rolled_back")
    if outcome == "succeeded":  # there and back again before it would land
        assert played.engine("third").start(BONES, {}).outcome == "succeeded"
    played.pair.clock.sleep(60)
    assert_safe(played, writer="east")


def test_what_a_server_wants_to_know_again_is_recalled_by_the_process_that_resumes() -> None:
    played = stage()
    played.pair.west.settings["kept"] = "where the log ended"
    first = played.engine()
    played.when(lambda event: isinstance(event, StepActs) and event.step == "flip", played.processes["first"].kill)
    with pytest.raises(ProcessKilled):
        first.start(BONES, {})
    assert played.engine("second").resume(played.only_run()).outcome == "succeeded"
    assert played.pair.west.settings["recalled"] == "where the log ended"
    assert "recalled" not in played.pair.east.settings
