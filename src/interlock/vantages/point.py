"""What every vantage point is: a name, a kind, and one bounded look. What differs is `see`, a function in each of the rooms beside."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.errors import InterlockError
from interlock.model.liveness import SeenFrom, VantageKind, View

GRACE_S = 0.2
"""How much longer than the bound we wait: what a look says of itself at its bound is better than that it said nothing."""

_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen, and in the peer's own words how."""

    view: View
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """`see` gets the seconds that it may take. An error of its own says that it could not tell; a look that does not come back in time is
    left behind, and so is what it waits for.
    """

    name: str
    kind: VantageKind
    see: Callable[[float], Sight]
    clock: Clock
    at: str = ""

    def look(self, within_s: float, /) -> SeenFrom:
        began_s = self.clock.monotonic_s()
        sight = self._bounded(within_s)
        ms = (self.clock.monotonic_s() - began_s) * 1000
        return SeenFrom(vantage=self.name, kind=self.kind, view=sight.view, detail=shortened(sight.detail), at=self.at, ms=round(ms, 1))

    def _bounded(self, within_s: float) -> Sight:
        """In a thread that the program's end does not wait for: drivers have bounds of their own, which are longer."""
        answers: SimpleQueue[Sight] = SimpleQueue()

        def see() -> None:
            try:
                answers.put(self.see(within_s))
            except InterlockError as error:
                answers.put(Sight(View.UNKNOWN, error.message))

        threading.Thread(target=see, name=f"look {self.name}", daemon=True).start()
        try:
            return answers.get(timeout=within_s + GRACE_S)
        except Empty:
            return Sight(View.UNKNOWN, f"no word within {within_s:g}s")


def shortened(words: str) -> str:
    """On one line, and no longer than what people read of it."""
    line = " ".join(words.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
