"""The old writer's own log, read from the server itself once it answers again."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from interlock.errors import StatementFailed
from interlock.losses.parsing import Parser, TableOf
from interlock.losses.payload import unpacked
from interlock.losses.raw import RawEvent, from_dump
from interlock.model.facts import LoggedTransaction, ServerFacts, WriteFacts
from interlock.model.losses import ReadTransaction
from interlock.model.position import FilePosition, LogPoint, MariaDBPosition, MySQLPosition, Position
from interlock.model.topology import ServerName
from interlock.servers.dumped_log import COM_BINLOG_DUMP, dump_command
from interlock.servers.quoting import text
from interlock.servers.session import Session, text_of

MOST = 100_000
"""Transactions that one report holds."""

DUMP_SETTINGS = (
    "SET @master_binlog_checksum=@@GLOBAL.binlog_checksum, @source_binlog_checksum=@@GLOBAL.binlog_checksum, @mariadb_slave_capability=4"
)
"""What a replica says before it asks for a log: that it knows checksums (each flavor's and version's word), and MariaDB's own events."""


class OldWriter(Protocol):
    """The part of a server's driver that is needed here."""

    @property
    def name(self) -> ServerName: ...
    def facts(self) -> ServerFacts: ...
    def write_facts(self) -> WriteFacts: ...
    def logged_since(self, position: Position, /, limit: int) -> tuple[LoggedTransaction, ...]: ...
    def session(self, settings: str) -> Session: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a log has after a position. `reaches_back`: it begins before it, so that nothing can be missing. `ends` is all that its server
    held when it was read, None if only files were read. `takes_writes`: more may follow (of files: one grew while it was copied).
    """

    transactions: tuple[ReadTransaction, ...]
    reaches_back: bool
    source: str
    ends: Position | None = None
    takes_writes: bool = False


def read_live(old: OldWriter, since: Position, table_of: TableOf, *, not_by: int | None, program: str | None = None) -> Found:
    """What `old` logged after `since`; of a log that is read by file and offset, without what the server of id `not_by` wrote itself.
    `program` takes compressed transactions apart (`payload.py`).

    DriverError if it does not answer, or lets us not read its log.
    """
    facts, ends = old.facts(), old.write_facts()
    logged = old.logged_since(since, MOST + 1)
    if isinstance(since, FilePosition):
        logged = tuple(one for one in logged if one.server_id != not_by)
    if len(logged) > MOST:
        raise StatementFailed(f"{old.name} logged more than {MOST} transactions since", hint="read its log by hand", server=old.name)
    return Found(
        transactions=tuple(_read(old, logged, facts.flavor, table_of, program)) if logged else (),
        reaches_back=_reaches_back(old, since),
        source=f"the binary log of {old.name}, which answers",
        ends=ends.position,
        takes_writes=not ends.read_only,
    )


def _read(
    old: OldWriter, logged: tuple[LoggedTransaction, ...], flavor: str, table_of: TableOf, program: str | None
) -> Iterator[ReadTransaction]:
    """From the first of them on; each has the name under which it was found."""
    names = {(one.file, one.offset): one.gtid for one in logged}
    parser = Parser(
        flavor,
        table_of,
        named=lambda event: names.get((event.file, event.offset)),
        wanted=lambda event, _: (event.file, event.offset) in names,
    )
    for transaction in parser.transactions(unpacked(_dump(old, logged[0].file, logged[0].offset), program)):
        yield transaction
        if transaction.position == logged[-1].gtid:
            return


def _dump(old: OldWriter, file: str, offset: int) -> Iterator[RawEvent]:
    session = old.session(DUMP_SETTINGS)
    try:
        start = LogPoint.of(file, offset)
        packets = session.packets(COM_BINLOG_DUMP, dump_command(start), doing=f"read {file} from {offset}", bound_s=30.0)
        yield from from_dump(packets, file, offset)
    except (ValueError, struct.error) as error:
        raise StatementFailed(f"{old.name}: {file} can't be read: {error}", server=old.name) from error
    finally:
        session.close()


def _reaches_back(old: OldWriter, since: Position) -> bool:
    """Whether its oldest file begins with nothing that `since` does not hold. (By file and offset: `logged_since` has found the file.)"""
    if isinstance(since, FilePosition):
        return since.of_server(old.name) is not None
    session = old.session("SET SESSION wait_timeout=60")
    try:
        files = session.rows("SHOW BINARY LOGS")
        if not files:
            return False
        rows = session.rows(f"SHOW BINLOG EVENTS IN {text(text_of(files[0]['Log_name']))} LIMIT 4")
    finally:
        session.close()
    for row in rows:
        info = text_of(row["Info"]).replace("\n", "")
        if text_of(row["Event_type"]) == "Gtid_list":
            return since.contains(MariaDBPosition.parse(info.strip("[]")))
        if text_of(row["Event_type"]) == "Previous_gtids":
            return since.contains(MySQLPosition.parse(info))
    return False
