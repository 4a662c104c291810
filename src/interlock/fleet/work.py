"""Beginning a fleet and going on with one: what each pair's process is told, and what is written down of it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import field, replace

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.errors import ExitCode, InterlockError, LeaseLost, StatementFailed, StoreFailed, UsageError
from interlock.fleet.children import Child, End, OtherChild, Programs
from interlock.fleet.journal import FLEETS, FleetJournal, History, Kind, State
from interlock.fleet.looking import Look, failed, fleet_report, header_of, holder_of, report_of_run, seen
from interlock.fleet.model import FleetReport, Limits, Pair, PairReport, Standing, Trouble
from interlock.fleet.pool import Pool, StopAsked
from interlock.fleet.schedule import Await, Begin, TakeUp, Work, in_turn, next_move
from interlock.ports import Holder, Store

Tell = Callable[[str, PairReport], None]
"""Progress: `began` or `ended`, and the pair as it is then."""

Job = tuple[Pair, Work]


@dataclass(slots=True, kw_only=True)
class Office:
    """What carries out a fleet. `options` are the words for every program (`--store URL`, `--yes`); `unchanged` says whether the playbook's
    file is still what the fleet began with.
    """

    store: Store
    programs: Programs
    clock: Clock
    look: Look
    tell: Tell
    holder: Callable[[str], Holder]
    options: tuple[str, ...] = ()
    unchanged: Callable[[], bool] = lambda: True


def carry_out(office: Office, history: History, journal: FleetJournal, limits: Limits, stop: StopAsked) -> FleetReport:
    """All that is left to do. PairBusy if another process carries out this fleet."""
    lease = office.store.take_lease(f"{FLEETS} {history.fleet}", office.holder(history.fleet))
    try:
        journal.set_state(State.RUNNING)
        if not journal.write(Kind.TAKEN_UP, limits=limits, holder=lease.holder) and journal.failed is not None:
            raise journal.failed
        desk = _Desk(office=office, history=history, journal=journal, stop=stop, still_ours=lambda: office.store.check_lease(lease))
        left = Pool(hands=desk, limits=limits, clock=office.clock, stop=stop).work_off(desk.jobs())
        return desk.close(left)
    finally:
        office.store.release_lease(lease)


@dataclass(slots=True, kw_only=True)
class _Desk:
    """`Hands` whose jobs are pairs."""

    office: Office
    history: History
    journal: FleetJournal
    stop: StopAsked
    still_ours: Callable[[], None]
    trouble: InterlockError | None = None
    _looked_at_s: float = field(default=float("-inf"))

    def jobs(self) -> list[Job]:
        store, history = self.office.store, self.history
        headers = {header.run: header for header in store.runs(None)}
        moves = [
            (pair, next_move(history.fleet, pair.name, seen(store, history, pair.name, headers, self.office.look)))
            for pair in history.order.pairs
        ]
        return in_turn(moves)

    def begin(self, job: Job, /) -> Child | None:
        pair, move = job
        if isinstance(move, Await):
            return self._other(pair, move.run) or _Gone()
        if isinstance(move, Begin) and not self.office.unchanged():
            where = self.history.order.playbook_file
            self.trouble = UsageError(f"{where} is not what the fleet began with", hint="put it back, then go on; or begin a new fleet")
            return None
        if not self.journal.write(Kind.PAIR_BEGAN, pair=pair.name, run=move.run, taken_up=isinstance(move, TakeUp)):
            self.trouble = self.journal.failed
            return None
        self._remember(pair, move.run)
        self.office.tell("began", PairReport(topology=pair.name, file=pair.file, run=move.run, standing=Standing.RUNNING))
        try:
            return self.office.programs.start(self._words(pair, move), move.run)
        except StatementFailed as error:
            self._write(failed(pair, move.run, int(ExitCode.CRASHED), error.message, error.hint))
            return None

    def ended(self, job: Job, end: End, /) -> Child | bool:
        pair, move = job
        run = move.run
        try:
            header = header_of(self.office.store, pair.name, run)
            if header is not None and header.outcome is None and (other := self._other(pair, run)) is not None:
                return other
            told = report_of_run(self.office.store, pair, header) if header is not None else None
        except StoreFailed as error:
            self.trouble = self.trouble or error
            told = failed(pair, run, int(ExitCode.CRASHED), error.message, error.hint)
        report = replace(report_of_end(pair, run, end, told, stopping=self.stop.times > 0), cpu_s=end.cpu_s, memory_mib=end.memory_mib)
        self._write(report)
        return report.standing is Standing.SUCCEEDED

    def stopped(self) -> bool:
        """Once the store or the lease is not what it has to be, or the playbook's file was changed."""
        if self.trouble is None and self.office.clock.monotonic_s() - self._looked_at_s >= 1.0:
            self._looked_at_s = self.office.clock.monotonic_s()
            try:
                self.still_ours()
            except (LeaseLost, StoreFailed) as error:
                self.trouble = error
        return self.trouble is not None

    def close(self, left: Sequence[Job]) -> FleetReport:
        """The last record, and the whole as it is now."""
        del left  # their runs have no end, which is what their journals say
        report = fleet_report(self.office.store, self.history, State.DONE.value, self.office.look)
        done = report.succeeded == len(report.pairs)
        if not done:
            why = self.trouble.message if self.trouble else "a person asked" if self.stop.times else "pairs failed"
            self.journal.write(Kind.STOPPED, why=why)
        state = State.DONE if done else State.PAUSED
        self.journal.set_state(state)
        troubles = (Trouble(what=self.trouble.message, hint=self.trouble.hint),) if self.trouble else ()
        code = int(ExitCode.STOPPED) if self.stop.times > 1 else report.exit_code
        return replace(report, state=state.value, problems=troubles, exit_code=code)

    def _words(self, pair: Pair, move: Begin | TakeUp) -> list[str]:
        words = ["--topology", pair.file, "--json", *self.office.options]
        if isinstance(move, TakeUp):
            return [*words, "resume", move.run]
        inputs = [word for name, value in self.history.order.inputs.items() for word in ("--input", f"{name}={value}")]
        return [*words, "run", self.history.order.playbook_file, "--as", move.run, *inputs]

    def _other(self, pair: Pair, run: str) -> Child | None:
        """The process that carries out this run, if that is not ours and lives."""
        holder = holder_of(self.office.store.records(run)) if header_of(self.office.store, pair.name, run) else None
        if holder is None:
            return None
        other = OtherChild(holder, self.office.look)
        return other if other.poll() is None else None

    def _remember(self, pair: Pair, run: str) -> None:
        runs = self.history.runs.setdefault(pair.name, [])
        if run not in runs:
            runs.append(run)

    def _write(self, report: PairReport) -> None:
        self.history.ended[report.topology] = report
        self.journal.write(Kind.PAIR_ENDED, report=report)
        self.office.tell("ended", report)


