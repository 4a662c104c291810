"""A repair of a channel or of losses in the store: as a run of one phase, for `runs`, `show`, and whoever must know that one is unfinished.
What a comparison found is mended by a playbook (`playbooks/repair.yaml`).

Which rows were written is known by the servers themselves (`losses/applied.py`). The journal keeps what they can't: that a fence was let
ajar, and the inverse of what has no note.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from interlock.cli.context import Answer
from interlock.cli.held_pair import Held, held_pair
from interlock.dataclass import dataclass
from interlock.diff.ajar import WITHIN_S, ajar, lesser_fence, shut
from interlock.engine.identity import overtaken_by
from interlock.engine.journal import Entry, Journal, RecordKind
from interlock.engine.report import ProblemReport
from interlock.engine.states import EXIT_CODES, State
from interlock.errors import DriverError, ExitCode
from interlock.model.effects import Fence
from interlock.model.marks import MarkKind
from interlock.ports import Record, RunHeader, Server

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring

PLAYBOOK = "repair"
_FENCE = "fence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A repair that has the pair. `own` is the run that it goes on with, if it does."""

    wiring: Wiring
    held: Held
    journal: Journal
    own: RunHeader | None

    @property
    def mark(self) -> str:
        return f"{self.held.run}/{PLAYBOOK}"

    def check(self) -> None:
        """LeaseLost or StepFailed if the pair is not ours."""
        self.held.guard.check({one.name for one in self.wiring.topology.masters()})

    def begin(self, inputs: Mapping[str, object], server: Server) -> None:
        """From now on the run is in the store, without an outcome. Refused before that if the server can't be made `writable`."""
        lesser_fence(server, server.write_facts())
        if self.own is None:
            self.journal.write_all(beginning(self.wiring, self.held, inputs), durable=True)

    @contextmanager
    def writable(self, server: Server) -> Iterator[None]:
        """Our account may write rows there, and clients may not if they might not before."""
        seen = server.write_facts()
        wanted = lesser_fence(server, seen)
        if not wanted:
            yield
            return
        script, undo = (server.script(Fence(server=server.name, within_s=WITHIN_S, as_was=one)) for one in (wanted, seen.fence))
        self.acting(_FENCE, "server.fence", before={"server": server.name, "fence": seen.fence}, script=script, undo=undo)
        with ajar(server, fence=seen.fence, lesser_one=wanted, mark=self.mark):
            yield
        self.done(_FENCE, "server.fence", f"{server.name} was mended, and its fence put back")

    def acting(self, step: str, action: str, *, before: Mapping[str, object], script: Sequence[str], undo: Sequence[str]) -> None:
        """Durable before the effect."""
        its = {"step": step, "action": action, "before": before, "script": tuple(script)}
        intended = Entry(RecordKind.INTENDED, {**its, "args": {}, "undo": tuple(undo)})
        self.journal.write_all([intended, Entry(RecordKind.ACTING, its)], durable=True)

    def done(self, step: str, action: str, why: str) -> None:
        self.journal.write_all([_done(step, action, why, {}, None)], durable=True)

    def end(self, *, action: str, why: str, outcome: State, outputs: Mapping[str, object], left: Sequence[ProblemReport] = ()) -> None:
        entries = ending(self.wiring, self.held, action=action, why=why, outcome=outcome, outputs=outputs, left=left)
        self.journal.write_all(entries, durable=True)
        self.journal.set_state(outcome, outcome)


def end_without(job: Job, action: str, gone: DriverError) -> Answer:
    """A run that can't go on while a server is away must not keep a failover away. What it did is noted with the rows."""
    hint = "type the repair again once it answers: it goes on where it was"
    left = [ProblemReport(what=gone.message, hint=hint)]
    job.end(action=action, why=f"left as it is: {gone.message}", outcome=State.HALTED, outputs={}, left=left)
    plain = {"run": job.held.run, "outcome": State.HALTED.value, "exit_code": int(ExitCode.HALTED), "problems": [gone.message]}
    said = f"halted, and left as it is: {gone.message}\n{hint}"
    return Answer(plain=plain, text=lambda _: said, exit_code=ExitCode.HALTED, complains=True)


