"""Statements on a terminal: a row may hold a picture of eight million letters, and a transaction a thousand rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import pytest

from interlock.losses.putting_back import PlannedTransaction, PutBack
from interlock.model.losses import Bound, LossReport, LossState, LostRow
from interlock.report.losses_text import plan_text, shown_sql

WHOLE = "--sql FILE has all"


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("DELETE FROM t", "DELETE FROM t"),
        ("SET a='\x1b[2J'", r"SET a='\x1b[2J'"),
        ("x" * 2000, "x" * 2000),
        (f"{'x' * 1000}yyy{'z' * 1000}", f"{'x' * 1000} …[3 more letters: {WHOLE}]… {'z' * 1000}"),
    ],
    ids=["short", "one that would clear the screen", "just short enough", "both ends of a long one"],
)
def test_a_statement_is_shown_so_that_it_can_be_read(sql: str, shown: str) -> None:
    assert shown_sql(sql, WHOLE) == shown


@pytest.mark.parametrize("back", [False, True], ids=["put back", "taken back"])
def test_what_is_left_out_of_a_long_plan_is_said(back: bool) -> None:  # noqa: FBT001 - a table's column
    row = PutBack(index=0, row=cast("LostRow", None), sql=f"INSERT {'x' * 8_000_000}", inverse=f"DELETE {'x' * 8_000_000}")
    plan = PlannedTransaction(position="1-1-4", at=datetime(2026, 3, 1, tzinfo=UTC), rows=(row,) * 25)
    report = LossReport(
        run="r1", state=LossState.KNOWN, old="east", survivor="west", bound=cast("Bound", None), source="its log", proof="all"
    )
    text = plan_text(report, [plan], 100, back=back)
    where = "not shown here" if back else "`interlock losses r1 --sql FILE` has all"
    assert len(text) < 60_000
    assert f"7,998,007 more letters: {where}]" in text
    assert f"… 5 more rows: {where}" in text