class _Gone:
    """It ended while we looked."""

    def poll(self) -> End | None:
        return End(exit_code=None, document={})

    def signal(self, number: object, /) -> None:
        """There is nobody."""


def report_of_end(pair: Pair, run: str, end: End, told: PairReport | None, *, stopping: bool) -> PairReport:
    """What became of a pair whose process ended: what its run's journal told, or, if its run never came to be, what the process said.
    `stopping`: a person asked, and so it ended before it began, which is not its failure.
    """
    if told is not None and told.outcome is not None:
        return told if told.problems else replace(told, problems=troubles(end.document))  # a run that could not be recorded tells only here
    ended = _how(end)
    if told is not None:
        problems = (Trouble(what=f"{told.problems[0].what}; {ended}", hint=told.problems[0].hint),) if told.problems else ()
        return replace(told, problems=problems)
    said = troubles(end.document)
    code = end.exit_code if end.exit_code is not None and end.exit_code > 0 else int(ExitCode.CRASHED)
    if stopping and (code == ExitCode.STOPPED or end.exit_code == -signal.SIGTERM):
        return PairReport(topology=pair.name, file=pair.file, standing=Standing.NOT_STARTED, exit_code=None, problems=said)
    report = failed(pair, None, code, ended, f"what it said stands in {run}.log")
    outcome = end.document.get("outcome")
    return replace(report, problems=said or report.problems, outcome=outcome if isinstance(outcome, str) else None)


def _how(end: End) -> str:
    match end.exit_code:
        case None:
            return "its process is gone"
        case code if code < 0:
            return f"its process was ended by signal {-code}"
        case code:
            return f"its process ended with exit code {code}"


def troubles(document: object) -> tuple[Trouble, ...]:
    found = document.get("problems") if isinstance(document, dict) else None
    entries = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return tuple(Trouble(what=str(each.get("what", "")), hint=str(each.get("hint", ""))) for each in entries)
