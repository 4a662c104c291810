"""An audit as a page: one HTML file for a telephone or a desk, light or dark, that needs no other; and Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from interlock.model.audit import BESIDE, Answered, AuditReport, Finding
from interlock.report.audit_text import WORDS, fix_head, number, verdict_of
from interlock.report.durations import moment, span
from interlock.report.losses_page import escaped, markdown_cell
from interlock.report.tables import printable

_TICKS = re.compile("`+")
_STYLE = """\
:root{color-scheme:light dark;--ink:#1c2430;--paper:#fff;--rule:#d5dae2;--soft:#5b6675;
--fits:#1a7f45;--unfit:#b3261e;--attention:#8a5a00;--person:#2757b0}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8ee;--paper:#14181f;--rule:#343c49;--soft:#9aa5b5;
--fits:#5fcf8d;--unfit:#ff8a80;--attention:#f2bd5c;--person:#8fb4ff}}
*{box-sizing:border-box}
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:62rem;padding:1rem;color:var(--ink);background:var(--paper)}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.1rem;margin:0}p{margin:.3rem 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}section{border-top:1px solid var(--rule);padding:.8rem 0}
.head{display:flex;gap:.6rem;align-items:baseline;flex-wrap:wrap}.head h2{flex:1 1 14rem}
.tag{font-size:.8rem;font-weight:600;border:1px solid currentColor;border-radius:1rem;padding:.05rem .6rem;white-space:nowrap}
.fits{color:var(--fits)}.unfit{color:var(--unfit)}.needs_attention{color:var(--attention)}.a_person_must_say{color:var(--person)}
.soft{color:var(--soft);font-size:.9rem}
article{border-left:3px solid currentColor;padding:.1rem 0 .1rem .8rem;margin:.7rem 0}
article>*{color:var(--ink)}article>.soft{color:var(--soft)}
ul{margin:.3rem 0;padding-left:1.2rem}li,p{overflow-wrap:anywhere}
pre{font:12.5px/1.4 ui-monospace,monospace;padding:.5rem .7rem;border:1px solid var(--rule);border-radius:.3rem;margin:.3rem 0;
white-space:pre-wrap;overflow-wrap:anywhere}"""


def html_page(report: AuditReport) -> str:
    """One file that needs no other."""
    heads = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>\n" for name, value in _heads(report))
    title = f"Audit of {escaped(report.topology)}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title>\n<style>{_STYLE}</style></head>\n<body><h1>{title}</h1>\n<dl>\n{heads}</dl>\n"
        + "".join(map(_section, report.questions))
        + "</body></html>\n"
    )


def markdown_page(report: AuditReport) -> str:
    lines = [
        f"# Audit of {markdown_cell(report.topology)}",
        "",
        *(f"- **{name}**: {markdown_cell(value)}" for name, value in _heads(report)),
        "",
    ]
    lines += ["| | question | answer | from |", "|---|---|---|---|"]
    lines += [
        f"| {number(one)} | {markdown_cell(one.title)} | {WORDS[one.verdict]} | {markdown_cell('; '.join(one.seen))} |"
        for one in report.questions
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
    fix = f'<p class="soft">{escaped(fix_head(one))}</p>\n<pre>{_lines(one.fix.text)}</pre>\n' if one.fix is not None else ""
    return (
        f'<article class="{one.verdict.value}"><p><b>{escaped(one.says)}</b> <span class="soft">{escaped(one.rule)}</span></p>\n'
        + (f'<p class="soft">seen: {escaped(seen)}</p>\n' if seen else "")
        + f'<p>{escaped(one.why)} <span class="soft">({escaped(one.source)})</span></p>\n{fix}</article>\n'
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


def _lines(text: str) -> str:
    return "\n".join(escaped(line) for line in text.splitlines())
