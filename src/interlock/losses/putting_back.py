"""What `repair --losses` would send, as data: of each lost transaction its guarded statements, their inverse, and what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from datetime import datetime

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.losses.find import Losses
from interlock.losses.sql import SETTINGS, NotWritable, inverse, statement
from interlock.losses.tables import misfit
from interlock.model.losses import LossKind, LostRow, LostTransaction


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBack:
    """One row: which of its transaction's (from 0), what puts it back, and what takes it away again."""

    index: int
    row: LostRow
    sql: str
    inverse: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A row or a statement that is not put back, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTransaction:
    """What becomes of one lost transaction. With no row to put back, nothing is sent for it."""

    position: str
    at: datetime
    rows: tuple[PutBack, ...]
    left_out: tuple[LeftOut, ...] = field(default_factory=tuple)


def planned(losses: Losses) -> tuple[PlannedTransaction, ...]:
    """In the order of the old writer's log. A transaction that was put back already is not there."""
    return tuple(_planned(one, losses) for one in losses.report.transactions if not one.applied)


def taken_back(losses: Losses, applied: dict[str, frozenset[int]]) -> tuple[PlannedTransaction, ...]:
    """The transactions that were put back, the last one first, each with the rows that were. StatementFailed if one can't be any more."""
    found = []
    for one in reversed(losses.report.transactions):
        rows = [_back(index, row, losses) for index, row in enumerate(one.rows) if index in applied.get(one.position, ())]
        if rows:
            found.append(PlannedTransaction(position=one.position, at=one.at, rows=tuple(reversed(rows))))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A transaction of a script: its statements, each with its inverse, and what is left out beside them."""

    heading: str
    statements: Sequence[tuple[str, str]]
    left_out: Sequence[LeftOut] = ()


def sql_file(plans: Sequence[PlannedTransaction], head: Iterable[str], *, back: bool = False) -> str:
    """A script for the server's own client. `back`: the inverse of all of it, the last one first."""
    blocks = [
        Block(
            heading=f"{plan.position} of {plan.at:%Y-%m-%d %H:%M:%S} UTC",
            statements=[(row.sql, row.inverse) for row in plan.rows],
            left_out=plan.left_out,
        )
        for plan in plans
    ]
    return sql_script(blocks, head, back=back)


def sql_script(blocks: Sequence[Block], head: Iterable[str], *, settings: str = SETTINGS, back: bool = False) -> str:
    """The same of any blocks, on a connection that begins with `settings`."""
    lines = [*(f"-- {_one_line(line)}" for line in head), "SET NAMES utf8mb4;", f"{settings};"]
    for block in reversed(blocks) if back else blocks:
        lines += ["", f"-- {_one_line(block.heading)}"]
        lines += [f"--   left out: {_one_line(one.what)}: {_one_line(one.why)}" for one in block.left_out]
        if block.statements:
            statements = [inverse for _, inverse in reversed(block.statements)] if back else [sql for sql, _ in block.statements]
            lines += ["START TRANSACTION;", *(f"{statement};" for statement in statements), "COMMIT;"]
    return "\n".join(lines) + "\n"


def _planned(one: LostTransaction, losses: Losses) -> PlannedTransaction:
    rows, left = [], []
    for index, row in enumerate(one.rows):
        if row.kind is LossKind.REAPPLICABLE:
            try:
                rows.append(_row(index, row, losses))
            except NotWritable as error:
                left.append(LeftOut(what=named(row), why=f"it can't be written again exactly: {error}"))
        else:
            left.append(LeftOut(what=named(row), why=f"{row.kind.value}: {row.why}"))
    left += [LeftOut(what=said.text, why="a statement: a person decides") for said in one.statements]
    if one.unreadable:
        left.append(LeftOut(what="a part of it", why=one.unreadable))
    return PlannedTransaction(position=one.position, at=one.at, rows=tuple(rows), left_out=tuple(left))


def _back(index: int, row: LostRow, losses: Losses) -> PutBack:
    try:
        return _row(index, row, losses)
    except NotWritable as odd:
        hint = f"`interlock losses {losses.report.run}` tells its values: change it by hand"
        raise StatementFailed(f"{named(row)} was put back, and can't be taken back: {odd}", hint=hint) from odd


def _row(index: int, row: LostRow, losses: Losses) -> PutBack:
    table = losses.table(row)
    why = misfit((row.before, row.after), tuple(row.key), table)
    if why:
        raise NotWritable(why)
    return PutBack(index=index, row=row, sql=statement(row, table), inverse=inverse(row, table))


def named(row: LostRow) -> str:
    """`update app.t id=5`."""
    key = ", ".join(f"{name}={cell!r}" for name, cell in row.key.items())
    return f"{row.change.value} {row.schema}.{row.table} {key}".rstrip()


def _one_line(told: str) -> str:
    return " ".join(told.split())
