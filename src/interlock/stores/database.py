"""One SQLite file: created whole, opened with suspicion, guarded for threads, and its errors in an operator's words.

The file is in WAL mode. A commit then appends to the `-wal` file: with synchronous=NORMAL it is in the kernel's hands and survives the end
of the process; with FULL it is synced, together with all commits before it, and survives the end of the machine (SQLite, "Write-Ahead
Logging", section 3, and "PRAGMA synchronous").

Nothing here opens the database file by itself while SQLite may have it open: closing any descriptor of a file drops all of the process's
POSIX locks on it ("How To Corrupt An SQLite Database File", section 2.2).
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from interlock.errors import StoreFailed
from interlock.stores.schema import APPLICATION_ID, SCHEMA, Version

PAGE_BYTES = 4096
MOVE_AWAY = (
    "keep it for a look and begin a new store: mkdir {0}.broken; mv {0} {0}-* {0}.broken/ (all of its files: a new store would take an old "
    "-wal for its own). Runs in it that are not finished can't be resumed then"
)
CHECKPOINT_PAGES = 512
"""Frames in the WAL after which a commit copies them into the database, which syncs both files. A run begins with an empty WAL
(`room.make`), so a usual one, some 200 frames long, never meets it."""

_BUSY_S = 5.0


class Database:
    """A connection that several threads may use, one at a time."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection
        self._turn = RLock()
        self._synced = False
        self._file = _identity(path)

    @contextmanager
    def reading(self, doing: str) -> Iterator[sqlite3.Connection]:
        """A connection outside any transaction. Fetch everything at once: an unfinished SELECT keeps the WAL from being used again."""
        with self._turn, translated(self.path, doing):
            yield self._connection

    @contextmanager
    def writing(self, doing: str, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end of the block, rolled back if it raises."""
        with self.reading(doing) as connection:
            if _identity(self.path) != self._file:
                raise StoreFailed(
                    f"the store {self.path} was removed or replaced while it was in use",
                    hint="nothing more can be recorded in it; put the file back or end what removes it",
                )
            self._set_synced(on=durable)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _set_synced(self, *, on: bool) -> None:
        if self._synced != on:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if on else 'NORMAL'}")
            self._synced = on

    def close(self) -> None:
        with self._turn, translated(self.path, "be closed"):
            self._connection.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at the path; None if none does. A removed file can still be written to, and nobody will find it."""
    try:
        seen = path.stat()
    except FileNotFoundError:
        return None
    return seen.st_dev, seen.st_ino


@contextmanager
def translated(path: Path, doing: str) -> Iterator[None]:
    """StoreFailed for whatever SQLite or the file system says: the one place that knows their codes."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        raise StoreFailed(f"the store {path} could not {doing}: {error}", hint=_hint(code, path)) from error
    except UnicodeEncodeError as error:
        raise StoreFailed(f"the store {path} could not {doing}: {error.object!r} is not text", hint="use names that are UTF-8") from error
    except OSError as error:
        raise StoreFailed(f"the store {path} could not {doing}: {error.strerror or error}", hint=_hint(0, path)) from error


def open_database(path: Path, schema: Sequence[Version] = SCHEMA) -> Database:
    """The store in this file, which is created if there is none and brought up to date if it is old. StoreFailed if it can't be trusted."""
    with translated(path, "be opened"):
        _make_folder(path.parent)
        has_wal = os.path.lexists(f"{path}-wal")  # looked for first: another process may be making both
        if not os.path.lexists(path):
            if has_wal:
                raise StoreFailed(f"the store {path} is gone, its {path.name}-wal is left", hint=MOVE_AWAY.format(path))
            _create(path, schema)
        _look_at_file(path)
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            _look_at_header(connection, path, newest=len(schema))
            _prepare(connection, path)
            _migrate(connection, schema)
        except (sqlite3.Error, StoreFailed):
            connection.close()
            raise
        return Database(connection, path)


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & stat.S_IWOTH:
        raise StoreFailed(
            f"everybody may write into {folder}, the folder of the store",
            hint=f"use a folder of your own (--store), or: chmod o-w {folder}",
        )


def _create(path: Path, schema: Sequence[Version]) -> None:
    """Under another name first, so that nobody ever meets a half-made store. If another process was faster, its file stands."""
    import tempfile  # noqa: PLC0415 - only for a new store

    descriptor, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    os.close(descriptor)
    try:
        connection = sqlite3.connect(made, isolation_level=None)
        try:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("PRAGMA journal_mode = WAL")
            _migrate(connection, schema)
        finally:
            connection.close()
        try:
            os.link(made, path)
        except FileExistsError:
            return
    finally:
        Path(made).unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _look_at_file(path: Path) -> None:
    seen = path.stat()
    if not stat.S_ISREG(seen.st_mode):
        raise StoreFailed(f"the store {path} is not a file", hint="name a file with --store")
    if seen.st_mode & stat.S_IWOTH:
        raise StoreFailed(f"everybody may write to the store {path}", hint=f"make sure that nobody did, then: chmod 0600 {path}")
    if seen.st_size == 0:
        raise StoreFailed(f"the store {path} is empty: its journal is lost, or it never was a store", hint=MOVE_AWAY.format(path))


def _look_at_header(connection: sqlite3.Connection, path: Path, *, newest: int) -> None:
    """Before anything is written into a file that may not be ours."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise StoreFailed(f"{path} is a SQLite file of another program", hint="name another file with --store")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > newest:
        raise StoreFailed(
            f"the store {path} was written by a newer Interlock: its schema is version {version}, this one knows {newest}",
            hint="use the newer Interlock, or another store (--store)",
        )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreFailed(f"the store {path} can't be in WAL mode here, but {mode}", hint="put it on a local disk (--store)")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")  # no temporary file that a full disk would refuse
    # Debian's build overwrites what is deleted: the filler would go through the WAL once more, in the middle of a run.
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute("PRAGMA journal_size_limit = -1")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute("PRAGMA cell_size_check = ON")


def _migrate(connection: sqlite3.Connection, schema: Sequence[Version]) -> None:
    """All the versions that are missing, in one transaction. The version is read again inside it: another process may do the same."""
    if _version(connection) == len(schema):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in schema[_version(connection) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(schema)}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _hint(code: int, path: Path) -> str:
    match code:
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
            return f"is the disk full? Make room in {path.parent}, or use another store (--store)"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"another process has been holding it for {_BUSY_S:.0f}s; find it with: fuser {path}"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_ERROR:
            return MOVE_AWAY.format(path)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return f"may you write to {path} and its folder?"
        case _:
            return f"look at {path} and its folder, or use another store (--store)"
