"""What became of a fleet's pairs, from their runs' own journals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from interlock.decisions.leases import Liveness
from interlock.engine.journal import RecordKind
from interlock.engine.report import report_of
from interlock.engine.states import EXIT_CODES, State
from interlock.errors import ExitCode, StoreFailed
from interlock.fleet.journal import History
from interlock.fleet.model import FleetReport, Pair, PairReport, Standing, Trouble, worst
from interlock.fleet.schedule import Seen
from interlock.model.codec import from_plain
from interlock.ports import Holder, Record, RunHeader, Store

Look = Callable[[Holder], Liveness]
"""Whether the process of a holder lives."""


def header_of(store: Store, pair: str, run: str) -> RunHeader | None:
    """The run of exactly that name, if it came to be."""
    return next((header for header in store.runs(pair) if header.run == run), None)


def holder_of(records: Sequence[Record]) -> Holder | None:
    """Who began the run or took it up last."""
    for record in reversed(records):
        if record.kind in {RecordKind.STARTED, RecordKind.TAKEN_OVER}:
            try:
                return from_plain(record.body.get("holder"), Holder)
            except ValueError:
                return None
    return None


def seen(store: Store, history: History, pair: str, headers: Mapping[str, RunHeader], look: Look) -> Seen:
    """A pair as `next_move` wants it."""
    runs = history.runs.get(pair, [])
    header = headers.get(runs[-1]) if runs else None
    if header is None:
        return Seen(attempts=len(runs), run=runs[-1] if runs else None)
    holder = holder_of(store.records(header.run)) if header.outcome is None else None
    lives = look(holder) if holder is not None else Liveness.GONE
    return Seen(attempts=len(runs), run=header.run, recorded=True, outcome=header.outcome, holder=lives)


def report_of_run(store: Store, pair: Pair, header: RunHeader) -> PairReport:
    """What its journal says. One without an outcome counts as failed: whether it still runs, its journal can't say."""
    try:
        report = report_of(header, store.records(header.run))
    except StoreFailed as error:
        return failed(pair, header.run, int(ExitCode.HALTED), error.message, error.hint)
    if header.outcome is None:
        hint = f"interlock resume {header.run} | interlock rollback {header.run}"
        return failed(pair, header.run, int(ExitCode.CRASHED), f"run {header.run} has no end ({header.state})", hint)
    state = State(header.outcome)
    return PairReport(
        topology=pair.name,
        file=pair.file,
        run=header.run,
        standing=Standing.SUCCEEDED if state is State.SUCCEEDED else Standing.FAILED,
        outcome=state.value,
        exit_code=int(EXIT_CODES[state]),
        outage_ms=report.outage_ms,
        problems=tuple(Trouble(what=each.what, hint=each.hint) for each in report.problems),
        next_commands=report.next_commands,
        took_s=(report.ended_at - report.started_at).total_seconds() if report.ended_at else None,
    )


def failed(pair: Pair, run: str | None, exit_code: int, what: str, hint: str = "") -> PairReport:
    """One that has no outcome of a run."""
    problems = (Trouble(what=what, hint=hint),)
    return PairReport(topology=pair.name, file=pair.file, standing=Standing.FAILED, run=run, exit_code=exit_code, problems=problems)


def fleet_report(store: Store, history: History, state: str, look: Look) -> FleetReport:
    """The fleet as it is now, each pair as its last run tells."""
    headers = {header.run: header for header in store.runs(None)}
    pairs = tuple(_pair_report(store, history, pair, headers, look) for pair in history.order.pairs)
    return total(history, state, pairs)


def total(history: History, state: str, pairs: Sequence[PairReport], problems: tuple[Trouble, ...] = ()) -> FleetReport:
    counts = {standing: sum(pair.standing is standing for pair in pairs) for standing in Standing}
    codes = [pair.exit_code for pair in pairs if pair.exit_code is not None]
    if counts[Standing.NOT_STARTED] or counts[Standing.RUNNING]:
        codes.append(int(ExitCode.STOPPED) if worst(codes) == 0 else 0)
    return FleetReport(
        fleet=history.fleet,
        playbook=history.order.playbook,
        state=state,
        exit_code=worst(codes),
        inputs=history.order.inputs,
        pairs=tuple(pairs),
        succeeded=counts[Standing.SUCCEEDED],
        failed=counts[Standing.FAILED],
        not_started=counts[Standing.NOT_STARTED],
        running=counts[Standing.RUNNING],
        problems=problems,
    )


def _pair_report(store: Store, history: History, pair: Pair, headers: Mapping[str, RunHeader], look: Look) -> PairReport:
    runs = history.runs.get(pair.name, [])
    written = history.ended.get(pair.name)
    header = headers.get(runs[-1]) if runs else None
    if header is None:
        return written or PairReport(topology=pair.name, file=pair.file)
    if seen(store, history, pair.name, headers, look).holder is Liveness.ALIVE:
        return PairReport(topology=pair.name, file=pair.file, run=header.run, standing=Standing.RUNNING)
    told = report_of_run(store, pair, header)
    if written is None or written.run != header.run:
        return told
    if told.outcome is None:
        return replace(written, outcome=None)
    return replace(told, cpu_s=written.cpu_s, memory_mib=written.memory_mib)
