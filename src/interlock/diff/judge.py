"""Which of some rows that seem to differ do: by a burst of looks at each, then by proof (docs/adr/0026-differences-at-one-position.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from interlock.dataclass import dataclass
from interlock.diff.ends import STATEMENT_S, Both, End
from interlock.diff.proof import Proof, Settled, StandsStill, Unsettled
from interlock.diff.sql import Asked, hashes_sql, image_of, rows_sql
from interlock.losses.codec import shown
from interlock.losses.sql import NotWritable
from interlock.model.differences import DifferenceKind, NotCompared, RowDifference
from interlock.model.losses import Image
from interlock.servers.session import Row, Session, text_of

PACKET_BYTES = 2_000_000
"""How long a packet of statements gets: 16 MB (max_allowed_packet) is the least that servers take by default."""
_AT_ONCE, _FEW = 50, 5
"""How many rows are read whole at once; few, where each may have megabytes."""
_TRIES = 3
_LOOKS = 200
"""How many rows are asked for in one burst. It takes some ten milliseconds, so that hardly a state of a row is missed."""
_BURSTS = 20
_LED_TURNS, _LED_S = 8, 0.5

Found = Mapping[int, tuple[str, Image]]
"""Rows by the number of their key, each with its hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Of the rows of one table, on one thread's connections."""

    asked: Asked
    both: Both
    proof: Proof
    writer: End
    other: End
    at_rest: bool
    """The table's engine locks no rows."""

    @property
    def at_once(self) -> int:
        """How many rows are judged together."""
        return _FEW if self.asked.is_bulky else _AT_ONCE

    def told(self, keys: Sequence[Image]) -> Iterator[RowDifference | NotCompared]:
        """Up to `at_once` of them. Most are the same by now, or are being written; the others are proved together, or else one by one."""
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
            yield NotCompared(what=f"row {key_words(still[0])}" + f" and {len(still) - 1} more" * (len(still) > 1), why=str(error))
        except Unsettled:
            for key in still:
                yield from self._alone(key)
        else:
            yield from self._differences(still, settled)

    def _alone(self, key: Image) -> Iterator[RowDifference | NotCompared]:
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
        yield NotCompared(what=f"row {key_words(key)}", why=why)

    def _not_followed(self, keys: Sequence[Image]) -> list[Image]:
        """Those of which the other side never shows what the writer shows. The rest is no difference, though it may be written meanwhile.

        Each is asked for many times in a burst, on both sides at once, and again once the other side holds what the writer had. One that is
        led on stands where the writer was between two bursts, so it takes a few more to meet.
        """
        look = hashes_sql(self.asked, keys)
        looks = _FEW if self.asked.is_bulky else _LOOKS
        burst = [look] * max(min(looks // len(keys), PACKET_BYTES // len(look)), 1)
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


def _asks(asked: Asked, keys: Sequence[Image]) -> Callable[[Session], Found]:
    def ask(session: Session) -> Found:
        return _by_number(session.rows(rows_sql(asked, keys), bound_s=5.0, doing=f"read {asked.table.written}"), asked)

    return ask


def _by_number(rows: Iterable[Row], asked: Asked) -> Found:
    return {int(text_of(row["#"])): (text_of(row["#h"]), image_of(row, asked)) for row in rows}


def _of(states: set[tuple[int, str]], number: int) -> set[tuple[int, str]]:
    return {state for state in states if state[0] == number}


def key_words(key: Image) -> str:
    return ", ".join(f"{name}={shown(cell)}" for name, cell in key.items())
