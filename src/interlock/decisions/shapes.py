"""How two sides declare their tables, columns, keys, triggers, views and routines, and what of it differs. Pure.

A *shape* is flat: for each thing that is declared its words. So what is missing, extra or different is one comparison of two mappings.
"""

from __future__ import annotations

from collections.abc import Mapping

from interlock.model.differences import DifferenceKind, ShapeDifference

Place = tuple[str, str, str]
"""Schema, table (empty for what belongs to a whole schema), and what: `table`, `column note`, `key PRIMARY`, `trigger t`, `view v` …"""
Shape = Mapping[Place, str]
TABLE = "table"


def shape_differences(writer: Shape, other: Shape, *, clusters: tuple[str, str]) -> tuple[ShapeDifference, ...]:
    """`clusters` are the writer's and the other one. Of a table that one side lacks, its columns and keys are not told as well."""
    found = []
    for place in sorted(writer.keys() | other.keys()):
        schema, table, what = place
        here, there = writer.get(place, ""), other.get(place, "")
        if here == there or (what != TABLE and table and _lacks_table(schema, table, writer, other)):
            continue
        kind = DifferenceKind.EXTRA_TABLE if what == TABLE and not (here and there) else DifferenceKind.SCHEMA
        cluster = clusters[0] if not here else clusters[1]
        found.append(ShapeDifference(schema=schema, table=table, kind=kind, cluster=cluster, what=what, writer=here, other=there))
    return tuple(found)


def common_tables(writer: Shape, other: Shape) -> tuple[tuple[str, str], ...]:
    """Schema and name of every table that both sides have."""
    return tuple(sorted((schema, table) for schema, table, what in writer if what == TABLE and (schema, table, what) in other))


def _lacks_table(schema: str, table: str, writer: Shape, other: Shape) -> bool:
    place = (schema, table, TABLE)
    return (place in writer) != (place in other)
