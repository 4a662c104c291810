"""`interlock quiesce`: the playbook of that name, and the certificate of the quiet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, wired
from interlock.cli.runs import answer_of, carry_out, inputs_of, playbook_of
from interlock.report.tables import folded

if TYPE_CHECKING:
    from interlock.engine.report import RunReport


def quiesce(context: Context) -> Answer:
    """`interlock quiesce --onto CLUSTER --for TIME --reason TEXT`."""
    given = inputs_of(context.options.input)
    with wired(context) as wiring:
        playbook = playbook_of("quiesce", wiring)
        report = carry_out(context, wiring, lambda engine: engine.start(playbook, given))
    answer, certificate = answer_of(context, report), _certificate(report)
    if not certificate:
        return answer
    plain = {**answer.plain, "certificate": certificate} if isinstance(answer.plain, Mapping) else answer.plain
    return Answer(plain=plain, text=lambda width: f"{answer.text(width)}\n\n{folded(certificate, width)}", exit_code=answer.exit_code)


def _certificate(report: RunReport) -> str:
    """Empty if the run did not come to it."""
    steps = [step for phase in report.phases for step in phase.steps if step.action == "cluster.is_quiet" and step.result == "done"]
    return str(steps[-1].outputs.get("certificate", "")) if steps else ""
