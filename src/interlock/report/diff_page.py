"""What differs between the two clusters, as a page to read: HTML and Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.model.differences import Comparison
from interlock.model.losses import Image
from interlock.report import pages
from interlock.report.diff_text import difference_rows, facts, not_compared
from interlock.report.losses_page import values

_TITLES = ("table", "what", "row", "differs in", "writer", "other")
_LEFT = ("table", "not compared", "why")


def html_page(comparison: Comparison) -> str:
    tables = "".join(pages.html_table(titles, rows) for titles, rows in _tables(comparison))
    return pages.html_page(f"Comparison {comparison.name}", pages.html_facts(facts(comparison)) + tables, wide=True)


def markdown_page(comparison: Comparison) -> str:
    lines = [f"# Comparison {pages.markdown_cell(comparison.name)}", "", *pages.markdown_facts(facts(comparison))]
    for titles, rows in _tables(comparison):
        lines += ["", *pages.markdown_table(titles, rows)]
    return "\n".join(lines) + "\n"


def _tables(comparison: Comparison) -> list[tuple[Sequence[str], Sequence[Sequence[str]]]]:
    """Those that have rows."""
    found = ((_TITLES, _rows(comparison)), (_LEFT, list(not_compared(comparison))))
    return [(titles, rows) for titles, rows in found if rows]


def _rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """With the values of each side: those that differ, or the whole row where one side lacks it."""
    images = [("", "")] * len(comparison.shapes)
    images += [(_shown(row.writer, row.columns), _shown(row.other, row.columns)) for each in comparison.tables for row in each.differences]
    return [(*cells, *pair) for cells, pair in zip(difference_rows(comparison), images, strict=True)]


def _shown(image: Image | None, columns: Sequence[str]) -> str:
    return values({name: image[name] for name in columns} if image is not None and columns else image)
