from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from interlock.diff.plain import plain_comparison
from interlock.model.differences import ComparedTable, Comparison, DifferenceKind, NotCompared, RowDifference, ShapeDifference
from interlock.report.diff_page import html_page, markdown_page
from interlock.report.diff_text import diff_text, summary

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ROW = RowDifference(
    schema="app",
    table="t",
    kind=DifferenceKind.CHANGED,
    cluster="west",
    key={"id": 2},
    writer={"id": 2, "v": "<b>|x"},
    other={"id": 2, "v": None},
    columns=("v",),
    position="0-1-9",
)
GONE = replace(ROW, kind=DifferenceKind.MISSING_ON, key={}, other=None, columns=(), copies=2)
SHAPE = ShapeDifference(schema="app", table="u", kind=DifferenceKind.SCHEMA, cluster="west", what="column c", writer="int", other="bigint")
TABLE = ComparedTable(schema="app", name="t", key=("id",), columns={"id": "int"}, rows=1000, complete=True)
EQUAL = Comparison(
    name="c1", topology="shop", writer="east", other="west", position="0-1-7", began_at=AT, ended_at=AT, seconds=2.0, tables=(TABLE,)
)
DIFFERENT = replace(EQUAL, shapes=(SHAPE,), tables=(replace(TABLE, differences=(ROW, GONE)),))


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (EQUAL, "equal"),
        (DIFFERENT, "3 differences: 1 missing on one side, 1 changed, 1 declared differently"),
        (replace(EQUAL, ended_at=None), "no difference found; unfinished: interlock diff --resume c1"),
        (
            replace(EQUAL, tables=(replace(TABLE, not_compared=(NotCompared(what="row id=5", why="written"),)),)),
            "no difference found; not everything could be compared",
        ),
    ],
    ids=["equal", "different", "unfinished", "unsettled"],
)
def test_the_result_is_one_sentence_and_equal_only_if_all_was_compared(comparison: Comparison, expected: str) -> None:
    assert summary(comparison) == expected
    assert comparison.is_equal == (expected == "equal")


def test_a_person_sees_which_row_where_and_in_what() -> None:
    text = diff_text(DIFFERENT, 120)
    assert "1,000 rows of 1 table in 2.0s, 500 rows/s" in text
    assert re.search(r"app\.t +changed on west +id=2 +v", text)
    assert "missing on west, 2 times" in text
    assert "int ≠ bigint" in text


@pytest.mark.parametrize(
    ("comparison", "is_said"),
    [
        (DIFFERENT, True),
        (EQUAL, False),
        (replace(DIFFERENT, tables=(TABLE,)), False),
        (replace(DIFFERENT, ended_at=None), False),
    ],
    ids=["rows differ", "equal", "declarations alone: a person changes tables", "unfinished: it goes on first"],
)
def test_where_rows_differ_the_next_command_is_said(comparison: Comparison, is_said: bool) -> None:  # noqa: FBT001 - a table's column
    assert diff_text(comparison, 120).endswith(f"changes nothing: interlock repair {comparison.name}") is is_said


def test_what_stands_in_a_row_is_shown_and_never_obeyed() -> None:
    assert "<b>" not in html_page(DIFFERENT)
    assert "&lt;b&gt;\\|x" in markdown_page(DIFFERENT)


def test_programs_find_the_differences_of_a_table_together() -> None:
    plain = plain_comparison(DIFFERENT)
    tables = plain["tables"]
    assert isinstance(tables, list)
    assert [(one["table"], [each["kind"] for each in one["differences"]]) for one in tables] == [
        ("app.t", ["changed", "missing_on"]),
        ("app.u", ["schema"]),
    ]
    assert (plain["equal"], plain["rows"], plain["differences"], plain["position"]) == (False, 1000, 3, "0-1-7")
    assert tables[0]["differences"][0]["key"] == {"id": 2}
    assert tables[1]["differences"][0]["columns"] == ["c"]
