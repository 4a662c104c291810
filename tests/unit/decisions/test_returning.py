"""By which way a master comes back, and what may be taken back: a table each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from interlock.decisions.losses import RowId
from interlock.decisions.returning import LARGE_BYTES, Chosen, best_first, choose, told_means, why_inexact
from interlock.model.losses import Image, LoggedStatement, ReadTransaction, RowChange
from interlock.model.position import MariaDBPosition
from interlock.model.returning import ReturnFacts, Surplus, Way
from interlock.model.topology import ServerName
from interlock.model.verdict import Refuse

EAST, WEST = ServerName("east"), ServerName("west")
EXACT = Surplus(run="r1", lost=3, undone=5, to=MariaDBPosition.parse("1-1-3"))
INEXACT = replace(EXACT, inexact="1-1-7 is a statement: DROP TABLE t", to=None)
SEEN = ReturnFacts(
    server=EAST,
    position=MariaDBPosition.parse("1-1-6,2-2-2"),
    of_writer=MariaDBPosition.parse("1-1-3,2-2-9"),
    surplus=EXACT,
    means=("dump",),
)
NOTHING = replace(SEEN, surplus=None)
WAYS: dict[str, tuple[ReturnFacts, str, Way | str]] = {
    "nothing extra": (NOTHING, "auto", Way.ATTACH),
    "nothing extra, and a copy was asked for": (NOTHING, "copy", Way.COPY),
    "nothing extra, and an earlier copy was not ended": (replace(NOTHING, incomplete=True), "auto", Way.COPY),
    "an earlier copy was not ended, and an undo was asked for": (replace(SEEN, incomplete=True), "undo", Way.COPY),
    "extra that can be taken back": (SEEN, "auto", Way.UNDO),
    "nothing extra, and not all of it was told": (replace(NOTHING, noted=True), "auto", Way.UNDO),
    "nothing extra was expected, and not all of it was told": (replace(NOTHING, noted=True), "attach", "may not have been told"),
    "extra that was taken back already": (replace(SEEN, surplus=replace(INEXACT, inexact="", taken_back=True)), "auto", Way.UNDO),
    "extra that can be taken back, and a copy was asked for": (SEEN, "copy", Way.COPY),
    "extra that can't be taken back": (replace(SEEN, surplus=INEXACT), "auto", Way.COPY),
    "extra that can't be taken back, and nothing else is wanted": (replace(SEEN, surplus=INEXACT), "undo", "can't be taken back exactly"),
    "extra where none was expected": (SEEN, "attach", "3 transactions that west lacks"),
    "what can't be read is not thrown away": (
        replace(SEEN, surplus=replace(INEXACT, problem="the log is gone")),
        "copy",
        "can't all be read",
    ),
    "what can't be read is not told to be none that could be copied over": (
        replace(SEEN, surplus=Surplus(run="r1", lost=0, problem="east: lost connection", inexact="east: lost connection")),
        "undo",
        "can't all be read: east: lost connection",
    ),
    "no program to copy with": (replace(SEEN, surplus=INEXACT, means=(), lacking=("no mysqldump",)), "auto", "no mysqldump"),
    "no means of that name": (replace(SEEN, surplus=INEXACT, means=(), lacking=("clone: not active",)), "copy", "clone: not active"),
    "a right is missing": (replace(SEEN, grants=("GRANT RELOAD ON *.* TO x",)), "auto", "may not undo"),
    "a right is missing, and nothing needs it": (replace(NOTHING, grants=("GRANT RELOAD ON *.* TO x",)), "auto", Way.ATTACH),
}


@pytest.mark.parametrize(("seen", "asked", "wanted"), WAYS.values(), ids=WAYS)
def test_the_cheapest_way_that_is_correct(seen: ReturnFacts, asked: str, wanted: Way | str) -> None:
    match choose(seen, WEST, asked):
        case Chosen(way=way):
            assert way == wanted
        case Refuse(why):
            assert wanted in why


COPIED = replace(SEEN, size_bytes=LARGE_BYTES, means=("mariadb-backup", "dump"))
TOLD = {
    "little": (
        replace(COPIED, size_bytes=LARGE_BYTES - 1, means=("dump",), lacking=("mariadb-backup: no ssh",)),
        "auto",
        "by dump (less than 1 GB)",
    ),
    "much": (COPIED, "auto", "by mariadb-backup (1 GB or more)"),
    "much, and what would be better can't be had": (
        replace(COPIED, means=("dump",), lacking=("mariadb-backup: west has no `ssh`",)),
        "auto",
        "by dump (1 GB or more, and not by another: mariadb-backup: west has no `ssh`)",
    ),
    "by name": (COPIED, "dump", "by dump (asked for)"),
}


@pytest.mark.parametrize(("seen", "asked", "wanted"), TOLD.values(), ids=TOLD)
def test_by_which_means_is_told_with_the_reason(seen: ReturnFacts, asked: str, wanted: str) -> None:
    assert told_means(seen, asked) == wanted


def test_pages_are_better_from_a_gigabyte_on() -> None:
    sizes = (LARGE_BYTES - 1, LARGE_BYTES)
    assert [best_first(size, rows="dump", pages="clone") for size in sizes] == [("dump", "clone"), ("clone", "dump")]


def change(before: Image | None, after: Image | None, *, problem: str = "", key: tuple[str, ...] = ("id",)) -> RowChange:
    return RowChange(schema="app", table="t", key=key, before=before, after=after, problem=problem)


def transaction(*rows: RowChange, said: str = "", unreadable: str = "") -> ReadTransaction:
    statements = (LoggedStatement(schema="app", text=said),) if said else ()
    return ReadTransaction(position="1-1-7", at=datetime(2026, 3, 1, tzinfo=UTC), rows=rows, statements=statements, unreadable=unreadable)


OLD: Image = {"id": 1, "v": "old"}
NEW: Image = {"id": 1, "v": "new"}
NEWER: Image = {"id": 1, "v": "newer"}
CHAIN = (transaction(change(OLD, NEW)), transaction(change(NEW, NEWER)))
ROW: RowId = ("app", "t", (1,))
INEXACTNESS: dict[str, tuple[tuple[ReadTransaction, ...], dict[RowId, Image], str]] = {
    "each row is as it was left": (CHAIN, {ROW: NEWER}, ""),
    "a row that is gone was deleted": ((transaction(change(OLD, None)),), {}, ""),
    "a row was changed unlogged": (CHAIN, {ROW: NEW}, "not as the log says"),
    "a row is gone that was left": (CHAIN, {}, "not as the log says"),
    "a change between was not logged": ((CHAIN[0], transaction(change(OLD, NEWER))), {ROW: NEWER}, "does not tell every change"),
    "ddl": ((*CHAIN, transaction(said="DROP TABLE t")), {ROW: NEWER}, "is a statement: DROP TABLE t"),
    "what can't be read": ((transaction(unreadable="compressed"),), {}, "compressed"),
    "a part of a row": ((transaction(change(OLD, NEW, problem="only a part")),), {ROW: NEW}, "only a part"),
    "a table without a key": ((transaction(change(OLD, NEW, key=())),), {}, "no key"),
}


@pytest.mark.parametrize(("undone", "now", "wanted"), INEXACTNESS.values(), ids=INEXACTNESS)
def test_only_what_is_known_to_the_last_row_is_taken_back(
    undone: tuple[ReadTransaction, ...], now: dict[RowId, Image], wanted: str
) -> None:
    why = why_inexact(undone, now, {})
    assert wanted in why
    assert bool(why) == bool(wanted)


def test_a_table_that_is_unfit_is_named() -> None:
    assert why_inexact(CHAIN, {ROW: NEWER}, {("app", "t"): "it has a trigger"}) == "1-1-7 changed app.t: it has a trigger"
