"""Did neither see the other's change? Did it own what it wrote? By positions in both logs, never by clocks. Pure.

Each master logs what it applied among what it wrote itself. So of a transaction `a` of one side and `b` of the other: who wrote `b` had
seen `a` if `a` stands before `b` in the log of `b`'s side; who wrote `a` had seen `b` if `b` stands before `a` in the log of `a`'s side.
If neither is so, both were written at the same time, and a key that both changed is a conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from interlock.decisions.losses import RowId
from interlock.model.conflicts import Turn, Write
from interlock.model.position import Position
from interlock.model.topology import ClusterName


class SameTime:
    """Is told the first side's log in its order, then the second's, and finds as it goes. It keeps what the first side wrote, and the names
    of all transactions.

    `first_began` and `second_began` tell whether a log held a transaction before the part of it that is read.
    """

    def __init__(self, *, first_began: Callable[[str], bool], second_began: Callable[[str], bool]) -> None:
        self._first_began = first_began
        self._second_began = second_began
        self._places: dict[str, int] = {}
        self._writes: dict[RowId, list[Write]] = {}
        self._arrived: set[str] = set()

    def in_first(self, name: str) -> None:
        """The next transaction of the first log, whoever wrote it."""
        self._places[name] = len(self._places)

    def wrote_first(self, write: Write, rows: Sequence[RowId]) -> None:
        """The first side wrote these rows."""
        for row in rows:
            self._writes.setdefault(row, []).append(write)

    def in_second(self, name: str) -> None:
        """The next transaction of the second log, whoever wrote it."""
        self._arrived.add(name)

    def wrote_second(self, write: Write, rows: Sequence[RowId]) -> Iterator[tuple[RowId, Write]]:
        """The second side wrote these rows: each with the first side's last change of it that was made at the same time."""
        for row in rows:
            others = self._writes.get(row, ())
            same = next((other for other in reversed(others) if self._is_same_time(other.position, write.position)), None)
            if same is not None:
                yield row, same

    def _is_same_time(self, first: str, second: str) -> bool:
        if first in self._arrived or self._second_began(first):
            return False
        place = self._places.get(second)
        return not (place < self._places[first] if place is not None else self._first_began(second))


def was_open(turns: Sequence[Turn], segment: str, cluster: ClusterName, at: Position, *, owns_now: bool) -> bool:
    """Whether a cluster could write a segment when its server wrote the transaction at this position. `turns` in their order; before the
    first of them it was the other way round, and without any it was as it is now.
    """
    its = [turn for turn in turns if turn.segment == segment and turn.cluster == cluster]
    for turn in reversed(its):
        if turn.position.can_be_compared_with(at) and not turn.position.contains(at):
            return turn.open
    return not its[0].open if its else owns_now
