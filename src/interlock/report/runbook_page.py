"""The failover plan as Markdown and as one HTML file that needs no other; made to be printed, and to be read at night."""

from __future__ import annotations

from interlock.model.runbook import Order, Part, Runbook
from interlock.report.losses_page import escaped, markdown_cell

_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:1rem auto;max-width:60rem;padding:0 1rem}"
    "pre{background:color-mix(in srgb,currentColor 8%,transparent);padding:.6rem;white-space:pre-wrap;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}th,td{border:1px solid;padding:.25rem .5rem;text-align:left}"
    "li{margin:.6rem 0}.expect{font-style:italic}"
)


def markdown_page(book: Runbook) -> str:
    lines = [f"# {book.title}", "", f"Made on {book.made_at:%Y-%m-%d %H:%M} UTC. Make it anew after each change: `interlock runbook`."]
    for part in book.parts:
        lines += ["", f"## {part.title}", *(line for said in part.says for line in ("", said))]
        lines += _markdown_table(part)
        for number, order in enumerate(part.orders, start=1):
            lines += ["", f"{number}. {order.does}", *_markdown_lines(order)]
            if order.expect:
                lines += ["", f"   *To be seen:* {order.expect}"]
    return "\n".join(lines) + "\n"


def _markdown_lines(order: Order) -> list[str]:
    return ["", "   ```sh", *(f"   {line}" for line in order.lines), "   ```"] if order.lines else []


def _markdown_table(part: Part) -> list[str]:
    if part.table is None:
        return []
    rows = [f"| {' | '.join(markdown_cell(cell) for cell in row)} |" for row in part.table.rows]
    return ["", f"| {' | '.join(part.table.titles)} |", f"|{'---|' * len(part.table.titles)}", *rows]


def html_page(book: Runbook) -> str:
    body = "".join(_html_part(part) for part in book.parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escaped(book.title)}</title><style>{_STYLE}</style></head>\n<body><h1>{escaped(book.title)}</h1>\n"
        f"<p>Made on {book.made_at:%Y-%m-%d %H:%M} UTC. Make it anew after each change: <code>interlock runbook</code>.</p>\n"
        f"{body}</body></html>\n"
    )


def _html_part(part: Part) -> str:
    said = "".join(f"<p>{escaped(text)}</p>\n" for text in part.says)
    orders = "".join(f"<li>{_html_order(order)}</li>\n" for order in part.orders)
    return f"<h2>{escaped(part.title)}</h2>\n{said}{_html_table(part)}" + (f"<ol>\n{orders}</ol>\n" if orders else "")


def _html_order(order: Order) -> str:
    typed = "\n".join(escaped(line) for line in order.lines)
    seen = f'<p class="expect">To be seen: {escaped(order.expect)}</p>' if order.expect else ""
    return f"{escaped(order.does)}{f'<pre>{typed}</pre>' if typed else ''}{seen}"


def _html_table(part: Part) -> str:
    if part.table is None:
        return ""
    titles = "".join(f"<th>{escaped(title)}</th>" for title in part.table.titles)
    rows = "".join(f"<tr>{''.join(f'<td>{escaped(cell)}</td>' for cell in row)}</tr>\n" for row in part.table.rows)
    return f"<table><thead><tr>{titles}</tr></thead>\n<tbody>{rows}</tbody></table>\n"
