"""What is sent to mend differences, in which order, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from interlock.diff.mend_plan import Chosen, MendPlan, plan_mends
from interlock.losses.tables import Table, TableColumn
from interlock.model.differences import ComparedTable, Comparison, DifferenceKind, NotCompared, RowDifference, ShapeDifference
from interlock.model.losses import Image

COLUMNS = (
    TableColumn(name="id", kind="int"),
    TableColumn(name="v", kind="varchar", charset="utf8mb4"),
    TableColumn(name="f", kind="double"),
)
PARENTS = {("app", "child"): {("app", "parent")}, ("app", "grandchild"): {("app", "child"), ("app", "grandchild")}}


def table(name: str, **changes: object) -> Table:
    plain = Table(schema="app", name=name, columns=COLUMNS, key=("id",), engine="InnoDB")
    return replace(plain, **changes)  # type: ignore[arg-type]


def row(number: int, value: str = "x", f: float = 0.0) -> Image:
    return {"id": number, "v": value, "f": f}


def difference(name: str, ours: Image | None, theirs: Image | None, *, copies: int = 1, keyed: bool = True) -> RowDifference:
    return RowDifference(
        schema="app",
        table=name,
        kind=DifferenceKind.CHANGED if ours and theirs else DifferenceKind.MISSING_ON,
        cluster="east" if ours is None else "west",
        key={"id": (ours or theirs or {})["id"]} if keyed else {},
        writer=ours,
        other=theirs,
        columns=(),
        position="0-1-5",
        copies=copies,
    )


def comparison(*differences: RowDifference) -> Comparison:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    names = list(dict.fromkeys(one.table for one in differences))
    tables = [
        ComparedTable(
            schema="app", name=name, columns={}, differences=tuple(one for one in differences if one.table == name), complete=True
        )
        for name in names
    ]
    return Comparison(
        name="d1", topology="shop", writer="east", other="west", position="0-1-5", began_at=at, ended_at=at, tables=tuple(tables)
    )


def plan(
    found: Comparison, tables: Sequence[Table], onto: str = "west", chosen: Chosen | None = None, done: Sequence[int] = ()
) -> MendPlan:
    known: Mapping[tuple[str, str], Table] = {(one.schema, one.name): one for one in tables}
    return plan_mends(found, onto, chosen or Chosen(), lambda schema, name: known.get((schema, name)), parents=PARENTS, done=done)


def test_deletes_go_children_first_and_what_is_put_in_parents_first() -> None:
    names = ("child", "grandchild", "parent")
    rows = [(row(1), None), (None, row(2)), (row(3, "a"), row(3, "b"))]
    found = plan(comparison(*(difference(name, *each) for name in names for each in rows)), [table(name) for name in names])
    assert [(one.change.value, one.table.name) for one in found.mends] == [
        ("delete", "grandchild"),
        ("delete", "child"),
        ("delete", "parent"),
        *((word, name) for name in ("parent", "child", "grandchild") for word in ("update", "insert")),
    ]


def test_tables_that_name_each_other_are_ordered_somehow() -> None:
    found = comparison(difference("a", row(1), None), difference("b", row(1), None))
    circle = {("app", "a"): {("app", "b")}, ("app", "b"): {("app", "a")}}
    made = plan_mends(found, "west", Chosen(), lambda _, name: table(name), parents=circle)
    assert sorted(one.table.name for one in made.mends) == ["a", "b"]


def test_the_other_way_each_row_is_changed_back() -> None:
    found = comparison(difference("t", row(1), None), difference("t", None, row(2)), difference("t", row(3, "a"), row(3, "b")))
    there, back = (plan(found, [table("t")], onto).mends for onto in ("west", "east"))
    assert [(one.index, one.change.value) for one in there] == [(1, "delete"), (2, "update"), (0, "insert")]
    assert [(one.index, one.change.value) for one in back] == [(0, "delete"), (2, "update"), (1, "insert")]
    assert {one.index: one.sql for one in there} == {one.index: one.inverse for one in back}


def test_a_zero_s_sign_is_a_difference_that_is_written() -> None:
    (mend,) = plan(comparison(difference("t", row(1, f=0.0), row(1, f=-0.0))), [table("t")]).mends
    assert mend.sql.startswith("UPDATE `app`.`t` SET `f`=0.0e0 WHERE")
    assert mend.inverse.startswith("UPDATE `app`.`t` SET `f`=-0.0e0 WHERE")


def test_of_a_table_without_a_key_so_many_copies_are_put_in_or_taken_away() -> None:
    bag = table("t", key=())
    found = comparison(difference("t", row(1), None, copies=3, keyed=False), difference("t", None, row(2), copies=2, keyed=False))
    fewer, more = plan(found, [bag]).mends
    assert (more.rows, more.sql.count("'x'"), more.inverse.endswith("LIMIT 3")) == (3, 3, True)
    assert (fewer.rows, fewer.sql.endswith("LIMIT 2"), fewer.inverse.count("'x'")) == (2, True, 2)


def test_of_a_table_without_a_key_the_side_that_has_fewer_copies_gets_more_though_both_have_some() -> None:
    bag, image = table("t", key=()), row(1)
    (lacks,) = plan(comparison(difference("t", image, image, copies=2, keyed=False)), [bag]).mends
    assert (lacks.sql.count("'x'"), lacks.inverse.endswith("LIMIT 2")) == (2, True)
    (has,) = plan(comparison(replace(difference("t", image, image, copies=2, keyed=False), cluster="east")), [bag]).mends
    assert (has.sql.endswith("LIMIT 2"), has.inverse.count("'x'")) == (True, 2)


CHANGED, GONE, NEW = (difference("t", *rows) for rows in ((row(1, "a"), row(1, "b")), (None, row(1)), (row(1), None)))


@pytest.mark.parametrize(
    ("each", "its", "why"),
    [
        (CHANGED, table("t", triggers=frozenset({"UPDATE"})), "a trigger of west would fire"),
        (CHANGED, table("t", triggers=frozenset({"INSERT"})), ""),
        (GONE, table("t", cascades=True), "a foreign key would change rows of another table"),
        (CHANGED, table("t", cascades=True), ""),
        (CHANGED, table("t", cascades=True, uniques=(("v",),)), "a foreign key would change rows of another table"),
        (CHANGED, table("t", engine="Aria"), "its engine Aria can't take a change back"),
        (CHANGED, table("t", key=()), "the table's key is another one, or generated"),
        (CHANGED, table("t", columns=(*COLUMNS, TableColumn(name="more", kind="int"))), ""),
        (
            NEW,
            table("t", columns=(*COLUMNS, TableColumn(name="more", kind="int"))),
            "the table is declared otherwise: more was not compared",
        ),
        (NEW, table("t", columns=(*COLUMNS, TableColumn(name="more", kind="int", made=True))), ""),
        (CHANGED, table("t", columns=COLUMNS[:2]), "the table is declared otherwise: it has no column f"),
        (CHANGED, table("other"), "west has no such table"),
        (
            difference("t", row(1), None, copies=1001, keyed=False),
            table("t", key=()),
            "it can't be written again exactly: 1001 copies of one row",
        ),
    ],
)
def test_what_would_do_more_or_less_than_that_is_left_out(each: RowDifference, its: Table, why: str) -> None:
    found = plan(comparison(each), [its])
    assert [one.why for one in found.left_out] == ([why] if why else [])
    assert len(found.mends) == (not why)


def test_only_chosen_rows_and_those_that_are_not_done() -> None:
    found = comparison(*(difference("t", row(number), None) for number in range(4)), difference("other", row(1), None))
    tables = [table("t"), table("other")]
    rows = plan(found, tables, chosen=Chosen(rows={("app", "t"): [{"id": "2"}]}))
    assert [one.index for one in rows.mends] == [2]
    both = plan(found, tables, chosen=Chosen(tables=frozenset({("app", "other")}), rows={("app", "t"): [{"id": "2"}]}))
    assert sorted(one.index for one in both.mends) == [2, 4]
    rest = plan(found, tables, done=[0, 1, 4])
    assert (sorted(one.index for one in rest.mends), rest.done) == ([2, 3], 3)


def test_what_is_no_row_is_named_unless_rows_are_chosen() -> None:
    plain = comparison(difference("t", row(1), None))
    shapes = tuple(
        ShapeDifference(schema="app", table=name, kind=kind, cluster="west", what=what, writer="x", other="")
        for kind, name, what in ((DifferenceKind.EXTRA_TABLE, "more", "table"), (DifferenceKind.SCHEMA, "t", "column w"))
    )
    unsettled = replace(plain.tables[0], not_compared=(NotCompared(what="row id=7", why="it was written all the time"),))
    found = replace(plain, shapes=shapes, tables=(unsettled,))
    assert [(one.what, one.why) for one in plan(found, [table("t")]).left_out] == [
        ("app.more", "west lacks the table: a person changes tables"),
        ("app.t column w", "it is declared otherwise: a person changes tables"),
        ("app.t row id=7", "not compared: it was written all the time"),
    ]
    assert plan(found, [table("t")], chosen=Chosen(tables=frozenset({("app", "t")}))).left_out == ()
