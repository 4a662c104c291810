"""Journal and lease in one SQLite file. See docs/adr/0003-sqlite-journal.md for why."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from interlock.clock import Clock
from interlock.decisions.leases import Liveness
from interlock.decisions.run_names import run_meant
from interlock.errors import StoreFailed
from interlock.model.marks import Mark
from interlock.ports import Holder, Lease, Record, RunHeader
from interlock.stores import journal, leases, marks, room
from interlock.stores.database import Database, open_database
from interlock.stores.holder import liveness

_HEADER = "SELECT name, playbook, topology, started_at, state, outcome FROM run"


class SqliteStore:
    """Several threads and several processes may use one file. All errors are StoreFailed, except those that `ports.Store` names."""

    def __init__(self, database: Database, clock: Clock, look: Callable[[Holder], Liveness] = liveness) -> None:
        self._database = database
        self._clock = clock
        self._look = look
        self._used: defaultdict[int, int] = defaultdict(int)  # run's id → bytes of its room in use, less than a chunk

    @classmethod
    def open(cls, path: Path, clock: Clock) -> SqliteStore:
        """StoreFailed if the file is not a store, is newer than this program, is broken, or lies where everybody may write."""
        return cls(open_database(path), clock)

    def create_run(self, header: RunHeader, /) -> None:
        with self._database.writing(f"record run {header.run}", durable=True) as connection:
            if connection.execute("SELECT 1 FROM run WHERE name = ?", (header.run,)).fetchone():
                raise StoreFailed(f"run {header.run} is there already", hint=f"go on with it: interlock resume {header.run}")
            connection.execute(
                "INSERT INTO run (name, playbook, topology, started_at, state, outcome) VALUES (?, ?, ?, ?, ?, ?)",
                (header.run, header.playbook, header.topology, journal.when(header.started_at), header.state, header.outcome),
            )

    def append(self, run: str, records: Sequence[Record], /, *, durable: bool) -> None:
        bodies = [journal.encoded(run, record) for record in records]
        with self._database.writing(f"record run {run}", durable=durable) as connection:
            run_id, last = _run_id_and_last(connection, run)
            journal.check_order(run, last, records)
            used = self._used[run_id] + sum(room.bytes_taken(body) for body in bodies)
            if used >= room.CHUNK_BYTES:
                room.give_back(connection, run_id, used // room.CHUNK_BYTES)
            connection.executemany(
                "INSERT INTO record (run_id, seq, kind, at, body) VALUES (?, ?, ?, ?, ?)",
                [(run_id, record.seq, record.kind, journal.when(record.at), body) for record, body in zip(records, bodies, strict=True)],
            )
        self._used[run_id] = used % room.CHUNK_BYTES

    def set_state(self, run: str, state: str, outcome: str | None, /) -> None:
        with self._database.writing(f"record the state of run {run}", durable=outcome is not None) as connection:
            run_id, _ = _run_id_and_last(connection, run)
            connection.execute("UPDATE run SET state = ?, outcome = ? WHERE id = ?", (state, outcome, run_id))
            if outcome is not None:
                room.give_back_all(connection, run_id)

    def records(self, run: str, /) -> tuple[Record, ...]:
        # As bytes: a text that is not UTF-8 is then found in its record, and not somewhere in the result.
        with self._database.reading(f"read run {run}") as connection:
            run_id, _ = _run_id_and_last(connection, run)
            rows = connection.execute(
                "SELECT seq, CAST(kind AS BLOB), CAST(at AS BLOB), CAST(body AS BLOB) FROM record WHERE run_id = ? ORDER BY seq", (run_id,)
            ).fetchall()
        return journal.decoded(run, rows)

    def header(self, run: str, /) -> RunHeader:
        """By its name, or by a beginning of it that no other run has."""
        with self._database.reading(f"read run {run}") as connection:
            known = [name for (name,) in connection.execute("SELECT name FROM run ORDER BY started_at DESC, id DESC").fetchall()]
            row = connection.execute(f"{_HEADER} WHERE name = ?", (run_meant(run, known),)).fetchone()
        return journal.header_of(row)

    def runs(self, topology: str | None, /) -> tuple[RunHeader, ...]:
        with self._database.reading("list its runs") as connection:
            rows = connection.execute(
                f"{_HEADER} WHERE ?1 IS NULL OR topology = ?1 ORDER BY started_at DESC, id DESC", (topology,)
            ).fetchall()
        return tuple(journal.header_of(row) for row in rows)

    def reserve(self, run: str, size_bytes: int, /) -> None:
        with self._database.reading(f"make room for run {run}") as connection:
            run_id, _ = _run_id_and_last(connection, run)
        room.make(self._database, run_id, run, size_bytes, self._clock)
        self._used[run_id] = 0

    def take_lease(self, topology: str, holder: Holder, /) -> Lease:
        return leases.take(self._database, topology, holder, self._clock.wall(), self._look)

    def check_lease(self, lease: Lease, /) -> None:
        leases.check(self._database, lease, self._clock.wall())

    def release_lease(self, lease: Lease, /) -> None:
        leases.release(self._database, lease)

    def marks(self, topology: str, /) -> tuple[Mark, ...]:
        return marks.read(self._database, topology)

    def change_marks(self, topology: str, seen: Sequence[Mark], /, *, add: Sequence[Mark] = (), take: Sequence[Mark] = ()) -> bool:
        return marks.change(self._database, topology, seen, add=add, take=take)

    def close(self) -> None:
        self._database.close()


def _run_id_and_last(connection: sqlite3.Connection, run: str) -> tuple[int, int]:
    """The run's key, and the number of its last record (0 without any)."""
    row = connection.execute("SELECT id, (SELECT max(seq) FROM record WHERE run_id = run.id) FROM run WHERE name = ?", (run,)).fetchone()
    if row is None:
        raise StoreFailed(f"there is no run {run!r} in the store", hint="list them: interlock runs")
    return row[0], row[1] or 0
