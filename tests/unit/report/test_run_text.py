from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from interlock.engine.report import PhaseReport, ProblemReport, RunReport, StepReport, UndoReport
from interlock.report.run_text import run_text

_BEGAN = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)
_FENCED = StepReport(
    id="fenced",
    action="server.fence",
    result="done",
    ms=2.7,
    detail="east is fenced at 1-1-2",
    at=_BEGAN + timedelta(milliseconds=250),
    script=("east: SET GLOBAL read_only=1",),
)
_LOGS = StepReport(
    id="logs",
    action="evidence.one_writer",
    result="done",
    ms=3.0,
    detail="east wrote nothing after its fence",
    at=_BEGAN + timedelta(milliseconds=400),
    outputs={"first_write": "2-2-1"},
)
_FAILED = StepReport(id="verify/command", action="command", result="failed", ms=5.0, detail="not well", hint="make it well", at=_BEGAN)


def _report(**changed: object) -> RunReport:
    report = RunReport(
        run="20250301-120000-000",
        playbook="switchover",
        topology="shop",
        state="succeeded",
        outcome="succeeded",
        exit_code=0,
        started_at=_BEGAN,
        ended_at=_BEGAN + timedelta(milliseconds=500),
        outage_ms=12.4,
        inputs={"to": "west", "max_outage": 10.0, "left_out": None},
        phases=[PhaseReport(phase="fence", ms=6.7, steps=[_FENCED]), PhaseReport(phase="settle", ms=7.0, steps=[_LOGS])],
        evidence={
            "fences": [{"server": "east", "position": "1-1-2", "canary": "refused", "at": _BEGAN}],
            "openings": [{"server": "west", "position": "1-1-2", "others": {"east": "1-1-2"}, "at": _BEGAN}],
            "outage": {"errors": {"WriteRefused": 1}},
        },
    )
    return replace(report, **changed)  # type: ignore[arg-type]  # a table of changes


def test_a_run_is_told_as_a_timeline_with_what_it_sent() -> None:
    text = run_text(_report(), 100, steps=True)
    assert "   +0.250s  ✓ server.fence: east is fenced at 1-1-2 (2.7ms)\n              > east: SET GLOBAL read_only=1" in text


def test_how_long_the_command_took_to_begin_is_told_where_it_is_known() -> None:
    assert ", 180ms after the command, took " in run_text(_report(start_up_ms=180.0), 100, steps=True)
    assert "after the command" not in run_text(_report(), 100, steps=True)


@pytest.mark.parametrize(
    "line",
    [
        "switchover of shop: succeeded",
        "inputs  to=west, max_outage=10s",
        "began   2025-03-01T12:00:00Z, took 500ms",
        "outage  12ms, measured by writing through the routes (it met: 1 WriteRefused)",
        "east fenced          at 1-1-2; canary write refused (2025-03-01T12:00:00.000Z)",
        "west opened          holding 1-1-2; fenced: east at 1-1-2 (2025-03-01T12:00:00.000Z)",
        "first write after    2-2-1",
        "evidence.one_writer  east wrote nothing after its fence",
        "interlock show 20250301-120000-000",
    ],
)
def test_its_end_says_what_it_ended_as_and_what_proves_it(line: str) -> None:
    lines = [each.strip() for each in run_text(_report(), 120, steps=False).splitlines()]
    assert line in lines


def test_a_run_that_was_rolled_back_says_why_and_how() -> None:
    report = _report(
        outcome="rolled_back",
        exit_code=4,
        phases=[PhaseReport(phase="verify", ms=None, steps=[_FAILED])],
        rollback=[UndoReport(step="fenced", result="undone", detail="east: SET GLOBAL read_only=0", ms=4.0)],
        problems=[ProblemReport(what="verify/command: not well", hint="make it well")],
    )
    text = run_text(report, 100, steps=False)
    assert "rolled back: everything is as it was before" in text
    assert "✗ verify/command failed" in text
    assert "way back, last effect first\n  ✓ fenced: east: SET GLOBAL read_only=0 (4.0ms)" in text
    assert "problems\n  ✗ verify/command: not well\n    hint: make it well" in text


