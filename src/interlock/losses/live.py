"""The old writer's own log, read from the server itself once it answers again."""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from typing import Protocol

from interlock.dataclass import dataclass
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


PLAIN_SETTINGS = "SET SESSION wait_timeout=60"


class Dumped(Protocol):
    """The part of a server's driver that gives its log."""

    @property
    def name(self) -> ServerName: ...
    def session(self, settings: str) -> Session: ...


class OldWriter(Dumped, Protocol):
    """The part of it that tells what there is to be read."""

    def facts(self) -> ServerFacts: ...
    def write_facts(self) -> WriteFacts: ...
    def logged_since(self, position: Position, /, limit: int) -> tuple[LoggedTransaction, ...]: ...


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
        reaches_back=reaches_back(old, since),
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
    for transaction in parser.transactions(unpacked(dump(old, logged[0].file, logged[0].offset), program)):
        yield transaction
        if transaction.position == logged[-1].gtid:
            return


def dump(old: Dumped, file: str, offset: int) -> Generator[RawEvent]:
    """A server's log from there to its end, on a connection of its own. StatementFailed if it can't be read."""
    session = old.session(DUMP_SETTINGS)
    try:
        start = LogPoint.of(file, offset)
        packets = session.packets(COM_BINLOG_DUMP, dump_command(start), doing=f"read {file} from {offset}", bound_s=30.0)
        yield from from_dump(packets, file, offset)
    except (ValueError, struct.error) as error:
        raise StatementFailed(f"{old.name}: {file} can't be read: {error}", server=old.name) from error
    finally:
        session.close()


def reaches_back(old: OldWriter, since: Position) -> bool:
    """Whether its oldest file begins with nothing that `since` does not hold. (By file and offset: `logged_since` has found the file.)"""
    if isinstance(since, FilePosition):
        return since.of_server(old.name) is not None
    session = old.session(PLAIN_SETTINGS)
    try:
        files = files_of(session)
        before = before_file(session, files[0]) if files else None
    finally:
        session.close()
    return before is not None and since.contains(before)


def files_of(session: Session) -> list[str]:
    return [text_of(row["Log_name"]) for row in session.rows("SHOW BINARY LOGS")]


def before_file(session: Session, file: str) -> Position | None:
    """All that the server held when it began the file, as the file's head says; None if it says nothing."""
    for row in session.rows(f"SHOW BINLOG EVENTS IN {text(file)} LIMIT 4"):
        info = text_of(row["Info"]).replace("\n", "")
        if text_of(row["Event_type"]) == "Gtid_list":
            return MariaDBPosition.parse(info.strip("[]"))
        if text_of(row["Event_type"]) == "Previous_gtids":
            return MySQLPosition.parse(info)
    return None
