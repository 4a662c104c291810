"""`interlock segment list | move | return`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.cli.context import Answer, Context, wired
from interlock.cli.runs import answer_of, carry_out, inputs_of, playbook_of
from interlock.documents.problems import did_you_mean, shown
from interlock.errors import UsageError
from interlock.model.codec import to_plain

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring
    from interlock.model.topology import SegmentSpec

PLAYBOOK = "move-segment"


def list_(context: Context) -> Answer:
    """`interlock segment list`. Exits 0 also when it shows problems: it could look."""
    from interlock.engine.segment_status import segments_now  # noqa: PLC0415 - only here
    from interlock.report.segments_text import segments_text  # noqa: PLC0415 - only here

    with wired(context) as wiring:
        seen = segments_now(wiring.world)
    return Answer(plain=to_plain(seen), text=lambda width: segments_text(seen, width))


def move(context: Context) -> Answer:
    """`interlock segment move NAME --to CLUSTER`: the playbook move-segment."""
    with wired(context) as wiring:
        return _move(context, wiring, _named(context, wiring).name, context.options.to)


def return_(context: Context) -> Answer:
    """`interlock segment return NAME`: back to the owner that the topology names."""
    with wired(context) as wiring:
        spec = _named(context, wiring)
        return _move(context, wiring, spec.name, spec.owner)


def _move(context: Context, wiring: Wiring, segment: str, to: str) -> Answer:
    given = {**inputs_of(context.options.input), "segment": segment, "to": to}
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
