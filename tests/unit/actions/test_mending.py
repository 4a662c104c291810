"""What a repair's steps decide, and how its mending is taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from interlock.actions.mending import Differences, Mend, Mended, SeenDifferences, split_rows
from interlock.model.effects import Fence
from interlock.model.mending import DifferenceFacts, MendedFacts, MendFacts, MendRows, TakeRowsBack
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Refuse, Wait

WEST = ServerName("west")
FOUND = DifferenceFacts(comparison="c1", server="west", other="east", rows=3)
LEFT = replace(FOUND, rows=0, left_out=("app.t id=1: its engine Aria can't take a change back",))
OVERTAKEN = replace(FOUND, overtaken="west")
DIFFERENCES: dict[str, tuple[DifferenceFacts, dict[str, Any], bool, type, str]] = {
    "can be mended": (FOUND, {}, False, Done, "3 rows of west can be mended"),
    "a problem": (DifferenceFacts(problem="it is damaged", hint="compare again"), {}, False, Refuse, "it is damaged"),
    "two writers": (FOUND, {}, True, Refuse, "east and west take writes at the same time"),
    "the writer by now": (OVERTAKEN, {}, False, Refuse, "west takes the writes now"),
    "the writer, by a person's word": (OVERTAKEN, {"onto": "west"}, False, Done, "3 rows of west"),
    "all left out": (LEFT, {}, False, Refuse, "nothing can be mended"),
    "all left out, taken back": (LEFT, {"back": True}, False, Done, "0 rows of west"),
    "all left out, others mended before": (replace(LEFT, mended=2), {}, False, Done, "2 were before"),
}


@pytest.mark.parametrize(("found", "words", "both_open", "kind", "why"), DIFFERENCES.values(), ids=DIFFERENCES.keys())
def test_a_comparison_may_be_mended_if_it_still_tells_what_is_right(
    found: DifferenceFacts,
    words: dict[str, Any],
    both_open: bool,  # noqa: FBT001 - a table's column
    kind: type,
    why: str,
) -> None:
    seen = SeenDifferences(found=found, quiesced="", open=(ServerName("east"), WEST) if both_open else ())
    verdict = Differences(comparison="c1", **words).decide(seen)
    assert isinstance(verdict, kind)
    assert why in verdict.why


MEND = Mend(comparison="c1", server=WEST)
NOW = MendFacts(server=WEST, unmended=3, mended=1, last_note=4, fence="read_only", lesser="")
DECIDES = {
    "rows left": (MEND, NOW, Act),
    "busy": (MEND, replace(NOW, busy="west runs 30 statements at once"), Wait),
    "all tried": (MEND, replace(NOW, left=3), Done),
    "some tried": (MEND, replace(NOW, left=2), Act),
    "back": (replace(MEND, back=True), NOW, Act),
    "back, all tried": (replace(MEND, back=True), replace(NOW, stay=1), Done),
    "back, nothing there": (replace(MEND, back=True), replace(NOW, mended=0), Done),
}


@pytest.mark.parametrize(("mend", "seen", "kind"), DECIDES.values(), ids=DECIDES.keys())
def test_it_goes_on_until_every_row_was_tried(mend: Mend, seen: MendFacts, kind: type) -> None:
    assert isinstance(mend.decide(seen), kind)


def test_whoever_is_shut_out_lets_itself_in_first_each_time() -> None:
    shut = replace(NOW, fence="super_read_only", lesser="read_only")
    let_in, mends = MEND.effects(shut)
    assert (isinstance(let_in, Fence), isinstance(mends, MendRows)) == (True, True)
    assert [type(effect) for effect in MEND.effects(NOW)] == [MendRows]


BEFORE = replace(NOW, fence="super_read_only", lesser="read_only")
UNDONE = {
    "rows of this run": (MEND, BEFORE, replace(NOW, unmended=1, mended=3), [TakeRowsBack]),
    "they were tried, and can't be": (MEND, BEFORE, replace(NOW, unmended=1, mended=3, stay=2), [Fence]),
    "only the fence": (MEND, BEFORE, NOW, [Fence]),
    "nothing": (MEND, BEFORE, BEFORE, []),
    "opened meanwhile": (MEND, BEFORE, replace(NOW, fence="", fenced=False), []),
    "fence as it was found": (MEND, NOW, NOW, []),
    "shut meanwhile": (MEND, BEFORE, replace(BEFORE, unmended=1, mended=3), [Fence, TakeRowsBack]),
    "of one that took back": (replace(MEND, back=True), BEFORE, replace(NOW, unmended=4, mended=0), [MendRows]),
}


@pytest.mark.parametrize(("mend", "before", "now", "kinds"), UNDONE.values(), ids=UNDONE.keys())
def test_what_this_run_changed_is_changed_back_and_then_the_fence(mend: Mend, before: MendFacts, now: MendFacts, kinds: list[type]) -> None:
    effects = mend.undo(before, now)
    assert [type(effect) for effect in effects] == kinds
    assert all(effect.since == before.last_note for effect in effects if isinstance(effect, TakeRowsBack))


MENDED = {
    "all": ({"of": 3}, MendedFacts(unmended=0, mended=3), Done),
    "some": ({"of": 3}, MendedFacts(unmended=2, mended=1), Done),
    "none": ({"of": 3}, MendedFacts(unmended=3, mended=0), Refuse),
    "none was to be": ({"of": 0}, MendedFacts(unmended=0, mended=0), Done),
    "not all looked at": ({"of": 3}, MendedFacts(unmended=0, mended=3, ahead=2), Wait),
    "none taken back": ({"of": 3, "back": True}, MendedFacts(unmended=0, mended=3), Refuse),
    "taken back": ({"of": 3, "back": True}, MendedFacts(unmended=3, mended=0), Done),
}


@pytest.mark.parametrize(("words", "seen", "kind"), MENDED.values(), ids=MENDED.keys())
def test_that_no_row_could_be_changed_fails_it(words: dict[str, Any], seen: MendedFacts, kind: type) -> None:
    assert isinstance(Mended(comparison="c1", server=WEST, **words).decide(seen), kind)


def test_a_row_in_which_the_sides_differ_all_the_same_is_told() -> None:
    told = Mended(comparison="c1", server=WEST, of=2).decide(MendedFacts(unmended=0, mended=2, differ=("app.t id=1: otherwise",)))
    assert isinstance(told, Done)
    assert told.warnings == ("app.t id=1: otherwise",)


@pytest.mark.parametrize(
    ("words", "rows"),
    [("", ()), ("a.t:id=1", ("a.t:id=1",)), ("a.t:id=1;a.u:k=x;y", ("a.t:id=1", "a.u:k=x;y")), ("a.t:k=1,l=;", ("a.t:k=1,l=;",))],
    ids=["none", "one", "a semicolon in a value", "at its end"],
)
def test_rows_are_told_apart(words: str, rows: tuple[str, ...]) -> None:
    assert split_rows(words) == rows
