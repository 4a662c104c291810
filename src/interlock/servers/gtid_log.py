"""What a binary log holds after a position by GTID, without reading the log from its beginning: alike in MySQL and MariaDB.

Each file begins with an event that says all that was logged before the file. Walking backwards, the first file that begins with nothing
but what the position contains is where to start; a remembered offset (`Bookmark`) shortens the way within a large file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interlock.clock import Deadline
from interlock.dataclass import dataclass
from interlock.model.facts import LoggedTransaction
from interlock.model.position import Position
from interlock.servers.dialect import Bookmark
from interlock.servers.file_positions import events
from interlock.servers.quoting import text
from interlock.servers.session import Row, Session, text_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWords:
    """`heading`: the event that says what was logged before its file. `gtid_of` an event that begins a transaction, None of any other."""

    heading: str
    gtid_of: Callable[[Row], str | None]
    parse: Callable[[str], Position]


def logged_since(
    session: Session, position: Position, limit: int, *, deadline: Deadline, bookmark: Bookmark | None, words: LogWords
) -> tuple[LoggedTransaction, ...]:
    """The transactions after `position`, in the log's order, at most `limit`. BoundReached if the deadline passes first."""
    files = [text_of(row["Log_name"]) for row in session.rows("SHOW BINARY LOGS")]
    found: list[LoggedTransaction] = []
    start, offset = _start(session, files, position, bookmark, words)
    for file in files[start:]:
        for row in events(session, file, offset, deadline):
            gtid = words.gtid_of(row)
            if gtid is not None and not position.contains(words.parse(gtid)):
                server_id, at = int(text_of(row["Server_id"])), int(text_of(row["Pos"]))
                found.append(LoggedTransaction(gtid=gtid, server_id=server_id, file=file, offset=at))
                if len(found) >= limit:
                    return tuple(found)
        offset = 4
    return tuple(found)


def _start(session: Session, files: Sequence[str], position: Position, bookmark: Bookmark | None, words: LogWords) -> tuple[int, int]:
    for index in range(len(files) - 1, -1, -1):
        if bookmark is not None and bookmark.at.file == files[index] and position.contains(bookmark.position):
            return index, bookmark.at.offset
        if position.contains(_before(session, files[index], words)):
            return index, 4
    return 0, 4


def _before(session: Session, file: str, words: LogWords) -> Position:
    """A file that does not say what was before it begins with the first write."""
    for row in session.rows(f"SHOW BINLOG EVENTS IN {text(file)} LIMIT 4"):
        if text_of(row["Event_type"]) == words.heading:
            return words.parse(text_of(row["Info"]).strip("[]").replace("\n", ""))
    return words.parse("")
