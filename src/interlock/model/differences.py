"""What differs between the two clusters' data. A difference stands at one position: both rows were so there, whatever was written since.

A *writer* is the side whose data counts, the *other* one the side that is compared with it. Cells and images: `model/losses.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from interlock.dataclass import dataclass
from interlock.model.losses import Image


class DifferenceKind(StrEnum):
    """Stored words, never renamed."""

    MISSING_ON = "missing_on"  # one side lacks the row
    CHANGED = "changed"  # both have it, with other values
    EXTRA_TABLE = "extra_table"  # one side lacks the table
    SCHEMA = "schema"  # tables, columns, keys, triggers, routines or views are not declared alike


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDifference:
    """`cluster` lacks the row (missing_on), or has it otherwise than the writer (changed: always the other one).

    `writer` and `other` are the whole rows, exact, of the columns that both sides declare alike and that are not generated; None where
    the row is missing. `key` are the values of the table's key, as the writer has them, or as the other side has if the writer lacks the
    row; empty if the table has no key: then `copies` says how many more of this row one side has. `columns` differ. `position` is the
    writer's: the other side held it when it had this row, and the writer's row had not been written after it.
    """

    schema: str
    table: str
    kind: DifferenceKind
    cluster: str
    key: Image
    writer: Image | None
    other: Image | None
    columns: tuple[str, ...]
    position: str
    copies: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeDifference:
    """Something that is declared otherwise on `cluster`, or missing there: `what` names it (`table`, `column note`, `trigger t`), `writer`
    and `other` are how each side declares it, empty where it has none. `table` is empty for what belongs to a whole schema.
    """

    schema: str
    table: str
    kind: DifferenceKind
    cluster: str
    what: str
    writer: str
    other: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCompared:
    """What could not be compared, or not settled, and why. `what`: empty for the whole table, `column c`, or `row id=5`."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedTable:
    """One table that both sides have. `key` are the columns by which rows were told apart, empty without a key. `columns` are the types of
    the columns that were compared, as both sides declare them; `generated` ones are named and not compared. `rows` are the writer's.
    `complete`: all of it was looked at.
    """

    schema: str
    name: str
    key: tuple[str, ...] = ()
    columns: Mapping[str, str]
    generated: tuple[str, ...] = ()
    rows: int = 0
    differences: tuple[RowDifference, ...] = ()
    not_compared: tuple[NotCompared, ...] = ()
    complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One run of `diff`. `writer` and `other` are clusters; `position` is the writer's at the beginning, which the other side had reached
    before anything was compared. `ended_at` is None while it is unfinished. `unseen` is what the account may not see of what is declared.
    """

    name: str
    topology: str
    writer: str
    other: str
    position: str
    began_at: datetime
    ended_at: datetime | None = None
    seconds: float = 0.0
    shapes: tuple[ShapeDifference, ...] = ()
    unseen: tuple[NotCompared, ...] = ()
    tables: tuple[ComparedTable, ...] = ()

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def differences(self) -> int:
        return len(self.shapes) + sum(len(table.differences) for table in self.tables)

    @property
    def not_compared(self) -> int:
        return sum(len(table.not_compared) + (not table.complete) for table in self.tables)

    @property
    def is_equal(self) -> bool:
        """Everything was compared, and nothing differs."""
        return self.ended_at is not None and not self.differences and not self.not_compared
