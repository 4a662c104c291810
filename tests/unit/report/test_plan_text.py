from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.engine.plan import PlannedPhase, PlannedStep, PlanReport
from interlock.report.plan_text import plan_text

_CHECK = PlannedStep(id="c", verb="check", action="server.no_ddl", result="passes", detail="no DDL runs on east", bound_s=30.0)
_FAILS = replace(_CHECK, result="fails", detail="ALTER runs on east", hint="wait for it")
_FENCE = PlannedStep(
    id="fenced",
    verb="do",
    action="server.fence",
    result="would",
    detail="east takes writes",
    args={"server": "east", "within": 2.0, "keep": []},
    script=("east: SET GLOBAL read_only=1",),
    undo=("east: SET GLOBAL read_only=0",),
    bound_s=3.0,
)
_WAIT = replace(
    _FENCE, action="replication.wait", result="later", detail="Waits.", args={"position": "<fenced.position>"}, script=(), undo=()
)


def _plan(check: PlannedStep = _CHECK, **changed: object) -> PlanReport:
    report = PlanReport(
        playbook="switchover",
        topology="shop",
        summary="Move the writes.",
        would="succeed",
        inputs={"to": "west", "max_outage": 10.0},
        phases=(
            PlannedPhase(phase="preflight", steps=(check,), clients_wait=False),
            PlannedPhase(phase="fence", steps=(_FENCE, _WAIT), clients_wait=True),
            PlannedPhase(phase="settle", steps=(check,), clients_wait=False),
        ),
        outage_at_most_s=13.0,
        expected_outage_ms=12.4,
        expected_from="the median of the last 3 runs of this pair",
    )
    return replace(report, **changed)  # type: ignore[arg-type]  # a table of changes


def test_each_effect_stands_with_its_statements_and_their_undo() -> None:
    assert (
        "  ▶ server.fence: server=east within=2s; now: east takes writes (at most 3.0s)\n"
        "      ▶ east: SET GLOBAL read_only=1\n"
        "      ↩ east: SET GLOBAL read_only=0\n"
        "  … replication.wait: position=<fenced.position>\n"
    ) in plan_text(_plan(), 100)


def test_it_says_from_where_to_where_clients_wait() -> None:
    lines = plan_text(_plan(), 80).splitlines()
    order = [line.split("─ ")[-1].split(" ─")[0] for line in lines if line.startswith("────") or line in {"preflight", "fence", "settle"}]
    assert order == ["preflight", "clients wait from here", "fence", "clients go on from here", "settle"]


def test_a_phase_that_is_left_out_is_a_line() -> None:
    skipped = replace(_CHECK, result="skipped", detail="its condition does not hold")
    phases = (
        PlannedPhase(phase="home", steps=(skipped, skipped), clients_wait=False),
        PlannedPhase(phase="settle", steps=(skipped, _CHECK), clients_wait=False),
    )
    assert (
        "home: left out, for no step's condition holds\n"
        "\n"
        "settle\n"
        "  - server.no_ddl: its condition does not hold\n"
        "  ✓ server.no_ddl: no DDL runs on east\n"
    ) in plan_text(_plan(phases=phases), 100)


def test_it_ends_with_the_expected_outage_and_the_verdict() -> None:
    lines = plan_text(_plan(), 100).splitlines()
    assert lines[-3:] == [
        "expected outage: 12ms (the median of the last 3 runs of this pair)",
        "at the very most: 13.0s, if every step took all of its time",
        "as things stand, it would succeed. Nothing was changed.",
    ]


def test_without_a_measured_run_no_outage_is_promised() -> None:
    assert "expected outage: not known yet (" in plan_text(_plan(expected_outage_ms=None, expected_from="nothing was measured"), 100)


def test_a_refused_plan_ends_with_every_problem_and_its_hint() -> None:
    problems = ({"what": "c: ALTER runs on east", "hint": "wait for it"}, {"what": "d: no lag is known", "hint": ""})
    text = plan_text(_plan(_FAILS, would="be_refused", problems=problems), 100)
    assert "  ✗ server.no_ddl: ALTER runs on east\n      hint: wait for it" in text
    assert text.endswith("refused. Nothing was changed.\n  ✗ c: ALTER runs on east\n    hint: wait for it\n  ✗ d: no lag is known")


@pytest.mark.parametrize("width", [60, 80, 100])
def test_lines_fit_and_control_characters_are_not_obeyed(width: int) -> None:
    text = plan_text(_plan(replace(_CHECK, detail="UPDATE `t` SET a='\x1b[2J\n\u202e' " * 9)), width)
    assert not [char for char in text if not char.isprintable() and char != "\n"]
    assert max(len(line) for line in text.splitlines()) <= width
