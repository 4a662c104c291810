"""Waiting for a state that comes about by itself: a server tells of what it has done a moment after its client has the answer."""

from __future__ import annotations

from collections.abc import Callable

from interlock.clock import Clock, Deadline, SystemClock

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.05


def eventually(holds: Callable[[], bool], within_s: float = 60.0, *, clock: Clock | None = None) -> bool:
    """Whether it came about. The bound is generous: it is only ever waited for where a test fails."""
    deadline, pause_s = Deadline.after(clock or SystemClock(), within_s), _FIRST_PAUSE_S
    while not holds():
        if deadline.is_over():
            return False
        deadline.clock.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    return True
