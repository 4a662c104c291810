"""What an emergency lost, as a page to read: HTML and Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence

from interlock.losses.codec import shown_image
from interlock.model.losses import Image, LossReport, LossState
from interlock.report import pages
from interlock.report.losses_text import WORDS, key_text, last_word, summary

_TITLES = ("transaction", "at (UTC)", "change", "table", "key", "before", "after", "what now", "why")


def html_page(report: LossReport) -> str:
    rows = _rows(report)
    table = pages.html_table(_TITLES, [cells for _, cells in rows], [kind for kind, _ in rows]) if rows else ""
    return pages.html_page(f"Lost by run {report.run}", pages.html_facts(_facts(report)) + table, wide=True)


def markdown_page(report: LossReport) -> str:
    lines = [f"# Lost by run {pages.markdown_cell(report.run)}", "", *pages.markdown_facts(_facts(report))]
    rows = [cells for _, cells in _rows(report)]
    return "\n".join([*lines, "", *(pages.markdown_table(_TITLES, rows) if rows else ())]) + "\n"


def _facts(report: LossReport) -> list[tuple[str, str]]:
    return [
        ("lost", summary(report)),
        ("state", report.state.value),
        ("writes went", f"from {report.old} to {report.survivor}"),
        ("known by" if report.state is LossState.KNOWN else "not known", report.proof),
        ("read from", report.source),
        (f"{report.survivor} held when it was opened", report.bound.held or "nothing"),
        *([(f"heard of {report.old}", since)] if (since := last_word(report.bound)) is not None else []),
        ("rows of Interlock's own, which are no loss", str(report.canaries)),
    ]


def _rows(report: LossReport) -> list[tuple[str, Sequence[str]]]:
    found: list[tuple[str, Sequence[str]]] = []
    for one in report.transactions:
        head = (one.position, f"{one.at:%Y-%m-%d %H:%M:%S}")
        for row in one.rows:
            place = (row.change.value, f"{row.schema}.{row.table}", key_text(row.key), values(row.before), values(row.after))
            found.append((row.kind.value, (*head, *place, WORDS[row.kind], row.why)))
        said = [(*head, "statement", its.schema, "", "", its.text, "a person decides", "logged as a statement") for its in one.statements]
        found += [("conflicting", cells) for cells in said]
        if one.unreadable:
            found.append(("conflicting", (*head, "not readable", "", "", "", "", "a person decides", one.unreadable)))
    return found


def values(image: Image | None) -> str:
    return "" if image is None else json.dumps(shown_image(image), ensure_ascii=False)
