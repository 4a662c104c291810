"""The failover plan as Markdown and as one HTML file that needs no other; made to be printed, and to be read at night."""

from __future__ import annotations

from interlock.model.runbook import Order, Part, Runbook
from interlock.report.pages import escaped, escaped_lines, html_table, markdown_table, sentence
from interlock.report.pages import html_page as page


def markdown_page(book: Runbook) -> str:
    lines = [f"# {book.title}", "", _made(book)]
    for part in book.parts:
        lines += ["", f"## {part.title}", *(line for said in part.says for line in ("", said))]
        if part.table is not None:
            lines += ["", *markdown_table(part.table.titles, part.table.rows)]
        for number, order in enumerate(part.orders, start=1):
            lines += ["", f"{number}. {order.does}", *_markdown_lines(order)]
            if order.expect:
                lines += ["", f"   *To be seen:* {order.expect}"]
    return "\n".join(lines) + "\n"


def _markdown_lines(order: Order) -> list[str]:
    return ["", "   ```sh", *(f"   {line}" for line in order.lines), "   ```"] if order.lines else []


_STYLE = "li{margin:.6rem 0}.expect{font-style:italic}"


def html_page(book: Runbook) -> str:
    made = f'<p class="soft">{sentence(_made(book))}</p>\n'
    return page(book.title, made + "".join(map(_html_part, book.parts)), style=_STYLE)


def _made(book: Runbook) -> str:
    return f"Made on {book.made_at:%Y-%m-%d %H:%M} UTC. Make it anew after each change: `interlock runbook`."


def _html_part(part: Part) -> str:
    said = "".join(f"<p>{sentence(text)}</p>\n" for text in part.says)
    orders = "".join(f"<li>{_html_order(order)}</li>\n" for order in part.orders)
    table = html_table(part.table.titles, part.table.rows) if part.table is not None else ""
    return f"<h2>{escaped(part.title)}</h2>\n{said}{table}" + (f"<ol>\n{orders}</ol>\n" if orders else "")


def _html_order(order: Order) -> str:
    typed = escaped_lines("\n".join(order.lines))
    seen = f'<p class="expect">To be seen: {sentence(order.expect)}</p>' if order.expect else ""
    return f"{sentence(order.does)}{f'<pre>{typed}</pre>' if typed else ''}{seen}"
