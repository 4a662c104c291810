"""How fast rows are mended: so many a second at the most, or as fast as it goes."""

from __future__ import annotations

from interlock.clock import Clock


class Pace:
    """Called before so many rows are written, it waits until those before had their time. `rows_per_s` 0: it never waits."""

    def __init__(self, rows_per_s: int, clock: Clock) -> None:
        self._rows_per_s = max(0, rows_per_s)
        self._clock = clock
        self._next_s = clock.monotonic_s()

    def at_once(self, most: int) -> int:
        """How many rows, at the most, so that nobody waits longer than a second for them."""
        return min(most, self._rows_per_s or most)

    def __call__(self, rows: int) -> None:
        if not self._rows_per_s:
            return
        self._clock.sleep(max(0.0, self._next_s - self._clock.monotonic_s()))
        self._next_s = max(self._next_s, self._clock.monotonic_s()) + rows / self._rows_per_s
