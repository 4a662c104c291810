"""Raw events to transactions. The edge to python-mysql-replication: it takes events apart and knows table maps; its errors end here."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Any

from pymysql.protocol import MysqlPacket
from pymysqlreplication import event as events
from pymysqlreplication import row_event
from pymysqlreplication.exceptions import MalformedBinLogEvent
from pymysqlreplication.packet import BinLogPacketWrapper

from interlock.dataclass import dataclass
from interlock.losses import raw
from interlock.losses.cells import LogColumn, is_of_kind, is_read, read_image
from interlock.losses.raw import RawEvent
from interlock.losses.tables import Table
from interlock.losses.tagged import tagged_gtid
from interlock.model.losses import Cell, LoggedStatement, ReadTransaction, RowChange

OWN_SCHEMA = "interlock"
"""Where canaries and the marks of what was put back are (`servers/canary.py`, `losses/applying.py`)."""

TableOf = Callable[[str, str], Table | None]
"""The survivor's table of a schema and a name; None if it has none, or can't be asked."""

_ANONYMOUS, _GTID, _MARIADB_GTID, _TAGGED_GTID, _XA_PREPARE, _ENCRYPTION = 34, 33, 162, 42, 38, 164
_BEGINS = frozenset({_ANONYMOUS, _GTID, _MARIADB_GTID, _TAGGED_GTID})
_TABLE_MAP, _QUERY, _XID, _PARTIAL_UPDATE = 19, 2, 16, 39
_ROWS = frozenset({23, 24, 25, 30, 31, 32})
_QUIET = frozenset({0, 3, raw.ROTATE, 5, 13, 14, raw.FORMAT, 27, 28, 29, 35, 160, 161, 163})
"""They say nothing of data that another event does not say: STOP, INTVAR, RAND, USER_VAR, heartbeats, the statement behind rows …"""
_KNOWN = frozenset({events.GtidEvent, events.MariadbGtidEvent, row_event.TableMapEvent}) | {
    row_event.WriteRowsEvent,
    row_event.UpdateRowsEvent,
    row_event.DeleteRowsEvent,
    events.FormatDescriptionEvent,
}
_BROKEN = (
    struct.error, ValueError, IndexError, KeyError, AssertionError, NotImplementedError, AttributeError, TypeError, MalformedBinLogEvent
)  # fmt: skip
"""What the library raises for an event that it does not understand: mostly it has no error of its own."""
_MARIADB_STANDS_ALONE = 1 | 128
"""FL_STANDALONE, and FL_COMPLETED_XA with its XA COMMIT or XA ROLLBACK: no COMMIT follows (MariaDB's sql/log_event.h)."""
_ONLY_PREPARED = "it was prepared by XA: look whether it was committed"
_PLAIN_WORDS = frozenset({"BEGIN", "COMMIT", "ROLLBACK"})
_TEXT_AT_MOST = 2000


@dataclass(slots=True)
class _Door:
    """What the library wants to ask of a connection."""

    dbms: str
    charset: str = "utf8mb4"

    def _get_dbms(self) -> str:
        return self.dbms


@dataclass(slots=True)
class _Open:
    """The transaction that is being read. `inside`: its BEGIN was seen, so that it ends with its COMMIT and not with a statement."""

    position: str
    at_s: int
    inside: bool = False
    rows: list[RowChange] = field(default_factory=list)
    statements: list[LoggedStatement] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    canaries: int = 0
    changed: bool = False

    def closed(self) -> ReadTransaction:
        """A transaction that `changed` something and tells nothing is named: its rows were passed over."""
        if self.changed and not (self.rows or self.statements or self.canaries or self.unreadable):
            self.unreadable.append("it changed something, and nothing of that was found")
        return ReadTransaction(
            position=self.position,
            at=datetime.fromtimestamp(self.at_s, UTC),
            rows=tuple(self.rows),
            statements=tuple(self.statements),
            unreadable="; ".join(dict.fromkeys(self.unreadable)),
            canaries=self.canaries,
        )


class Parser:
    """Reads one log from one place on. `flavor` is `mysql` or `mariadb`; `named` gives a transaction another name than its event tells, and
    by its first event and name it is `wanted` or passed over. `own`: rows of Interlock's own schema are told like others.
    """

    def __init__(
        self,
        flavor: str,
        table_of: TableOf,
        *,
        named: Callable[[RawEvent], str | None] = lambda _: None,
        wanted: Callable[[RawEvent, str], bool] = lambda *_: True,
        own: bool = False,
    ) -> None:
        self._door = _Door(dbms=flavor)
        self._table_of = table_of
        self._named = named
        self._wanted = wanted
        self._own = own
        self._maps: dict[int, Any] = {}
        self._version: tuple[int, ...] = (8, 0, 0)
        self._open: _Open | None = None

    def transactions(self, log: Iterable[RawEvent]) -> Iterator[ReadTransaction]:
        """Each transaction that begins and ends in it. What is cut off at the end was never committed."""
        for event in log:
            if event.kind == raw.FORMAT:
                self._maps = {}
            done = self._take(event)
            if done is not None:
                yield done

    def _take(self, event: RawEvent) -> ReadTransaction | None:
        """What this event ends, if anything."""
        if event.kind in _BEGINS:
            before = self._close(lost_end=True)
            position = self._named(event) or self._name(event)
            self._open = _Open(position=position, at_s=event.at_s) if self._wanted(event, position) else None
            if self._open is not None and event.kind == _MARIADB_GTID:
                self._open.inside = not event.body[12] & _MARIADB_STANDS_ALONE
            return before
        if self._open is None or event.kind in _QUIET:
            return None
        try:
            ends = self._add(event, self._open)
        except _BROKEN as error:
            self._open.unreadable.append(f"an event of type {event.kind} at {event.file}:{event.offset} is not understood: {error!r}")
            ends = event.kind == _QUERY
        return self._close() if ends else None

    def _close(self, *, lost_end: bool = False) -> ReadTransaction | None:
        """`lost_end`: another one begins, so its end was there and is not known here."""
        done, self._open = self._open, None
        if done is not None and lost_end:
            done.unreadable.append("its end was not recognised")
        return done.closed() if done is not None else None

    def _add(self, event: RawEvent, into: _Open) -> bool:
        """Whether the transaction ends with it."""
        if event.kind == _XID:
            into.changed = True
            return True
        if event.kind == _QUERY:
            return self._add_statement(event, into)
        if event.kind == _TABLE_MAP:
            into.changed = True
            self._parsed(event)
        elif event.kind in _ROWS:
            self._add_rows(event, into)
        elif event.kind == _PARTIAL_UPDATE:
            into.unreadable.append("a partial JSON update (binlog_row_value_options=PARTIAL_JSON)")
        elif event.kind == raw.TRANSACTION_PAYLOAD:
            into.unreadable.append("compressed (binlog_transaction_compression)")
            return True
        elif event.kind == _XA_PREPARE:
            if not event.body[0]:  # in two phases: what follows, if anything, is a transaction of its own
                into.statements.append(LoggedStatement(schema="", text="XA PREPARE"))
                into.rows = [replace(row, problem=row.problem or _ONLY_PREPARED) for row in into.rows]
            return True
        elif event.kind == _ENCRYPTION:
            into.unreadable.append("the log is encrypted")
        else:
            into.unreadable.append(f"an event of type {event.kind}")
        return False

    def _add_statement(self, event: RawEvent, into: _Open) -> bool:
        schema, text = _statement(event.body)
        word = text.upper().rstrip(";")
        if word in _PLAIN_WORDS or word.startswith(("SAVEPOINT", "XA START", "XA END")):
            into.inside = into.inside or word == "BEGIN"
            return word in {"COMMIT", "ROLLBACK"}
        if schema == OWN_SCHEMA or f"`{OWN_SCHEMA}`" in text:
            into.canaries += 1
        else:
            into.statements.append(LoggedStatement(schema=schema, text=text[:_TEXT_AT_MOST]))
        return not into.inside

    def _add_rows(self, event: RawEvent, into: _Open) -> None:
        rows = self._parsed(event)
        mapped = self._maps.get(getattr(rows, "table_id", -1))
        if mapped is None:
            into.unreadable.append(f"rows at {event.file}:{event.offset} of a table that the log does not describe")
            return
        if mapped.schema == OWN_SCHEMA and not self._own:
            into.canaries += 1
            return
        table = self._table_of(mapped.schema, mapped.table)
        columns, problem = _columns(mapped.columns, table)
        strange = next((one.type for one in columns if not is_read(one.type)), None)
        if strange is not None:
            into.unreadable.append(f"{mapped.schema}.{mapped.table} has a column of type {strange}")
            return
        key = table.key if table is not None and not problem else ()
        for before, after in _images(rows, columns):
            partial = _is_partial(before, after, columns)
            if partial:
                into.unreadable.append(f"partial row images of {mapped.schema}.{mapped.table} (binlog_row_image is not FULL)")
            into.rows.append(
                RowChange(
                    schema=mapped.schema,
                    table=mapped.table,
                    key=key,
                    before=before,
                    after=after,
                    problem=problem or ("the log has only a part of the row" if partial else ""),
                )
            )

    def _parsed(self, event: RawEvent) -> Any:
        """By the library; a table map is remembered. It raises one of _BROKEN."""
        packet = MysqlPacket(event.packet, "utf8mb4")
        wrapped = BinLogPacketWrapper(
            packet, self._maps, self._door, self._version, True, _KNOWN, None, None, None, None, False, True, False, True, False
        )  # fmt: skip
        if wrapped.event is None:
            raise ValueError("the library leaves it out")
        if event.kind == _TABLE_MAP:
            self._maps[wrapped.event.table_id] = wrapped.event.get_table()
        return wrapped.event

    def _name(self, event: RawEvent) -> str:
        """The GTID, or where it begins for a transaction that has none, or one that is not understood."""
        if event.kind != _ANONYMOUS:
            with contextlib.suppress(*_BROKEN):
                return tagged_gtid(event.body) if event.kind == _TAGGED_GTID else str(self._parsed(event).gtid)
        return f"{event.file}:{event.offset}"


def _statement(body: bytes) -> tuple[str, str]:
    """The schema that it ran in, and its text. (The library wants to understand every status variable before it.)"""
    schema, _, status = struct.unpack_from("<BHH", body, 8)
    start = 13 + status
    return body[start : start + schema].decode(errors="replace"), body[start + schema + 1 :].decode(errors="replace").strip()


def _columns(mapped: Sequence[Any], table: Table | None) -> tuple[list[LogColumn], str]:
    """The log's columns with the survivor's beside them, by their place; and why they do not fit, if they do not."""
    known = table.columns if table is not None else ()
    problem = "" if table is not None else "the survivor has no such table"
    if table is not None and len(known) != len(mapped):
        problem = f"the table changed: {len(mapped)} columns in the log, {len(known)} now"
    columns = []
    for index, one in enumerate(mapped):
        its = known[index] if not problem else None
        if its is not None and (not is_of_kind(one.type, its.kind) or (one.name and one.name != its.name)):
            problem = f"the table changed: column {index + 1} ({one.name or 'unnamed in the log'}) is {its.name} {its.kind} now"
            its = None
        columns.append(_column(one, its, index))
    if problem:
        columns = [_column(one, None, index) for index, one in enumerate(mapped)]
    return columns, problem


def _column(one: Any, known: Any, index: int) -> LogColumn:
    return LogColumn(
        name=known.name if known is not None else one.name or f"@{index + 1}",
        type=one.type,
        unsigned=bool(one.unsigned),
        max_length=getattr(one, "max_length", 0),
        size=getattr(one, "size", 0),
        length_size=getattr(one, "length_size", 0),
        fraction=getattr(one, "fsp", 0),
        precision=getattr(one, "precision", 0),
        decimals=getattr(one, "decimals", 0),
        bits=getattr(one, "bits", 0),
        known=known,
    )


def _images(rows: Any, columns: Sequence[LogColumn]) -> Iterator[tuple[dict[str, Cell] | None, dict[str, Cell] | None]]:
    """Before and after of each row. The library stands at the first one: its own reading of values is not begun (see `cells`)."""
    packet, end = rows.packet, rows.event_size
    while packet.read_bytes < end:
        first = read_image(packet.read, columns, rows.columns_present_bitmap)
        if isinstance(rows, row_event.UpdateRowsEvent):
            yield first, read_image(packet.read, columns, rows.columns_present_bitmap2)
        elif isinstance(rows, row_event.DeleteRowsEvent):
            yield first, None
        else:
            yield None, first


def _is_partial(before: dict[str, Cell] | None, after: dict[str, Cell] | None, columns: Sequence[LogColumn]) -> bool:
    wanted = {column.name for column in columns if column.known is None or not column.known.made}
    return any(image is not None and set(image) != wanted for image in (before, after))
