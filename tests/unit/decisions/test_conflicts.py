"""Written at the same time or one after the other, by the order of two logs; owned or not, by the turns that a segment took."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from interlock.decisions.conflicts import SameTime, was_open
from interlock.decisions.losses import RowId
from interlock.model.conflicts import Turn, Write
from interlock.model.position import parse_position
from interlock.model.topology import ClusterName

EAST, WEST = ClusterName("east"), ClusterName("west")
ROW: RowId = ("shop", "t", (1,))
OTHER: RowId = ("shop", "t", (2,))

CASES: dict[str, tuple[list[str], list[str], set[str], set[str], bool]] = {
    "neither had come to the other": (["a", "b"], ["b", "a"], set(), set(), True),
    "neither has come yet": (["a"], ["b"], set(), set(), True),
    "the second had seen the first": (["a", "b"], ["a", "b"], set(), set(), False),
    "the first had seen the second": (["b", "a"], ["b", "a"], set(), set(), False),
    "the second's log held the first before the part that was read": (["a", "b"], ["b"], set(), {"a"}, False),
    "the first's log held the second before the part that was read": (["a"], ["b", "a"], {"b"}, set(), False),
}


@pytest.mark.parametrize(("first", "second", "first_began", "second_began", "expected"), CASES.values(), ids=CASES.keys())
def test_the_order_of_both_logs_tells_who_had_seen_whom(
    first: list[str], second: list[str], first_began: set[str], second_began: set[str], *, expected: bool
) -> None:
    same = SameTime(first_began=first_began.__contains__, second_began=second_began.__contains__)
    for name in first:
        same.in_first(name)
        if name == "a":
            same.wrote_first(_write(EAST, "a"), [ROW])
    found = []
    for name in second:
        same.in_second(name)
        if name == "b":
            found += list(same.wrote_second(_write(WEST, "b"), [ROW, OTHER]))
    assert found == ([(ROW, _write(EAST, "a"))] if expected else [])


def test_of_several_changes_the_last_one_of_the_same_time_is_named() -> None:
    same = SameTime(first_began=lambda _: False, second_began=lambda _: False)
    for name in ("a1", "a2", "b"):
        same.in_first(name)
        if name != "b":
            same.wrote_first(_write(EAST, name), [ROW])
    same.in_second("a1")
    same.in_second("b")
    assert [other.position for _, other in same.wrote_second(_write(WEST, "b"), [ROW])] == ["a2"]


MOVED_AWAY_AND_BACK = (
    Turn(segment="eu", cluster=EAST, position=parse_position("1-1-10"), open=False),
    Turn(segment="eu", cluster=WEST, position=parse_position("1-1-10,2-2-5"), open=True),
    Turn(segment="eu", cluster=WEST, position=parse_position("1-1-10,2-2-9"), open=False),
    Turn(segment="eu", cluster=EAST, position=parse_position("1-1-10,2-2-9"), open=True),
    Turn(segment="us", cluster=EAST, position=parse_position("1-1-2"), open=False),
)
OPEN = {
    "before it was closed": (EAST, "1-1-10", True),
    "while it was away, and it came back where it had stood": (EAST, "1-1-11", True),
    "before it was opened": (WEST, "2-2-5", False),
    "while it was here": (WEST, "2-2-9", True),
    "after it went back": (WEST, "2-2-10", False),
}


@pytest.mark.parametrize(("cluster", "at", "expected"), OPEN.values(), ids=OPEN.keys())
def test_a_write_is_judged_by_the_last_turn_before_it(cluster: ClusterName, at: str, *, expected: bool) -> None:
    owns_now = cluster == EAST
    assert was_open(MOVED_AWAY_AND_BACK, "eu", cluster, parse_position(at), owns_now=owns_now) is expected


@pytest.mark.parametrize("owns_now", [True, False])
def test_without_any_turn_it_is_judged_by_the_present(owns_now: bool) -> None:  # noqa: FBT001 - a table's column
    assert was_open((), "eu", EAST, parse_position("1-1-1"), owns_now=owns_now) is owns_now


def _write(cluster: ClusterName, position: str) -> Write:
    return Write(cluster=cluster, position=position, at=datetime(2026, 3, 1, tzinfo=UTC))
