"""What an emergency lost, as a page to read: HTML and Markdown. Whatever is in a row is shown, never obeyed."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence

from interlock.losses.codec import shown_image
from interlock.model.losses import Image, LossReport, LossState
from interlock.report.losses_text import WORDS, key_text, last_word, summary
from interlock.report.tables import printable

STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2rem;color:#222}table{border-collapse:collapse}"
    "th,td{border:1px solid #ccc;padding:.25rem .5rem;text-align:left;vertical-align:top}"
    "td.v{font-family:ui-monospace,monospace;font-size:12px;overflow-wrap:anywhere}"
    ".already_there{background:#eef}.reapplicable{background:#efe}.conflicting{background:#fee}"
)
_TITLES = ("transaction", "at (UTC)", "change", "table", "key", "before", "after", "what now", "why")


def html_page(report: LossReport) -> str:
    """One file that needs no other."""
    rows = "".join(
        f'<tr class="{kind}">' + "".join(f'<td class="v">{escaped(cell)}</td>' for cell in cells) + "</tr>\n"
        for kind, cells in _rows(report)
    )
    facts = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>\n" for name, value in _facts(report))
    titles = "".join(f"<th>{title}</th>" for title in _TITLES)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Lost by run {escaped(report.run)}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>Lost by run {escaped(report.run)}</h1>\n<dl>\n{facts}</dl>\n"
        f"<table><thead><tr>{titles}</tr></thead>\n<tbody>\n{rows}</tbody></table>\n</body></html>\n"
    )


def markdown_page(report: LossReport) -> str:
    facts = "".join(f"- **{name}**: {markdown_cell(value)}\n" for name, value in _facts(report))
    lines = [f"# Lost by run {markdown_cell(report.run)}\n", facts]
    rows = _rows(report)
    if rows:
        lines.append(f"| {' | '.join(_TITLES)} |\n|{'---|' * len(_TITLES)}")
        lines += [f"| {' | '.join(markdown_cell(cell) for cell in cells)} |" for _, cells in rows]
    return "\n".join(lines) + "\n"


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


def escaped(text: str) -> str:
    return html.escape(printable(text))


def markdown_cell(text: str) -> str:
    """In a cell of a Markdown table: no markup of the row's own, no line or column ends."""
    safe = html.escape(printable(text), quote=False)
    return "".join(f"\\{char}" if char in "\\`*_[]|~#" else char for char in safe)
