"""What both sides of a pair wrote at the same time, and what a side wrote that it does not own: read off their binary logs."""

from __future__ import annotations

from datetime import datetime

from interlock.dataclass import dataclass
from interlock.model.losses import Image
from interlock.model.position import Position
from interlock.model.topology import ClusterName


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A segment was proved closed on a cluster's master, or opened there, when that held `position`: it counts for what it wrote later.
    `at` is when the run noted it, by the clock of whoever ran it.
    """

    segment: str
    cluster: ClusterName
    position: Position
    open: bool
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A transaction by its name in the logs, who wrote it first, and when by that server's clock, which decides nothing."""

    cluster: ClusterName
    position: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A change to a segment by a cluster that did not own it. `change` is insert, update, delete or statement; a statement has no `key`."""

    segment: str
    write: Write
    schema: str
    table: str
    key: Image
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A key that both sides changed while neither had seen the other's change."""

    schema: str
    table: str
    key: Image
    first: Write
    second: Write


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRead:
    """What was read of one log, from the beginning of a file: its own server's `transactions` and their `rows`. `unread` says what of them
    could not be judged, each sentence once.
    """

    cluster: ClusterName
    file: str
    transactions: int
    rows: int
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictReport:
    topology: str
    since: datetime | None
    seconds: float
    logs: tuple[LogRead, ...]
    violations: tuple[Violation, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    @property
    def rows_per_s(self) -> float:
        return sum(each.rows for each in self.logs) / self.seconds if self.seconds else 0.0
