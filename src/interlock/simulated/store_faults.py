"""A store that a process uses until it is killed, and that can begin to fail at any record."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.errors import StoreFailed
from interlock.model.marks import Mark
from interlock.ports import Holder, Lease, Record, RunHeader, Store
from interlock.simulated.process import SimulatedProcess


class ProcessStore:
    """Every call is a move of the process, before and after. `fails_at`: from the record with this number on, nothing more can be written.

    With `writes`, only so many times. `dead` extends that to reading and to the lease: the machine of the store is gone.
    """

    def __init__(
        self, store: Store, process: SimulatedProcess, *, fails_at: int | None = None, dead: bool = False, writes: int | None = None
    ) -> None:
        self._store = store
        self._process = process
        self._fails_at = fails_at
        self._dead = dead
        self._writes = writes
        self.has_failed = False

    def create_run(self, header: RunHeader, /) -> None:
        self._process.move()
        self._store.create_run(header)

    def append(self, run: str, records: Sequence[Record], /, *, durable: bool) -> None:
        self._process.move()
        if self._fails_at is not None and any(record.seq >= self._fails_at for record in records):
            self.has_failed = True
        self._write()
        self._store.append(run, records, durable=durable)
        self._process.move()

    def set_state(self, run: str, state: str, outcome: str | None, /) -> None:
        self._process.move()
        self._write()
        self._store.set_state(run, state, outcome)

    def records(self, run: str, /) -> tuple[Record, ...]:
        self._read()
        return self._store.records(run)

    def header(self, run: str, /) -> RunHeader:
        self._read()
        return self._store.header(run)

    def runs(self, topology: str | None, /) -> tuple[RunHeader, ...]:
        self._read()
        return self._store.runs(topology)

    def reserve(self, run: str, size_bytes: int, /) -> None:
        self._process.move()
        self._write()
        self._store.reserve(run, size_bytes)

    def take_lease(self, topology: str, holder: Holder, /) -> Lease:
        self._read()
        return self._store.take_lease(topology, holder)

    def check_lease(self, lease: Lease, /) -> None:
        self._read()
        self._store.check_lease(lease)

    def release_lease(self, lease: Lease, /) -> None:
        self._process.move()
        self._read()
        self._store.release_lease(lease)

    def marks(self, topology: str, /) -> tuple[Mark, ...]:
        self._read()
        return self._store.marks(topology)

    def change_marks(self, topology: str, seen: Sequence[Mark], /, *, add: Sequence[Mark] = (), take: Sequence[Mark] = ()) -> bool:
        self._process.move()
        self._write()
        changed = self._store.change_marks(topology, seen, add=add, take=take)
        self._process.move()
        return changed

    def close(self) -> None:
        self._store.close()

    def _write(self) -> None:
        if self.has_failed and self._writes != 0:
            self._writes = None if self._writes is None else self._writes - 1
            raise StoreFailed("the disk is full", hint="make room")

    def _read(self) -> None:
        if self._process.is_dead:
            self._process.move()
        if self.has_failed and self._dead and self._writes != 0:
            raise StoreFailed("the store can't be reached")
