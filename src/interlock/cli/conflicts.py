"""`interlock conflicts`: what a cluster wrote that it does not own, and what both wrote at the same time."""

from __future__ import annotations

from datetime import timedelta

from interlock.cli.context import Answer, Context, note, wired
from interlock.documents.problems import shown
from interlock.documents.values import duration_s
from interlock.errors import UsageError


def conflicts(context: Context) -> Answer:
    """Exits 0 whatever it finds: it was told."""
    from interlock.engine.segment_status import segments_now  # noqa: PLC0415 - only here
    from interlock.engine.segment_turns import turns_of  # noqa: PLC0415 - as above
    from interlock.losses.conflicts import Ownership, find_conflicts  # noqa: PLC0415 - as above
    from interlock.losses.payload import mysqlbinlog  # noqa: PLC0415 - as above
    from interlock.model.topology import ClusterName  # noqa: PLC0415 - as above
    from interlock.report.conflicts_text import conflicts_text, plain_conflicts  # noqa: PLC0415 - as above

    window_s = _window_s(context.options.since)
    with wired(context) as wiring:
        topology = wiring.topology
        ownership = Ownership(
            segments=topology.segments,
            owners={each.segment: ClusterName(each.owner) for each in segments_now(wiring.world)},
            turns=turns_of(wiring.store, topology),
        )
        note("reads both binary logs" if window_s else "reads both binary logs from their beginnings; with --since 24h only their ends")
        report = find_conflicts(
            topology.name,
            {cluster.name: wiring.world.sql_server(cluster.master.name) for cluster in topology.clusters.values()},
            ownership,
            wiring.clock.wall() - timedelta(seconds=window_s) if window_s is not None else None,
            clock=wiring.clock,
            program=mysqlbinlog(context.environ),
        )
    return Answer(plain=plain_conflicts(report), text=lambda width: conflicts_text(report, width))


def _window_s(text: str | None) -> float | None:
    if text is None:
        return None
    seconds = duration_s(text)
    if not seconds:
        raise UsageError(f"--since {shown(text)} is no time", hint="such as --since 24h; without it, all that the logs have")
    return seconds
