"""What the contract suite needs to know of each kind of store. A new kind joins by a line in `KINDS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from interlock.decisions.leases import Liveness
from interlock.ports import Holder, Record, RunHeader, Store
from interlock.simulated.store import MemoryStore
from interlock.stores.database import open_database
from interlock.stores.sqlite import SqliteStore

START = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


class HandClock:
    """Time moves when a test says so."""

    def __init__(self) -> None:
        self.now = START

    def monotonic_s(self) -> float:
        return (self.now - START).total_seconds()

    def wall(self) -> datetime:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(slots=True)
class Place:
    """Where one store lies: `open` gives a handle to it, as another process would get one. `seen` is what is found out of each pid."""

    open: Callable[[], Store]
    clock: HandClock
    seen: dict[int, Liveness] = field(default_factory=dict)


def _sqlite(folder: Path, clock: HandClock, look: Callable[[Holder], Liveness]) -> Callable[[], Store]:
    return lambda: SqliteStore(open_database(folder / "store" / "interlock.db"), clock, look)


def _memory(_: Path, clock: HandClock, look: Callable[[Holder], Liveness]) -> Callable[[], Store]:
    store = MemoryStore(clock, look)
    return lambda: store


KINDS = {"sqlite": _sqlite, "memory": _memory}


def place(kind: str, folder: Path) -> Place:
    seen: dict[int, Liveness] = {}
    clock = HandClock()
    return Place(open=KINDS[kind](folder, clock, lambda holder: seen.get(holder.pid, Liveness.UNKNOWN)), clock=clock, seen=seen)


def header(run: str, *, topology: str = "shop", minutes: float = 0, outcome: str | None = None) -> RunHeader:
    began = START + timedelta(minutes=minutes)
    return RunHeader(run=run, playbook="switchover", topology=topology, started_at=began, state="preflight", outcome=outcome)


def record(seq: int, **body: object) -> Record:
    return Record(seq=seq, kind="step", at=START + timedelta(milliseconds=seq), body=body)


def holder(pid: int, *, run: str = "r1", host: str = "ops1") -> Holder:
    return Holder(user="anna", host=host, pid=pid, process_started=f"boot/pid:[1]/{pid}", run=run)
