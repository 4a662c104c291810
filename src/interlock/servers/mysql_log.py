"""What a binary log holds after a GTID set, without reading the log from its beginning.

Each file begins with a Previous_gtids event: all that was logged before the file. Walking backwards, the first file whose set the position
contains is where to start; a remembered offset (`Bookmark`) shortens the way within a large file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from interlock.clock import Deadline
from interlock.model.facts import LoggedTransaction
from interlock.model.position import MySQLPosition
from interlock.servers.dialect import Bookmark
from interlock.servers.file_positions import events
from interlock.servers.quoting import text
from interlock.servers.session import Row, Session, text_of

_NEXT = re.compile(r"GTID_NEXT\s*=\s*'([0-9A-Fa-f-]{36}:[^']+)'")
_BEGINS = frozenset({"Gtid", "Gtid_tagged_log_event", "Anonymous_Gtid"})


def logged_since(
    session: Session, position: MySQLPosition, limit: int, *, deadline: Deadline, bookmark: Bookmark | None
) -> tuple[LoggedTransaction, ...]:
    """The transactions after `position`, in the log's order, at most `limit`. BoundReached if the deadline passes first."""
    files = [text_of(row["Log_name"]) for row in session.rows("SHOW BINARY LOGS")]
    found: list[LoggedTransaction] = []
    start, offset = _start(session, files, position, bookmark)
    for file in files[start:]:
        for gtid, row in _gtids(session, file, offset, deadline):
            if not position.contains(MySQLPosition.parse(gtid)):
                found.append(
                    LoggedTransaction(gtid=gtid, server_id=int(text_of(row["Server_id"])), file=file, offset=int(text_of(row["Pos"])))
                )
                if len(found) >= limit:
                    return tuple(found)
        offset = 4
    return tuple(found)


def begins(row: Row) -> bool:
    """Whether an event begins a transaction: each has one that says its GTID, or that it has none (from 5.7.6 on)."""
    return text_of(row["Event_type"]) in _BEGINS


def gtid_of(row: Row) -> str | None:
    """`uuid:17` or `uuid:tag:17`."""
    matched = _NEXT.search(text_of(row["Info"])) if begins(row) else None
    return matched[1].lower() if matched is not None else None


def _start(session: Session, files: list[str], position: MySQLPosition, bookmark: Bookmark | None) -> tuple[int, int]:
    for index in range(len(files) - 1, -1, -1):
        if bookmark is not None and bookmark.at.file == files[index] and position.contains(bookmark.position):
            return index, bookmark.at.offset
        if position.contains(_before(session, files[index])):
            return index, 4
    return 0, 4


def _before(session: Session, file: str) -> MySQLPosition:
    for row in session.rows(f"SHOW BINLOG EVENTS IN {text(file)} LIMIT 4"):
        if text_of(row["Event_type"]) == "Previous_gtids":
            return MySQLPosition.parse(text_of(row["Info"]).replace("\n", ""))
    return MySQLPosition()


def _gtids(session: Session, file: str, offset: int, deadline: Deadline) -> Iterator[tuple[str, Row]]:
    for row in events(session, file, offset, deadline):
        gtid = gtid_of(row)
        if gtid is not None:
            yield gtid, row
