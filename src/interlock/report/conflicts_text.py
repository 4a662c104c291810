"""What both sides wrote at the same time, and what neither should have, for people."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.losses.codec import shown_image
from interlock.model.conflicts import Conflict, ConflictReport, Violation, Write
from interlock.model.losses import Image
from interlock.report.durations import moment, span
from interlock.report.tables import Column, pairs, table

ROWS_AT_MOST = 200
_VIOLATIONS = (
    Column(title="segment"),
    Column(title="written by"),
    Column(title="transaction", wraps=True),
    Column(title="at (UTC)"),
    Column(title="change"),
    Column(title="table", wraps=True),
    Column(title="key", wraps=True),
)
_CONFLICTS = (
    Column(title="table", wraps=True),
    Column(title="key", wraps=True),
    Column(title="one side", wraps=True),
    Column(title="the other", wraps=True),
)


def conflicts_text(report: ConflictReport, width: int) -> str:
    """What was read, then both tables."""
    heads = [
        (f"log of {each.cluster}", f"from {each.file} on: {each.transactions} transactions of its own, {each.rows} rows")
        for each in report.logs
    ]
    heads.append(("took", f"{span(report.seconds)}, {report.rows_per_s:.0f} rows a second"))
    heads += [("not judged", f"{each.cluster}: {why}") for each in report.logs for why in each.unread]
    parts = [pairs(heads, width)]
    parts.append(_section("written by a cluster that does not own it", len(report.violations)))
    if report.violations:
        parts.append(table(_VIOLATIONS, [_violation(each) for each in report.violations[:ROWS_AT_MOST]], width))
    parts.append(_section("changed on both sides while neither had seen the other's change", len(report.conflicts)))
    if report.conflicts:
        parts.append(table(_CONFLICTS, [_conflict(each) for each in report.conflicts[:ROWS_AT_MOST]], width))
    if max(len(report.violations), len(report.conflicts)) > ROWS_AT_MOST:
        parts.append(f"only the first {ROWS_AT_MOST} of each are told here: --json tells all")
    return "\n\n".join(parts)


def plain_conflicts(report: ConflictReport) -> dict[str, object]:
    """What `--json` prints."""
    return {
        "topology": report.topology,
        "since": moment(report.since) if report.since is not None else None,
        "seconds": report.seconds,
        "rows_per_s": report.rows_per_s,
        "logs": [
            {"cluster": each.cluster, "file": each.file, "transactions": each.transactions, "rows": each.rows, "unread": list(each.unread)}
            for each in report.logs
        ],
        "violations": [
            {"segment": each.segment, **_place(each.schema, each.table, each.key), "change": each.change, "written": _write(each.write)}
            for each in report.violations
        ],
        "conflicts": [
            {**_place(each.schema, each.table, each.key), "first": _write(each.first), "second": _write(each.second)}
            for each in report.conflicts
        ],
    }


def _place(schema: str, name: str, key: Image) -> dict[str, object]:
    return {"schema": schema, "table": name, "key": shown_image(key)}


def _write(write: Write) -> Mapping[str, object]:
    return {"cluster": write.cluster, "position": write.position, "at": moment(write.at)}


def _section(title: str, count: int) -> str:
    return f"{title}: {count or 'nothing'}"


def _violation(each: Violation) -> list[str]:
    place = f"{each.schema}.{each.table}" if each.change != "statement" else each.table
    return [each.segment, each.write.cluster, each.write.position, moment(each.write.at), each.change, place, _key(each.key)]


def _conflict(each: Conflict) -> list[str]:
    return [
        f"{each.schema}.{each.table}",
        _key(each.key),
        *(f"{one.cluster} {one.position} at {moment(one.at)}" for one in (each.first, each.second)),
    ]


def _key(key: Image) -> str:
    return ", ".join(f"{name}={value}" for name, value in (shown_image(key) or {}).items())
