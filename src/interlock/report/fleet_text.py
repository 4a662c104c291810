"""Fleets, for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interlock.fleet.listing import FleetRow
from interlock.fleet.model import FleetReport, PairReport, Standing, Trouble
from interlock.fleet.planning import FleetPlan
from interlock.report.durations import moment, span, span_ms
from interlock.report.problems_text import hanging, problem_lines
from interlock.report.tables import Column, printable, table

_MARKS = {Standing.NOT_STARTED: "-", Standing.RUNNING: "…", Standing.SUCCEEDED: "✓", Standing.FAILED: "✗"}


def fleet_text(report: FleetReport, width: int, *, said: str = "", said_of: Callable[[str], str] = lambda _: "") -> str:
    """A line for each pair, then why those that did not succeed did not, then what to do.

    `said` are the options that the fleet's next commands need, `said_of` those that a pair's do, by its topology file.
    """
    columns = [Column(title=""), Column(title="pair"), Column(title="outcome"), Column(title="outage", right=True)]
    columns += [Column(title="took", right=True), Column(title="run", wraps=True)]
    rows = [_row(pair) for pair in report.pairs]
    lines = [*hanging("", f"fleet {report.fleet}, {report.playbook}: {counts(report)}", width), "", table(columns, rows, width)]
    for pair in report.pairs:
        if pair.standing is Standing.FAILED:
            lines += ["", printable(pair.topology), *_problems(pair.problems, width)]
            commands = [f"{each}{said_of(pair.file)}" if each.startswith("interlock ") else each for each in pair.next_commands]
            lines += [line for command in commands for line in hanging("    ", command, max(width, 200))]
    if report.problems:
        lines += ["", "the fleet itself", *_problems(report.problems, width)]
    if report.state != "done":
        lines += ["", "next", f"  interlock fleet resume {report.fleet}{said}", f"  interlock fleet show {report.fleet}{said}"]
    return "\n".join(lines)


def counts(report: FleetReport) -> str:
    parts = [f"{report.succeeded} of {len(report.pairs)} succeeded", f"{report.failed} failed"]
    parts += [f"{number} {words}" for number, words in ((report.running, "still run"), (report.not_started, "not started")) if number]
    return ", ".join(parts)


def progress_line(what: str, pair: PairReport, ended: int, all_: int) -> str:
    """One pair that began or ended. `ended` counts those that have."""
    head = f"[{ended:>{len(str(all_))}}/{all_}]"
    if what == "began":
        return f"{head} ▶ {pair.topology}: run {pair.run}"
    why = f": {pair.problems[0].what}" if pair.problems else ""
    outage = f", outage {span_ms(pair.outage_ms)}" if pair.outage_ms is not None else ""
    return printable(f"{head} {_MARKS[pair.standing]} {pair.topology}: {_outcome(pair)}{outage}{why}")


def plan_text(plan: FleetPlan, width: int) -> str:
    columns = [Column(title="pair"), Column(title="would"), Column(title="expected outage", right=True)]
    rows = [
        [each.topology, each.would.replace("_", " "), "" if each.expected_outage_ms is None else span_ms(each.expected_outage_ms)]
        for each in plan.pairs
    ]
    lines = [table(columns, rows, width)]
    for each in plan.pairs:
        if each.problems:
            lines += ["", printable(each.topology), *_problems(each.problems, width)]
    return "\n".join([*lines, "", f"{plan.would_succeed} would succeed, {plan.would_not} would not. Nothing was changed."])


def fleets_text(rows: Sequence[FleetRow], width: int) -> str:
    if not rows:
        return "no fleets yet"
    titles = ("fleet", "playbook", "began", "state", "succeeded", "failed", "not started")
    columns = [Column(title=title, right=number > 3) for number, title in enumerate(titles)]
    cells = [
        [row.fleet, row.playbook, moment(row.started_at), row.state, str(row.succeeded), str(row.failed), str(row.not_started)]
        for row in rows
    ]
    return table(columns, cells, width)


def _row(pair: PairReport) -> list[str]:
    outage = "" if pair.outage_ms is None else span_ms(pair.outage_ms)
    return [_MARKS[pair.standing], pair.topology, _outcome(pair), outage, "" if pair.took_s is None else span(pair.took_s), pair.run or ""]


def _outcome(pair: PairReport) -> str:
    if pair.outcome is not None:
        return pair.outcome.replace("_", " ")
    if pair.standing is not Standing.FAILED:
        return pair.standing.value.replace("_", " ")
    return "unfinished" if pair.run else f"exit code {pair.exit_code}"


def _problems(problems: Sequence[Trouble], width: int) -> list[str]:
    return problem_lines([(each.what, each.hint) for each in problems], width)
