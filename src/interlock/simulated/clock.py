"""A clock that only moves when somebody sleeps; what happens meanwhile happens in its order, at its moment."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

from interlock.simulated.actor import Actor

_BEGAN = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


class SimulatedClock:
    """Sleeping runs every happening that is due on the way. One that sleeps itself sees the others go on."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._ahead_s = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._acting: Actor | None = None

    def monotonic_s(self) -> float:
        return self._now_s

    def wall(self) -> datetime:
        return _BEGAN + timedelta(seconds=self._now_s + self._ahead_s)

    def jump(self, seconds: float) -> None:
        """Set the wall clock on or back; the monotonic one goes on as it did."""
        self._ahead_s += seconds

    def sleep(self, seconds: float, /) -> None:
        if self._acting is None:
            self._pass(self._now_s + max(0.0, seconds), None)
        else:
            self._wait_its_turn(self._acting, self._now_s + max(0.0, seconds))

    def wait_until(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Sleep until it holds, looked at after each happening; False once `within_s` seconds are over."""
        end_s = self._now_s + within_s
        if holds():
            return True
        if self._acting is None:
            return self._pass(end_s, holds)
        while self._now_s < end_s:
            self._wait_its_turn(self._acting, min(end_s, self._due[0][0]) if self._due else end_s)
            if holds():
                return True
        return False

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        """Let it happen once."""
        heapq.heappush(self._due, (self._now_s + seconds, next(self._numbers), happen))

    def every(self, seconds: float, happen: Callable[[], None]) -> None:
        """Let it happen again and again, for the first time one interval from now."""

        def again() -> None:
            happen()
            self.after(seconds, again)

        self.after(seconds, again)

    def begin(self, run: Callable[[], None]) -> Actor:
        """A second program, from now on."""
        actor = Actor(run)
        self.after(0.0, lambda: self._turn_of(actor))
        return actor

    def _pass(self, end_s: float, holds: Callable[[], bool] | None) -> bool:
        due = self._due
        while due and due[0][0] <= end_s:
            at_s, _, happen = heapq.heappop(due)
            self._now_s = max(self._now_s, at_s)
            happen()
            if holds is not None and holds():
                return True
        self._now_s = max(self._now_s, end_s)
        return False

    def _wait_its_turn(self, actor: Actor, at_s: float) -> None:
        self.after(max(0.0, at_s - self._now_s), lambda: self._turn_of(actor))
        actor.give_back()

    def _turn_of(self, actor: Actor) -> None:
        self._acting = actor
        actor.give_turn()
        self._acting = None
