"""The survivor's rows as they are now: those that were lost, and those that would collide with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from itertools import islice

from interlock.dataclass import dataclass
from interlock.decisions.losses import Chain, RowId
from interlock.losses.sql import NotWritable, literal, looks, seen, where_key
from interlock.losses.tables import Table, table_of
from interlock.model.losses import Image
from interlock.servers.quoting import name
from interlock.servers.session import Row, Session, text_of

LOOK_S = 30.0
_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Collision:
    """A row of the survivor that has a unique value of another one: which row, and the value in words."""

    row: RowId
    values: str


@dataclass(slots=True)
class Survivor:
    """Asks on one session of its own, which has `sql.SETTINGS`. A table is looked at once."""

    session: Session
    _tables: dict[tuple[str, str], Table | None] = field(default_factory=dict)

    def table(self, schema: str, table: str) -> Table | None:
        wanted = (schema, table)
        if wanted not in self._tables:
            self._tables[wanted] = table_of(self.session, schema, table)
        return self._tables[wanted]

    def rows(self, wanted: Iterable[RowId]) -> dict[RowId, Image]:
        """The rows that are there. A key whose value can't be written is not looked for: its chain has an odd value anyway."""
        found: dict[RowId, Image] = {}
        for table, rows in self._by_table(wanted):
            by_number = {str(number): row for number, row in enumerate(rows)}

            def asks(number: str, rows: Mapping[str, RowId] = by_number, table: Table = table) -> str:
                key = dict(zip(table.key, rows[number][2], strict=True))
                return f"(SELECT {number} AS `#`, {looks(table.columns)} FROM {table.written} WHERE {where_key(key, table)})"

            for answer in self._ask(by_number, asks):
                found[by_number[text_of(answer["#"])]] = seen(answer, table)
        return found

    def collisions(self, chains: Mapping[RowId, Chain]) -> dict[RowId, list[Collision]]:
        """For each row that the lost changes leave: other rows that have one of its unique values now."""
        found: dict[RowId, list[Collision]] = {}
        for table, rows in self._by_table(chains):
            for unique in table.uniques:
                asked = {str(number): row for number, row in enumerate(rows) if _needs(chains[row].last, unique)}
                asks = _asks_for_others(table, unique, asked, chains)
                for answer in self._ask(asked, asks):
                    row, its = asked[text_of(answer["#"])], seen(answer, table)
                    other = (table.schema, table.name, tuple(its[column] for column in table.key))
                    values = ", ".join(f"{column}={its[column]!r}" for column in unique)
                    found.setdefault(row, []).append(Collision(row=other, values=values))
        return found

    def _by_table(self, wanted: Iterable[RowId]) -> list[tuple[Table, list[RowId]]]:
        groups: dict[tuple[str, str], list[RowId]] = {}
        for row in wanted:
            groups.setdefault((row[0], row[1]), []).append(row)
        tables = [(self.table(*place), rows) for place, rows in groups.items()]
        return [(table, rows) for table, rows in tables if table is not None and table.key]

    def _ask(self, numbers: Iterable[str], asks: Callable[[str], str]) -> Iterable[Row]:
        """Many small questions in one statement."""
        parts = []
        for number in numbers:
            try:
                parts.append(asks(number))
            except NotWritable:
                continue
        remaining = iter(parts)
        while some := list(islice(remaining, _AT_ONCE)):
            yield from self.session.rows(" UNION ALL ".join(some), bound_s=LOOK_S, doing="look at the survivor's rows")


def _asks_for_others(
    table: Table, unique: Sequence[str], asked: Mapping[str, RowId], chains: Mapping[RowId, Chain]
) -> Callable[[str], str]:
    def asks(number: str) -> str:
        row = asked[number]
        last = chains[row].last or {}
        same = where_key({column: last[column] for column in unique}, table)
        key = zip(table.key, row[2], strict=True)
        other = " OR ".join(f"NOT ({name(column)} = {literal(cell, table.column(column))})" for column, cell in key)
        return f"(SELECT {number} AS `#`, {looks(table.columns)} FROM {table.written} WHERE {same} AND ({other}) LIMIT 1)"

    return asks


def _needs(last: Image | None, unique: Sequence[str]) -> bool:
    """NULL collides with nothing."""
    return last is not None and all(last.get(column) is not None for column in unique)
