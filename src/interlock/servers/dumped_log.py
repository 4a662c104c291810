"""A binary log read as a replica reads it (COM_BINLOG_DUMP): for servers that have no SHOW BINLOG EVENTS.

Only the headers of events and the text of Query events are looked at, which are alike in all servers and versions.
Source: MySQL internals, "Binlog Event" and "COM_BINLOG_DUMP". No event checksums: Xpand writes none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from interlock.clock import Deadline
from interlock.dataclass import dataclass
from interlock.errors import BoundReached, StatementFailed
from interlock.model.facts import LoggedTransaction
from interlock.model.position import FilePosition, LogPoint
from interlock.servers.session import Session

COM_BINLOG_DUMP = 0x12
_NON_BLOCK, _LIKE_MYSQLBINLOG = 1, 0
"""Number 0 is nobody's: a replica that dumps with another's number ends the other's dump."""

_HEADER = struct.Struct("<IBIIIH")
_QUERY, _ROTATE, _XID = 2, 4, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`end` is where it ends in its file; 0 for one that the server made up for the dump."""

    kind: int
    server_id: int
    size: int
    end: int
    body: bytes


def dump_command(start: LogPoint) -> bytes:
    return struct.pack("<IHI", max(start.offset, 4), _NON_BLOCK, _LIKE_MYSQLBINLOG) + start.file.encode()


def event_of(packet: bytes) -> Event:
    """ValueError if it is too short to be one."""
    if len(packet) < _HEADER.size:
        raise ValueError(f"an event of {len(packet)} bytes")
    _, kind, server_id, size, end, _ = _HEADER.unpack_from(packet)
    return Event(kind=kind, server_id=server_id, size=size, end=end, body=packet[_HEADER.size :])


def statement_of(event: Event) -> str:
    """The text of a Query event."""
    schema, _, status = struct.unpack_from("<BHH", event.body, 8)
    return event.body[13 + status + schema + 1 :].decode(errors="replace")


def transactions(server: str, start: LogPoint, packets: Iterable[bytes], until: LogPoint) -> Iterator[LoggedTransaction]:
    """Each transaction that begins at `start` or behind it, up to `until`. One is named by the point in this log past its first byte."""
    file, inside, base = start.file, False, LogPoint.of(start.file, 0).base
    for packet in packets:
        event = event_of(packet)
        if event.kind == _ROTATE:
            file = event.body[8:].decode(errors="replace")
        if event.end == 0 or event.kind not in {_QUERY, _XID}:
            continue
        words = statement_of(event).strip().upper() if event.kind == _QUERY else ""
        if event.kind == _QUERY and not inside:
            at = event.end - event.size
            name = FilePosition.of({server: LogPoint.of(file, at + 1)})
            yield LoggedTransaction(gtid=str(name), server_id=event.server_id, file=file, offset=at)
            inside = words == "BEGIN"
        elif event.kind == _XID or words in {"COMMIT", "ROLLBACK"}:
            inside = False
        if LogPoint.of(file, event.end).reaches(until) and base == until.base:
            return


def logged_since(session: Session, start: LogPoint, until: LogPoint, limit: int, *, deadline: Deadline) -> tuple[LoggedTransaction, ...]:
    """At most `limit`. The session is of no more use afterwards. BoundReached if the deadline passes first."""
    if start.reaches(until):
        return ()
    found: list[LoggedTransaction] = []

    def packets() -> Iterator[bytes]:
        for packet in session.packets(COM_BINLOG_DUMP, dump_command(start), doing=f"read {start.file} from {start.offset}"):
            if deadline.is_over():
                raise BoundReached(
                    f"{session.server}: reading {start.file} at {start.offset}: not at the end in time",
                    hint="read fewer transactions",
                    server=session.server,
                )
            yield packet

    try:
        for transaction in transactions(session.server, start, packets(), until):
            found.append(transaction)
            if len(found) >= limit:
                break
    except (ValueError, struct.error) as error:
        raise StatementFailed(f"{session.server}: {start.file} can't be read: {error}", server=session.server) from error
    return tuple(found)