@pytest.mark.parametrize(
    ("action", "opened", "as_before"),
    [
        ("server.fence_outside", False, True),
        ("server.fence_outside", True, False),
        ("data.copy", False, False),
        ("server.fence", True, True),
    ],
)
def test_only_what_has_no_way_back_is_not_said_to_be_as_before(action: str, *, opened: bool, as_before: bool) -> None:
    step = StepReport(id="s", action=action, result="done", ms=1.0, detail="", at=_BEGAN, script=("x",))
    evidence = {"openings": [{"server": "west", "position": "1-1-2", "others": {}, "at": _BEGAN}]} if opened else {}
    report = _report(outcome="rolled_back", exit_code=4, phases=[PhaseReport(phase="p", ms=1.0, steps=[step])], evidence=evidence)
    text = run_text(report, 100, steps=False)
    assert ("everything is as it was before" in text, "as far as that can be" in text) == (as_before, not as_before)


@pytest.mark.parametrize(
    ("outcome", "commands", "wanted"),
    [
        (None, (), ["interlock resume 20250301-120000-000", "interlock rollback 20250301-120000-000"]),
        ("halted", ("interlock resume x", "west: SET GLOBAL read_only=1"), ["interlock resume x", "west: SET GLOBAL read_only=1"]),
        ("succeeded", (), []),
    ],
    ids=["unfinished", "halted", "succeeded"],
)
def test_a_run_that_needs_a_person_ends_with_the_next_commands(outcome: str | None, commands: tuple[str, ...], wanted: list[str]) -> None:
    text = run_text(_report(outcome=outcome, next_commands=commands), 100, steps=True)
    assert [line.strip() for line in text.partition("\nnext\n")[2].splitlines()] == wanted


def test_a_command_to_run_is_never_broken_over_lines() -> None:
    command = "west: " + "SET STATEMENT max_statement_time=2 FOR SET GLOBAL read_only=1; " * 2
    assert command.strip() in run_text(_report(next_commands=(command,)), 60, steps=True)


def test_lines_fit_and_control_characters_are_not_obeyed() -> None:
    hostile = StepReport(id="x\x1b[2J", action="", result="failed", ms=1.0, detail="a\x07b\u202e " * 40, at=_BEGAN, hint="\x1b]0;h\x07")
    report = _report(phases=[PhaseReport(phase="p\x1b", ms=1.0, steps=[hostile])], warnings=["\x1b[31mred"])
    for steps in (True, False):
        text = run_text(report, 80, steps=steps)
        assert not [char for char in text if not char.isprintable() and char != "\n"]
        assert max(len(line) for line in text.splitlines()) <= 80


def test_an_outage_that_had_not_ended_is_not_told_as_one_that_had() -> None:
    text = run_text(_report(evidence={"outage": {"errors": {}, "first_write_after": None}}), 120, steps=False)
    assert "12ms when the run ended, and not over" in text


def test_an_outage_that_was_not_measured_is_said_and_not_called_zero() -> None:
    assert "not measured" in run_text(_report(outage_ms=None), 100, steps=False)


def test_the_next_commands_name_the_store_that_the_command_line_named() -> None:
    began = datetime(2026, 10, 3, tzinfo=UTC)
    run = RunReport(run="r1", playbook="p", topology="t", state="opened", started_at=began, next_commands=("mariadb -h east",))
    told = run_text(run, 80, steps=False, said=" --store etcd://a/b")
    assert "  mariadb -h east\n  interlock resume r1 --store etcd://a/b\n" in told
    assert "  interlock show r1 --store etcd://a/b" in told


def test_what_a_run_certifies_stands_before_what_is_next() -> None:
    text = run_text(
        _report(certificate="east is quiet\n  route writes leads to west", next_commands=("interlock rejoin east",)), 100, steps=False
    )
    assert "\n\neast is quiet\n  route writes leads to west\n\nnext\n" in text
