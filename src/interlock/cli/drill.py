"""`interlock drill`: switchovers there and back on a sandbox under load, or conflicts on a client's rows, and what clients saw of them."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from interlock.audit.facts import Rehearsal, RehearsalKind
from interlock.audit.rehearsals import keep_rehearsal
from interlock.cli.context import Answer, Context, here, note
from interlock.cli.rehearsal import move_writes
from interlock.cli.sandbox import read
from interlock.clock import Clock, SystemClock
from interlock.errors import ExitCode, UsageError
from interlock.model.codec import fields_of
from interlock.playbook.find import find_playbook
from interlock.report.durations import span_ms
from interlock.report.tables import Column, pairs, table
from interlock.sandbox.conflict_drill import ConflictReport, conflict_drill
from interlock.sandbox.drill import DrillReport
from interlock.sandbox.drill import drill as rehearse
from interlock.sandbox.places import Sandbox
from interlock.stores.open import state_folder


def drill(context: Context) -> Answer:
    """Exits 0 if every switchover succeeded and nothing is lost, else 5: a person should look at it."""
    options, clock = context.options, SystemClock()
    sandbox = read(context)
    playbook = find_playbook("switchover", here())

    def switch(to: str) -> str:
        report = move_writes(context, sandbox, playbook, to, own_store=False)
        for problem in report.problems:
            note(f"  {problem.what}")
        return report.outcome or report.state

    if options.conflicts:
        return _conflicts(context, sandbox, switch, clock)
    report = rehearse(sandbox, switch, clock=clock, count=options.count, pooled=options.pooled, fresh=options.fresh, progress=note)
    code = ExitCode.SUCCEEDED if report.is_clean() else ExitCode.HALTED
    plain = {**fields_of(report), "clean": report.is_clean(), "exit_code": int(code)}
    _keep(context, sandbox, Rehearsal(kind=RehearsalKind.SWITCHOVERS, at=clock.wall(), good=report.is_clean(), says=_in_short(report)))
    return Answer(plain=plain, text=lambda width: drill_text(report, width), exit_code=code)


def _conflicts(context: Context, sandbox: Sandbox, switch: Callable[[str], str], clock: Clock) -> Answer:
    """Exits 0 if the client gave nothing up and went on, else 5."""
    options = context.options
    try:
        client = shlex.split(options.client or "")
    except ValueError as error:
        raise UsageError(f"--client {options.client!r} can't be split into words: {error}") from error
    report = conflict_drill(sandbox, switch, clock=clock, client=client, rounds=options.rounds, progress=note)
    code = ExitCode.SUCCEEDED if report.is_good() else ExitCode.HALTED
    plain = {**fields_of(report), "exit_code": int(code)}
    plain |= {"retried": report.client_said.retried, "not_made": list(report.not_made), "good": report.is_good()}
    says = _conflicts_in_short(report)
    kept = Rehearsal(kind=RehearsalKind.CONFLICTS, at=clock.wall(), good=report.is_good(), says=says, application=not report.own)
    _keep(context, sandbox, kept)
    return Answer(plain=plain, text=lambda width: conflicts_text(report, width), exit_code=code)


def _keep(context: Context, sandbox: Sandbox, one: Rehearsal) -> None:
    """Where the audit of the pair that the sandbox is like finds it; of any other sandbox, beside the store in use."""
    folder = Path(sandbox.beside) if sandbox.like else state_folder(context.store_url() or sandbox.store)
    keep_rehearsal(one, folder, sandbox.like or sandbox.name)


def _in_short(report: DrillReport) -> str:
    outage = f"outage {span_ms(report.outage_p50_ms)} at the median and {span_ms(report.outage_max_ms)} at the most"
    lost = f"{len(report.lost)} lost" if report.lost else "none lost"
    return f"{len(report.switches)} switchovers, {outage}; {report.acknowledged} writes acknowledged, {lost}"


def _conflicts_in_short(report: ConflictReport) -> str:
    said = report.client_said
    errors, gave_up = sum(said.errors.values()), sum(said.gave_up.values())
    made = ", ".join(f"{count} {kind}" for kind, count in report.made.items())
    stuck = "" if report.went_on else "; it did not go on after the last"
    return f"{report.client} met {errors} errors ({made}), tried again after {said.retried} and gave up {gave_up} transactions{stuck}"


def conflicts_text(report: ConflictReport, width: int) -> str:
    """The conflicts that were made, what the client said of them, and what follows."""
    said = report.client_said
    figures = [
        ("client", report.client),
        ("its tables", ", ".join(report.tables)),
        *(("made", f"{kind}: {count}") for kind, count in report.made.items()),
        ("done", f"{said.done} transactions{'' if report.went_on else ', none after the last conflict'}"),
        ("errors it met", _errors(said.errors)),
        ("tried again", f"after {said.retried} of {sum(said.errors.values())}"),
        ("gave up", _errors(said.gave_up)),
    ]
    lines = [pairs(figures, width), "", "it tries again" if report.is_good() else "NOT GOOD: see above"]
    if report.not_made:
        lines.insert(1, f"not made: {', '.join(report.not_made)} (nobody came into the way, or its transactions write one table)")
    return "\n".join(lines)


def drill_text(report: DrillReport, width: int) -> str:
    """Each switchover in a line, then the figures and the ledger's verdict."""
    columns = [
        Column(title="to"),
        Column(title="outcome"),
        *(Column(title=t, right=True) for t in ("took", "outage", "errors of a client")),
    ]
    rows = [[s.to, s.outcome, span_ms(s.took_ms), span_ms(s.outage_ms), str(s.most_errors_of_a_pooled_client)] for s in report.switches]
    outages = (report.outage_p50_ms, report.outage_p99_ms, report.outage_max_ms)
    figures = [
        ("outage", ", ".join(f"{name} {span_ms(value)}" for name, value in zip(("p50", "p99", "max"), outages, strict=True))),
        ("acknowledged", f"{report.acknowledged} writes"),
        ("longest write", ", ".join(f"{kind} {span_ms(longest)}" for kind, longest in report.longest_write_ms.items())),
        *(("errors", f"{kind}: {_errors(errors)}") for kind, errors in report.errors.items()),
        ("lost", _keys(report.lost)),
        ("twice there", _keys(report.duplicated)),
        ("refused, yet there", _keys(report.resurrected)),
        ("two writers", f"in {report.samples.two} of {report.samples.two + report.samples.one + report.samples.none} samples"),
    ]
    verdict = "nothing is lost" if report.is_clean() else "NOT CLEAN: see above"
    return f"{table(columns, rows, width)}\n\n{pairs(figures, width)}\n\n{verdict}"


def _errors(errors: object) -> str:
    return ", ".join(f"{error} ({count} times)" for error, count in errors.items()) if isinstance(errors, dict) and errors else "none"


def _keys(keys: tuple[str, ...]) -> str:
    return f"{len(keys)}" + (f": {', '.join(keys[:5])}{' …' if len(keys) > 5 else ''}" if keys else "")
