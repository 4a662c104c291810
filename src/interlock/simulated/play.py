"""Plays one night: a schedule on a fresh pair, the real engine and playbooks, until the run has a named outcome; `judge.py` then judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import partial

from interlock.dataclass import dataclass
from interlock.decisions.leases import Liveness
from interlock.engine.events import RunEvent
from interlock.engine.execution import Stop
from interlock.engine.report import RunReport
from interlock.engine.runs import Engine
from interlock.engine.states import FINAL, State
from interlock.errors import InterlockError, PairBusy, Refused, StoreFailed, UsageError
from interlock.model.facts import EventFacts
from interlock.playbook.catalogue import Catalogue
from interlock.playbook.tree import Playbook
from interlock.ports import Holder, Record
from interlock.simulated.actor import Actor
from interlock.simulated.checkers import Watch, shape_of
from interlock.simulated.crowd import Crowd
from interlock.simulated.faults import Faults, sicken
from interlock.simulated.judge import Judge, last_that_worked
from interlock.simulated.own import Own
from interlock.simulated.pair import Sent, SimulatedPair, simulated_pair
from interlock.simulated.process import ProcessKilled, SimulatedProcess
from interlock.simulated.schedules import FaultKind, Recovery, Rival, Schedule
from interlock.simulated.store import MemoryStore
from interlock.simulated.store_faults import ProcessStore
from interlock.simulated.variants import GIVEN, known, parsed, playbooks
from interlock.simulated.world import SimulatedWorld

ATTEMPT_BOUND_S = 200.0
"""Virtual time that one process may take, whatever happens to it."""

_LATE = {FaultKind.LATE_FENCE, FaultKind.LATE_OPEN, FaultKind.LATE_AND_KILLED}
_LAST_TRIES = (Recovery.RESUME, Recovery.RESUME, Recovery.ROLL_BACK)
_NAMED = (PairBusy, Refused, StoreFailed, UsageError)
"""Ends of a command that have an exit code of their own."""


@dataclass(slots=True, kw_only=True)
class Played:
    """`violations` in the order in which they were noted; `ends` how each process ended, `why` what the reports gave as reasons; `story`
    what happened, if it was asked for.
    """

    schedule: Schedule
    violations: list[str]
    ends: list[str]
    moves: int
    virtual_s: float
    story: list[str] = field(default_factory=list)
    why: list[str] = field(default_factory=list)


def play(schedule: Schedule, *, tell: bool = False, books: Mapping[str, Playbook] | None = None, own: Own | None = None) -> Played:
    """The same schedule plays the same way, always. `own`: the playbook is somebody's own, and how it should end is theirs to say."""
    night = Night(schedule, (books or playbooks())[schedule.playbook], tell=tell, own=own)
    night.play()
    return Played(
        schedule=schedule,
        violations=night.pair.violations,
        ends=night.ends,
        moves=night.moves,
        virtual_s=night.pair.clock.monotonic_s(),
        story=night.story,
        why=night.why,
    )


