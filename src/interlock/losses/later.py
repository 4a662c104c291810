"""Which transaction of the survivor wrote a row last, by its own log since the opening.

It is for people who decide about a row, and must not burden the writer: a dump takes no lock of the log, and is left after a few seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.decisions.losses import RowId, keys_of
from interlock.errors import DriverError
from interlock.losses.files import holds
from interlock.losses.live import PLAIN_SETTINGS, Dumped, before_file, dump, files_of
from interlock.losses.parsing import Parser, TableOf
from interlock.losses.raw import RawEvent
from interlock.model.position import FilePosition, Position

WITHIN_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterWrite:
    position: str
    at: datetime


def later_writes(
    survivor: Dumped, since: Position, wanted: Collection[RowId], table_of: TableOf, *, flavor: str, clock: Clock
) -> dict[RowId, LaterWrite]:
    """The last write of each row that was found in time; nothing if the log can't be read."""
    deadline = Deadline.after(clock, WITHIN_S)
    found: dict[RowId, LaterWrite] = {}
    try:
        start = _start(survivor, since, deadline)
        if start is None:
            return found
        parser = Parser(flavor, table_of, wanted=lambda _, name: not holds(since, name))
        for transaction in parser.transactions(_in_time(dump(survivor, *start), deadline)):
            for change in transaction.rows:
                for row in keys_of(change):
                    if row in wanted:
                        found[row] = LaterWrite(position=transaction.position, at=transaction.at)
    except DriverError:
        return found
    return found


def _in_time(events: Iterator[RawEvent], deadline: Deadline) -> Iterator[RawEvent]:
    for event in events:
        if deadline.is_over():
            return
        yield event


def _start(survivor: Dumped, since: Position, deadline: Deadline) -> tuple[str, int] | None:
    """The last file that began with nothing which `since` does not hold; None if it is not found."""
    if isinstance(since, FilePosition):
        point = since.of_server(survivor.name)
        return (point.file, point.offset) if point is not None else None
    session = survivor.session(PLAIN_SETTINGS)
    try:
        for file in reversed(files_of(session)):
            before = before_file(session, file)
            if before is not None and since.contains(before):
                return file, 4
            if deadline.is_over():
                return None
    finally:
        session.close()
    return None
