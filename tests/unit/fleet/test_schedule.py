from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.decisions.leases import Liveness
from interlock.fleet.model import Limits, worst
from interlock.fleet.schedule import Await, Begin, Leave, Move, Seen, TakeUp, in_turn, may_begin, next_move, run_name

RUN = "f.shop"


@pytest.mark.parametrize(
    ("running", "failures", "stopping", "begun"),
    [
        pytest.param(0, 0, False, "ab", id="as many as may run at once"),
        pytest.param(1, 0, False, "a", id="no more than there is room for"),
        pytest.param(2, 0, False, "", id="none when all places are taken"),
        pytest.param(5, 0, False, "", id="none when more run than may"),
        pytest.param(0, 2, False, "ab", id="failures below the limit do not matter"),
        pytest.param(0, 3, False, "", id="none once so many have failed"),
        pytest.param(0, 9, False, "", id="none once more have failed"),
        pytest.param(0, 0, True, "", id="none once somebody has said stop"),
    ],
)
def test_who_may_begin(running: int, failures: int, stopping: bool, begun: str) -> None:  # noqa: FBT001 - a table's column
    limits = Limits(at_once=2, stop_after_failures=3, each_within_s=1.0)
    assert "".join(may_begin("abc", running=running, failures=failures, limits=limits, stopping=stopping)) == begun


def _seen(outcome: str | None, holder: Liveness = Liveness.GONE, *, recorded: bool = True, attempts: int = 1) -> Seen:
    return Seen(attempts=attempts, run=RUN, recorded=recorded, outcome=outcome, holder=holder)


@pytest.mark.parametrize(
    ("seen", "move"),
    [
        pytest.param(Seen(), Begin(run=RUN), id="never begun"),
        pytest.param(_seen(None, recorded=False), Begin(run=RUN), id="begun but never recorded: the same name"),
        pytest.param(_seen(None, Liveness.ALIVE), Await(run=RUN), id="still carried out"),
        pytest.param(_seen(None, Liveness.GONE), TakeUp(run=RUN), id="its process is gone"),
        pytest.param(_seen(None, Liveness.UNKNOWN), TakeUp(run=RUN), id="its process can't be looked at: the lease decides"),
        pytest.param(_seen("succeeded"), Leave(why="it has succeeded"), id="succeeded is never run again"),
        pytest.param(_seen("halted"), Leave(why="it has halted, which needs a person"), id="halted needs a person"),
        pytest.param(_seen("refused"), Begin(run="f.shop~2"), id="refused is tried anew"),
        pytest.param(_seen("rolled_back", attempts=2), Begin(run="f.shop~3"), id="rolled back is tried anew"),
    ],
)
def test_what_a_fleet_does_about_a_pair(seen: Seen, move: Move) -> None:
    assert next_move("f", "shop", seen) == move


def test_what_is_under_way_comes_first_then_what_is_unfinished_then_what_is_new() -> None:
    moves: list[tuple[str, Move]] = [
        ("new", Begin(run="r")),
        ("done", Leave(why="it has succeeded")),
        ("unfinished", TakeUp(run="r")),
        ("under way", Await(run="r")),
        ("newer", Begin(run="r")),
    ]
    assert [about for about, _ in in_turn(moves)] == ["under way", "unfinished", "new", "newer"]


NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
FLEETS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,8}", fullmatch=True)
RUNS = st.tuples(FLEETS, NAMES, st.integers(1, 99))


@given(RUNS, RUNS)
def test_no_two_runs_of_any_two_fleets_have_one_name(one: tuple[str, str, int], other: tuple[str, str, int]) -> None:
    assert (run_name(*one) == run_name(*other)) == (one == other)


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        pytest.param([], 0, id="none"),
        pytest.param([0, 0], 0, id="all succeeded"),
        pytest.param([3, 0, 6], 6, id="busy before refused"),
        pytest.param([6, 2], 2, id="invalid before busy"),
        pytest.param([2, 4], 4, id="rolled back before invalid"),
        pytest.param([4, 1, 130], 1, id="no end before rolled back"),
        pytest.param([1, 5, 4], 5, id="halted before all"),
        pytest.param([3, 77], 1, id="a code that nobody knows is a crash"),
    ],
)
def test_the_exit_code_is_that_of_the_worst(codes: list[int], code: int) -> None:
    assert worst(codes) == code
