"""Judges a night that was played: what each outcome promises, held against what the pair, the journal and the clients' ledger show."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.dataclass import dataclass
from interlock.engine.journal import read_progress
from interlock.engine.states import FINAL, State
from interlock.errors import StoreFailed
from interlock.model.effects import Fence, Open
from interlock.model.topology import ServerName
from interlock.playbook.catalogue import Role
from interlock.playbook.tree import Parallel, Playbook
from interlock.ports import Record, RunHeader
from interlock.simulated.checkers import Shape, Watch, history, shape_of
from interlock.simulated.declared import all_declared
from interlock.simulated.faults import Faults
from interlock.simulated.own import Own
from interlock.simulated.pair import SimulatedPair
from interlock.simulated.schedules import Rival, Schedule
from interlock.simulated.store import MemoryStore
from interlock.simulated.variants import BEARS, expected_end


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """`before`: the healthy pair, before the night's sickness and its first run."""

    schedule: Schedule
    playbook: Playbook
    own: Own | None
    pair: SimulatedPair
    store: MemoryStore
    faults: Faults
    watch: Watch
    before: Shape

    def judge_first(self, end: str) -> None:
        """How the first process must have ended, where nothing or everything stood against it."""
        schedule, note = self.schedule, self.watch.note
        must_be_healthy = (self.own is None or _opens(self.playbook)) and schedule.sickness not in BEARS.get(self.playbook.name, ())
        undisturbed = not any(schedule.kills) and schedule.rival is None and schedule.store is None
        if must_be_healthy and schedule.sickness is not None and undisturbed:
            if not end.startswith(("refused", "Refused", "killed")) or self.pair.sent:
                note(f"health: {schedule.sickness}, and the run ended as {end}, with {len(self.pair.sent)} effects sent")
        elif schedule.is_quiet and schedule.rival in {None, Rival.SAME_STORE}:
            expected = self._expected_end()
            if expected not in {None, end}:
                note(f"quiet: nothing stood against it, and it ended as {end}, not as {expected}")
        if end.startswith("StoreFailed") and self.pair.sent:
            note(f"store: the run stopped half-way: {end}")

    def judge(self, ends: Sequence[str], *, abandoned: bool) -> None:
        """What the whole night left, after all was mended. `abandoned`: nobody ended the run, and only what was never allowed is judged."""
        note = self.watch.note
        first = next(end for end in ends if not end.startswith("rival "))
        rival_works = any(sent.process == "rival" for sent in self.pair.sent)
        if first.startswith("PairBusy") and self.schedule.rival is Rival.SAME_STORE and not self.schedule.faults and not rival_works:
            note(f"one operator: nobody works, for the first one was stopped: {first}")
        headers = self.store.runs(None)
        outcome = last_that_worked(self.store).outcome if headers else State.REFUSED.value
        if not abandoned:
            self._judge_journals(headers)
        for broken in history(self.pair) if not self.faults.opened_by_start else ():
            note(broken)
        if abandoned:
            return
        if outcome is None or State(outcome) not in FINAL:
            note(f"outcome: all is mended, and the run is {outcome or 'unfinished'} ({' / '.join(ends)})")
        elif self.schedule.rival is None and not self.faults.opened_by_start:
            self._judge_end(outcome)

    def _expected_end(self) -> str | None:
        """None: nobody can know. A gate that is refused ends an own playbook somewhere on its way."""
        if self.own is None:
            return expected_end(self.playbook, answer=self.schedule.answer)
        return self.own.expect if self.schedule.answer else None

    def _judge_journals(self, headers: Sequence[RunHeader]) -> None:
        for header in headers:
            records = self.store.records(header.run)
            said = self._outcome_of(records)
            if records and header.outcome != (said.value if said else None):
                self.watch.note(f"journal: {header.run} has ended as {said} by its journal, and as {header.outcome} by its header")

    def _outcome_of(self, records: Sequence[Record]) -> State | None:
        try:
            return read_progress(records).outcome
        except StoreFailed as unreadable:
            self.watch.note(f"journal: {unreadable.message}")
            return None

    def _judge_end(self, outcome: str) -> None:
        """One run alone: the pair is as its outcome says."""
        pair, note = self.pair, self.watch.note
        now = shape_of(pair)
        touched = {sent.effect.server: sent.at_s for sent in pair.sent if isinstance(sent.effect, Fence | Open)}
        closed_by_crash = {name for name, at_s in self.faults.crashed.items() if touched.get(ServerName(name), 0.0) < at_s}
        if closed_by_crash & {"west" if outcome == State.SUCCEEDED else "east"}:
            return  # an option file has closed the writer, not the run
        if outcome == State.SUCCEEDED:
            if _opens(self.playbook) and (now.writers, now.leads_to, now.holding) != (("west",), ("west",), False):
                note(f"end: it succeeded, and {now} is left")
            if all_declared(pair.east) != all_declared(pair.west):
                note("end: it succeeded, and the sides declare their tables differently")
            if cut := pair.east.cut | pair.west.cut:
                note(f"end: it succeeded, and {len(cut)} rows came to a side without a column of theirs, such as {min(cut)}")
        elif now != self.before:
            note(f"undo: it is {outcome}, and {_difference(self.before, now)}")
        for name in now.writers:
            if missing := pair.missing(name):
                note(f"end: {name} takes writes without {len(missing)} acknowledged keys, such as {min(missing)}")


def last_that_worked(store: MemoryStore) -> RunHeader:
    """The newest run that was not refused; whatever was left before it, it has moved on from there. There must be a run."""
    headers = store.runs(None)
    return next((header for header in headers if header.outcome != State.REFUSED), headers[-1])


def _opens(playbook: Playbook) -> bool:
    steps = [step for phase in playbook.phases for item in phase.steps for step in (item.steps if isinstance(item, Parallel) else (item,))]
    return any(step.spec.role is Role.OPENS for step in steps)


def _difference(before: Shape, now: Shape) -> str:
    names = [name for name in Shape.__slots__ if getattr(before, name) != getattr(now, name)]
    return "; ".join(f"{name} is {getattr(now, name)!r}, was {getattr(before, name)!r}" for name in names)
