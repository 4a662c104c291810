"""A comparison for JSON that people and programs read (`diff --json`). What is kept is exact, and elsewhere (`kept.py`)."""

from __future__ import annotations

from interlock.losses.codec import shown_image
from interlock.model.codec import to_plain
from interlock.model.differences import ComparedTable, Comparison, RowDifference, ShapeDifference

_COLUMN = "column "


def plain_comparison(comparison: Comparison) -> dict[str, object]:
    """What is declared differently stands with its table; what belongs to a whole schema, with the schema."""
    tables: dict[str, dict[str, object]] = {f"{one.schema}.{one.name}": _table(one) for one in comparison.tables}
    for shape in comparison.shapes:
        place = f"{shape.schema}.{shape.table}" if shape.table else shape.schema
        empty: dict[str, object] = {"table": place, "rows": 0, "differences": [], "not_compared": [], "generated": [], "complete": True}
        differences = tables.setdefault(place, empty)["differences"]
        assert isinstance(differences, list)  # noqa: S101 - for the type checker
        differences.insert(0, _shape(shape))
    return {
        "name": comparison.name,
        "writer": comparison.writer,
        "other": comparison.other,
        "position": comparison.position,
        "equal": comparison.is_equal,
        "rows": comparison.rows,
        "seconds": comparison.seconds,
        "rows_per_s": round(comparison.rows / comparison.seconds) if comparison.seconds else None,
        "differences": comparison.differences,
        "not_compared": comparison.not_compared,
        "unseen": to_plain(comparison.unseen),
        "tables": [tables[place] for place in sorted(tables)],
    }


def _table(table: ComparedTable) -> dict[str, object]:
    return {
        "table": f"{table.schema}.{table.name}",
        "rows": table.rows,
        "differences": [_row(one) for one in table.differences],
        "not_compared": to_plain(table.not_compared),
        "generated": list(table.generated),
        "complete": table.complete,
    }


def _row(one: RowDifference) -> dict[str, object]:
    return {
        "key": shown_image(one.key),
        "kind": one.kind.value,
        "cluster": one.cluster,
        "columns": list(one.columns),
        "writer": shown_image(one.writer),
        "other": shown_image(one.other),
        "position": one.position,
        "copies": one.copies,
    }


def _shape(one: ShapeDifference) -> dict[str, object]:
    columns = [one.what.removeprefix(_COLUMN)] if one.what.startswith(_COLUMN) else []
    return {
        "key": {},
        "kind": one.kind.value,
        "cluster": one.cluster,
        "columns": columns,
        "what": one.what,
        "writer": one.writer or None,
        "other": one.other or None,
    }
