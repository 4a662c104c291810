"""What of a table is compared, and by which key: only what both sides declare alike can be told apart by value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from interlock.dataclass import dataclass
from interlock.diff.shapes import Declared
from interlock.diff.sql import Asked
from interlock.losses.tables import Table, table_of
from interlock.model.differences import ComparedTable, NotCompared
from interlock.servers.session import Session

Types = Mapping[str, tuple[str, str]]
"""Type and collation of each column."""
_LOCKS_ROWS = "InnoDB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """`asked` is None if nothing of the table can be compared; `table` says why. `at_rest`: its engine locks no rows. `rows` is how many
    the writer has by its estimate, `row_bytes` how long one is, 0 if it does not know.
    """

    table: ComparedTable
    asked: Asked | None
    at_rest: bool = False
    rows: int = 0
    row_bytes: int = 0


def planned(sides: Sequence[Session], place: tuple[str, str], declared: Sequence[Declared]) -> Planned:
    """Looks at the table on both sides (the writer's first)."""
    schema, name = place
    tables = [table_of(session, schema, name) for session in sides]
    if any(one is None for one in tables):
        gone = ComparedTable(schema=schema, name=name, columns={}, not_compared=(NotCompared(what="", why="it was dropped meanwhile"),))
        return Planned(table=gone, asked=None)
    here, there = (one for one in tables if one is not None)
    types = [each.types[place] for each in declared]
    alike = [column for column in here.columns if not column.made and _is_alike(column.name, here, there, types[0], types[1])]
    names = {column.name for column in alike}
    others = [column.name for column in (*here.columns, *there.columns) if not column.made and column.name not in names]
    left = tuple(
        NotCompared(what=f"column {one}", why="the sides declare it differently, or one lacks it") for one in dict.fromkeys(others)
    )
    key, index = _key(here, declared, place, names, types)
    table = ComparedTable(
        schema=schema,
        name=name,
        key=key,
        columns={column.name: " ".join(filter(None, types[0][column.name])) for column in alike},
        generated=tuple(column.name for column in here.columns if column.made),
        not_compared=left,
    )
    if not alike:
        why = NotCompared(what="", why="the sides declare no column alike")
        return Planned(table=replace(table, not_compared=(*left, why)), asked=None)
    nullable = frozenset(names & (declared[0].nullable[place] | declared[1].nullable[place]))
    asked = Asked(table=replace(here, columns=tuple(alike), key=key), nullable=nullable, index=index)
    if index and not asked.ranged:
        asked = replace(asked, index="", table=replace(asked.table, key=()))
        table = replace(table, key=())
    engines = {each.engines[place] for each in declared}
    return Planned(
        table=table, asked=asked, at_rest=engines != {_LOCKS_ROWS}, rows=declared[0].rows[place], row_bytes=declared[0].row_bytes[place]
    )


def _is_alike(name: str, here: Table, there: Table, ours: Types, theirs: Types) -> bool:
    """The same type and character set; how texts are collated is no matter to their bytes."""
    if name not in ours or name not in theirs or ours[name][0] != theirs[name][0]:
        return False
    return here.column(name).charset == there.column(name).charset and not there.column(name).made


def _key(
    here: Table, declared: Sequence[Declared], place: tuple[str, str], names: set[str], types: Sequence[Types]
) -> tuple[tuple[str, ...], str]:
    """The writer's key, if the other side has it too, by its index's name on both; nothing otherwise."""
    key = here.key
    ours, theirs = (each.uniques.get(place, {}).get(key, "") for each in declared)
    if not key or ours != theirs or any(column not in names or types[0][column] != types[1][column] for column in key):
        return (), ""
    nullable = declared[1].nullable[place]
    return (key, ours) if not nullable & set(key) else ((), "")
