"""A run that ends by SIGKILL at a chosen write of its journal: `killed_command.py TOPOLOGY STORE KIND NUMBER`, then what it does.

That is `run PLAYBOOK TO`, `resume RUN` or `rollback RUN`. KIND `before` and `after` count the appends to the journal, `state` the updates
of the run's header, from 1; `before done fence/server.fence_outside` only the appends of a record of that kind and step. With number 0 it
runs to its end and prints how many of each there were. It is the engine that the command uses, wired as the command wires it; the store
alone is ours.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from interlock.bootstrap import Wiring, read_topology
from interlock.clock import SystemClock
from interlock.engine.events import RunEvent
from interlock.engine.execution import Stop
from interlock.engine.report import RunReport
from interlock.playbook.load import load_playbook
from interlock.ports import Record
from interlock.stores.database import open_database
from interlock.stores.open import sqlite_path
from interlock.stores.sqlite import SqliteStore


@dataclass(slots=True, kw_only=True)
class Fate:
    """Counts each kind of moment, and ends the process at the one that it was given."""

    kind: str
    number: int
    counted: dict[str, int]

    def reach(self, kind: str) -> None:
        self.counted[kind] = self.counted.get(kind, 0) + 1
        if kind == self.kind and self.counted[kind] == self.number:
            os.kill(os.getpid(), signal.SIGKILL)


class DoomedStore(SqliteStore):
    fate: Fate

    def append(self, run: str, records: Sequence[Record], /, *, durable: bool) -> None:
        self._reach("before", records)
        super().append(run, records, durable=durable)
        self._reach("after", records)

    def _reach(self, when: str, records: Sequence[Record]) -> None:
        self.fate.reach(when)
        for record in records:
            self.fate.reach(f"{when} {record.kind} {record.body.get('step', '')}".rstrip())

    def set_state(self, run: str, state: str, outcome: str | None, /) -> None:
        super().set_state(run, state, outcome)
        self.fate.reach("state")


def main(words: Sequence[str]) -> int:
    topology, store, kind, number, *does = words
    fate = Fate(kind=kind, number=int(number), counted={})
    wiring = Wiring(read_topology(Path(topology)), store)
    wiring.store.close()
    doomed = DoomedStore(open_database(sqlite_path(store)), SystemClock())
    doomed.fate = fate
    wiring.store = doomed
    wiring.world._store = doomed
    try:
        report = _carry_out(wiring, does)
    finally:
        wiring.close()
    sys.stdout.write(json.dumps({"outcome": report.outcome, **fate.counted}) + "\n")
    return 0


def _carry_out(wiring: Wiring, does: Sequence[str]) -> RunReport:
    engine = wiring.engine(_unseen, lambda _: False, Stop())
    match does:
        case "run", playbook, to:
            return engine.start(load_playbook(Path(playbook), wiring.catalogue), {"to": to})
        case "resume", run:
            return engine.resume(run)
        case "rollback", run:
            return engine.roll_back(run)
        case _:
            raise SystemExit(f"usage: {__doc__}")


def _unseen(_event: RunEvent) -> None:
    return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
