"""How fast rows are mended: so many a second at the most."""

from __future__ import annotations

from interlock.clock import Clock


class Pace:
    """Called before so many rows are written, it waits until those before had their time."""

    def __init__(self, rows_per_s: int, clock: Clock) -> None:
        self.rows_per_s = rows_per_s
        self._clock = clock
        self._next_s = clock.monotonic_s()

    def __call__(self, rows: int) -> None:
        self._clock.sleep(max(0.0, self._next_s - self._clock.monotonic_s()))
        self._next_s = max(self._next_s, self._clock.monotonic_s()) + rows / self.rows_per_s
