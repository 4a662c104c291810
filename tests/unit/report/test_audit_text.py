"""An audit on a terminal and on a page: what comes from a server is shown, never obeyed."""

from __future__ import annotations

from dataclasses import replace

from interlock.audit.catalogue import chapters
from interlock.audit.judge import judge
from interlock.model.audit import AuditReport, Fix, FixKind
from interlock.report.audit_page import html_page, markdown_page
from interlock.report.audit_text import audit_text
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
