"""A clock that only moves when somebody sleeps; what happens meanwhile happens in its order, at its moment."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

_BEGAN = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


class SimulatedClock:
    """Sleeping runs every happening that is due on the way. One that sleeps itself sees the others go on."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def monotonic_s(self) -> float:
        return self._now_s

    def wall(self) -> datetime:
        return _BEGAN + timedelta(seconds=self._now_s)

    def sleep(self, seconds: float, /) -> None:
        self.wait_until(lambda: False, max(0.0, seconds))

    def wait_until(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Sleep until it holds, looked at after each happening; False once `within_s` seconds are over."""
        end_s = self._now_s + within_s
        while not holds():
            if not self._due or self._due[0][0] > end_s:
                self._now_s = max(self._now_s, end_s)
                return holds()
            at_s, _, happen = heapq.heappop(self._due)
            self._now_s = max(self._now_s, at_s)
            happen()
        return True

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        """Let it happen once."""
        heapq.heappush(self._due, (self._now_s + seconds, next(self._numbers), happen))

    def every(self, seconds: float, happen: Callable[[], None]) -> None:
        """Let it happen again and again, for the first time one interval from now."""

        def again() -> None:
            happen()
            self.after(seconds, again)

        self.after(seconds, again)
