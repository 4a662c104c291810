"""A run, for people: what it ended as, what clients felt, what it did and when, and what proves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from interlock.engine.report import PhaseReport, RunReport, StepReport
from interlock.engine.states import State
from interlock.report.durations import inputs_text, moment, moment_ms, span, span_ms
from interlock.report.problems_text import hanging, problem_lines
from interlock.report.tables import Column, folded, pairs, printable, table

_MEANING = {
    State.SUCCEEDED.value: "succeeded",
    State.REFUSED.value: "refused: nothing was changed",
    State.ROLLED_BACK.value: "rolled back: everything is as it was before",
    State.HALTED.value: "halted: a person is needed",
}
_CAN_NOT_BE_PUT_BACK = "rolled back, as far as that can be: see below"
_REPLACE_DATA = frozenset({"data.undo", "data.copy"})
_MARKS = {"done": "✓", "failed": "✗", "skipped": "-", "unfinished": "…"}
_SENTENCES = ("evidence.one_writer", "route.canary", "server.refuses_writes", "replication.canary")
"""The checks whose finding is evidence, in the words that they ended with."""


def run_text(report: RunReport, width: int, *, steps: bool, said: str = "") -> str:
    """With `steps`, every step and the statements that it sent; without, a line for each phase."""
    parts = [
        "\n".join(_head(report, width)),
        _timeline(report, width) if steps else _phases(report, width),
        "\n".join(_rollback(report, width)),
        _evidence(report, width),
        folded(report.certificate, width),
        "\n".join(_section("warnings", [line for each in report.warnings for line in hanging("  ! ", each, width)])),
        "\n".join(_section("problems", problem_lines([(each.what, each.hint) for each in report.problems], width))),
        "\n".join(_next(report, width, steps=steps, said=said)),
    ]
    return "\n\n".join(part for part in parts if part)


def _head(report: RunReport, width: int) -> list[str]:
    outcome = _CAN_NOT_BE_PUT_BACK if _is_not_as_before(report) else _MEANING.get(report.outcome or "", f"unfinished, {report.state}")
    rows = [
        ("inputs", inputs_text(report.inputs)),
        ("began", _began(report)),
        ("outage", _outage(report)),
    ]
    return [
        *hanging("", f"{report.playbook} of {report.topology}: {outcome}", width),
        *hanging("", f"run {report.run}", width),
        pairs([row for row in rows if row[1]], width, indent=2),
    ]


def _began(report: RunReport) -> str:
    parts = [moment(report.started_at)]
    if report.start_up_ms is not None:
        parts.append(f"{span_ms(report.start_up_ms)} after the command")
    if report.ended_at is not None:
        parts.append(f"took {span((report.ended_at - report.started_at).total_seconds())}")
    return ", ".join(parts)


def _outage(report: RunReport) -> str:
    seen = report.evidence.get("outage")
    if not isinstance(seen, Mapping):
        return ""
    errors = seen.get("errors")
    met = ", ".join(f"{count} {name}" for name, count in errors.items()) if isinstance(errors, Mapping) and errors else "no error"
    if report.outage_ms is None:
        return "not measured: no write was acknowledged on both sides of it"
    if "first_write_after" in seen and seen["first_write_after"] is None:
        return f"{span_ms(report.outage_ms)} when the run ended, and not over: nobody could write through the routes (it met: {met})"
    since = " since the run began to close the dead one: how long it was dead before is not counted" if _was_dead(report) else ""
    return f"{span_ms(report.outage_ms)}{since}, measured by writing through the routes (it met: {met})"


def _is_not_as_before(report: RunReport) -> bool:
    """Rolled back behind something that has no way back: data that were replaced, or an opening beside a master that is gone."""
    replaced = any(step.action in _REPLACE_DATA and step.script for phase in report.phases for step in phase.steps)
    return report.outcome == State.ROLLED_BACK.value and (replaced or (_was_dead(report) and bool(report.evidence.get("openings"))))


def _was_dead(report: RunReport) -> bool:
    return any(step.action == "server.fence_outside" for phase in report.phases for step in phase.steps)


def _phases(report: RunReport, width: int) -> str:
    columns = [Column(title="phase"), Column(title="steps", right=True), Column(title="took", right=True), Column(title="", wraps=True)]
    rows = [[phase.phase, str(len(phase.steps)), _took(phase.ms), _failures(phase)] for phase in report.phases]
    return table(columns, rows, width) if rows else ""


def _failures(phase: PhaseReport) -> str:
    return "; ".join(f"{_MARKS.get(s.result, '?')} {s.id} {s.result}" for s in phase.steps if s.result in {"failed", "unfinished"})


def _timeline(report: RunReport, width: int) -> str:
    lines: list[str] = []
    for phase in report.phases:
        lines.append(f"{printable(phase.phase)}  ({_took(phase.ms)})")
        for step in phase.steps:
            lines += _step(step, report.started_at, width)
    return "\n".join(lines)


def _step(step: StepReport, began: datetime, width: int) -> Iterator[str]:
    at = f"+{(step.at - began).total_seconds():.3f}s" if step.at else ""
    head = f"{at:>10}  {_MARKS.get(step.result, '?')} "
    took = "" if step.result == "skipped" else f" ({_took(step.ms)})"
    yield from hanging(head, f"{step.action or step.id}: {step.detail or step.result}{took}", width)
    for line in step.script:
        yield from hanging(" " * len(head) + "> ", line, width)
    if step.hint:
        yield from hanging(" " * len(head) + "hint: ", step.hint, width)


def _rollback(report: RunReport, width: int) -> list[str]:
    lines = []
    for undo in report.rollback:
        mark = "✓" if undo.result == "undone" else "✗"
        lines += hanging(f"  {mark} ", f"{undo.step}: {undo.detail or undo.result} ({_took(undo.ms)})", width)
    return _section("way back, last effect first", lines)


def _evidence(report: RunReport, width: int) -> str:
    rows = [*_proofs(report), *_first_write(report)]
    for phase in report.phases:
        rows += [(step.action, step.detail) for step in phase.steps if step.action in _SENTENCES and step.result == "done"]
    return f"evidence\n{pairs(rows, width, indent=2)}" if rows else ""


def _proofs(report: RunReport) -> Iterator[tuple[str, str]]:
    for proof in _mappings(report.evidence.get("fences")):
        if "segment" in proof:
            yield f"{proof['segment']} closed on {proof.get('server')}", f"at {proof.get('position')} ({_at(proof)})"
            continue
        yield f"{proof.get('server')} fenced", f"at {proof.get('position')}; canary write {proof.get('canary')} ({_at(proof)})"
    for opening in _mappings(report.evidence.get("openings")):
        others = opening.get("others")
        beside = ", ".join(f"{name} at {position}" for name, position in others.items()) if isinstance(others, Mapping) else ""
        opened = f"{opening['segment']} opened on {opening.get('server')}" if "segment" in opening else f"{opening.get('server')} opened"
        if opening.get("given_up"):
            yield "given up", str(opening["given_up"])
        yield opened, f"holding {opening.get('position')}; fenced: {beside or 'none'} ({_at(opening)})"


def _first_write(report: RunReport) -> Iterator[tuple[str, str]]:
    for phase in report.phases:
        for step in phase.steps:
            if step.outputs.get("first_write"):
                yield "first write after", str(step.outputs["first_write"])


def _next(report: RunReport, width: int, *, steps: bool, said: str) -> list[str]:
    commands = list(report.next_commands)
    if report.outcome is None:
        commands += [f"interlock resume {report.run}", f"interlock rollback {report.run}"]
    if not steps:
        commands.append(f"interlock show {report.run}")
    commands = [f"{command}{said}" if command.startswith("interlock ") else command for command in commands]
    return _section("next", [line for command in commands for line in hanging("  ", command, max(width, 200))])


def _section(title: str, lines: list[str]) -> list[str]:
    return [title, *lines] if lines else []


def _took(ms: float | None) -> str:
    return "not ended" if ms is None else span_ms(ms)


def _at(entry: Mapping[str, object]) -> str:
    at = entry.get("at")
    return moment_ms(at) if isinstance(at, datetime) else "unknown"


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
