"""Which range of which table is compared next: of about as many rows as took AIM_S before.

A range ends at the key that stands so many rows further on in the index. To walk there costs a third of the hashing; where the key is one
integer, the end is reckoned from how many rows the range before had, if the optimizer's estimate does not speak against it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from threading import Lock

from interlock.dataclass import dataclass
from interlock.decisions.pace import FIRST_ROWS, LEAST_ROWS, next_rows
from interlock.diff.ends import STATEMENT_S
from interlock.diff.kept import Chunk, Table
from interlock.diff.planning import Planned
from interlock.diff.rows import TOO_MANY
from interlock.diff.sql import Asked, Range, end_sql, estimate_sql, key_of, last_sql, number_key
from interlock.errors import BoundReached, StatementFailed
from interlock.model.differences import NotCompared
from interlock.model.losses import Image
from interlock.servers.session import Row, Session, text_of

AIM_S = 0.5
_OFF_AT_MOST = 4
DIFFERENCES_AT_MOST = 10_000
"""Of one table. One that differs by more is copied again, not mended row by row."""


@dataclass(slots=True, kw_only=True)
class Work:
    """One table under way: `asked` of it, in the ranges that are left, the next one last."""

    planned: Planned
    asked: Asked
    left: list[Range]
    size: int = FIRST_ROWS
    found: int = 0
    last: int | None = None
    """The greatest key when it was first looked at, of a key that is one integer."""
    density: float = 0.0
    """Rows for each number of such a key, in the range before."""

    @property
    def place(self) -> Table:
        return self.planned.table.schema, self.planned.table.name


@dataclass(slots=True, kw_only=True)
class Ranges:
    """Threads share it. `session` reads the writer's index; what can't be compared goes to `tell` as a chunk."""

    session: Session
    works: list[Work]
    tell: Callable[[Work, Chunk], None]
    turn: Lock = field(default_factory=Lock)

    def next(self) -> tuple[Work, Range] | None:
        """None when nothing is left to begin."""
        with self.turn:
            for work in self.works:
                while work.left:
                    range_ = work.left.pop()
                    try:
                        return work, self._cut(work, range_)
                    except (BoundReached, StatementFailed) as error:
                        self.tell(work, given_up(range_, error.message))
            return None

    def done(self, work: Work, chunk: Chunk, took_s: float) -> None:
        with self.turn:
            self.tell(work, chunk)
            work.found += len(chunk.differences)
            if work.found >= DIFFERENCES_AT_MOST:
                while work.left:
                    self.tell(work, given_up(work.left.pop(), TOO_MANY))
            if not chunk.differences and chunk.rows >= LEAST_ROWS:
                work.size = next_rows(chunk.rows, took_s, AIM_S)
            work.density = _density(work, chunk)

    def took_too_long(self, work: Work, range_: Range, why: str) -> None:
        """It is cut smaller, unless it is as small as it gets."""
        with self.turn:
            if work.size <= LEAST_ROWS or not work.asked.index:
                self.tell(work, given_up(range_, why))
            else:
                work.size = max(work.size // 4, LEAST_ROWS)
                work.left.append(range_)

    def _cut(self, work: Work, range_: Range) -> Range:
        if not work.asked.index:
            return range_
        end = self._end(work, range_)
        if end is None:
            return range_
        work.left.append((end, range_[1]))
        return range_[0], end

    def _end(self, work: Work, range_: Range) -> Image | None:
        reckoned = self._reckoned(work, range_)
        if reckoned is not None:
            return reckoned
        statement = end_sql(work.asked, range_, work.size)
        rows = self._rows(work, statement)
        return key_of(rows[0], work.asked, work.asked.ranged) if rows else None

    def _reckoned(self, work: Work, range_: Range) -> Image | None:
        """None if it can't be said without walking there."""
        after, upto = range_
        column = number_key(work.asked)
        if not column or after is None or upto is not None or not work.density:
            return None
        low = after[column]
        if work.last is None:
            work.last = int(text_of(self._rows(work, last_sql(work.asked))[0]["k"]) or 0)
        end = min(int(str(low)) + max(1, int(work.size / work.density)), work.last)
        if end <= int(str(low)):
            return None
        told = self._rows(work, estimate_sql(work.asked, (after, {column: end})))
        estimate = sum(int(text_of(row.get("rows")) or 0) for row in told)
        return {column: end} if estimate <= _OFF_AT_MOST * work.size else None

    def _rows(self, work: Work, statement: str) -> Sequence[Row]:
        return self.session.rows(statement, bound_s=STATEMENT_S, doing=f"divide {work.asked.table.written}")


def _density(work: Work, chunk: Chunk) -> float:
    column = number_key(work.asked)
    if not column or chunk.after is None or chunk.upto is None:
        return 0.0
    return chunk.rows / max(1, int(str(chunk.upto[column])) - int(str(chunk.after[column])))


def given_up(range_: Range, why: str) -> Chunk:
    return Chunk(
        after=range_[0], upto=range_[1], rows=0, not_compared=(NotCompared(what="a range of its keys" if any(range_) else "", why=why),)
    )
