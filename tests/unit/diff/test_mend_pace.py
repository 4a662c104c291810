from __future__ import annotations

from interlock.diff.mend_pace import Pace
from interlock.simulated.clock import SimulatedClock


def test_so_many_rows_a_second_at_the_most() -> None:
    clock = SimulatedClock()
    pace = Pace(100, clock)
    for _ in range(5):
        pace(50)
    assert clock.monotonic_s() == 2.0
