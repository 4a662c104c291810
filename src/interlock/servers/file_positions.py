"""Positions by binary log file and offset, for channels that use no GTIDs: alike in every flavor.

A server's position is a point in its own log, and for each of the pair's servers that it applies from, how far in *that one's* log it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from interlock.clock import Deadline
from interlock.errors import BoundReached, StatementFailed
from interlock.model.facts import LoggedTransaction, WriteFacts
from interlock.model.position import FilePosition, LogPoint, Position
from interlock.model.topology import ServerName
from interlock.servers.pool import Pool, Purpose
from interlock.servers.quoting import text
from interlock.servers.session import Result, Row, Session, text_of

PAGE_EVENTS = 1000
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.002, 0.05


def log_point(row: Row) -> LogPoint:
    """From SHOW MASTER STATUS or SHOW BINARY LOG STATUS."""
    return LogPoint.of(text_of(row["File"]), int(text_of(row["Position"])))


def position(server: ServerName, log: Sequence[Row], applied: Mapping[ServerName, LogPoint | None]) -> FilePosition:
    """`log` of SHOW MASTER STATUS or SHOW BINARY LOG STATUS; `applied` by source. What was never begun has no point."""
    points = {str(name): point for name, point in applied.items() if point is not None}
    return FilePosition.of({**points, **({str(server): log_point(log[0])} if log else {})})


def received(source: ServerName | None, file: object, offset: object) -> FilePosition | None:
    """How far the receiver has read its source's log, by a row of the channel's status; None where that says nothing."""
    if source is None or not file or not text_of(offset):
        return None
    return FilePosition.of({str(source): LogPoint.of(text_of(file), int(text_of(offset)))})


def is_idle(state: object) -> bool:
    """Whether the applier says that it has read all there is (both manuals, "Replication SQL Thread States")."""
    return "has read all relay log" in text_of(state).lower()


def wait_by_polling(
    pool: Pool, look: Sequence[str], facts: Callable[[Sequence[Result]], WriteFacts], wanted: Position, within_s: float
) -> WriteFacts:
    """Look again and again, with pauses that grow. For servers that have no wait of their own, or one that can't be bounded."""
    deadline = Deadline.after(pool.clock, within_s)
    pause_s = _FIRST_PAUSE_S
    while True:
        seen = facts(pool.read(look, purpose=Purpose.WAIT))
        if seen.position.contains(wanted) or deadline.is_over():
            return seen
        pool.clock.sleep(min(pause_s, deadline.left_s()))
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def logged_since(
    session: Session, position: Position, limit: int, *, deadline: Deadline, begins: Callable[[Row], bool]
) -> tuple[LoggedTransaction, ...]:
    """The transactions after the server's own point in `position`, whoever wrote them; `begins` tells the event that begins one.

    A transaction is named by the point in this log past its first byte: a position holds it once it is past that.
    """
    start = position.of_server(session.server) if isinstance(position, FilePosition) else None
    files = [text_of(row["Log_name"]) for row in session.rows("SHOW BINARY LOGS")]
    if start is not None and start.file not in files:
        raise StatementFailed(
            f"{session.server}: its binary log {start.file} is gone", hint="it was purged or reset since", server=session.server
        )
    found: list[LoggedTransaction] = []
    for file in files[files.index(start.file) if start is not None else 0 :]:
        offset = start.offset if start is not None and file == start.file else 4
        for row in events(session, file, offset, deadline):
            if begins(row):
                at = int(text_of(row["Pos"]))
                name = FilePosition.of({session.server: LogPoint.of(file, at + 1)})
                found.append(LoggedTransaction(gtid=str(name), server_id=int(text_of(row["Server_id"])), file=file, offset=at))
                if len(found) >= limit:
                    return tuple(found)
    return tuple(found)


def events(session: Session, file: str, offset: int, deadline: Deadline) -> Iterator[Row]:
    """The events of one file, in pages: the server lets nobody commit while it reads one (SHOW BINLOG EVENTS holds the log's lock).

    In the midst of a transaction MariaDB from 11.4 on tells 0 for an event's end (MDEV-31273; tried on 11.8.6): it begins the next page.
    """
    while True:
        if deadline.is_over():
            raise BoundReached(
                f"{session.server}: reading {file} at {offset}: not at the end in time",
                hint="read fewer transactions",
                server=session.server,
            )
        rows = session.rows(f"SHOW BINLOG EVENTS IN {text(file)} FROM {offset:d} LIMIT {PAGE_EVENTS:d}")
        if len(rows) < PAGE_EVENTS:
            yield from rows
            return
        end = int(text_of(rows[-1]["End_log_pos"]))
        yield from rows if end else rows[:-1]
        offset = end or int(text_of(rows[-1]["Pos"]))
