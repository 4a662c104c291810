"""`interlock quiesce`: the playbook of that name, and the certificate of the quiet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, wired
from interlock.cli.runs import answer_of, carry_out, inputs_of, playbook_of
from interlock.errors import ExitCode
from interlock.report.tables import folded

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring
    from interlock.engine.report import RunReport
    from interlock.playbook.tree import Playbook


_OF_THE_MOVES = ("max_outage",)
"""The inputs that are for the moves of the segments, too."""


def quiesce(context: Context) -> Answer:
    """`interlock quiesce --onto CLUSTER --for TIME --reason TEXT`. Of an active/active pair every segment is moved there first."""
    given = inputs_of(context.options.input)
    with wired(context) as wiring:
        playbook = playbook_of("quiesce", wiring)
        moved = _segments_moved(context, wiring, playbook, given)
        if moved and moved[-1].exit_code != ExitCode.SUCCEEDED:
            return _with_moves(moved[-1], moved[:-1])
        report = carry_out(context, wiring, lambda engine: engine.start(playbook, given))
    answer, certificate = answer_of(context, report), _certificate(report)
    if certificate:
        plain, text = answer.plain, answer.text
        told = {**plain, "certificate": certificate} if isinstance(plain, Mapping) else plain
        answer = replace(answer, plain=told, text=lambda width: f"{text(width)}\n\n{folded(certificate, width)}")
    return _with_moves(answer, moved)


def _segments_moved(context: Context, wiring: Wiring, playbook: Playbook, given: Mapping[str, str]) -> list[Answer]:
    """A run for each that has to be moved. None at all if the quiesce would be refused for another reason: then its own run says it."""
    if not wiring.topology.segments:
        return []
    from interlock.cli.segments import move_all  # noqa: PLC0415 - only here
    from interlock.engine.plan import plan  # noqa: PLC0415 - as above

    steps = [step for phase in plan(playbook, given, wiring.world, ()).phases for step in phase.steps]
    refused = {step.action for step in steps if step.result == "fails"}
    if refused != {"segment.all_owned"}:
        return []
    return move_all(context, wiring, given["onto"], {name: value for name, value in given.items() if name in _OF_THE_MOVES})


def _with_moves(answer: Answer, moved: Sequence[Answer]) -> Answer:
    """`moved` are the reports of the segments' runs, before it."""
    if not moved or not isinstance(answer.plain, Mapping):
        return answer
    return replace(
        answer,
        plain={**answer.plain, "moved": [each.plain for each in moved]},
        text=lambda width: "\n".join(each.text(width) for each in (*moved, answer)),
    )


def _certificate(report: RunReport) -> str:
    """Empty if the run did not come to it."""
    steps = [step for phase in report.phases for step in phase.steps if step.action == "cluster.is_quiet" and step.result == "done"]
    return str(steps[-1].outputs.get("certificate", "")) if steps else ""
