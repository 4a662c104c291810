"""The only module that reads time or sleeps.

Two times: *monotonic* seconds measure and bound; *wall* time is shown to people and stored. No decision that protects data compares wall
clocks of two machines.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

from interlock.dataclass import dataclass


class Clock(Protocol):
    """Time as the engine sees it; simulated in tests."""

    def monotonic_s(self) -> float: ...
    def wall(self) -> datetime: ...
    def sleep(self, seconds: float, /) -> None: ...


class SystemClock:
    """The machine's own clock."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float, /) -> None:
        time.sleep(max(0.0, seconds))


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock after which nothing new is begun."""

    clock: Clock
    at_s: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> Deadline:
        return cls(clock, clock.monotonic_s() + seconds)

    def left_s(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self.at_s - self.clock.monotonic_s())

    def is_over(self) -> bool:
        return self.left_s() <= 0.0
