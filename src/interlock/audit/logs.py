"""What a server's own binary log tells without its rows: when its files began, who wrote which table, and DDL.

Only what the server wrote itself is counted: what it applied has its source's server id. Of a long log the newest files are read, as many
as fit into READ_BYTES, and no longer than READ_S.
"""

from __future__ import annotations

import struct
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import field
from datetime import UTC, datetime

from interlock.audit.explicit import explicit_ids
from interlock.audit.facts import SYSTEM_SCHEMAS, AutoColumn, ExplicitIds, LoggedDdl, LogSeen, TableWrites
from interlock.audit.reader import Reader
from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.errors import DriverError
from interlock.losses import raw
from interlock.losses.live import Dumped, dump
from interlock.losses.raw import RawEvent
from interlock.model.facts import ServerFacts
from interlock.servers.client_sessions import is_ddl
from interlock.servers.session import text_of

READ_BYTES = 24 * 1024 * 1024
READ_S = 4.0
FILES_AT_MOST = 200
_TABLE_MAP, _TABLE_MAP_POST_HEADER = 19, 8
_DDL_AT_MOST = 200


@dataclass(slots=True)
class _Tally:
    """What was read so far."""

    own_id: int
    first_s: int = 0
    last_s: int = 0
    events: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    minutes: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    ddl: deque[LoggedDdl] = field(default_factory=lambda: deque(maxlen=_DDL_AT_MOST))
    packed: int = 0

    def add(self, event: RawEvent) -> None:
        if event.at_s:
            self.first_s = self.first_s or event.at_s
            self.last_s = max(self.last_s, event.at_s)
        if event.server_id != self.own_id:
            return
        if event.kind == _TABLE_MAP:
            table = _table_of(event.body)
            if table.partition(".")[0] not in SYSTEM_SCHEMAS:
                self.events[table] += 1
                self.minutes[table].add(event.at_s // 60)
        elif event.kind == raw.QUERY:
            self._add_ddl(event)
        elif event.kind == raw.TRANSACTION_PAYLOAD:
            self.packed += 1

    def _add_ddl(self, event: RawEvent) -> None:
        schema_bytes, _, status = struct.unpack_from("<BHH", event.body, 8)
        start = 13 + status
        schema = event.body[start : start + schema_bytes].decode(errors="replace")
        said = event.body[start + schema_bytes + 1 :].decode(errors="replace").strip()
        if is_ddl(said) and schema not in SYSTEM_SCHEMAS and "`interlock`" not in said:
            self.ddl.append(LoggedDdl(at=datetime.fromtimestamp(event.at_s, UTC), schema=schema, text=" ".join(said.split())[:160]))

    def seen(self, begins: Sequence[tuple[datetime, int]], explicit: Mapping[str, ExplicitIds]) -> LogSeen:
        return LogSeen(
            begins=tuple(begins),
            since=datetime.fromtimestamp(self.first_s, UTC) if self.first_s else None,
            until=datetime.fromtimestamp(self.last_s, UTC) if self.last_s else None,
            writes={table: TableWrites(events=count, minutes=frozenset(self.minutes[table])) for table, count in self.events.items()},
            ddl=tuple(self.ddl),
            explicit=explicit,
        )


def read_log(server: Dumped, reader: Reader, facts: ServerFacts, columns: Sequence[AutoColumn], clock: Clock) -> LogSeen:
    """Empty where the server writes no log, or lets us not read it: then that is noted."""
    files = [(text_of(row["Log_name"]), int(text_of(row["File_size"]))) for row in reader.rows("binary logs", "SHOW BINARY LOGS")]
    try:
        begins = [(_begin(server, name), size) for name, size in files[-FILES_AT_MOST:]]
        tally = _Tally(facts.server_id)
        deadline = Deadline.after(clock, READ_S)
        for name in _newest(files):
            _count(dump(server, name, 4), tally, deadline)
    except DriverError as error:
        reader.missing.append(f"what is in the binary log: {error.message}")
        return LogSeen()
    if tally.packed:
        reader.missing.append(f"{tally.packed} transactions of the binary log are compressed: which tables they wrote was not looked at")
    return tally.seen(begins, explicit_ids(server, reader, facts, file=files[-1][0], columns=columns, clock=clock) if files else {})


def _begin(server: Dumped, name: str) -> datetime:
    """Its format event says when it was made."""
    with closing(dump(server, name, 4)) as events:
        return datetime.fromtimestamp(next(events).at_s, UTC)


def _newest(files: Sequence[tuple[str, int]]) -> list[str]:
    """In the log's order; the newest one whatever its size."""
    chosen: list[str] = []
    total = 0
    for name, size in reversed(files):
        total += size
        if chosen and total > READ_BYTES:
            break
        chosen.insert(0, name)
    return chosen


def _count(events: Iterable[RawEvent], tally: _Tally, deadline: Deadline) -> None:
    for number, event in enumerate(events):
        tally.add(event)
        if number % 256 == 0 and deadline.is_over():
            return


def _table_of(body: bytes) -> str:
    """A table map: six bytes of number, two of flags, then each name with its length before it and a NUL behind it."""
    at = _TABLE_MAP_POST_HEADER
    schema = body[at + 1 : at + 1 + body[at]]
    at += body[at] + 2
    return f"{schema.decode(errors='replace')}.{body[at + 1 : at + 1 + body[at]].decode(errors='replace')}"
