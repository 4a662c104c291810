"""From a range that differs to the rows that do: by pieces, by the hash of each row, by a second look, and then by proof."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from interlock.dataclass import dataclass
from interlock.diff.ends import STATEMENT_S, Both, End
from interlock.diff.kept import Chunk
from interlock.diff.proof import Proof, Settled, StandsStill, Unsettled
from interlock.diff.sql import Asked, Range, chunk_sql, end_sql, few_sql, hashes_sql, image_of, key_of, keys_sql, parts_by_number, rows_sql
from interlock.losses.codec import shown
from interlock.losses.sql import NotWritable
from interlock.model.differences import DifferenceKind, NotCompared, RowDifference
from interlock.model.losses import Image
from interlock.servers.session import Result, Row, Session, text_of

_PART_ROWS = 1_000
"""A range is hashed in parts of so many rows: on its way is always something, and then not the whole range is looked at again."""
_PARTS = 32
LISTED_ROWS = 200
"""How many rows are told one by one."""
TOO_MANY = "so many rows differ that the rest was not looked at"
_AT_ONCE, _FEW = 50, 5
"""How many rows are read whole at once; few, where each may have megabytes."""
_PACKET_BYTES = 2_000_000
"""How long a packet of statements gets: 16 MB (max_allowed_packet) is the least that servers take by default."""
_TRIES = 3
_LOOKS = 200
"""How many rows are asked for in one burst. It takes some ten milliseconds, so that hardly a state of a row is missed."""
_BURSTS = 20
_LED_TURNS, _LED_S = 8, 0.5
_CATCH_UP_S = 2.0

Found = Mapping[int, tuple[str, Image]]
"""Rows by the number of their key, each with its hash."""


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
    proof: Proof
    writer: End
    other: End
    at_rest: bool
    """The table's engine locks no rows."""
    rows: int
    """About how many are in the range."""
    most: int
    """No more pieces are looked at once so many rows differ."""

    def compare(self, range_: Range) -> Chunk:
        """Hashes of the range, in parts where that costs nothing; of the parts that are not the same, the rows."""
        at_most = _PACKET_BYTES // len(few_sql(self.asked, range_))
        parts = parts_by_number(self.asked, range_, min(self.rows // _PART_ROWS, at_most))
        hashed = list(self._hashed_few(parts) if parts else self._hashed([range_]))
        rows = sum(part.counts[0] for part in hashed)
        unlike = [part for part in hashed if not part.same]
        if not unlike:
            return Chunk(after=range_[0], upto=range_[1], rows=rows)
        differences, unsettled = self._narrowed(unlike)
        return Chunk(after=range_[0], upto=range_[1], rows=rows, differences=differences, not_compared=unsettled)

    def _hashed_few(self, parts: Sequence[Range]) -> Iterator[_Part]:
        """Each of some thousand rows; those that turn out to have too much text once more, row by row."""
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
        while some := list(islice(suspects, _FEW if self.asked.is_bulky else _AT_ONCE)):
            if len(found) >= self.most:
                unsettled.append(NotCompared(what=f"rows from {_key_words(some[0])} on", why=TOO_MANY))
                break
            for one in self._judged(some):
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

    def _judged(self, keys: Sequence[Image]) -> Iterator[RowDifference | NotCompared]:
        """Looked at again, for most are the same by now or are being written. The others are proved together, or else one by one."""
        try:
            still = self._not_followed(keys)
        except NotWritable as error:
            yield NotCompared(what="", why=f"a key can't be written: {error}")
            return
        if not still:
            return
        try:
            settled = self._settled(still)
        except StandsStill as error:
            yield NotCompared(what=f"row {_key_words(still[0])}" + f" and {len(still) - 1} more" * (len(still) > 1), why=str(error))
        except Unsettled:
            for key in still:
                yield from self._judged_alone(key)
        else:
            yield from self._differences(still, settled)

    def _judged_alone(self, key: Image) -> Iterator[RowDifference | NotCompared]:
        why = ""
        for _ in range(_TRIES):
            if not self._not_followed([key]):
                return
            try:
                yield from self._differences([key], self._settled([key]))
            except Unsettled as error:
                why = str(error)
            else:
                return
        yield NotCompared(what=f"row {_key_words(key)}", why=why)

    def _not_followed(self, keys: Sequence[Image]) -> list[Image]:
        """Those of which the other side never shows what the writer shows. The rest is no difference, though it may be written meanwhile.

        Each is asked for many times in a burst, on both sides at once, and again once the other side holds what the writer had. One that is
        led on stands where the writer was between two bursts, so it takes a few more to meet.
        """
        look = hashes_sql(self.asked, keys)
        looks = _FEW if self.asked.is_bulky else _LOOKS
        burst = [look] * max(min(looks // len(keys), _PACKET_BYTES // len(look)), 1)
        shown, followed = set[tuple[int, str]](), set[tuple[int, str]]()
        position, is_last = None, False
        for turn in range(_BURSTS):
            answer = self.both.helper.submit(self._states, self.both.other, burst)
            shown |= self._states(self.both.writer, burst)
            followed |= answer.result()
            left = [key for number, key in enumerate(keys) if not _of(shown, number) & _of(followed, number)]
            if not left or is_last:
                break
            led = self.other.lead is not None
            if position is None or led:
                position = self.writer.logged(self.both.writer)
            holds = self.other.reaches(position, _LED_S if led else 0.001)
            is_last = (holds and (turn >= _LED_TURNS or not led)) or not self.proof.follows()
        return left

    def _states(self, session: Session, burst: Sequence[str]) -> set[tuple[int, str]]:
        """Every hash that each key's row had, by the key's number; an empty one if there was no row."""
        states = set()
        for result in session.run(burst, bound_s=STATEMENT_S, doing=f"look at rows of {self.asked.table.written}"):
            found = {int(text_of(row["#"])): text_of(row["#h"]) for row in result.rows}
            states |= {(number, found.get(number, "")) for number in range(_AT_ONCE)}
        return states

    def _settled(self, keys: Sequence[Image]) -> Settled[Found]:
        settle = self.proof.settle_at_rest if self.at_rest else self.proof.settle
        return settle(_asks(self.asked, keys))

    def _differences(self, keys: Sequence[Image], settled: Settled[Found]) -> Iterator[RowDifference]:
        for number in range(len(keys)):
            ours, theirs = settled.writer.get(number), settled.other.get(number)
            if ours != theirs:
                yield self._difference(ours and ours[1], theirs and theirs[1], settled.position)

    def _difference(self, ours: Image | None, theirs: Image | None, position: str) -> RowDifference:
        both = ours is not None and theirs is not None
        row = ours or theirs or {}
        return RowDifference(
            schema=self.asked.table.schema,
            table=self.asked.table.name,
            kind=DifferenceKind.CHANGED if both else DifferenceKind.MISSING_ON,
            cluster=self.writer.cluster if ours is None else self.other.cluster,
            key={column: row[column] for column in self.asked.key},
            writer=ours,
            other=theirs,
            columns=tuple(name for name in row if ours and theirs and repr(ours[name]) != repr(theirs[name])),
            position=position,
        )


def _part(range_: Range, ours: Result, theirs: Result) -> _Part:
    here, there = ours.rows[0], theirs.rows[0]
    counts = int(text_of(here["n"])), int(text_of(there["n"]))
    return _Part(range=range_, counts=counts, same=counts[0] == counts[1] and text_of(here["x"]) == text_of(there["x"]))


def _asks(asked: Asked, keys: Sequence[Image]) -> Callable[[Session], Found]:
    def ask(session: Session) -> Found:
        return _by_number(session.rows(rows_sql(asked, keys), bound_s=5.0, doing=f"read {asked.table.written}"), asked)

    return ask


def _by_number(rows: Iterable[Row], asked: Asked) -> Found:
    return {int(text_of(row["#"])): (text_of(row["#h"]), image_of(row, asked)) for row in rows}


def _of(states: set[tuple[int, str]], number: int) -> set[tuple[int, str]]:
    return {state for state in states if state[0] == number}


def _key_words(key: Image) -> str:
    return ", ".join(f"{name}={shown(cell)}" for name, cell in key.items())
