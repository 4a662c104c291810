"""A run as data, read from its journal: what `run --json`, `show` and the terminal tell is one and the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime

from interlock.dataclass import dataclass
from interlock.engine.journal import RecordKind
from interlock.engine.states import EXIT_CODES, State
from interlock.errors import StoreFailed
from interlock.ports import Record, RunHeader


@dataclass(slots=True, kw_only=True)
class StepReport:
    """`result`: done, skipped, failed, or unfinished."""

    id: str
    action: str
    result: str
    ms: float | None
    detail: str
    hint: str = ""
    at: datetime | None = None
    warnings: tuple[str, ...] = ()
    script: tuple[str, ...] = ()
    outputs: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class PhaseReport:
    phase: str
    ms: float | None = None
    steps: list[StepReport] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class UndoReport:
    step: str
    result: str
    detail: str
    ms: float | None = None


@dataclass(slots=True, kw_only=True)
class ProblemReport:
    what: str
    hint: str = ""


@dataclass(slots=True, kw_only=True)
class RunReport:
    """`outcome` and `exit_code` are None while the run is unfinished. `outage_ms` is None if there was no prober. `start_up_ms` is what
    went by from the command's start to the run's, if a command began it. `certificate` is what a quiesce certifies, empty for other runs.
    """

    run: str
    playbook: str
    topology: str
    state: str
    outcome: str | None = None
    exit_code: int | None = None
    started_at: datetime
    ended_at: datetime | None = None
    start_up_ms: float | None = None
    outage_ms: float | None = None
    inputs: Mapping[str, object] = field(default_factory=dict)
    phases: list[PhaseReport] = field(default_factory=list)
    rollback: list[UndoReport] = field(default_factory=list)
    evidence: dict[str, object] = field(default_factory=dict)
    certificate: str = ""
    warnings: list[str] = field(default_factory=list)
    problems: list[ProblemReport] = field(default_factory=list)
    next_commands: tuple[str, ...] = ()


def report_of(header: RunHeader, records: Sequence[Record]) -> RunReport:
    """Fold the journal into what people and programs read. StoreFailed names a record that makes no sense."""
    report = RunReport(run=header.run, playbook=header.playbook, topology=header.topology, state=header.state, started_at=header.started_at)
    report.start_up_ms = next((_number(each.body.get("start_up_ms")) for each in records if each.kind == RecordKind.STARTED), None)
    for record in records:
        try:
            _take(report, record)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise StoreFailed(
                f"record {record.seq} ({record.kind}) of the journal of {header.run} makes no sense: {error}",
                hint="the journal is damaged: look at both servers (`interlock status`)",
            ) from error
    return report


def _take(report: RunReport, record: Record) -> None:
    body = record.body
    match RecordKind(record.kind):
        case RecordKind.RESOLVED:
            report.inputs = _mapping(body.get("inputs"))
        case RecordKind.TAKEN_OVER:
            report.outcome = report.exit_code = report.ended_at = None
            report.problems, report.next_commands = [], ()
        case RecordKind.MOVED:
            report.state = str(body.get("target"))
            if report.state == State.OPENED.value:
                report.evidence.setdefault("opening_began_at", record.at)
        case RecordKind.PHASE:
            _take_phase(report, body)
        case RecordKind.ACTING:
            step = _step(report, str(body.get("step")))
            step.script = (*step.script, *_texts(body.get("script")))
            step.at = record.at
            step.action = str(body.get("action") or step.action)
        case RecordKind.DONE | RecordKind.SKIPPED | RecordKind.FAILED as kind:
            _take_step(report, kind, record)
        case RecordKind.PROVED:
            proofs = report.evidence.setdefault("fences", [])
            if isinstance(proofs, list):
                proofs.append(
                    {"server": body.get("server"), "position": body.get("position"), "canary": body.get("canary"), "at": record.at}
                    | _of_segment(body)
                )
        case RecordKind.OPENING:
            openings = report.evidence.setdefault("openings", [])
            if isinstance(openings, list):
                openings.append(
                    {"server": body.get("server"), "position": body.get("position"), "others": body.get("others"), "at": record.at}
                    | _of_segment(body)
                    | ({"given_up": said} if (said := body.get("given_up")) else {})
                )
        case RecordKind.UNDONE:
            report.rollback.append(
                UndoReport(step=str(body["step"]), result="undone", detail=str(body.get("detail", "")), ms=_number(body.get("ms")))
            )
        case RecordKind.NOT_UNDONE:
            report.rollback.append(UndoReport(step=str(body["step"]), result="failed", detail=str(body.get("message", ""))))
        case RecordKind.OUTAGE:
            report.outage_ms = _number(body.get("outage_ms"))
            report.evidence["outage"] = dict(body)
        case RecordKind.ENDED:
            _take_end(report, record)
        case _:
            pass


def _of_segment(body: Mapping[str, object]) -> dict[str, object]:
    """Which segment it was, if it was not the whole server."""
    return {"segment": body["segment"]} if "segment" in body else {}


def _take_phase(report: RunReport, body: Mapping[str, object]) -> None:
    name = str(body.get("phase"))
    if body.get("event") == "began":
        if not any(phase.phase == name for phase in report.phases):
            report.phases.append(PhaseReport(phase=name))
    else:
        for phase in report.phases:
            if phase.phase == name:
                phase.ms = _number(body.get("ms"))


def _take_step(report: RunReport, kind: RecordKind, record: Record) -> None:
    body = record.body
    step = _step(report, str(body.get("step")))
    step.result = kind.value
    step.ms = _number(body.get("ms"))
    step.detail = str(body.get("message") or body.get("why") or "")
    step.hint = str(body.get("hint") or "")
    step.warnings = _texts(body.get("warnings"))
    step.outputs = _mapping(body.get("outputs"))
    step.at = step.at or record.at
    step.action = str(body.get("action") or step.action)
    report.warnings += [f"{step.id}: {warning}" for warning in step.warnings]
    report.certificate = str(step.outputs.get("certificate", "")) or report.certificate


def _take_end(report: RunReport, record: Record) -> None:
    body = record.body
    outcome = State(str(body["outcome"]))
    report.outcome, report.exit_code = outcome.value, int(EXIT_CODES[outcome])
    report.ended_at = record.at
    if outcome is not State.SUCCEEDED:
        report.certificate = ""
    report.evidence |= _mapping(body.get("evidence"))
    problems = body.get("problems")
    for problem in problems if isinstance(problems, list | tuple) else ():
        entry = _mapping(problem)
        report.problems.append(ProblemReport(what=str(entry.get("what", "")), hint=str(entry.get("hint", ""))))
    report.next_commands = _texts(body.get("next_commands"))


def _step(report: RunReport, key: str) -> StepReport:
    """The step of that key; a new one in the phase that runs if it has none yet."""
    for phase in report.phases:
        for step in phase.steps:
            if step.id == key:
                return step
    if not report.phases:
        report.phases.append(PhaseReport(phase=""))
    step = StepReport(id=key, action="", result="unfinished", ms=None, detail="")
    report.phases[-1].steps.append(step)
    return step


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else ()


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
