from __future__ import annotations

import pytest

from interlock.diff.sql import Asked, parts_by_number, row_hash, where_range
from interlock.losses.tables import Table, TableColumn
from interlock.model.losses import Image

A = TableColumn(name="a", kind="int")
B = TableColumn(name="b", kind="varchar", charset="utf8mb4", length=20)
E = TableColumn(name="e", kind="enum", members=("z", "a"))


def asked(*key: str) -> Asked:
    return Asked(table=Table(schema="app", name="t", columns=(A, B, E), key=key), nullable=frozenset(), index="PRIMARY")


@pytest.mark.parametrize(
    ("key", "after", "upto", "expected"),
    [
        (("a",), None, None, "1"),
        (("a",), {"a": 1}, None, "`a` > 1"),
        (("a",), {"a": 1}, {"a": 5}, "`a` > 1 AND `a` <= 5"),
        (("a", "b"), {"a": 1, "b": "x"}, None, "(`a` > 1 OR (`a` = 1 AND `b` > 'x'))"),
        (("a", "b"), None, {"a": 1, "b": "x"}, "(`a` < 1 OR (`a` = 1 AND `b` <= 'x'))"),
        (("a", "b"), {"a": 1, "b": "x"}, {"a": 1, "b": "y"}, "`a` = 1 AND `b` > 'x' AND `b` <= 'y'"),
        (("a", "e"), {"a": 1}, {"a": 2}, "`a` > 1 AND `a` <= 2"),
    ],
    ids=["all", "after", "between", "two columns after", "two columns up to", "same first column", "enum is left out"],
)
def test_a_range_is_written_for_an_index(key: tuple[str, ...], after: Image | None, upto: Image | None, expected: str) -> None:
    assert where_range(asked(*key), (after, upto)) == expected


@pytest.mark.parametrize(
    ("after", "upto", "parts", "expected"),
    [
        ({"a": 0}, {"a": 10}, 2, [(0, 5), (5, 10)]),
        ({"a": -3}, {"a": 4}, 3, [(-3, -1), (-1, 1), (1, 4)]),
        ({"a": 0}, {"a": 2}, 3, []),
        (None, {"a": 10}, 2, []),
        ({"a": 0}, None, 2, []),
    ],
    ids=["halves", "below zero", "too narrow", "no beginning", "no end"],
)
def test_parts_of_a_range_follow_on_one_another(
    after: Image | None, upto: Image | None, parts: int, expected: list[tuple[int, int]]
) -> None:
    found = parts_by_number(asked("a"), (after, upto), parts)
    assert [(low["a"], high["a"]) for low, high in found if low is not None and high is not None] == expected
    assert parts_by_number(asked("b"), (after, upto), parts) == []


def test_rows_that_would_read_the_same_when_put_together_have_their_lengths_before_them() -> None:
    """`ab`, `c` and `a`, `bc` are different rows."""
    assert row_hash(asked("a")).index("LENGTH(`b`)") < row_hash(asked("a")).index("CAST(`b` AS BINARY)")
