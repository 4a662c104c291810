"""An audit as a page: one HTML file for a telephone or a desk, light or dark, that needs no other; and Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from interlock.model.audit import BESIDE, Answered, AuditReport, Finding
from interlock.report.audit_text import WORDS, fix_head, number, verdict_of
from interlock.report.durations import moment, span
from interlock.report.pages import escaped, escaped_lines, html_facts, markdown_cell, markdown_facts, markdown_table, sentence
from interlock.report.pages import html_page as page
from interlock.report.tables import printable

_TICKS = re.compile("`+")
_STYLE = """\
h2{margin:0}section{border-top:1px solid var(--rule);padding:.8rem 0}
.head{display:flex;gap:.6rem;align-items:baseline;flex-wrap:wrap}.head h2{flex:1 1 14rem}
.tag{font-size:.8rem;font-weight:600;border:1px solid;border-radius:1rem;padding:.05rem .6rem;white-space:nowrap;color:var(--mark)}
article{border-left:3px solid var(--mark);padding:.1rem 0 .1rem .8rem;margin:.7rem 0}
"""


def html_page(report: AuditReport) -> str:
    return page(f"Audit of {report.topology}", html_facts(_heads(report)) + "".join(map(_section, report.questions)), style=_STYLE)


def markdown_page(report: AuditReport) -> str:
    lines = [
        f"# Audit of {markdown_cell(report.topology)}",
        "",
        *markdown_facts(_heads(report)),
        "",
        *markdown_table(
            ("", "question", "answer", "from"),
            [(number(one), one.title, WORDS[one.verdict], "; ".join(one.seen)) for one in report.questions],
        ),
    ]
    for one in report.findings:
        lines += ["", f"## {markdown_cell(one.says)}", "", *_told(one)]
    if report.accepted:
        lines += [
            "",
            "## Accepted",
            "",
            *(f"- {markdown_cell(one.finding.says)}: {markdown_cell(one.reason)}, until {one.until}" for one in report.accepted),
        ]
    return "\n".join(lines) + "\n"


def _heads(report: AuditReport) -> list[tuple[str, str]]:
    heads = [
        ("answer", verdict_of(report)),
        ("writer", report.writer or "not one"),
        ("at", moment(report.at)),
        ("took", span(report.took_s)),
    ]
    if report.since is not None:
        heads.append(("since the last", f"{len(report.new)} new, {len(report.gone)} gone ({moment(report.since)})"))
    return heads


def _section(one: Answered) -> str:
    title = f"{number(one)} {one.title}".strip()
    tag = f'<span class="tag {one.verdict.value}">{WORDS[one.verdict]}</span>'
    items = "".join(f"<li>{escaped(each)}</li>" for each in one.seen)
    seen = f'<ul class="soft">{items}</ul>\n' if items else ""
    given = f"<p>{escaped(one.given.by)} on {one.given.on}: {escaped(one.given.answer)}</p>\n" if one.given is not None else ""
    accepted = "".join(
        f'<p class="soft">accepted until {each.until}: {escaped(each.finding.says)} ({escaped(each.reason)})</p>\n' for each in one.accepted
    )
    return (
        f'<section><div class="head"><h2>{escaped(title)}</h2>{tag}</div>\n{given}{seen}'
        f"{''.join(map(_article, one.findings))}{accepted}</section>\n"
    )


def _article(one: Finding) -> str:
    seen = "; ".join(f"{server}: {value}" for server, value in one.seen.items())
    fix = f'<p class="soft">{escaped(fix_head(one))}</p>\n<pre>{escaped_lines(one.fix.text)}</pre>\n' if one.fix is not None else ""
    return (
        f'<article class="{one.verdict.value}"><p><b>{sentence(one.says)}</b> <span class="soft">{escaped(one.rule)}</span></p>\n'
        + (f'<p class="soft">seen: {escaped(seen)}</p>\n' if seen else "")
        + f'<p>{sentence(one.why)} <span class="soft">({escaped(one.source)})</span></p>\n{fix}</article>\n'
    )


def _told(one: Finding) -> Iterator[str]:
    where = f"question {one.question}" if one.question != BESIDE else "beside the questions"
    yield f"- **{WORDS[one.verdict]}**, {where}, rule `{one.rule}`"
    yield f"- why: {markdown_cell(one.why)} ({markdown_cell(one.source)})"
    if one.seen:
        yield "- seen: " + "; ".join(f"{markdown_cell(server)}: {markdown_cell(value)}" for server, value in one.seen.items())
    if one.fix is not None:
        fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(one.fix.text)), default=0))
        lines = "\n".join(map(printable, one.fix.text.splitlines()))
        yield f"- {markdown_cell(fix_head(one))}:\n\n{fence}\n{lines}\n{fence}"
