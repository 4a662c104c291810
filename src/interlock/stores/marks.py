"""Marks as rows and as JSON, and back. What is read is not believed: a mark that can't be read stops whoever asks for the pair's marks."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime

from interlock.errors import StoreFailed
from interlock.model.marks import Mark, MarkKind
from interlock.stores.database import Database
from interlock.stores.journal import time_of, when

FIELDS = ("topology", "kind", "subject", "set_by", "set_at", "until", "reason", "run")

_ROW = "SELECT topology, kind, subject, set_by, set_at, until, reason, run FROM mark WHERE topology = ?"
_BROKEN = "it was written by a newer Interlock: use that one; or it was changed by hand: put it back"


def in_order(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """Oldest first."""
    return tuple(sorted(marks, key=lambda mark: (mark.at, mark.kind, mark.subject)))


def row_of(mark: Mark) -> tuple[str | None, ...]:
    """Its texts, in the order of FIELDS."""
    until = None if mark.until is None else when(mark.until)
    return mark.topology, mark.kind.value, mark.subject, mark.by, when(mark.at), until, mark.reason, mark.run


def mark_of(row: tuple[object, ...]) -> Mark:
    """From texts in the order of FIELDS. StoreFailed names the mark if it makes no sense."""
    topology, kind, subject, by, at, until, reason, run = (None if part is None else str(part) for part in row)
    try:
        return Mark(
            topology=_text(topology),
            kind=MarkKind(_text(kind)),
            subject=_text(subject),
            by=_text(by),
            at=time_of(_text(at)),
            until=_until(until),
            reason=_text(reason),
            run=_text(run),
        )
    except ValueError as error:
        whose = f"{topology}, {subject}," if subject else topology
        raise StoreFailed(f"the mark {kind} of {whose} can't be read: {error}", hint=_BROKEN) from error


def mark_text(mark: Mark, token: str) -> str:
    """As JSON, with the token of its write."""
    return json.dumps(dict(zip(FIELDS, row_of(mark), strict=True)) | {"token": token})


def mark_in(key: str, text: str) -> tuple[Mark, str]:
    """The mark of a `mark_text` and its token. StoreFailed, naming the key, if it makes no sense."""
    try:
        said = json.loads(text)
        row, token = tuple(said[field] for field in FIELDS), str(said["token"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise StoreFailed(f"the mark {key} in etcd can't be read: {error}", hint=_BROKEN) from error
    return mark_of(row), token


# -- rows of the SQLite store


def read(database: Database, topology: str) -> tuple[Mark, ...]:
    with database.reading(f"read the marks of {topology}") as connection:
        return _read(connection, topology)


def change(database: Database, topology: str, seen: Sequence[Mark], *, add: Sequence[Mark], take: Sequence[Mark]) -> bool:
    """Nobody else writes between the reading and the writing: a writing transaction has the file's only write lock from its beginning."""
    with database.writing(f"change the marks of {topology}", durable=True) as connection:
        if _read(connection, topology) != in_order(seen):
            return False
        for mark in take:
            _take_away(connection, mark)
        for mark in add:
            _put(connection, mark)
        return True


def _read(connection: sqlite3.Connection, topology: str) -> tuple[Mark, ...]:
    return in_order([mark_of(row) for row in connection.execute(_ROW, (topology,)).fetchall()])


def _put(connection: sqlite3.Connection, mark: Mark) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO mark (topology, kind, subject, set_by, set_at, until, reason, run) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        row_of(mark),
    )


def _take_away(connection: sqlite3.Connection, mark: Mark) -> None:
    which = (mark.topology, mark.kind.value, mark.subject)
    connection.execute("DELETE FROM mark WHERE topology = ? AND kind = ? AND subject = ?", which)


def _text(value: str | None) -> str:
    if value is None:
        raise ValueError("a part of it is missing")
    return value


def _until(value: str | None) -> datetime | None:
    return None if value is None else time_of(value)
