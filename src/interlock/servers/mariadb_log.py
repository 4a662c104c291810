"""What a binary log holds after a position, without reading the log from its beginning.

Each file begins with a Gtid_list event: the position before the file. Walking backwards, the first file whose list the position contains is
where to start; a remembered offset (`Bookmark`) shortens the way within a large file. It is read in pages, for the server lets nobody
commit while it reads one (SHOW BINLOG EVENTS holds the log's lock).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from interlock.clock import Deadline
from interlock.errors import BoundReached
from interlock.model.facts import LoggedTransaction
from interlock.model.position import Gtid, MariaDBPosition, Position
from interlock.servers.mariadb_facts import text_of
from interlock.servers.quoting import text
from interlock.servers.session import Row, Session

PAGE_EVENTS = 1000
_GTID = re.compile(r"GTID (\d+)-(\d+)-(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """Everything before `offset` of `file` is part of `position`: the offset was read first."""

    position: Position
    file: str
    offset: int


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
        if bookmark is not None and bookmark.file == files[index] and position.contains(bookmark.position):
            return index, bookmark.offset
        if position.contains(_before(session, files[index])):
            return index, 4
    return 0, 4


def _before(session: Session, file: str) -> MariaDBPosition:
    for row in session.rows(f"SHOW BINLOG EVENTS IN {text(file)} LIMIT 4"):
        if text_of(row["Event_type"]) == "Gtid_list":
            return MariaDBPosition.parse(text_of(row["Info"]).strip("[]"))
    return MariaDBPosition()


def _gtids(session: Session, file: str, offset: int, deadline: Deadline) -> Iterator[tuple[Gtid, Row]]:
    while True:
        if deadline.is_over():
            raise BoundReached(
                f"{session.server}: reading {file} at {offset}: not at the end in time",
                hint="read fewer transactions",
                server=session.server,
            )
        rows = session.rows(f"SHOW BINLOG EVENTS IN {text(file)} FROM {offset:d} LIMIT {PAGE_EVENTS}")
        for row in rows:
            matched = _GTID.search(text_of(row["Info"])) if text_of(row["Event_type"]) == "Gtid" else None
            if matched is not None:
                domain, server_id, sequence = (int(number) for number in matched.groups())
                yield Gtid(domain, server_id, sequence), row
        if len(rows) < PAGE_EVENTS:
            return
        offset = int(text_of(rows[-1]["End_log_pos"]))
