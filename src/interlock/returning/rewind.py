"""Taking a server's rows back to where both sides were: the inverse of all that it logged since, the last change first.

What it logged of the writer's behind its first lost transaction goes too, and comes again by replication: so a row that both sides changed
is in the end as the writer has it. Every statement is guarded by the whole row and must change exactly one; all are one transaction, which
is not logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from interlock.clock import Deadline
from interlock.dataclass import dataclass
from interlock.decisions.losses import fold
from interlock.decisions.returning import why_inexact
from interlock.errors import BoundReached, DriverError, StatementFailed
from interlock.losses.live import OldWriter, dump, reaches_back
from interlock.losses.now import Survivor
from interlock.losses.parsing import Parser
from interlock.losses.payload import unpacked
from interlock.losses.sql import SETTINGS, NotWritable, taken_back
from interlock.losses.tables import Table
from interlock.model.facts import LoggedTransaction
from interlock.model.losses import ReadTransaction
from interlock.model.position import MariaDBPosition, MySQLPosition, Position
from interlock.servers.quoting import marked, text
from interlock.servers.session import Result, Session, text_of

MOST = 100_000
"""Transactions that are taken back. What is more is copied."""

UNLOGGED = f"{SETTINGS}, sql_log_bin=0, lock_wait_timeout=10, innodb_lock_wait_timeout=10"
_AT_ONCE = 200
_BATCH_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewind:
    """`undone` are the transactions from the first lost one on, in the log's order; `to` is what the server holds without them. `inexact`:
    see `why_inexact`; then `statements` are of no use. They are in the order to be sent, each with what it is about.
    """

    undone: tuple[ReadTransaction, ...]
    to: Position | None
    statements: tuple[tuple[str, str], ...]
    inexact: str = ""


def plan_rewind(server: OldWriter, held_by_writer: Position, holds: Position, *, program: str | None) -> Rewind:
    """`holds` is what the server holds now. `program`: see `losses.payload`. DriverError if its log can't be read."""
    lost = server.logged_since(held_by_writer, MOST + 1)
    if not reaches_back(server, held_by_writer):
        return _inexact("its binary log does not reach back to where both sides were")
    if not lost:
        return _inexact("its binary log has none of them")
    session = server.session(SETTINGS)
    try:
        rows = Survivor(session)
        undone = _read(server, lost[0], rows, program)
        if len(undone) > MOST:
            return _inexact(f"it logged more than {MOST} transactions since the first of them")
        changes = [change for one in undone for change in one.rows]
        tables = {place: rows.table(*place) for place in {(change.schema, change.table) for change in changes}}
        why = why_inexact(undone, rows.rows(fold(changes)), {place: why for place, table in tables.items() if (why := _unfit(table))})
        to = _without(session, holds, lost[0], [one.position for one in undone])
    finally:
        session.close()
    if why or to is None:
        return _inexact(why or "its positions are no GTIDs", undone)
    try:
        statements = tuple(_statements(undone, {place: table for place, table in tables.items() if table is not None}))
    except NotWritable as error:
        return _inexact(f"a value can't be written again exactly: {error}", undone)
    return Rewind(undone=undone, to=to, statements=statements)


def _inexact(why: str, undone: tuple[ReadTransaction, ...] = ()) -> Rewind:
    return Rewind(undone=undone, to=None, statements=(), inexact=why)


def _read(server: OldWriter, first: LoggedTransaction, rows: Survivor, program: str | None) -> tuple[ReadTransaction, ...]:
    """From there to the end of the log; one more than MOST at the most."""
    parser = Parser(server.facts().flavor, rows.table, own=True)
    return tuple(islice(parser.transactions(unpacked(dump(server, first.file, first.offset), program)), MOST + 1))


def _without(session: Session, holds: Position, first: LoggedTransaction, undone: Sequence[str]) -> Position | None:
    """What the server held before the first of them; None for a kind of position that can't tell.

    Of a MariaDB position that is what its log says of the place (MariaDB KB "BINLOG_GTID_POS"): a number less would not do for a domain
    that several servers write to.
    """
    if isinstance(holds, MySQLPosition):
        return holds.minus(MySQLPosition.parse(",".join(undone)))
    if isinstance(holds, MariaDBPosition):
        (row,) = session.rows(f"SELECT BINLOG_GTID_POS({text(first.file)}, {first.offset:d}) AS p", bound_s=_BATCH_S)
        return MariaDBPosition.parse(text_of(row["p"]))
    return None


def _unfit(table: Table | None) -> str:
    if table is None:
        return "there is no such table any more"
    if table.engine.lower() != "innodb":
        return f"its engine is {table.engine}, which takes nothing back"
    if table.triggers:
        return "it has a trigger, which would fire again"
    return "its changes cascade to other tables, which no log tells" if table.cascades else ""


def _statements(undone: Sequence[ReadTransaction], tables: Mapping[tuple[str, str], Table]) -> Iterator[tuple[str, str]]:
    for one in reversed(undone):
        for change in reversed(one.rows):
            sql = taken_back(change, tables[change.schema, change.table])
            if sql:
                yield f"{one.position}: {change.change} of {change.schema}.{change.table}", sql


def carry_out(session: Session, rewind: Rewind, note: str, mark: str, deadline: Deadline) -> None:
    """On a session that begins with UNLOGGED. `note` is committed with it. Nothing was changed by a StatementFailed (a row is not as it was
    left) or a BoundReached.
    """
    try:
        session.run((marked("START TRANSACTION", mark),), bound_s=_BATCH_S, effect=True)
        left = iter(rewind.statements)
        while some := list(islice(left, _AT_ONCE)):
            if deadline.is_over():
                raise BoundReached(
                    f"{session.server}: the rows were not taken back in time", hint="give it more: `undo`", server=session.server
                )
            results = session.run([marked(sql, mark) for _, sql in some], bound_s=_BATCH_S, effect=True, doing="take rows back")
            _see_one_each(session.server, [what for what, _ in some], results)
        session.run((marked(note, mark), "COMMIT"), bound_s=_BATCH_S, effect=True, doing="take rows back")
    except DriverError:
        session.close()  # its end is the transaction's end
        raise


def _see_one_each(server: str, about: Sequence[str], results: Sequence[Result]) -> None:
    for what, result in zip(about, results, strict=True):
        if result.affected != 1:
            raise StatementFailed(f"{server}: {what} can't be taken back: {result.affected} rows are as it left them", server=server)
