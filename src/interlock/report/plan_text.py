"""What a run would do, for people who decide at night whether to let it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from interlock.engine.plan import PlannedPhase, PlannedStep, PlanReport, is_left_out
from interlock.report.durations import inputs_text, span, span_ms
from interlock.report.problems_text import hanging, problem_lines
from interlock.report.tables import printable

_MARKS = {"passes": "✓", "fails": "✗", "would": "▶", "holds": "=", "later": "…", "skipped": "-", "gate": "?"}
_LEGEND = "✓ passes now  ✗ fails now  ▶ would be sent  ↩ its undo  = nothing to do  … looked at later"


def plan_text(report: PlanReport, width: int) -> str:
    """The phases in order, where clients wait, then the verdict with everything that stands in the way."""
    inputs = inputs_text(report.inputs)
    lines = [
        *hanging("", f"plan of {report.playbook} for {report.topology}: {report.summary}", width),
        *(hanging("  inputs: ", inputs, width) if inputs else []),
        *hanging("  ", _LEGEND, width),
    ]
    waits = False
    for phase in report.phases:
        if phase.clients_wait is not waits:
            waits = phase.clients_wait
            lines += ["", _rule("clients wait from here" if waits else "clients go on from here", width)]
        lines += ["", *_phase(phase, width)]
    return "\n".join([*lines, "", *_verdict(report, width)])


def _rule(words: str, width: int) -> str:
    return f"──── {words} ".ljust(min(width, 100), "─")


def _phase(phase: PlannedPhase, width: int) -> Iterator[str]:
    if phase.steps and is_left_out(phase.steps):
        yield f"{printable(phase.phase)}: left out, for no step's condition holds"
        return
    yield printable(phase.phase)
    for step in phase.steps:
        yield from _step(step, width)


def _step(step: PlannedStep, width: int) -> Iterator[str]:
    bound = f" (at most {span(step.bound_s)})" if step.result == "would" and step.bound_s else ""
    what = step.detail
    if step.result in {"later", "would", "holds"} and isinstance(step.args, Mapping) and step.args:
        what = f"{_args(step.args)}{f'; now: {step.detail}' if step.result != 'later' else ''}{bound}"
    yield from hanging(f"  {_MARKS.get(step.result, '?')} ", f"{step.action}: {what}", width)
    for line in step.script:
        yield from hanging("      ▶ ", line, width)
    for line in step.undo:
        yield from hanging("      ↩ ", line, width)
    for warning in step.warnings:
        yield from hanging("      ! ", warning, width)
    if step.hint:
        yield from hanging("      hint: ", step.hint, width)


def _args(args: Mapping[str, object]) -> str:
    """`server=west within=2s`: values as a playbook writes them."""
    shown = {name: value for name, value in args.items() if value not in (None, [], {}, "")}
    return " ".join(f"{name}={_value(value)}" for name, value in shown.items())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return f"{value:g}s" if isinstance(value, float) else str(value)


def _verdict(report: PlanReport, width: int) -> Iterator[str]:
    if report.expected_from:
        expected = span_ms(report.expected_outage_ms) if report.expected_outage_ms is not None else "not known yet"
        yield from hanging("expected outage: ", f"{expected} ({report.expected_from})", width)
        if report.outage_at_most_s is not None:
            yield from hanging("at the very most: ", f"{span(report.outage_at_most_s)}, if every step took all of its time", width)
    if report.would == "succeed":
        yield "as things stand, it would succeed. Nothing was changed."
        return
    yield "as things stand, it would be refused. Nothing was changed."
    yield from problem_lines([(each["what"], each.get("hint", "")) for each in report.problems], width)
