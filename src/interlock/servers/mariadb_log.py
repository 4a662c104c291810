"""What a binary log holds after a position, without reading the log from its beginning.

Each file begins with a Gtid_list event: the position before the file. Walking backwards, the first file whose list the position contains is
where to start; a remembered offset (`Bookmark`) shortens the way within a large file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from interlock.clock import Deadline
from interlock.model.facts import LoggedTransaction
from interlock.model.position import Gtid, MariaDBPosition
from interlock.servers.dialect import Bookmark
from interlock.servers.file_positions import events
from interlock.servers.quoting import text
from interlock.servers.session import Row, Session, text_of

_GTID = re.compile(r"GTID (\d+)-(\d+)-(\d+)")


def logged_since(
    session: Session, position: MariaDBPosition, limit: int, *, deadline: Deadline, bookmark: Bookmark | None
) -> tuple[LoggedTransaction, ...]:
    """The transactions after `position`, in the log's order, at most `limit`. BoundReached if the deadline passes first."""
    files = [text_of(row["Log_name"]) for row in session.rows("SHOW BINARY LOGS")]
    found: list[LoggedTransaction] = []
    start, offset = _start(session, files, position, bookmark)
    for file in files[start:]:
        for gtid, row in _gtids(session, file, offset, deadline):
            known = position.of_domain(gtid.domain)
            if known is None or known.sequence < gtid.sequence:
                found.append(LoggedTransaction(gtid=str(gtid), server_id=gtid.server_id, file=file, offset=int(text_of(row["Pos"]))))
                if len(found) >= limit:
                    return tuple(found)
        offset = 4
    return tuple(found)


def _start(session: Session, files: list[str], position: MariaDBPosition, bookmark: Bookmark | None) -> tuple[int, int]:
    for index in range(len(files) - 1, -1, -1):
        if bookmark is not None and bookmark.at.file == files[index] and position.contains(bookmark.position):
            return index, bookmark.at.offset
        if position.contains(_before(session, files[index])):
            return index, 4
    return 0, 4


def _before(session: Session, file: str) -> MariaDBPosition:
    for row in session.rows(f"SHOW BINLOG EVENTS IN {text(file)} LIMIT 4"):
        if text_of(row["Event_type"]) == "Gtid_list":
            return MariaDBPosition.parse(text_of(row["Info"]).strip("[]"))
    return MariaDBPosition()


def _gtids(session: Session, file: str, offset: int, deadline: Deadline) -> Iterator[tuple[Gtid, Row]]:
    for row in events(session, file, offset, deadline):
        matched = _GTID.search(text_of(row["Info"])) if text_of(row["Event_type"]) == "Gtid" else None
        if matched is not None:
            domain, server_id, sequence = (int(number) for number in matched.groups())
            yield Gtid(domain, server_id, sequence), row


def begins(row: Row) -> bool:
    """Whether an event begins a transaction: MariaDB logs a GTID event for each, whatever its channels use."""
    return text_of(row["Event_type"]) == "Gtid"
