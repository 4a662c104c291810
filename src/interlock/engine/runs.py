"""Beginning, resuming and rolling back a run; and how each ends in a named outcome."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.decisions.marks import failed_mark, failed_since
from interlock.engine.back import why_not_back
from interlock.engine.emergency import Knock
from interlock.engine.endings import GoBack, drive, way_on
from interlock.engine.events import Asker, Observer, RunBegan
from interlock.engine.execution import Execution, Stop, StopRequested
from interlock.engine.forward import go_forward, needs_no_answer, steps_undone_by_halting, what_was_undone
from interlock.engine.guard import Guard
from interlock.engine.identity import identities, see_not_overtaken, see_same_pair
from interlock.engine.interlock import Interlock
from interlock.engine.journal import Journal, Progress, RecordKind, read_progress
from interlock.engine.report import ProblemReport, RunReport, report_of
from interlock.engine.roles import PairRoles, pair_roles
from interlock.engine.segments import SegmentInterlock
from interlock.engine.states import EXIT_CODES, FINAL, Event, Lifecycle, State
from interlock.errors import DriverError, InterlockError, Refused, StepFailed, StoreFailed, UsageError
from interlock.model.topology import ClusterName, ServerName
from interlock.playbook.against import check_against, see_segments_left_alone
from interlock.playbook.catalogue import Catalogue
from interlock.playbook.inputs import resolve_inputs, scope_of
from interlock.playbook.load import parse_playbook
from interlock.playbook.tree import Playbook
from interlock.ports import Holder, RunHeader, Store, World

RESERVED_BYTES = 1 << 20
"""Room made for the records of one run before it begins: some sixty records of a switchover take a tenth of it."""


class Parser(Protocol):
    def __call__(self, text: str, *, file: str, catalogue: Catalogue) -> Playbook: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What every run needs, wired by `bootstrap`. `holder` makes the identity of this process for a run's name."""

    world: World
    store: Store
    catalogue: Catalogue
    clock: Clock
    observe: Observer
    ask: Asker
    stop: Stop
    holder: Callable[[str], Holder]
    redact: Callable[[str], str]
    parse: Parser = parse_playbook
    """How the playbook in a journal is read; a simulation, which resumes thousands of runs, remembers what it has read."""

    def start(
        self,
        playbook: Playbook,
        given: Mapping[str, str],
        run: str | None = None,
        *,
        knock: Knock | None = None,
        start_up_ms: float | None = None,
    ) -> RunReport:
        """Run a playbook from its beginning. PairBusy if another run holds the pair; every other end is in the report.

        Refused if there is a run of that name already: who begins it twice by mistake begins it once. Who was silent at a `knock` a moment
        ago is not asked again, for each time costs a time-out. `start_up_ms`: how long ago the command was given.
        """
        topology = self.world.topology
        check_against(playbook, topology)
        asked_at_s = self.clock.monotonic_s()
        roles = self._see_inputs(playbook, given, knock.silent if knock is not None else ())
        run = run or run_name(self.clock)
        lease = self.store.take_lease(topology.name, self.holder(run))
        guard = Guard(self.store, lease, self.world, self.clock)
        try:
            unfinished = self.world.unfinished_runs()
            self.world.present_run = run
            header = RunHeader(
                run=run, playbook=playbook.name, topology=topology.name, started_at=self.clock.wall(), state=State.CHECKING.value
            )
            journal = Journal(self.store, run, self.clock, self.redact, turn=self.world.turn)
            try:
                self.store.create_run(header)
            except StoreFailed as error:  # it may be another's run of that name: its state is left alone
                raise Refused(f"the run can't be recorded: {error.message}", hint=error.hint) from error
            try:
                self.store.reserve(run, RESERVED_BYTES)
                journal.write(
                    RecordKind.STARTED,
                    durable=True,
                    playbook=playbook.name,
                    text=playbook.text,
                    path=str(Path(playbook.path).absolute()) if playbook.path else "",  # `./hook` is found from anywhere, later
                    inputs=dict(given),
                    topology=topology.name,
                    topology_digest=topology.digest,
                    start_up_ms=start_up_ms,
                    holder=lease.holder,
                    epoch=lease.epoch,
                )
            except StoreFailed as error:
                with suppress(StoreFailed):  # it may fail at this too; then the next run says how to go on
                    self.store.set_state(run, State.REFUSED.value, State.REFUSED.value)
                raise Refused(f"the run can't be recorded: {error.message}", hint=error.hint) from error
            execution = self._execution(run, playbook, journal, guard, Progress())
            if needs_no_answer(playbook):
                guard.leave_out(roles.silent, asked_at_s)
                if knock is not None:
                    guard.leave_out(knock.silent, knock.at_s)
            drive(execution, lambda: self._begin(execution, given, unfinished))
            return report_of(header, journal.records)
        finally:
            guard.release()

    def _see_inputs(self, playbook: Playbook, given: Mapping[str, str], silent: Collection[ServerName]) -> PairRoles:
        """UsageError for inputs that no pair could make right, before anything is recorded. What this pair refuses, the run itself says."""
        roles = pair_roles(self.world, silent)
        with suppress(Refused):
            resolve_inputs(playbook, given, self.world.topology, writer=roles.writer, standby=roles.standby, unseen=roles.unseen)
        return roles

    def resume(self, run: str) -> RunReport:
        """Go on with an unfinished or halted run: forward, or back if it was on its way back."""
        return self._take_up(run, back=False)

    def roll_back(self, run: str) -> RunReport:
        """Take back an unfinished or halted run."""
        return self._take_up(run, back=True)

    # -- taking a run up again --

    def _take_up(self, name: str, *, back: bool) -> RunReport:
        header = self.store.header(name)
        topology = self.world.topology
        if header.topology != topology.name:
            raise UsageError(
                f"run {header.run} belongs to the pair {header.topology}, and the topology file is of {topology.name}",
                hint=f"give the topology file of {header.topology} with --topology",
            )
        lease = self.store.take_lease(topology.name, self.holder(header.run))
        guard = Guard(self.store, lease, self.world, self.clock)
        try:
            self.world.present_run = header.run
            self.store.reserve(header.run, RESERVED_BYTES)
            records = self.store.records(header.run)
            progress = read_progress(records)
            if progress.outcome in FINAL and header.outcome is None:  # it was killed between the two
                self.store.set_state(header.run, progress.outcome.value, progress.outcome.value)
                return report_of(header, records)
            if progress.outcome in FINAL:
                raise UsageError(f"run {header.run} has ended: {progress.outcome}", hint=f"`interlock show {header.run}`")
            see_same_pair(self.world, _mapping(progress.facts.get("masters")), header.run)
            see_not_overtaken(self.store, header, self.store.runs(topology.name))
            journal = Journal(self.store, header.run, self.clock, self.redact, records, turn=self.world.turn)
            if not progress.started:
                return self._never_began(header, journal)
            playbook = self.parse(
                str(progress.started["text"]),
                file=str(progress.started.get("path") or f"the journal of {header.run}"),
                catalogue=self.catalogue,
            )
            execution = self._execution(header.run, playbook, journal, guard, progress)
            execution.taken_over = True
            if back and not _was_going_back(progress) and (stuck := why_not_back(execution)):
                raise Refused(stuck, hint=way_on(header.run))
            journal.write(RecordKind.TAKEN_OVER, durable=True, holder=lease.holder, epoch=lease.epoch)
            self._settle_all()
            drive(execution, lambda: self._go_on(execution, progress, back=back))
            return report_of(header, journal.records)
        finally:
            guard.release()

    def _never_began(self, header: RunHeader, journal: Journal) -> RunReport:
        """Its process ended before the first record: nothing was touched, and what it was to do is not known."""
        problem = ProblemReport(what=f"run {header.run} was interrupted before it began; nothing was changed", hint="start it anew")
        refused = State.REFUSED
        journal.write(
            RecordKind.ENDED,
            durable=True,
            outcome=refused,
            exit_code=EXIT_CODES[refused],
            evidence={},
            problems=[problem],
            next_commands=(),
        )
        journal.set_state(refused, refused)
        return report_of(header, journal.records)

    def _settle_all(self) -> None:
        """Statements of the process that is gone may still land. A server that does not answer is met again by the steps."""
        for master in self.world.topology.masters():
            try:
                self.world.server(master.name).settle()
            except DriverError:
                continue

    def _go_on(self, execution: Execution, progress: Progress, *, back: bool) -> None:
        execution.observe(
            RunBegan(
                run=execution.run,
                playbook=execution.playbook.name,
                topology=self.world.topology.name,
                inputs=_texts(progress.inputs or {}),
                resumed=True,
            )
        )
        execution.guard.take_locks(again=True, tolerant=True)
        execution.interlock.recall_accepted(progress.accepted)
        execution.interlock.recall_given_up(progress.given_up)
        state = execution.life.now
        if state is State.CHECKING:
            execution.intents.clear()  # what only reads has ended with the process that began it
            if back:
                raise StopRequested("nothing was changed, so there is nothing to roll back")
            execution.passed.clear()
            self._begin(execution, _texts(_mapping(progress.started.get("inputs"))), ())
            return
        self._scope(execution, dict(progress.inputs or {}), progress.facts, progress.outputs)
        for server, kept in progress.kept.items():
            self.world.server(server).recall(_mapping(kept))
        if _was_going_back(progress):
            if state is State.HALTED:
                execution.move(Event.GO_BACK)
            raise GoBack("the run was on its way back")
        if back:
            execution.move(Event.GO_BACK)
            raise GoBack("the operator asked for the way back")
        if state is State.HALTED:
            execution.move(Event.GO_ON_OPENED if progress.opening else Event.GO_ON)
            execution.passed -= steps_undone_by_halting(execution)
        if undone := what_was_undone(execution):
            raise StepFailed(undone, hint="start a new run: what this one had checked is long ago")
        go_forward(execution)

    # -- one run --

    def _execution(self, run: str, playbook: Playbook, journal: Journal, guard: Guard, progress: Progress) -> Execution:
        interlock = Interlock(self.world, guard, journal)
        return Execution(
            run=run,
            playbook=playbook,
            catalogue=self.catalogue,
            world=self.world,
            journal=journal,
            guard=guard,
            interlock=interlock,
            segments=SegmentInterlock(self.world, guard, journal, interlock.given_up),
            clock=self.clock,
            observe=self.observe,
            ask=self.ask,
            stop=self.stop,
            life=Lifecycle(progress.state),
            scope={},
            passed=progress.passed,
            intents=progress.intents,
        )

    def _begin(self, execution: Execution, given: Mapping[str, str], unfinished: tuple[str, ...]) -> None:
        topology = self.world.topology
        execution.observe(RunBegan(run=execution.run, playbook=execution.playbook.name, topology=topology.name, inputs=dict(given)))
        if unfinished:
            raise Refused(
                f"run {unfinished[0]} of this pair is unfinished",
                hint=f"`interlock resume {unfinished[0]}` or `interlock rollback {unfinished[0]}`",
            )
        see_segments_left_alone(execution.playbook, topology, given)
        tolerant = needs_no_answer(execution.playbook)
        try:
            execution.guard.take_locks(again=False, tolerant=tolerant)
        except DriverError as error:
            raise self._or_failed_before(error) from error
        silent = execution.guard.silent() if tolerant else set[ServerName]()
        roles = pair_roles(self.world, silent)
        inputs = resolve_inputs(execution.playbook, given, topology, writer=roles.writer, standby=roles.standby, unseen=roles.unseen)
        facts = {"writer": roles.writer, "standby": roles.standby, "masters": identities(self.world, tolerant=tolerant, silent=silent)}
        execution.journal.write(RecordKind.RESOLVED, inputs=inputs, facts=facts)
        self._scope(execution, inputs, facts, {})
        go_forward(execution)

    def _or_failed_before(self, error: DriverError) -> InterlockError:
        """Of a server that a failover took the writes from, it is its rejoin that is wanting, whatever was to be done with it."""
        cluster = self.world.topology.server(error.server).cluster if error.server else None
        mark = failed_mark(cluster, self.world.marks.all()) if cluster else None
        if mark is None:
            return error
        return Refused(
            f"{cluster} {failed_since(mark)}, and has not rejoined; {error.message}",
            hint=f"start its server, fenced, then `interlock rejoin {cluster}`",
        )

    def _scope(
        self, execution: Execution, inputs: Mapping[str, object], facts: Mapping[str, object], outputs: Mapping[str, Mapping[str, object]]
    ) -> None:
        scope = scope_of(inputs, self.world.topology, _cluster(facts.get("writer")), _cluster(facts.get("standby")))
        execution.scope |= {**scope, **outputs}


def _was_going_back(progress: Progress) -> bool:
    return progress.state is State.ROLLING_BACK or (progress.state is State.HALTED and progress.was_going_back)


def run_name(clock: Clock) -> str:
    """The moment it began, to the millisecond in UTC: sorts by time, and one pair has one run at a time."""
    at = clock.wall()
    return f"{at:%Y%m%d-%H%M%S}-{at.microsecond // 1000:03d}"


def _cluster(value: object) -> ClusterName | None:
    return ClusterName(value) if isinstance(value, str) else None


def _mapping(value: object) -> dict[str, object]:
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else {}


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in values.items() if value is not None}
