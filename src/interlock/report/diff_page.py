"""What differs between the two clusters, as a page to read: HTML and Markdown. Whatever is in a row is shown, never obeyed."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.model.differences import Comparison
from interlock.model.losses import Image
from interlock.report.diff_text import difference_rows, facts, not_compared
from interlock.report.losses_page import STYLE, escaped, markdown_cell, values

_TITLES = ("table", "what", "row", "differs in", "writer", "other")
_LEFT = ("table", "not compared", "why")


def html_page(comparison: Comparison) -> str:
    """One file that needs no other."""
    heads = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>\n" for name, value in facts(comparison))
    left = list(not_compared(comparison))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Comparison {escaped(comparison.name)}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>Comparison {escaped(comparison.name)}</h1>\n<dl>\n{heads}</dl>\n"
        f"{_html_table(_TITLES, _rows(comparison))}{_html_table(_LEFT, left) if left else ''}</body></html>\n"
    )


def markdown_page(comparison: Comparison) -> str:
    lines = [f"# Comparison {markdown_cell(comparison.name)}\n"]
    lines.append("".join(f"- **{name}**: {markdown_cell(value)}\n" for name, value in facts(comparison)))
    for titles, rows in ((_TITLES, _rows(comparison)), (_LEFT, list(not_compared(comparison)))):
        if rows:
            lines.append(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
            lines += [f"| {' | '.join(markdown_cell(cell) for cell in row)} |" for row in rows]
            lines.append("")
    return "\n".join(lines) + "\n"


def _html_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{title}</th>" for title in titles)
    body = "".join("<tr>" + "".join(f'<td class="v">{escaped(cell)}</td>' for cell in row) + "</tr>\n" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>\n"


def _rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """With the values of each side: those that differ, or the whole row where one side lacks it."""
    images = [("", "")] * len(comparison.shapes)
    images += [(_shown(row.writer, row.columns), _shown(row.other, row.columns)) for each in comparison.tables for row in each.differences]
    return [(*cells, *pair) for cells, pair in zip(difference_rows(comparison), images, strict=True)]


def _shown(image: Image | None, columns: Sequence[str]) -> str:
    return values({name: image[name] for name in columns} if image is not None and columns else image)