class Night:
    """One schedule under way."""

    def __init__(self, schedule: Schedule, playbook: Playbook, *, tell: bool, own: Own | None = None) -> None:
        self.schedule = schedule
        self.playbook = playbook
        self.pair: SimulatedPair = simulated_pair(clients=0, flavor=schedule.flavor)
        self.store = MemoryStore(self.pair.clock, self._look)
        self.faults = Faults(self.pair, self._kill)
        self.watch = Watch(self.pair, self.faults, SimulatedWorld(self.pair, SimulatedProcess("watch"), self.store))
        self.store.on_append.append(self.watch.appended)
        self.ends: list[str] = []
        self.story: list[str] = []
        self.why: list[str] = []
        self.moves = 0
        self._own = own
        self._failing: ProcessStore | None = None
        self._tells = tell
        self._processes: dict[str, SimulatedProcess] = {}
        self._waiting = sorted(schedule.faults, key=lambda fault: fault.at_move)
        self._judge: Judge
        self._mend_sickness: Callable[[], None] = _nothing
        self._arrange()

    def _arrange(self) -> None:
        pair, schedule = self.pair, self.schedule
        pair.to_west.delay_s, pair.to_east.delay_s = schedule.delays_s
        if schedule.events and not any(fault.kind is FaultKind.CRASH_UNFENCED for fault in schedule.faults):
            pair.east.scheduler = "ON"
            pair.east.events = (EventFacts(schema="app", name="tick", definer="root@localhost", passes_read_only=True),)
        if self._own is not None:
            self._own.prepare(pair)
        Crowd.of(pair, schedule.clients)
        if self._tells:
            pair.on_sent.append(self._tell_sent)
        pair.clock.sleep(0.1)
        self._judge = Judge(
            schedule=schedule,
            playbook=self.playbook,
            own=self._own,
            pair=pair,
            store=self.store,
            faults=self.faults,
            watch=self.watch,
            before=shape_of(pair),
        )
        if schedule.sickness is not None:
            self._mend_sickness = sicken(pair, schedule.sickness)

    # -- the night

    def play(self) -> None:
        rival = self._begin_rival()
        self._attempt(None)
        self._judge.judge_first(self.ends[-1])
        abandoned, recoveries = False, list(self.schedule.recoveries)
        while recoveries and not self._ended():
            recovery = recoveries.pop(0)
            if recovery is Recovery.ABANDON:
                abandoned = True
                break
            self.pair.clock.sleep(0.2)
            self._attempt(recovery)
        never = [str(fault) for fault in self._waiting] + [f"recovery {recovery}" for recovery in recoveries]
        self._waiting.clear()
        self._mend_sickness()
        self.faults.mend_all()
        self._tell("all is mended")
        self.pair.west.settings["x"] = "never"  # a person mends what a failing check had found
        if rival is not None:
            self.pair.clock.wait_until(lambda: rival.ended, 3 * ATTEMPT_BOUND_S)
            rival.join()
        self.pair.clock.sleep(3.0)
        for recovery in () if abandoned else _LAST_TRIES:
            if self._ended():
                break
            self._attempt(recovery)
        late = any(fault.kind in _LATE for fault in self.schedule.faults)
        self.pair.clock.sleep(25.0 if late else 1.5)
        self._judge.judge(self.ends, abandoned=abandoned)
        for what in [*never, *self._others_that_never_came()]:
            self._tell(f"never struck: {what}")

    def _attempt(self, recovery: Recovery | None) -> None:
        number = len(self._processes)
        kills = self.schedule.kills
        kill_at = kills[number] if number < len(kills) and self.schedule.rival is None else 0
        engine = self._engine(f"process {number + 1}", kill_at or None, self.store)
        began_s = self.pair.clock.monotonic_s()
        self.watch.program_begins()
        self._tell(f"process {number + 1}: {recovery or 'run'}")
        if recovery is None:
            end = self._ending_of(lambda: engine.start(self.playbook, self._inputs()))
        elif not self.store.runs(None):
            return
        else:
            run = last_that_worked(self.store).run
            end = self._ending_of(lambda: (engine.resume if recovery is Recovery.RESUME else engine.roll_back)(run))
        self.watch.program_ends()
        took_s = self.pair.clock.monotonic_s() - began_s
        if took_s > ATTEMPT_BOUND_S:
            self.watch.note(f"bound: process {number + 1} took {took_s:.0f}s, limit {ATTEMPT_BOUND_S:.0f}s")
        process = self._processes[f"process {number + 1}"]
        if process.is_dead and self.schedule.power_fails:
            self.store.lose_power()
            self.watch.power_failed({header.run: self.store.records(header.run) for header in self.store.runs(None)})
        process.kill()
        self.ends.append(end)
        self._tell(f"process {number + 1} ends: {end}")

    def _ending_of(self, go: Callable[[], RunReport], since: int = 0) -> str:
        """How a process ended, in a word. Whatever is no outcome and has no exit code is noted: it must not happen.

        `since` is how many effects had been sent when its run began.
        """
        try:
            report = go()
        except ProcessKilled:
            return "killed"
        except _NAMED as error:
            self.why.append(error.message)
            return f"{type(error).__name__}: {error.message}"
        except InterlockError as error:
            self.watch.note(f"crash: {type(error).__name__}: {error.message}")
        except Exception as error:  # noqa: BLE001 - the program's own crash is what is looked for
            self.watch.note(f"crash: {type(error).__name__}: {error}")
        else:
            self.why += [problem.what for problem in report.problems]
            if report.outcome == State.HALTED:
                self.watch.halted([problem.what for problem in report.problems], since=since)
            elif report.outcome not in FINAL:
                self.watch.note(f"outcome: {report.outcome} is none")
            return str(report.outcome)
        return "crashed"

    def _begin_rival(self) -> Actor | None:
        rival = self.schedule.rival
        if rival is None:
            return None
        if rival is Rival.TAKES_OVER:
            self.store.on_append.append(self._fall_asleep)
            return None
        store = MemoryStore(self.pair.clock, self._look) if rival is Rival.OWN_STORE else self.store
        if store is not self.store:
            store.on_append.append(self.watch.appended)
        if rival is Rival.FROM_AFAR:
            self.pair.clock.after(self.schedule.rival_at_s, partial(self.pair.clock.jump, 45.0))
        engine = self._engine("rival", None, store)

        def go() -> None:
            self.pair.clock.sleep(self.schedule.rival_at_s)
            since = len(self.pair.sent)
            self.ends.append(f"rival {self._ending_of(lambda: engine.start(self.playbook, self._inputs()), since)}")
            self._processes["rival"].kill()

        return self.pair.clock.begin(go)

    def _fall_asleep(self, run: str, records: Sequence[Record], _durable: bool) -> None:  # noqa: FBT001 - the store's own word
        """The first one's machine sleeps: its connections end, and their locks; another one takes the run over, and then it wakes up."""
        first = self._processes["process 1"]
        if records[-1].seq != int(100 * self.schedule.rival_at_s) or first.is_dead or "rival" in self._processes:
            return
        self._tell("process 1 falls asleep")
        for database in (self.pair.east, self.pair.west):
            for name in [name for name, holder in database.locks.items() if holder == first.name]:
                del database.locks[name]
            first.cut_off.add(database.name)
        self.pair.clock.sleep(60.0)
        self.watch.program_begins()
        engine = self._engine("rival", None, self.store)
        self.ends.append(f"rival {self._ending_of(lambda: engine.resume(run))}")
        self._processes["rival"].kill()
        self._tell(f"{self.ends[-1]}; process 1 wakes up")

    # -- wiring

    def _inputs(self) -> Mapping[str, str]:
        return GIVEN.get(self.playbook.name, {}) if self._own is None else self._own.inputs

    def _engine(self, name: str, kill_at: int | None, store: MemoryStore) -> Engine:
        process = self._processes[name] = SimulatedProcess(name, kill_at, self._moved)
        fault = self.schedule.store if len(self._processes) == 1 else None
        used = ProcessStore(
            store,
            process,
            fails_at=fault.at_record if fault else None,
            dead=bool(fault and fault.dead),
            writes=fault.writes if fault else None,
        )
        self._failing = used if fault else self._failing
        self.watch.store_fails = fault is not None
        return Engine(
            world=SimulatedWorld(self.pair, process, used),
            store=used,
            catalogue=known(),
            clock=self.pair.clock,
            observe=self._observe,
            ask=lambda _: self.schedule.answer,
            stop=Stop(),
            holder=lambda run: Holder(user="ops", host="here", pid=1, process_started=name, run=run),
            redact=str,
            parse=_parse,
        )

    def _look(self, holder: Holder) -> Liveness:
        if self.schedule.rival in {Rival.FROM_AFAR, Rival.TAKES_OVER} and not self._processes[holder.process_started].is_dead:
            return Liveness.UNKNOWN
        return Liveness.GONE if self._processes[holder.process_started].is_dead else Liveness.ALIVE

    def _moved(self) -> None:
        self.moves += 1
        while self._waiting and self._waiting[0].at_move <= self.moves:
            fault = self._waiting.pop(0)
            self._tell(f"fault: {fault}")
            self.faults.strike(fault)

    def _kill(self) -> None:
        last = list(self._processes.values())[-1]
        self._tell(f"{last.name} is killed")
        last.kill()

    def _ended(self) -> bool:
        if not self.store.runs(None):
            return True
        outcome = last_that_worked(self.store).outcome
        return outcome is not None and State(outcome) in FINAL

    # -- the story

    def _others_that_never_came(self) -> list[str]:
        """Kills (the process ended before, or was never begun), the store's fault, and one that takes over, if it had no occasion."""
        moves = {name: process.moves for name, process in self._processes.items()}
        alone, store = self.schedule.rival is None, self.schedule.store
        never = [
            f"kill of process {number} at its move {move}"
            for number, move in enumerate(self.schedule.kills, start=1)
            if move and not (alone and moves.get(f"process {number}", 0) >= move)
        ]
        if store is not None and not (self._failing and self._failing.has_failed):
            never.append(str(store))
        return never if alone or "rival" in self._processes else [*never, f"a second operator {self.schedule.rival}"]

    def _tell(self, what: str) -> None:
        if self._tells:
            self.story.append(f"{self.pair.clock.monotonic_s():9.4f}s move {self.moves:4d}  {what}")

    def _observe(self, event: RunEvent) -> None:
        if self._tells:
            self._tell(f"  {event}")

    def _tell_sent(self, sent: Sent) -> None:
        self._tell(f"  {sent.process} sends {sent.effect}")


def _parse(text: str, *, file: str, catalogue: Catalogue) -> Playbook:
    del file, catalogue
    return parsed(text)


def _nothing() -> None:
    """There is nothing to mend."""
