from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from interlock.diff.kept import Chunk, DiffLog, place_of, read_kept
from interlock.errors import StatementFailed, UsageError
from interlock.model.differences import ComparedTable, Comparison, DifferenceKind, NotCompared, RowDifference, ShapeDifference
from interlock.model.losses import Cell, Image, Odd

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EMPTY = Comparison(name="c1", topology="shop", writer="east", other="west", position="0-1-7", began_at=AT)
TABLE = ComparedTable(schema="app", name="t", key=("id",), columns={"id": "int", "v": "text"}, generated=("g",))
ODD: dict[str, Cell] = {"id": 2, "v": None, "b": b"\xff\x00", "f": float.fromhex("0x1.999999999999ap-4"), "o": Odd("x", "why")}
ROW = RowDifference(
    schema="app",
    table="t",
    kind=DifferenceKind.CHANGED,
    cluster="west",
    key={"id": 2},
    writer=ODD,
    other={**ODD, "f": -0.0, "v": ""},
    columns=("v", "f"),
    position="0-1-9",
)


def key(number: int) -> Image:
    return {"id": number}


def test_what_is_written_is_read_back_exactly(tmp_path: Path) -> None:
    shape = ShapeDifference(
        schema="app", table="u", kind=DifferenceKind.EXTRA_TABLE, cluster="west", what="table", writer="CREATE…", other=""
    )
    lacks = NotCompared(what="row id=9", why="written all the while")
    with DiffLog.begin(tmp_path, EMPTY, {"tables": ["app.t"]}) as log:
        log.shapes([shape])
        log.table(TABLE)
        log.chunk(("app", "t"), Chunk(after=None, upto=key(5), rows=5, differences=(ROW,)))
        log.chunk(("app", "t"), Chunk(after=key(5), upto=None, rows=2, not_compared=(lacks,)))
        log.ended(AT, 1.5)
    kept = read_kept(tmp_path, "c1")
    table = kept.comparison.tables[0]
    assert kept.options == {"tables": ["app.t"]}
    assert (kept.comparison.shapes, kept.comparison.ended_at, kept.comparison.seconds) == ((shape,), AT, 1.5)
    assert (table.rows, table.complete, table.differences, table.not_compared, table.generated) == (7, True, (ROW,), (lacks,), ("g",))
    assert str(table.differences[0].other) == str(ROW.other), "the sign of a zero counts too"
    assert kept.reached == {}


def test_only_the_chain_from_the_beginning_counts(tmp_path: Path) -> None:
    """A chunk was compared before the one in front of it, which was never written."""
    with DiffLog.begin(tmp_path, EMPTY, {}) as log:
        log.table(TABLE)
        log.chunk(("app", "t"), Chunk(after=None, upto=key(5), rows=5))
        log.chunk(("app", "t"), Chunk(after=key(8), upto=key(9), rows=1, differences=(ROW,)))
    kept = read_kept(tmp_path, "c1")
    table = kept.comparison.tables[0]
    assert (table.rows, table.complete, table.differences, kept.reached) == (5, False, (), {("app", "t"): key(5)})
    assert not kept.comparison.is_equal


def test_a_line_that_was_cut_off_counts_for_nothing_and_the_next_stands_alone(tmp_path: Path) -> None:
    with DiffLog.begin(tmp_path, EMPTY, {}) as log:
        log.table(TABLE)
    place = place_of(tmp_path, "c1")
    with place.open("a") as file:
        file.write('{"chunk": {"aft')
    assert read_kept(tmp_path, "c1").comparison.tables[0].rows == 0
    with DiffLog.go_on(tmp_path, "c1") as log:
        log.chunk(("app", "t"), Chunk(after=None, upto=None, rows=3))
        log.ended(AT, 2.0)
    assert read_kept(tmp_path, "c1").comparison.is_equal


def test_nobody_else_may_read_it_and_nothing_is_overwritten(tmp_path: Path) -> None:
    with DiffLog.begin(tmp_path, EMPTY, {}):
        pass
    assert place_of(tmp_path, "c1").stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="there is a comparison c1 already"):
        DiffLog.begin(tmp_path, EMPTY, {})


def test_a_name_that_is_not_kept_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with DiffLog.begin(tmp_path, EMPTY, {}):
        pass
    with pytest.raises(UsageError, match="there is no comparison 'x'") as caught:
        read_kept(tmp_path, "x")
    assert caught.value.hint == "the last ones: c1"


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    with DiffLog.begin(tmp_path, EMPTY, {}):
        pass
    with place_of(tmp_path, "c1").open("a") as file:
        file.write('{"what": 1}\n')
    with pytest.raises(StatementFailed, match=r"c1\.jsonl is damaged: not a line of a comparison"):
        read_kept(tmp_path, "c1")


CHANGED = {
    "cut off in its head": ('"began"', '"bega'),
    "of another table": ('"schema": "app", "table": "t", "kind"', '"schema": "app", "table": "u", "kind"'),
    "another key": ('"key": {"id": 2}', '"key": {"id": 3}'),
    "a side that is none": ('"cluster": "west"', '"cluster": "north"'),
    "no copy": ('"copies": 1', '"copies": 0'),
    "no end of copies": ('"copies": 1', '"copies": 1e999'),
    "no row": ('"writer": {"id"', '"writer": null, "also": {"id"'),
    "no position": ('"position": "0-1-9"', '"position": "somewhere"'),
    "a kind that is none": ('"kind": "changed"', '"kind": "gone"'),
    "an image that is none": ('"after": null', '"after": [1]'),
    "another's name": ('"name": "c1"', '"name": "c2"'),
    "no time": ("2026-03-01T12:00:00", "noon"),
}


@pytest.mark.parametrize(("old", "new"), CHANGED.values(), ids=CHANGED.keys())
def test_a_file_that_somebody_changed_is_named_and_its_rows_are_nobodys(tmp_path: Path, old: str, new: str) -> None:
    gone = replace(ROW, kind=DifferenceKind.MISSING_ON, other=None)
    with DiffLog.begin(tmp_path, EMPTY, {}) as log:
        log.table(TABLE)
        log.chunk(("app", "t"), Chunk(after=None, upto=None, rows=1, differences=(gone, ROW)))
    place = place_of(tmp_path, "c1")
    text = place.read_text()
    assert old in text
    place.write_text(text.replace(old, new))
    with pytest.raises(StatementFailed, match=r"c1\.jsonl is damaged") as raised:
        read_kept(tmp_path, "c1")
    assert "compare again" in raised.value.hint
