from __future__ import annotations

from interlock.diff.mend_pace import Pace
from interlock.simulated.clock import SimulatedClock


def test_so_many_rows_a_second_at_the_most() -> None:
    clock = SimulatedClock()
    pace = Pace(100, lambda: "", clock=clock, tell=lambda _: None)
    for _ in range(5):
        pace(50)
    assert clock.monotonic_s() == 2.0


def test_a_server_that_is_over_its_limits_is_waited_for_and_told_of_once() -> None:
    clock, told = SimulatedClock(), list[str]()
    pace = Pace(100, lambda: "west runs 30 statements" if clock.monotonic_s() < 3 else "", clock=clock, tell=told.append)
    pace(50)
    assert (clock.monotonic_s(), told) == (3.0, ["waiting: west runs 30 statements"])
