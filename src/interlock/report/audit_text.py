"""An audit as text: the answer to each question in a line, then what was found, why it matters and what mends it."""

from __future__ import annotations

from interlock.model.audit import BESIDE, Answered, AuditReport, AuditVerdict, Finding, FixKind
from interlock.report.durations import moment, span
from interlock.report.tables import Column, folded, pairs, printable, table

WORDS = {
    AuditVerdict.FITS: "fits",
    AuditVerdict.NEEDS_ATTENTION: "needs attention",
    AuditVerdict.UNFIT: "unfit",
    AuditVerdict.PERSON: "a person must say",
}
WHERE = {
    FixKind.SQL: "run on",
    FixKind.OPTION_FILE: "in the option file of",
    FixKind.TOPOLOGY: "in the topology file",
    FixKind.COMMAND: "do",
}
_COLUMNS = (Column(title="", right=True), Column(title="question", wraps=True), Column(title="answer"), Column(title="from", wraps=True))


def audit_text(report: AuditReport, width: int) -> str:
    heads = [
        ("pair", report.topology),
        ("writer", report.writer or "not one"),
        ("audit", verdict_of(report)),
        ("took", span(report.took_s)),
    ]
    if report.since is not None:
        heads.append((f"since {moment(report.since)}", f"{len(report.new)} new, {len(report.gone)} gone"))
    rows = [(number(one), one.title, WORDS[one.verdict], "; ".join(one.seen)) for one in report.questions]
    parts = [pairs(heads, width), table(_COLUMNS, rows, width)]
    parts += [finding_text(one, width) for one in report.findings]
    if report.accepted:
        accepted = [f"  {one.finding.says} ({one.finding.rule}, until {one.until}: {one.reason})" for one in report.accepted]
        parts.append("\n".join(["accepted:", *(folded(printable(one), width) for one in accepted)]))
    return "\n\n".join(parts)


def finding_text(one: Finding, width: int) -> str:
    rows = [("why", f"{one.why} ({one.source})")]
    if one.seen:
        rows.append(("seen", "; ".join(f"{server}: {value}" for server, value in one.seen.items())))
    question = f"question {one.question}" if one.question != BESIDE else "beside the questions"
    head = folded(printable(f"{WORDS[one.verdict]}: {one.says} ({one.rule}, {question})"), width)
    text = f"{head}\n{pairs(rows, width, indent=2)}"
    if one.fix is not None:
        text += f"\n  {printable(fix_head(one))}:\n" + "\n".join(f"    {printable(line)}" for line in one.fix.text.splitlines())
    return text


def fix_head(one: Finding) -> str:
    if one.fix is None:
        return ""
    return f"{WHERE[one.fix.kind]} {one.fix.on}".strip()


def number(one: Answered) -> str:
    return "" if one.question == BESIDE else str(one.question)


def verdict_of(report: AuditReport) -> str:
    said = [
        f"{count} {WORDS[verdict]}"
        for verdict in (AuditVerdict.UNFIT, AuditVerdict.NEEDS_ATTENTION, AuditVerdict.PERSON)
        if (count := report.count(verdict))
    ]
    return ", ".join(said) or "fits"
