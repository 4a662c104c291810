"""What an emergency lost: transactions in the old writer's binary log that the survivor does not hold, row by row.

A *cell* is one column's value, exact and comparable: integers (also YEAR, BIT, and the number of an ENUM's or SET's members), floats, texts
(also decimals, dates, times and JSON, as the server writes them), bytes, and None for NULL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from interlock.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Odd:
    """A value that can be shown and compared, but not written again exactly; `why` says what is odd about it."""

    shown: str
    why: str = field(default="", compare=False)


Cell = None | int | float | str | bytes | Odd
Image = Mapping[str, Cell]
"""A row's values by column name."""


class Change(StrEnum):
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


class LossKind(StrEnum):
    """Stored words, never renamed."""

    ALREADY_THERE = "already_there"  # the survivor's row is as the lost transactions left it
    REAPPLICABLE = "reapplicable"  # the survivor's row is as they found it
    CONFLICTING = "conflicting"  # anything else: a person decides


class LossState(StrEnum):
    KNOWN = "known"
    PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """One row as a binary log has it: `before` None for an insert, `after` None for a delete. `key` names the key's columns, empty if the
    table has none. `problem` says why the row can't be judged (a partial image, a table that changed), empty if it can.
    """

    schema: str
    table: str
    key: tuple[str, ...]
    before: Image | None
    after: Image | None
    problem: str = ""

    @property
    def change(self) -> Change:
        if self.before is None:
            return Change.INSERT
        return Change.DELETE if self.after is None else Change.UPDATE


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedStatement:
    """What was logged as a statement: DDL, or DML of `binlog_format` STATEMENT. Nobody can tell which rows it meant."""

    schema: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTransaction:
    """One transaction of a log: its GTID or `file:offset`, and when it was logged by that server's clock. `unreadable` says what of it
    could not be read, empty if all could. `canaries` are rows of Interlock's own schema, which are left out of `rows`.
    """

    position: str
    at: datetime
    rows: tuple[RowChange, ...] = ()
    statements: tuple[LoggedStatement, ...] = ()
    unreadable: str = ""
    canaries: int = 0

    @property
    def is_only_canaries(self) -> bool:
        return not (self.rows or self.statements or self.unreadable)


@dataclass(frozen=True, slots=True, kw_only=True)
class LostRow:
    schema: str
    table: str
    key: Image
    change: Change
    before: Image | None
    after: Image | None
    kind: LossKind
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LostTransaction:
    """`applied`: `repair` has put it back, all of its rows that could be."""

    position: str
    at: datetime
    rows: tuple[LostRow, ...]
    statements: tuple[LoggedStatement, ...] = ()
    unreadable: str = ""
    applied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What is known before the loss itself is: what the survivor held when it was opened, and what it had received (empty if the run did
    not note it). Nothing of that is lost. `heard_at` is when something last came from the old writer, a heartbeat too; None if the
    survivor did not tell.
    """

    held: str
    received: str = ""
    opened_at: datetime | None = None
    heard_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LossReport:
    """`old` lost the writes to `survivor`. `source` says where the transactions were read, `proof` why there are no others (or why that is
    not known). `canaries` counts Interlock's own rows among what is missing, which are no loss.
    """

    run: str
    state: LossState
    old: str
    survivor: str
    bound: Bound
    source: str
    proof: str
    transactions: tuple[LostTransaction, ...] = ()
    canaries: int = 0

    def rows_of(self, kind: LossKind) -> int:
        return sum(1 for transaction in self.transactions for row in transaction.rows if row.kind is kind)
