"""What all pages have in common: one HTML file that needs no other, for a telephone or a desk, light or dark, and for paper; and Markdown.
Whatever stands in a row, a name or a statement is shown, never obeyed.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from interlock.report.tables import printable

_TYPED = re.compile("`([^`]+)`")
_STYLE = """\
:root{color-scheme:light dark;--ink:#1c2430;--paper:#fff;--rule:#d5dae2;--soft:#5b6675;--shade:#f4f6f9;
--fits:#1a7f45;--unfit:#b3261e;--attention:#8a5a00;--person:#2757b0}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8ee;--paper:#14181f;--rule:#343c49;--soft:#9aa5b5;--shade:#1d232d;
--fits:#5fcf8d;--unfit:#ff8a80;--attention:#f2bd5c;--person:#8fb4ff}}
*{box-sizing:border-box}
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:62rem;padding:1rem;color:var(--ink);background:var(--paper);
overflow-wrap:anywhere}
body.wide{max-width:90rem}
h1{font-size:1.5rem;line-height:1.25;margin:.5rem 0}h2{font-size:1.15rem;line-height:1.3;margin:1.6rem 0 .4rem}p{margin:.3rem 0}
.soft{color:var(--soft);font-size:.9rem}
dl{display:grid;grid-template-columns:fit-content(40%) 1fr;gap:.15rem 1rem}dt{color:var(--soft)}dd{margin:0}
ul,ol{margin:.3rem 0;padding-left:1.4rem}
code,pre,td.v{font-family:ui-monospace,monospace;font-size:12.5px}
pre{line-height:1.4;padding:.5rem .7rem;border:1px solid var(--rule);border-radius:.3rem;margin:.3rem 0;background:var(--shade);
white-space:pre-wrap}
table{border-collapse:collapse;width:100%;margin:.8rem 0}th{color:var(--soft);font-size:.85rem;white-space:nowrap}
th,td{border:1px solid var(--rule);padding:.3rem .5rem;text-align:left;vertical-align:top}td{min-width:6.2rem}
.fits,.reapplicable{--mark:var(--fits)}.unfit,.conflicting{--mark:var(--unfit)}
.needs_attention{--mark:var(--attention)}.a_person_must_say,.already_there{--mark:var(--person)}
tr[class]{background:color-mix(in srgb,var(--mark) 9%,var(--paper))}
@media(max-width:44rem){thead{display:none}table,tbody,tr,td{display:block}
tr{border:1px solid var(--rule);border-radius:.3rem;margin:.6rem 0;padding:.3rem .6rem}td{border:0;padding:.1rem 0}
td:empty{display:none}td::before{content:attr(data-title);display:block;font:.75rem system-ui,sans-serif;color:var(--soft)}}
@media print{:root{--ink:#000;--paper:#fff;--shade:#fff}body{max-width:none;padding:0}pre,tr,li,article{break-inside:avoid}
h2{break-after:avoid}}
"""


def html_page(title: str, body: str, *, style: str = "", wide: bool = False) -> str:
    """`body` is HTML already, `title` is not. `wide` for a table of many columns."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escaped(title)}</title>\n<style>{_STYLE}{style}</style></head>\n"
        f"<body{_class('wide' if wide else '')}><h1>{escaped(title)}</h1>\n{body}</body></html>\n"
    )


def html_facts(facts: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>\n" for name, value in facts)
    return f"<dl>\n{rows}</dl>\n"


def html_table(titles: Sequence[str], rows: Iterable[Sequence[str]], kinds: Iterable[str] = ()) -> str:
    """`kinds` are the rows' classes, where each has one. On a narrow screen each cell says its title itself."""
    head = "".join(f"<th>{escaped(title)}</th>" for title in titles)
    classes = iter(kinds)
    body = "".join(f"<tr{_class(next(classes, ''))}>{_cells(titles, row)}</tr>\n" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>\n"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _cells(titles: Sequence[str], row: Sequence[str]) -> str:
    return "".join(f'<td class="v" data-title="{escaped(title)}">{escaped(cell)}</td>' for title, cell in zip(titles, row, strict=True))


def markdown_facts(facts: Iterable[tuple[str, str]]) -> list[str]:
    return [f"- **{name}**: {markdown_cell(value)}" for name, value in facts]


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Its lines."""
    lines = [f"| {' | '.join(markdown_cell(cell) for cell in row)} |" for row in rows]
    return [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}", *lines]


def escaped(text: str) -> str:
    return html.escape(printable(text))


def sentence(text: str) -> str:
    """Prose, in which what stands between backticks is to be typed."""
    return _TYPED.sub(r"<code>\1</code>", escaped(text))


def escaped_lines(text: str) -> str:
    """With its line ends."""
    return "\n".join(escaped(line) for line in text.splitlines())


def markdown_cell(text: str) -> str:
    """In a cell of a Markdown table: no markup of the row's own, no line or column ends."""
    safe = html.escape(printable(text), quote=False)
    return "".join(f"\\{char}" if char in "\\`*_[]|~#" else char for char in safe)
