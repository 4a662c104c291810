"""The segments of a pair, for people."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.engine.segment_status import SegmentOn, SegmentStatus
from interlock.report.problems_text import problem_lines
from interlock.report.tables import Column, table


def segments_table(segments: Sequence[SegmentStatus], width: int) -> str:
    """A row each; empty if there is none."""
    if not segments:
        return ""
    clusters = list(segments[0].clusters)
    columns = [
        Column(title="segment"),
        Column(title="owner"),
        Column(title="epoch", right=True),
        Column(title="home"),
        Column(title="route"),
    ]
    columns += [Column(title=f"on {cluster}", wraps=True) for cluster in clusters]
    rows = [
        [each.segment, each.owner, str(each.epoch), each.home, each.route or "none", *(_on(each.clusters[name]) for name in clusters)]
        for each in segments
    ]
    return table(columns, rows, width)


def segments_text(segments: Sequence[SegmentStatus], width: int) -> str:
    """The table, then what is wrong."""
    problems = list(dict.fromkeys((problem["what"], problem["hint"]) for each in segments for problem in each.problems))
    said = ["problems", *problem_lines(problems, width)] if problems else ["no problems seen"]
    return "\n\n".join((segments_table(segments, width) or "this pair has no segments", "\n".join(said)))


def _on(seen: SegmentOn) -> str:
    if seen.open is None:
        return f"unknown: {seen.error}"
    return f"open, {seen.sessions} sessions" if seen.open else "closed"
