"""From a range that differs to the rows that seem to: by pieces, then by the hash of each row. Whether they do is for the judge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from interlock.dataclass import dataclass
from interlock.decisions.pace import rows_at_once
from interlock.diff.ends import STATEMENT_S, Both, End
from interlock.diff.judge import PACKET_BYTES, Judge, key_words
from interlock.diff.kept import Chunk
from interlock.diff.sql import Asked, Range, chunk_sql, end_sql, few_sql, key_of, keys_sql, parts_by_number
from interlock.model.differences import NotCompared, RowDifference
from interlock.model.losses import Image
from interlock.servers.session import Result, Row, text_of

_PARTS = 32
LISTED_ROWS = 200
"""How many rows are told one by one."""
TOO_MANY = "so many rows differ that the rest was not looked at"
_CATCH_UP_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A range that was hashed on both sides: how many rows the writer and the other one have."""

    range: Range
    counts: tuple[int, int]
    same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Finds the rows of one table that differ, on one thread's connections."""

    asked: Asked
    both: Both
    writer: End
    other: End
    judge: Judge
    rows: int
    """About how many are in the range."""
    row_bytes: int
    """About how long one is, 0 if that is not known."""
    most: int
    """No more pieces are looked at once so many rows differ."""

    def compare(self, range_: Range) -> Chunk:
        """Hashes of the range, in parts where that costs nothing; of the parts that are not the same, the rows."""
        at_most = PACKET_BYTES // len(few_sql(self.asked, range_))
        parts = parts_by_number(self.asked, range_, min(self.rows // rows_at_once(self.row_bytes), at_most))
        hashed = list(self._hashed_few(parts) if parts else self._hashed([range_]))
        rows = sum(part.counts[0] for part in hashed)
        unlike = [part for part in hashed if not part.same]
        if not unlike:
            return Chunk(after=range_[0], upto=range_[1], rows=rows)
        differences, unsettled = self._narrowed(unlike)
        return Chunk(after=range_[0], upto=range_[1], rows=rows, differences=differences, not_compared=unsettled)

    def _hashed_few(self, parts: Sequence[Range]) -> Iterator[_Part]:
        """Each of a few thousand rows; those that turn out to have too much text once more, row by row."""
        answers = self._asked_both([few_sql(self.asked, part) for part in parts])
        for part, ours, theirs in zip(parts, *answers, strict=True):
            yield from self._hashed([part]) if ours.warnings or theirs.warnings else [_part(part, ours, theirs)]

    def _hashed(self, parts: Sequence[Range]) -> Iterator[_Part]:
        answers = self._asked_both([chunk_sql(self.asked, part) for part in parts])
        return map(_part, parts, *answers)

    def _asked_both(self, statements: Sequence[str]) -> tuple[Sequence[Result], Sequence[Result]]:
        """In one round trip to each side."""
        return self.both.run(statements, doing=f"hash {self.asked.table.written}")

    def _narrowed(self, unlike: Sequence[_Part]) -> tuple[tuple[RowDifference, ...], tuple[NotCompared, ...]]:
        self.other.reaches(self.writer.logged(self.both.writer), _CATCH_UP_S)
        found: dict[tuple[str, str], RowDifference] = {}
        unsettled: list[NotCompared] = []
        suspects = self._suspects_of(unlike)
        while some := list(islice(suspects, self.judge.at_once)):
            if len(found) >= self.most:
                unsettled.append(NotCompared(what=f"rows from {key_words(some[0])} on", why=TOO_MANY))
                break
            for one in self.judge.told(some):
                if isinstance(one, NotCompared):
                    unsettled.append(one)
                else:  # two keys that are one to their collation find the same two rows
                    found[repr(one.writer), repr(one.other)] = one
        return tuple(found.values()), tuple(unsettled)

    def _suspects_of(self, unlike: Sequence[_Part]) -> Iterator[Image]:
        """The keys of rows that are not the same, of all the parts: to judge some together takes no longer than to judge one."""
        left = list(reversed(unlike))
        while left:
            part = left.pop()
            if max(part.counts) > LISTED_ROWS and (smaller := self._smaller(part)):
                left += reversed([each for each in self._hashed(smaller) if not each.same])
            else:
                yield from self._suspects(part.range)

    def _smaller(self, part: _Part) -> list[Range]:
        """The part in parts, by the side that has more rows there; none if it can't be divided."""
        by_number = parts_by_number(self.asked, part.range, _PARTS)
        if by_number:
            return by_number
        side = self.both.each()[part.counts.index(max(part.counts))]
        rows = max(max(part.counts) // _PARTS, LISTED_ROWS)
        ranges: list[Range] = []
        (after, upto), ends = part.range, 0
        while ends < 2 * _PARTS:
            found = side.rows(end_sql(self.asked, (after, upto), rows), bound_s=STATEMENT_S, doing=f"divide {self.asked.table.written}")
            if not found:
                break
            end = key_of(found[0], self.asked, self.asked.ranged)
            ranges.append((after, end))
            after, ends = end, ends + 1
        return [*ranges, (after, upto)] if ranges else []

    def _suspects(self, piece: Range) -> Iterable[Image]:
        """Of a piece that is divided no further."""
        ours, theirs = self.both.rows(keys_sql(self.asked, piece), doing=f"hash the rows of {self.asked.table.written}")
        here, there = ({tuple(key.values()): (text_of(row["#h"]), key) for row, key in self._keyed(rows)} for rows in (ours, theirs))
        for values in {**here, **there}:
            one, two = here.get(values), there.get(values)
            if one is None or two is None or one[0] != two[0]:
                yield (one or two or ("", {}))[1]

    def _keyed(self, rows: Iterable[Row]) -> Iterator[tuple[Row, Image]]:
        return ((row, key_of(row, self.asked, self.asked.key)) for row in rows)


def _part(range_: Range, ours: Result, theirs: Result) -> _Part:
    here, there = ours.rows[0], theirs.rows[0]
    counts = int(text_of(here["n"])), int(text_of(there["n"]))
    return _Part(range=range_, counts=counts, same=counts[0] == counts[1] and text_of(here["x"]) == text_of(there["x"]))
