"""`interlock segment list | move | return`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, wired
from interlock.cli.runs import answer_of, carry_out, inputs_of, playbook_of
from interlock.documents.problems import did_you_mean, shown
from interlock.errors import ExitCode, UsageError
from interlock.model.codec import to_plain

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring
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
            return _told(move_all(context, wiring, to, inputs_of(context.options.input)), to)
        return _move(context, wiring, _named(context, wiring).name, to, inputs_of(context.options.input))


def return_(context: Context) -> Answer:
    """`interlock segment return NAME`: back to the owner that the topology names."""
    with wired(context) as wiring:
        spec = _named(context, wiring)
        return _move(context, wiring, spec.name, spec.owner, inputs_of(context.options.input))


def move_all(context: Context, wiring: Wiring, to: str, inputs: Mapping[str, str]) -> list[Answer]:
    """Each segment that the cluster does not own yet, one after the other, until one does not succeed: that is the last answer."""
    from interlock.engine.segment_status import segments_now  # noqa: PLC0415 - only here

    answers: list[Answer] = []
    for segment in [each.segment for each in segments_now(wiring.world) if each.owner != to]:
        answers.append(_move(context, wiring, segment, to, inputs))
        if answers[-1].exit_code != ExitCode.SUCCEEDED:
            break
    return answers


def _told(answers: list[Answer], to: str) -> Answer:
    code = answers[-1].exit_code if answers else ExitCode.SUCCEEDED
    return Answer(
        plain={"runs": [answer.plain for answer in answers], "exit_code": int(code)},
        text=lambda width: "\n".join(answer.text(width) for answer in answers) or f"{to} owns every segment already",
        exit_code=code,
    )


def _move(context: Context, wiring: Wiring, segment: str, to: str, inputs: Mapping[str, str]) -> Answer:
    given = {**inputs, "segment": segment, "to": to}
    playbook = playbook_of(PLAYBOOK, wiring)
    return answer_of(context, carry_out(context, wiring, lambda engine: engine.start(playbook, given)))


def _named(context: Context, wiring: Wiring) -> SegmentSpec:
    name, known = context.options.segment, wiring.topology.segments
    if name not in known:
        raise UsageError(
            f"{wiring.topology.name} has no segment {shown(name)}",
            hint=did_you_mean(name, known) if known else "its topology has no `segments:`",
        )
    return known[name]
