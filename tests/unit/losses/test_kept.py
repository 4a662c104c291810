"""What is kept of a report comes back exactly, and what is shown of it is never obeyed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import StatementFailed
from interlock.losses.codec import packed, plain_report, unpacked
from interlock.losses.folder import Keep, Kept
from interlock.losses.salvage import wanted
from interlock.model.losses import (
    Bound,
    Cell,
    Change,
    LoggedStatement,
    LossKind,
    LossReport,
    LossState,
    LostRow,
    LostTransaction,
    Odd,
    ReadTransaction,
    RowChange,
)
from interlock.report.losses_page import html_page, markdown_page
from interlock.report.losses_text import losses_text, summary

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CELLS: st.SearchStrategy[Cell] = st.one_of(
    st.none(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(), st.builds(Odd, st.text(), st.text())
)


@given(st.dictionaries(st.text(min_size=1), CELLS))
def test_every_value_comes_back_exactly(image: dict[str, Cell]) -> None:
    change = RowChange(schema="s", table="t", key=tuple(image), before=image, after=None)
    read = ReadTransaction(position="1-1-5", at=AT, rows=(change,), statements=(LoggedStatement(schema="s", text="DROP"),), canaries=2)
    back = unpacked(json.loads(json.dumps(packed(read))))
    assert back == read
    assert {name: type(cell) for name, cell in (back.rows[0].before or {}).items()} == {name: type(cell) for name, cell in image.items()}


def test_a_kept_report_that_is_damaged_is_named(tmp_path: Path) -> None:
    keep = Keep(tmp_path)
    assert keep.kept("r1") is None
    kept = Kept(transactions=(ReadTransaction(position="1-1-5", at=AT),), source="east", proof="all", complete=True)
    keep.keep("r1", kept)
    assert keep.kept("r1") == kept
    place = tmp_path / "losses" / "r1.json"
    whole = place.read_text()
    wrong = (
        '{"transactions": [{"position": 1}]}',
        whole[:-9],
        "",
        "[1]",
        "7",
        whole.replace("[]", "[[1]]"),
        whole.replace('"canaries": 0', '"canaries": 1e999'),
    )
    for text in (*wrong, "[" * 100_000):
        place.write_text(text)
        with pytest.raises(StatementFailed, match=r"r1\.json can't be read") as raised:
            keep.kept("r1")
        assert "changed by hand" in raised.value.hint


def report(value: str) -> LossReport:
    row = LostRow(
        schema="app",
        table="t",
        key={"id": 1},
        change=Change.UPDATE,
        before={"id": 1, "v": b"\x00\xff"},
        after={"id": 1, "v": value},
        kind=LossKind.REAPPLICABLE,
        why="nobody wrote the row since",
    )
    lost = LostTransaction(position="1-1-5", at=AT, rows=(row,), statements=(LoggedStatement(schema="app", text=value),), unreadable="")
    return LossReport(
        run="r1",
        state=LossState.KNOWN,
        old="east",
        survivor="west",
        bound=Bound(held="1-1-4"),
        source="the log",
        proof="all is told",
        transactions=(lost,),
    )


def test_the_document_has_the_contract_s_shape() -> None:
    """DESIGN, "Command line": `losses --json`."""
    plain = plain_report(report("x"))
    assert json.loads(json.dumps(plain)) == plain
    assert {"run", "state", "bound", "transactions"} <= set(plain)
    transaction: Any = cast("list[Any]", plain["transactions"])[0]
    assert {"position", "at", "rows"} <= set(transaction)
    assert transaction["rows"] == [
        {
            "table": "app.t",
            "key": {"id": 1},
            "change": "update",
            "before": {"id": 1, "v": "0x00ff"},
            "after": {"id": 1, "v": "x"},
            "class": "reapplicable",
            "why": "nobody wrote the row since",
        }
    ]


HOSTILE = "</td><script>alert(1)</script> | `x` [a](b) \x1b[31m\n## no"


def test_a_row_s_text_is_shown_and_never_obeyed() -> None:
    page, marked, text = html_page(report(HOSTILE)), markdown_page(report(HOSTILE)), losses_text(report(HOSTILE), 100)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in marked
    assert "\n## no" not in marked
    assert all(line.count(" | ") == 8 for line in marked.splitlines() if line.startswith("| ") and not line.startswith("| transaction"))
    assert "\x1b" not in page + marked + text


SUMMARIES = {
    "nothing, proved": (replace(report("x"), transactions=()), "nothing"),
    "nothing known": (replace(report("x"), transactions=(), state=LossState.PENDING), "pending: not known yet"),
    "some, with more to come": (
        replace(report("x"), state=LossState.PENDING),
        "pending, at least 1 transaction, 1 row: 1 can be put back, 1 statement: a person decides",
    ),
}


@pytest.mark.parametrize(("told", "words"), SUMMARIES.values(), ids=SUMMARIES)
def test_a_zero_is_never_said_of_what_is_not_known(told: LossReport, words: str) -> None:
    assert summary(told) == words


FILES = ["binlog.000009", "binlog.000010", "binlog.1000000", "binlog.index", "relay.000001", "other.000011", "ibdata1"]
WANTED = {
    "from the first that is told, in the order of their numbers": ("", "binlog.000010", ["binlog.000010", "binlog.1000000"]),
    "all of a base": ("other.", "", ["other.000011"]),
    "a base and a first": ("binlog.", "binlog.000010", ["binlog.000010", "binlog.1000000"]),
}


@pytest.mark.parametrize(("base", "first", "names"), WANTED.values(), ids=WANTED)
def test_the_files_of_a_log_are_told_from_what_lies_beside_them(base: str, first: str, names: list[str]) -> None:
    assert wanted(FILES, base, first) == names
