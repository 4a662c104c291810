"""`interlock quiesce`: the playbook of that name; of an active/active pair after each segment's move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, wired
from interlock.cli.runs import answer_of, carry_out, inputs_of, playbook_of
from interlock.errors import ExitCode

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring
    from interlock.playbook.tree import Playbook


_OF_THE_MOVES = ("max_outage", "accept", "compare", "may_differ")
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
    return _with_moves(answer_of(context, report), moved)


def _segments_moved(context: Context, wiring: Wiring, playbook: Playbook, given: Mapping[str, str]) -> list[Answer]:
    """A run for each that has to be moved, also over a broken channel into the cluster that is to be quiet. None at all if the quiesce
    would be refused for another reason: then its own run says it.
    """
    if not wiring.topology.segments:
        return []
    from interlock.cli.segments import move_all  # noqa: PLC0415 - only here
    from interlock.engine.plan import plan  # noqa: PLC0415 - as above

    steps = [step for phase in plan(playbook, given, wiring.world, ()).phases for step in phase.steps]
    refused = {step.action for step in steps if step.result == "fails"}
    if refused != {"segment.all_owned"}:
        return []
    inputs = {name: value for name, value in given.items() if name in _OF_THE_MOVES}
    return move_all(context, wiring, given["onto"], {**inputs, "one_way": "true"})


def _with_moves(answer: Answer, moved: Sequence[Answer]) -> Answer:
    """`moved` are the reports of the segments' runs, before it."""
    if not moved or not isinstance(answer.plain, Mapping):
        return answer
    return replace(
        answer,
        plain={**answer.plain, "moved": [each.plain for each in moved]},
        text=lambda width: "\n".join(each.text(width) for each in (*moved, answer)),
    )
