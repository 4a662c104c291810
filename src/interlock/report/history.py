"""What earlier runs tell: the outages that clients of this pair have met."""

from __future__ import annotations

from interlock.engine.report import report_of
from interlock.engine.states import State
from interlock.errors import StoreFailed
from interlock.ports import Store

_MOST = 10


def past_outages_ms(store: Store, topology: str, playbook: str) -> tuple[float, ...]:
    """Of the last ten runs of this playbook that succeeded and were measured, newest first. A broken journal counts for none."""
    headers = [h for h in store.runs(topology) if h.playbook == playbook and h.outcome == State.SUCCEEDED.value]
    found = []
    for header in headers[:_MOST]:
        try:
            report = report_of(header, store.records(header.run))
        except StoreFailed:
            continue
        if report.outage_ms is not None:
            found.append(report.outage_ms)
    return tuple(found)
