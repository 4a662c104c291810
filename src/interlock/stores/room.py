"""Room for the records of a run, taken before its first effect, so that a full disk is met there and not between two effects.

Two files must have it. *The database*: filler rows, which become free pages as the run writes its records. Each run holds its own filler,
so that two runs of two pairs in one store can't use each other's. *The WAL*: the filler goes through it and makes it as long; a RESTART
checkpoint then lets the next commit begin at its start again, over blocks that are there already. (TRUNCATE would give them back. So does
the last connection's close: a run that is resumed makes its room again.)

What this can't promise: a file system that copies on write or compresses (btrfs, zfs), and a reader that keeps a transaction open for as
long as the run, for the WAL can't begin again meanwhile.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress

from interlock.clock import Clock, Deadline
from interlock.errors import StoreFailed
from interlock.stores.database import MOVE_AWAY, PAGE_BYTES, Database

CHUNK_BYTES = 16 * PAGE_BYTES
GROWTH = 3
"""Bytes of pages for each byte of a record, at the worst: a body of just over half a page leaves the other half empty, one of just over
a page takes two, and the index comes on top."""

_WAL_BYTES = 4 * 1024 * 1024
"""Twice what stands in the WAL when a commit copies it into the database (CHECKPOINT_PAGES)."""

_PAUSE_S = 0.01

_RECORD_BYTES = 128
"""What a record takes besides its body: kind, time, and its place in table and index."""


def make(database: Database, run_id: int, run: str, size_bytes: int, clock: Clock) -> None:
    """Room for records of `size_bytes` in all. A second call makes the room new. A broken file is met here too: it is read whole."""
    doing = f"make room for run {run}"
    needed = max(_WAL_BYTES, GROWTH * size_bytes + 2 * CHUNK_BYTES)
    _look_at_disk(database, run, 2 * needed)
    try:
        _fill(database, doing, run_id, needed)
        _begin_wal_anew(database, doing, clock)
    except StoreFailed:
        _give_up(database, doing, run_id)
        raise
    release(database, doing, run_id, chunks=2)


def give_back(connection: sqlite3.Connection, run_id: int, chunks: int) -> None:
    """Turn some of the run's filler into free pages, inside the transaction that is about to use them. Less, if there is no more."""
    connection.execute("DELETE FROM room WHERE id IN (SELECT id FROM room WHERE run_id = ? ORDER BY id DESC LIMIT ?)", (run_id, chunks))


def give_back_all(connection: sqlite3.Connection, run_id: int) -> None:
    connection.execute("DELETE FROM room WHERE run_id = ?", (run_id,))


def release(database: Database, doing: str, run_id: int, chunks: int) -> None:
    with database.writing(doing, durable=False) as connection:
        give_back(connection, run_id, chunks)


def bytes_taken(body: str) -> int:
    """The pages' bytes that a record may take. Bodies are ASCII."""
    return GROWTH * (len(body) + _RECORD_BYTES)


def _look_at_disk(database: Database, run: str, needed: int) -> None:
    """Ask first: the disk may be the database servers' as well, and filling it up only to learn that it is full would harm them."""
    try:
        disk = os.statvfs(database.path.parent)
    except OSError as error:
        raise StoreFailed(
            f"the disk of the store {database.path} can't be looked at: {error.strerror}", hint="use another store (--store)"
        ) from error
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise StoreFailed(
            f"the disk of the store {database.path} is full: {free // 1024} KiB are free, run {run} may need {needed // 1024} KiB",
            hint=f"make room in {database.path.parent}, or use another store (--store)",
        )


def _fill(database: Database, doing: str, run_id: int, needed: int) -> None:
    with database.writing(doing, durable=True) as connection:
        broken = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if broken != "ok":
            raise StoreFailed(f"the store {database.path} is broken: {broken}", hint=MOVE_AWAY.format(database.path))
        give_back_all(connection, run_id)
        connection.executemany(
            "INSERT INTO room (run_id, filler) VALUES (?, zeroblob(?))", [(run_id, CHUNK_BYTES)] * (-(-needed // CHUNK_BYTES))
        )


def _begin_wal_anew(database: Database, doing: str, clock: Clock) -> None:
    """Let the next commit write at the WAL's start. SQLite waits for readers, but not while another connection copies the log back: then it
    says busy at once (sqlite3_wal_checkpoint_v2, SQLITE_BUSY), and runs of many pairs in one store meet there. So we wait as long.
    """
    with database.reading(doing) as connection:
        (busy_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    deadline = Deadline.after(clock, busy_ms / 1000)
    while True:
        with database.reading(doing) as connection:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        if not busy:
            return
        if deadline.is_over():
            raise StoreFailed(
                f"the store {database.path} could not {doing}: another process keeps reading it",
                hint=f"find it with: fuser {database.path}",
            )
        clock.sleep(_PAUSE_S)


def _give_up(database: Database, doing: str, run_id: int) -> None:
    """Leave the disk as it was found, as far as it lets us."""
    with suppress(StoreFailed):
        with database.writing(doing, durable=False) as connection:
            give_back_all(connection, run_id)
        with database.reading(doing) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
