"""What differs between the two clusters, as text."""

from __future__ import annotations

from collections.abc import Iterator

from interlock.model.differences import Comparison, DifferenceKind, RowDifference
from interlock.model.losses import Image
from interlock.report.durations import moment, span
from interlock.report.losses_text import ROWS_AT_MOST, key_text
from interlock.report.tables import Column, pairs, table

_COLUMNS = (
    Column(title="table", wraps=True),
    Column(title="what", wraps=True),
    Column(title="row", wraps=True),
    Column(title="differs in", wraps=True),
)
_NOT_COMPARED = (Column(title="table", wraps=True), Column(title="not compared", wraps=True), Column(title="why", wraps=True))


def diff_text(comparison: Comparison, width: int) -> str:
    text = pairs(facts(comparison), width)
    rows = list(difference_rows(comparison))
    if rows:
        text += "\n\n" + table(_COLUMNS, rows[:ROWS_AT_MOST], width)
    if len(rows) > ROWS_AT_MOST:
        text += f"\n… {len(rows) - ROWS_AT_MOST} more: --json, --html FILE or --markdown FILE tells all"
    left = list(not_compared(comparison))
    if left:
        text += "\n\n" + table(_NOT_COMPARED, left[:ROWS_AT_MOST], width)
    if comparison.ended_at is not None and any(each.differences for each in comparison.tables):
        text += f"\n\nwhat would mend these rows, and changes nothing: interlock repair {comparison.name}"
    return text


def facts(comparison: Comparison) -> list[tuple[str, str]]:
    """What stands at the head of every report."""
    per_s = f", {comparison.rows / comparison.seconds:,.0f} rows/s" if comparison.seconds else ""
    count = len(comparison.tables)
    heads = [
        ("comparison", comparison.name),
        ("result", summary(comparison)),
        ("compared", f"{comparison.other} with {comparison.writer}, the writer"),
        ("position", f"{comparison.position or 'unknown'} of {comparison.writer} at the beginning, {moment(comparison.began_at)}"),
        (
            "read",
            f"{comparison.rows:,} rows of {count} table{'s' * (count != 1)} in {span(comparison.seconds)}{per_s}",
        ),
    ]
    generated = [f"{one.schema}.{one.name} ({', '.join(one.generated)})" for one in comparison.tables if one.generated]
    if generated:
        heads.append(("generated", f"not compared, as they follow from other columns: {'; '.join(generated)}"))
    if comparison.unseen:
        heads.append(("not seen", "; ".join(f"{one.what}: {one.why}" for one in comparison.unseen)))
    return heads


def summary(comparison: Comparison) -> str:
    """`equal`; or how many differences, of which kinds, and whether all was compared."""
    if comparison.is_equal:
        return "equal"
    kinds = [one.kind for one in comparison.shapes] + [row.kind for each in comparison.tables for row in each.differences]
    words = {
        DifferenceKind.MISSING_ON: "missing on one side",
        DifferenceKind.CHANGED: "changed",
        DifferenceKind.EXTRA_TABLE: "tables that one side lacks",
        DifferenceKind.SCHEMA: "declared differently",
    }
    found = ", ".join(f"{count} {said}" for kind, said in words.items() if (count := kinds.count(kind)))
    total = comparison.differences
    parts = [f"{total} difference{'s' * (total != 1)}: {found}"] if total else ["no difference found"]
    if comparison.ended_at is None:
        parts.append(f"unfinished: interlock diff --resume {comparison.name}")
    elif comparison.not_compared:
        parts.append("not everything could be compared")
    return "; ".join(parts)


def difference_rows(comparison: Comparison) -> Iterator[tuple[str, str, str, str]]:
    for shape in comparison.shapes:
        place = f"{shape.schema}.{shape.table}" if shape.table else shape.schema
        if not (shape.writer and shape.other):
            yield place, f"missing on {shape.cluster}", shape.what, ""
        else:
            yield place, f"declared differently on {shape.cluster}", shape.what, f"{shape.writer} ≠ {shape.other}"
    for each in comparison.tables:
        for row in each.differences:
            yield f"{each.schema}.{each.name}", what_of(row), key_text(row.key) or _whole(row), ", ".join(row.columns)


def not_compared(comparison: Comparison) -> Iterator[tuple[str, str, str]]:
    for each in comparison.tables:
        place = f"{each.schema}.{each.name}"
        for one in each.not_compared:
            yield place, one.what or "the table", one.why
        if not each.complete and not any(not one.what for one in each.not_compared):
            yield place, "the rest of the table", f"the comparison is unfinished: interlock diff --resume {comparison.name}"


def what_of(row: RowDifference) -> str:
    if row.kind is DifferenceKind.CHANGED:
        return f"changed on {row.cluster}"
    times = f", {row.copies} times" if row.copies > 1 else ""
    return f"missing on {row.cluster}{times}"


def _whole(row: RowDifference) -> str:
    """Of a table without a key."""
    image: Image = row.writer or row.other or {}
    return key_text(image)
