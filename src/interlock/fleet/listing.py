"""Which fleets there are."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from interlock.dataclass import dataclass
from interlock.decisions.leases import Liveness
from interlock.documents.problems import did_you_mean, shown
from interlock.errors import UsageError
from interlock.fleet.journal import FLEETS, History, State, read_history
from interlock.fleet.looking import Look, fleet_report
from interlock.fleet.model import FleetReport
from interlock.ports import RunHeader, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRow:
    """One fleet, its pairs counted as `FleetReport` counts them."""

    fleet: str
    playbook: str
    state: str
    started_at: datetime
    succeeded: int
    failed: int
    not_started: int
    running: int


def fleet_header(store: Store, typed: str) -> RunHeader:
    """The fleet of that name, or the only one whose name begins so. UsageError if there is none."""
    headers = {header.run: header for header in store.runs(FLEETS)}
    meant = [typed] if typed in headers else [name for name in headers if name.startswith(typed)]
    if len(meant) == 1:
        return headers[meant[0]]
    if meant:
        raise UsageError(f"{len(meant)} fleets begin with {shown(typed)}", hint=f"which one: {', '.join(meant[:5])}")
    hint = did_you_mean(typed, headers) or "this store has no fleets yet; is it the right one (--store)?"
    raise UsageError(f"there is no fleet {shown(typed)}", hint=hint)


def fleets(store: Store, look: Look) -> tuple[FleetRow, ...]:
    """Newest first. One that was interrupted before its first record is left out: nothing was started."""
    began = [(header, records) for header in store.runs(FLEETS) if (records := store.records(header.run))]
    return tuple(_row(header, as_it_is(store, read_history(header.run, records), look)) for header, records in began)


def as_it_is(store: Store, history: History, look: Look) -> FleetReport:
    """As it is now: pairs may have been finished by hand since, and its process may be gone."""
    report = fleet_report(store, history, State.PAUSED.value, look)
    if report.succeeded == len(report.pairs):
        return replace(report, state=State.DONE.value)
    works = history.holder is not None and not history.stopped and look(history.holder) is not Liveness.GONE
    return replace(report, state=State.RUNNING.value) if works else report


def _row(header: RunHeader, report: FleetReport) -> FleetRow:
    return FleetRow(
        fleet=header.run,
        playbook=header.playbook,
        state=report.state,
        started_at=header.started_at,
        succeeded=report.succeeded,
        failed=report.failed,
        not_started=report.not_started,
        running=report.running,
    )