@contextmanager
def repair_job(wiring: Wiring, own: RunHeader | None) -> Iterator[Job]:
    """With the pair held; a fence that a killed repair had let ajar is put back before anything else. See `held_pair` for who is refused:
    that a cluster is quiesced keeps no repair away.
    """
    quiesced = next((mark.subject for mark in wiring.store.marks(wiring.topology.name) if mark.kind is MarkKind.QUIESCED), "")
    with held_pair(wiring, but_quiesced=quiesced, again=own.run if own is not None else "") as held:
        earlier = wiring.store.records(held.run) if own is not None else ()
        journal = Journal(wiring.store, held.run, wiring.clock, wiring.secrets.redact, earlier)
        job = Job(wiring=wiring, held=held, journal=journal, own=own)
        if own is not None:
            lease = held.guard.lease
            journal.write_all([Entry(RecordKind.TAKEN_OVER, {"holder": lease.holder, "epoch": lease.epoch})], durable=True)
        left = _left_ajar(earlier)
        if left is not None:
            server, fence = left
            words = shut(wiring.world.server(server), fence=fence, mark=job.mark)
            job.done(_FENCE, "server.fence", f"{words}, after the repair was killed")
        yield job


def unfinished_repair(wiring: Wiring, wanted: Mapping[str, object]) -> RunHeader | None:
    """The one that was left in its middle and began with these inputs, among others."""
    headers = wiring.store.runs(wiring.topology.name)
    for header in headers:
        is_open = header.outcome is None or (header.outcome == State.HALTED and overtaken_by(wiring.store, header, headers) is None)
        if header.playbook == PLAYBOOK and is_open:
            inputs = inputs_of(wiring.store.records(header.run))
            if all(inputs.get(name) == value for name, value in wanted.items()):
                return header
    return None


def inputs_of(records: Sequence[Record]) -> Mapping[str, object]:
    """Those that a repair began with; none if it came to nothing."""
    inputs = records[0].body.get("inputs") if records else None
    return inputs if isinstance(inputs, Mapping) else {}


def beginning(wiring: Wiring, held: Held, inputs: Mapping[str, object]) -> list[Entry]:
    """Makes the run in the store."""
    topology, lease = wiring.topology, held.guard.lease
    header = RunHeader(run=held.run, playbook=PLAYBOOK, topology=topology.name, started_at=held.at, state=State.CHANGING.value)
    wiring.store.create_run(header)
    started = {
        "playbook": PLAYBOOK,
        "text": "",
        "path": "",
        "inputs": inputs,
        "topology": topology.name,
        "topology_digest": topology.digest,
        "holder": lease.holder,
        "epoch": lease.epoch,
    }
    return [
        Entry(RecordKind.STARTED, started),
        Entry(RecordKind.RESOLVED, {"inputs": inputs, "facts": {}}),
        Entry(RecordKind.PHASE, {"phase": PLAYBOOK, "event": "began"}),
    ]


def ending(
    wiring: Wiring,
    held: Held,
    *,
    action: str,
    why: str,
    outcome: State,
    outputs: Mapping[str, object],
    left: Sequence[ProblemReport],
) -> list[Entry]:
    ms = (wiring.clock.wall() - held.at).total_seconds() * 1000
    ended = {"outcome": outcome, "exit_code": int(EXIT_CODES[outcome]), "evidence": {}, "problems": tuple(left), "next_commands": ()}
    return [
        _done(PLAYBOOK, action, why, outputs, ms),
        Entry(RecordKind.PHASE, {"phase": PLAYBOOK, "event": "ended", "ms": ms}),
        Entry(RecordKind.ENDED, ended),
    ]


def _done(step: str, action: str, why: str, outputs: Mapping[str, object], ms: float | None) -> Entry:
    return Entry(RecordKind.DONE, {"step": step, "action": action, "why": why, "warnings": (), "outputs": outputs, "ms": ms})


def _left_ajar(records: Sequence[Record]) -> tuple[str, str] | None:
    """The server whose fence nobody was seen to put back, and that fence."""
    found = None
    for record in records:
        if record.body.get("step") != _FENCE:
            continue
        before = record.body.get("before")
        if record.kind == RecordKind.INTENDED and isinstance(before, Mapping):
            found = str(before["server"]), str(before["fence"])
        elif record.kind == RecordKind.DONE:
            found = None
    return found
