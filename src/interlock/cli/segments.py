"""`interlock segment list | move | return`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, wired
from interlock.cli.runs import answer_of, carry_out, inputs_of, playbook_of
from interlock.documents.problems import did_you_mean, shown
from interlock.errors import ExitCode, UsageError
from interlock.model.codec import to_plain

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring
    from interlock.engine.report import RunReport
    from interlock.model.topology import SegmentSpec

PLAYBOOK = "move-segment"
ALL = "all"


def list_(context: Context) -> Answer:
    """`interlock segment list`. Exits 0 also when it shows problems: it could look."""
    from interlock.engine.segment_status import segments_now  # noqa: PLC0415 - only here
    from interlock.report.segments_text import segments_text  # noqa: PLC0415 - only here

    with wired(context) as wiring:
        seen = segments_now(wiring.world)
    return Answer(plain=to_plain(seen), text=lambda width: segments_text(seen, width))


def move(context: Context) -> Answer:
    """`interlock segment move NAME --to CLUSTER`: the playbook move-segment; with `all`, each that the cluster does not own yet."""
    to = context.options.to
    with wired(context) as wiring:
        if context.options.segment == ALL and ALL not in wiring.topology.segments:
            return _move_all(context, wiring, to)
        return answer_of(context, _move(context, wiring, _named(context, wiring).name, to))


def return_(context: Context) -> Answer:
    """`interlock segment return NAME`: back to the owner that the topology names."""
    with wired(context) as wiring:
        spec = _named(context, wiring)
        return answer_of(context, _move(context, wiring, spec.name, spec.owner))


def _move_all(context: Context, wiring: Wiring, to: str) -> Answer:
    """One after the other, until one does not succeed."""
    from interlock.engine.segment_status import segments_now  # noqa: PLC0415 - only here

    answers: list[Answer] = []
    for segment in [each.segment for each in segments_now(wiring.world) if each.owner != to]:
        answers.append(answer_of(context, _move(context, wiring, segment, to)))
        if answers[-1].exit_code != ExitCode.SUCCEEDED:
            break
    code = answers[-1].exit_code if answers else ExitCode.SUCCEEDED
    return Answer(
        plain={"runs": [answer.plain for answer in answers], "exit_code": int(code)},
        text=lambda width: "\n".join(answer.text(width) for answer in answers) or f"{to} owns every segment already",
        exit_code=code,
    )


def _move(context: Context, wiring: Wiring, segment: str, to: str) -> RunReport:
    given = {**inputs_of(context.options.input), "segment": segment, "to": to}
    playbook = playbook_of(PLAYBOOK, wiring)
    return carry_out(context, wiring, lambda engine: engine.start(playbook, given))


def _named(context: Context, wiring: Wiring) -> SegmentSpec:
    name, known = context.options.segment, wiring.topology.segments
    if name not in known:
        raise UsageError(
            f"{wiring.topology.name} has no segment {shown(name)}",
            hint=did_you_mean(name, known) if known else "its topology has no `segments:`",
        )
    return known[name]
