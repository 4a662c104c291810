"""Reading a binary log event by event, from bytes: no server."""

from __future__ import annotations

import struct

import pytest

from interlock.model.position import LogPoint
from interlock.servers.dumped_log import dump_command, event_of, transactions

QUERY, ROTATE, FORMAT, TABLE_MAP, ROWS, XID = 2, 4, 15, 19, 30, 16


class Written:
    """Events one after the other in a file; `end` is where the next one begins."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.end = 4

    def add(self, kind: int, body: bytes = b"", server_id: int = 1) -> None:
        size = 19 + len(body)
        self.end += size
        self.packets.append(struct.pack("<IBIIIH", 0, kind, server_id, size, self.end, 0) + body)

    def say(self, statement: str, server_id: int = 1) -> None:
        status, schema = b"\0" * 7, b"app"
        head = struct.pack("<IIBHH", 9, 0, len(schema), 0, len(status))
        self.add(QUERY, head + status + schema + b"\0" + statement.encode(), server_id)

    def rotate(self, file: str) -> None:
        self.add(ROTATE, struct.pack("<Q", 4) + file.encode())
        self.end = 4


def made_up(kind: int, body: bytes) -> bytes:
    return struct.pack("<IBIIIH", 0, kind, 1, 19 + len(body), 0, 0) + body


def read(log: Written, until: LogPoint | None = None) -> list[tuple[str, int, int]]:
    found = transactions("east", LogPoint.of("b.000001", 4), log.packets, until or LogPoint.of("b.000009", 4))
    return [(entry.file, entry.offset, entry.server_id) for entry in found]


def test_a_transaction_begins_at_its_begin_and_ddl_stands_alone() -> None:
    log = Written()
    log.packets.append(made_up(ROTATE, struct.pack("<Q", 4) + b"b.000001"))
    log.add(FORMAT, b"whatever")
    begins = [log.end]
    for kind, body in ((TABLE_MAP, b"t"), (ROWS, b"r")):
        if kind == TABLE_MAP:
            log.say("BEGIN")
        log.add(kind, body)
    log.add(XID, b"\0" * 8)
    begins.append(log.end)
    log.say("CREATE TABLE t (a INT)", server_id=2)
    begins.append(log.end)
    log.say("begin")
    log.say("INSERT INTO t VALUES (1)")
    log.say("COMMIT")
    assert read(log) == [("b.000001", begins[0], 1), ("b.000001", begins[1], 2), ("b.000001", begins[2], 1)]


def test_the_next_file_is_followed() -> None:
    log = Written()
    log.say("CREATE TABLE t (a INT)")
    log.rotate("b.000002")
    log.say("DROP TABLE t")
    assert read(log) == [("b.000001", 4, 1), ("b.000002", 4, 1)]


def test_it_ends_at_the_point_that_was_the_logs_end() -> None:
    log = Written()
    log.say("CREATE TABLE t (a INT)")
    end = LogPoint.of("b.000001", log.end)
    log.say("DROP TABLE t")
    assert read(log, end) == [("b.000001", 4, 1)]


def test_one_is_named_by_a_point_that_a_position_holds_once_it_is_past_its_beginning() -> None:
    log = Written()
    log.say("CREATE TABLE t (a INT)")
    (entry,) = transactions("east", LogPoint.of("b.000001", 4), log.packets, LogPoint.of("b.000001", 999))
    assert entry.gtid == "east=b.000001:5"


def test_a_torn_event_is_an_error() -> None:
    with pytest.raises(ValueError, match="an event of 7 bytes"):
        event_of(b"1234567")


def test_it_is_asked_for_as_mysqlbinlog_asks() -> None:
    assert dump_command(LogPoint.of("b.000012", 99)) == struct.pack("<IHI", 99, 1, 0) + b"b.000012"
