"""What `repair` would send to one side so that it is as the other one was: each row's guarded statement, its inverse, and what is left out.

Pure. Deletes come first, children before their parents; then updates and inserts, parents first: so neither a unique value nor a foreign
key is in the way of what comes later.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from interlock.dataclass import dataclass
from interlock.losses.codec import shown
from interlock.losses.putting_back import LeftOut
from interlock.losses.sql import NotWritable, between, copies_in, copies_out
from interlock.losses.tables import Table
from interlock.model.differences import Comparison, DifferenceKind, RowDifference
from interlock.model.losses import Change, Image

TableName = tuple[str, str]
"""Schema and name."""

COPIES_AT_MOST = 1000
ROWS_AT_ONCE = 100
_BYTES_AT_ONCE = 1 << 20
_TRANSACTIONAL = frozenset({"innodb", "rocksdb", "ndbcluster"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """One difference: its number in the comparison (from 0), the row as the mended side had it and as it is to be (None: no row), and the
    statements. `rows` is how many of them change at once, more than one only in a table without a key.
    """

    index: int
    difference: RowDifference
    table: Table
    present: Image | None
    wanted: Image | None
    sql: str
    inverse: str

    @property
    def change(self) -> Change:
        return change_of(self.present, self.wanted)

    @property
    def rows(self) -> int:
        return self.difference.copies

    @property
    def image(self) -> Image:
        """Whichever there is; to tell the row by its key, or a table's rows without one from each other."""
        return self.wanted or self.present or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class MendPlan:
    """In the order in which they are sent. `done` is how many rows an earlier repair has mended, which are left out without a word."""

    mends: tuple[Mend, ...]
    left_out: tuple[LeftOut, ...] = ()
    done: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which differences are mended: those of these tables and these rows (by their keys' values as shown); all if none is named."""

    tables: frozenset[TableName] = frozenset()
    rows: Mapping[TableName, Sequence[Mapping[str, str]]] = field(default_factory=dict)

    def has(self, difference: RowDifference) -> bool:
        place = (difference.schema, difference.table)
        if not self.tables and not self.rows:
            return True
        key = {name: str(shown(cell)) for name, cell in difference.key.items()}
        return place in self.tables or key in self.rows.get(place, ())


def plan_mends(
    comparison: Comparison,
    onto: str,
    chosen: Chosen,
    tables: Callable[[str, str], Table | None],
    *,
    parents: Mapping[TableName, Collection[TableName]],
    done: Collection[int] = (),
) -> MendPlan:
    """What changes the cluster `onto`. `tables` are as it has them; `parents` are those that a table's foreign keys name. Rows that are
    `done` are passed over.
    """
    mends: list[Mend] = []
    left = [] if chosen.rows or chosen.tables else list(_not_rows(comparison))
    passed = 0
    for index, difference in enumerate(differences_of(comparison)):
        if not chosen.has(difference):
            continue
        if index in done:
            passed += difference.copies
            continue
        made = mend_of(index, difference, onto, comparison, tables(difference.schema, difference.table))
        if isinstance(made, Mend):
            mends.append(made)
        else:
            left.append(LeftOut(what=row_name(difference), why=made))
    return MendPlan(mends=tuple(in_order(mends, parents)), left_out=tuple(left), done=passed)


def differences_of(comparison: Comparison) -> tuple[RowDifference, ...]:
    """Every row that differs, in an order that does not change once the comparison has ended."""
    return tuple(one for table in comparison.tables for one in table.differences)


def change_of(present: Image | None, wanted: Image | None) -> Change:
    if present is None:
        return Change.INSERT
    return Change.DELETE if wanted is None else Change.UPDATE


def row_name(difference: RowDifference) -> str:
    """`app.t id=5`."""
    key = ", ".join(f"{name}={shown(cell)}" for name, cell in difference.key.items())
    return f"{difference.schema}.{difference.table} {key or '(no key)'}"


def portions(mends: Sequence[Mend], at_once: int = ROWS_AT_ONCE) -> Iterator[list[Mend]]:
    """A transaction's worth each, of so many rows at the most."""
    some: list[Mend] = []
    size = 0
    for one in mends:
        if some and (len(some) >= at_once or size + len(one.sql) > _BYTES_AT_ONCE):
            yield some
            some, size = [], 0
        some.append(one)
        size += len(one.sql)
    if some:
        yield some


def mend_of(index: int, difference: RowDifference, onto: str, comparison: Comparison, table: Table | None) -> Mend | str:
    """Or why it can't be mended."""
    other_way = onto == comparison.writer
    present, wanted = (difference.writer, difference.other) if other_way else (difference.other, difference.writer)
    if not difference.key:  # both sides may hold copies of the row: the one that is named has fewer
        row = difference.writer or difference.other
        present, wanted = (None, row) if difference.cluster == onto else (row, None)
    if table is None:
        return f"{onto} has no such table"
    why = _not_alike(difference, present, wanted, table) or not_safe(present, wanted, table, onto)
    if why:
        return why
    try:
        sql, inverse = _both_ways(difference, present, wanted, table)
    except NotWritable as odd:
        return f"it can't be written again exactly: {odd}"
    return Mend(index=index, difference=difference, table=table, present=present, wanted=wanted, sql=sql, inverse=inverse)


def in_order(mends: Iterable[Mend], parents: Mapping[TableName, Collection[TableName]]) -> list[Mend]:
    """Deletes, children first; then the others, parents first, a table's updates before its inserts."""
    ranks: dict[TableName, int] = {}

    def rank(place: TableName, above: tuple[TableName, ...] = ()) -> int:
        """0 for a table that names no other; one that names itself, or a circle, ends there."""
        if place not in ranks:
            named = [one for one in parents.get(place, ()) if one not in {place, *above}]
            ranks[place] = 1 + max(rank(one, (*above, place)) for one in named) if named else 0
        return ranks[place]

    def at(mend: Mend) -> tuple[int, int, TableName, int]:
        place = (mend.table.schema, mend.table.name)
        if mend.change is Change.DELETE:
            return 0, -rank(place), place, 0
        return 1, rank(place), place, int(mend.change is Change.INSERT)

    return sorted(mends, key=at)  # which keeps the comparison's order within a table


def _not_rows(comparison: Comparison) -> Iterator[LeftOut]:
    """What the comparison tells that is no row: a person's."""
    for shape in comparison.shapes:
        what = ".".join(filter(None, [shape.schema, shape.table])) + (f" {shape.what}" if shape.kind is DifferenceKind.SCHEMA else "")
        why = f"{shape.cluster} lacks the table" if shape.kind is DifferenceKind.EXTRA_TABLE else "it is declared otherwise"
        yield LeftOut(what=what, why=f"{why}: a person changes tables")
    for table in comparison.tables:
        for one in table.not_compared:
            yield LeftOut(what=f"{table.schema}.{table.name} {one.what}".rstrip(), why=f"not compared: {one.why}")
        if not table.complete and not table.not_compared:
            yield LeftOut(what=f"{table.schema}.{table.name}", why="not compared to its end")


def _not_alike(difference: RowDifference, present: Image | None, wanted: Image | None, table: Table) -> str:
    """Why the images are not the table's rows; empty if they are."""
    image = wanted or present or {}
    columns = {column.name for column in table.columns if not column.made}
    unknown, lacking = sorted(set(image) - columns), sorted(columns - set(image))
    if unknown:
        return f"the table is declared otherwise: it has no column {', '.join(unknown)}"
    if lacking and (present is None or wanted is None):
        return f"the table is declared otherwise: {', '.join(lacking)} was not compared"
    if bool(difference.key) != bool(table.key) or any(name not in image for name in table.key):
        return "the table's key is another one, or generated"
    return ""


def not_safe(present: Image | None, wanted: Image | None, table: Table, onto: str) -> str:
    """Why writing the row would do more, or less, than that; empty if it would not."""
    change = change_of(present, wanted)
    if table.engine and table.engine.lower() not in _TRANSACTIONAL:
        return f"its engine {table.engine} can't take a change back"
    if change.value.upper() in table.triggers:
        return f"a trigger of {onto} would fire"
    keyed = {name for names in (table.key, *table.uniques) for name in names}
    moved = present is not None and wanted is not None and any(present[name] != wanted[name] for name in keyed & set(wanted))
    if table.cascades and (change is Change.DELETE or moved):
        return "a foreign key would change rows of another table"
    return ""


def _both_ways(difference: RowDifference, present: Image | None, wanted: Image | None, table: Table) -> tuple[str, str]:
    if difference.key:
        return between(present, wanted, table.key, table), between(wanted, present, table.key, table)
    if difference.copies > COPIES_AT_MOST:
        raise NotWritable(f"{difference.copies} copies of one row")
    image = wanted or present or {}
    more, fewer = copies_in(image, difference.copies, table), copies_out(image, difference.copies, table)
    return (more, fewer) if present is None else (fewer, more)
