"""A repair in the store: as a run of one step, for `runs`, `show`, and whoever must know that one is unfinished.

What was written is known by the servers themselves (`losses/applied.py`). The journal keeps what they can't: that a fence was let ajar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from interlock.cli.held_pair import Held
from interlock.cli.repair import PLAYBOOK
from interlock.engine.journal import Entry, Journal, RecordKind
from interlock.engine.report import ProblemReport
from interlock.engine.states import EXIT_CODES, State
from interlock.ports import Record, RunHeader

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring

_FENCE = "fence"


def beginning(wiring: Wiring, held: Held, inputs: Mapping[str, object]) -> list[Entry]:
    """And the run is in the store from now on, without an outcome."""
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


def going_on(held: Held) -> list[Entry]:
    lease = held.guard.lease
    return [Entry(RecordKind.TAKEN_OVER, {"holder": lease.holder, "epoch": lease.epoch})]


def letting_ajar(server: str, fence: str, script: Sequence[str], undo: Sequence[str]) -> list[Entry]:
    """Before the fence of a server is let ajar, which was `fence`."""
    its = {"step": _FENCE, "action": "server.fence", "before": {"server": server, "fence": fence}, "script": tuple(script)}
    return [Entry(RecordKind.INTENDED, {**its, "args": {"server": server}, "undo": tuple(undo)}), Entry(RecordKind.ACTING, its)]


def shut_again(why: str) -> list[Entry]:
    return [Entry(RecordKind.DONE, {"step": _FENCE, "action": "server.fence", "why": why, "warnings": (), "outputs": {}, "ms": None})]


def left_ajar(records: Sequence[Record]) -> tuple[str, str] | None:
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


def end(
    wiring: Wiring,
    journal: Journal,
    held: Held,
    *,
    action: str,
    why: str,
    outcome: State,
    outputs: Mapping[str, object],
    left: Sequence[ProblemReport],
    before: Sequence[Entry] = (),
) -> None:
    """`before` are entries that go with it."""
    ms = (wiring.clock.wall() - held.at).total_seconds() * 1000
    ended = {"outcome": outcome, "exit_code": int(EXIT_CODES[outcome]), "evidence": {}, "problems": tuple(left), "next_commands": ()}
    journal.write_all(
        [
            *before,
            Entry(RecordKind.DONE, {"step": PLAYBOOK, "action": action, "why": why, "warnings": (), "outputs": outputs, "ms": ms}),
            Entry(RecordKind.PHASE, {"phase": PLAYBOOK, "event": "ended", "ms": ms}),
            Entry(RecordKind.ENDED, ended),
        ],
        durable=True,
    )
    journal.set_state(outcome, outcome)
