"""How fast rows are mended: so many a second at the most, and not while a server is over its limits."""

from __future__ import annotations

from collections.abc import Callable

from interlock.clock import Clock


class Pace:
    """`busy` says why to wait, empty if there is no reason; `tell` hears it once for each reason."""

    def __init__(self, rows_per_s: int, busy: Callable[[], str], *, clock: Clock, tell: Callable[[str], None]) -> None:
        self._rows_per_s = rows_per_s
        self._busy = busy
        self._clock = clock
        self._tell = tell
        self._next_s = clock.monotonic_s()

    def __call__(self, rows: int) -> None:
        """Before so many rows are written."""
        self._clock.sleep(max(0.0, self._next_s - self._clock.monotonic_s()))
        told = ""
        while why := self._busy():
            if why != told:
                self._tell(f"waiting: {why}")
                told = why
            self._clock.sleep(0.25)
        self._next_s = max(self._next_s, self._clock.monotonic_s()) + rows / self._rows_per_s
