from __future__ import annotations

from interlock.diff.mend_pace import Pace
from interlock.simulated.clock import SimulatedClock


def test_so_many_rows_a_second_at_the_most() -> None:
    clock = SimulatedClock()
    pace = Pace(100, clock)
    for _ in range(5):
        pace(50)
    assert clock.monotonic_s() == 2.0
    assert (pace.at_once(500), pace.at_once(7)) == (100, 7)


def test_without_a_limit_nothing_is_waited_for() -> None:
    clock = SimulatedClock()
    pace = Pace(0, clock)
    for _ in range(5):
        pace(50)
    assert (clock.monotonic_s(), pace.at_once(500)) == (0.0, 500)
