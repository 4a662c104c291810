"""`interlock drill`: switchovers there and back on a sandbox under load, and what clients saw of them."""

from __future__ import annotations

from interlock.cli.context import Answer, Context, here, note
from interlock.cli.rehearsal import move_writes
from interlock.cli.sandbox import read
from interlock.clock import SystemClock
from interlock.errors import ExitCode
from interlock.model.codec import to_plain
from interlock.playbook.find import find_playbook
from interlock.report.durations import span_ms
from interlock.report.tables import Column, pairs, table
from interlock.sandbox.drill import DrillReport
from interlock.sandbox.drill import drill as rehearse


def drill(context: Context) -> Answer:
    """Exits 0 if every switchover succeeded and nothing is lost, else 5: a person should look at it."""
    options = context.options
    sandbox = read(context)
    playbook = find_playbook("switchover", here())

    def switch(to: str) -> str:
        report = move_writes(context, sandbox, playbook, to, own_store=False)
        for problem in report.problems:
            note(f"  {problem.what}")
        return report.outcome or report.state

    report = rehearse(sandbox, switch, clock=SystemClock(), count=options.count, pooled=options.pooled, fresh=options.fresh, progress=note)
    code = ExitCode.SUCCEEDED if report.is_clean() else ExitCode.HALTED
    plain = {**_mapping(to_plain(report)), "clean": report.is_clean(), "exit_code": int(code)}
    return Answer(plain=plain, text=lambda width: drill_text(report, width), exit_code=code)


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


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
