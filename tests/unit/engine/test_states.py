"""The table of moves: every state is reached, the final ones are left by none, and what is not in the table raises."""

from __future__ import annotations

import itertools

import pytest

from interlock.engine.states import EXIT_CODES, FINAL, MOVES, Event, Lifecycle, State
from interlock.errors import InterlockError


def test_every_state_is_reached_from_the_first() -> None:
    reached = {State.CHECKING}
    for _ in State:
        reached |= {move.target for move in MOVES if move.source in reached}
    assert reached == set(State)


def test_every_state_leads_to_an_outcome() -> None:
    ends = set(EXIT_CODES)
    for _ in State:
        ends |= {move.source for move in MOVES if move.target in ends}
    assert ends == set(State)


def test_no_move_leads_out_of_a_final_state() -> None:
    assert not [move for move in MOVES if move.source in FINAL]
    assert State.HALTED not in FINAL


def test_a_state_and_an_event_have_one_row_with_a_reason() -> None:
    keys = [(move.source, move.event) for move in MOVES]
    assert len(keys) == len(set(keys))
    assert all(move.reason for move in MOVES)


@pytest.mark.parametrize(("source", "event"), list(itertools.product(State, Event)), ids=str)
def test_the_machine_makes_the_moves_of_the_table_and_no_other(source: State, event: Event) -> None:
    row = next((move for move in MOVES if move.source is source and move.event is event), None)
    life = Lifecycle(source)
    if row is None:
        with pytest.raises(InterlockError, match=f"a run that is {source} can't {event}"):
            life.move(event)
        assert life.now is source
    else:
        assert life.move(event) == row
        assert life.now is row.target


def test_the_stored_words_are_never_renamed() -> None:
    assert [state.value for state in State] == [
        "checking", "changing", "opened", "rolling_back", "succeeded", "refused", "rolled_back", "halted",
    ]  # fmt: skip
    assert {state: int(code) for state, code in EXIT_CODES.items()} == {
        State.SUCCEEDED: 0,
        State.REFUSED: 3,
        State.ROLLED_BACK: 4,
        State.HALTED: 5,
    }
