"""An audit on a terminal and on a page: what comes from a server is shown, never obeyed."""

from __future__ import annotations

from dataclasses import replace

from interlock.audit.catalogue import chapters
from interlock.audit.judge import judge
from interlock.model.audit import AuditReport, Fix, FixKind
from interlock.report.audit_page import html_page, markdown_page
from interlock.report.audit_text import audit_text, finding_text
from unit.audit.small_pair import AT, pair

HOSTILE = "t\x1b[2J<script>alert(1)</script>|`x`"


def hostile() -> AuditReport:
    report = judge(pair(), chapters())
    first, *rest = report.questions
    asked = report.findings[0]
    fix = Fix(kind=FixKind.SQL, on=HOSTILE, text=f"DROP TABLE {HOSTILE};\nSELECT 1")
    one = replace(asked, says=HOSTILE, object=HOSTILE, seen={HOSTILE: HOSTILE}, fix=fix)
    return replace(report, topology=HOSTILE, questions=(replace(first, seen=(HOSTILE,), findings=(one,)), *rest), since=AT, new=(one,))


def test_names_of_a_server_move_no_cursor_and_are_no_markup() -> None:
    report = hostile()
    for text in (audit_text(report, 100), html_page(report), markdown_page(report)):
        assert "\x1b" not in text
    assert "<script" not in html_page(report)
    assert "<script" not in markdown_page(report).split("```")[0]


def test_the_lines_of_a_fix_stay_lines() -> None:
    report = hostile()
    assert "    SELECT 1" in audit_text(report, 100).splitlines()
    assert "SELECT 1</pre>" in html_page(report)


def test_only_what_is_to_be_pasted_may_be_wider_than_the_terminal() -> None:
    found = [one for one in judge(pair(), chapters()).findings if one.fix is not None]
    assert found
    for one in found:
        lines = finding_text(one, 60).splitlines()
        pasted = len(one.fix.text.splitlines()) if one.fix is not None else 0
        assert max(map(len, lines[:-pasted])) <= 60
        assert [line.removeprefix("    ") for line in lines[-pasted:]] == (one.fix.text.splitlines() if one.fix is not None else [])
