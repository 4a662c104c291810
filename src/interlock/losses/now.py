"""The survivor's rows as they are now: those that were lost, and those that would collide with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from interlock.decisions.losses import Chain, RowId
from interlock.losses.sql import NotWritable, literal, looks, seen, where_key
from interlock.losses.tables import Table, table_of
from interlock.model.losses import Image
from interlock.servers.quoting import name
from interlock.servers.session import Row, Session, text_of

LOOK_S = 30.0
_AT_ONCE = 50


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

    def collisions(self, chains: Mapping[RowId, Chain]) -> dict[RowId, list[str]]:
        """For each row that the lost changes leave: other rows that have one of its unique values, in words."""
        found: dict[RowId, list[str]] = {}
        for table, rows in self._by_table(chains):
            for unique in table.uniques:
                lasts = {str(number): (row, chains[row].last) for number, row in enumerate(rows)}
                wanted = {number: (row, last) for number, (row, last) in lasts.items() if _needs(last, unique)}

                def asks(
                    number: str,
                    wanted: Mapping[str, tuple[RowId, Image | None]] = wanted,
                    table: Table = table,
                    unique: Sequence[str] = unique,
                ) -> str:
                    row, last = wanted[number]
                    its = where_key({column: (last or {})[column] for column in unique}, table)
                    key = zip(table.key, row[2], strict=True)
                    other = " OR ".join(f"NOT ({name(column)} = {literal(cell, table.column(column))})" for column, cell in key)
                    return f"(SELECT {number} AS `#` FROM {table.written} WHERE {its} AND ({other}) LIMIT 1)"

                for answer in self._ask(wanted, asks):
                    row, last = wanted[text_of(answer["#"])]
                    values = ", ".join(f"{column}={(last or {})[column]!r}" for column in unique)
                    found.setdefault(row, []).append(values)
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


def _needs(last: Image | None, unique: Sequence[str]) -> bool:
    """NULL collides with nothing."""
    return last is not None and all(last.get(column) is not None for column in unique)
