"""When a pair is quiet, by bins of ten minutes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interlock.decisions.windows import BIN_S, DAY_S, WEEK_S, Activity, Windows, hours_text, quietest, together
from interlock.model.verdict import Refuse

MONDAY_S = 1_704_067_200
"""2024-01-01 00:00 UTC."""
HOUR_S = 3600


def activity(days: float, rate: Callable[[int], int], *, since_s: int = MONDAY_S) -> Activity:
    """`rate` tells the transactions of a bin by its seconds since a Monday's beginning."""
    until_s = since_s + int(days * DAY_S)
    bins = {at // BIN_S: rate(at - MONDAY_S) for at in range(since_s, until_s, BIN_S)}
    return Activity(since_s=since_s, until_s=until_s, bins=bins)


def found(seen: Activity, length_s: int = HOUR_S, most: int = 3) -> Windows:
    windows = quietest(seen, length_s, most)
    assert isinstance(windows, Windows), windows
    return windows


def quiet_at(hour: int) -> Callable[[int], int]:
    return lambda at_s: 0 if at_s % DAY_S // HOUR_S == hour else 600


@pytest.mark.parametrize("hour", [0, 3, 23])
def test_a_quiet_hour_of_each_day_is_found(hour: int) -> None:
    windows = found(activity(3, quiet_at(hour)))
    assert (windows.cycle_s, windows.best[0].begins_s, windows.best[0].seen) == (DAY_S, hour * HOUR_S, 3)
    assert (windows.best[0].most_per_s, windows.peak.mean_per_s) == (0.0, 1.0)
    assert (windows.by_hour[hour], windows.by_hour[(hour + 5) % 24]) == (0.0, 1.0)


def test_a_quiet_hour_of_one_weekday_is_found_where_the_logs_tell_weeks() -> None:
    wednesday_noon_s = 2 * DAY_S + 12 * HOUR_S
    windows = found(activity(22, lambda at_s: 0 if 0 <= at_s % WEEK_S - wednesday_noon_s < HOUR_S else 60))
    assert (windows.cycle_s, windows.best[0].begins_s, windows.best[0].seen) == (WEEK_S, wednesday_noon_s, 3)


def test_one_loud_night_among_many_is_no_quiet_hour() -> None:
    """03:00 is quietest in the mean, and was loud once; 05:00 is always nearly quiet."""

    def rate(at_s: int) -> int:
        hour = at_s % DAY_S // HOUR_S
        if hour == 3:
            return 6000 if at_s < DAY_S else 0
        return 60 if hour == 5 else 600

    assert found(activity(5, rate)).best[0].begins_s == 5 * HOUR_S
    by_week = found(activity(30, rate), most=7)
    assert by_week.cycle_s == WEEK_S
    assert [one.begins_s for one in by_week.best] == [day * DAY_S + 3 * HOUR_S for day in range(1, 7)] + [5 * HOUR_S]


def test_windows_do_not_overlap() -> None:
    begins = [one.begins_s for one in found(activity(3, quiet_at(3)), HOUR_S, 5).best]
    assert len(begins) == 5
    assert all(min((a - b) % DAY_S, (b - a) % DAY_S) >= HOUR_S for a in begins for b in begins if a != b)


@pytest.mark.parametrize(
    ("days", "length_s", "says"),
    [
        pytest.param(0.5, HOUR_S, "reach back 12.0h: too short to tell", id="half a day"),
        pytest.param(1.0, HOUR_S, "reach back 24.0h: too short to tell", id="not every hour whole"),
        pytest.param(9.0, 2 * DAY_S, "48h is longer than a day", id="longer than any quiet time"),
    ],
)
def test_logs_that_do_not_tell_are_refused(days: float, length_s: int, says: str) -> None:
    windows = quietest(activity(days, quiet_at(3)), length_s, 3)
    assert isinstance(windows, Refuse)
    assert says in windows.why


def test_two_sides_count_together_for_as_long_as_both_tell() -> None:
    one = activity(4, quiet_at(3))
    other = activity(3, quiet_at(4), since_s=MONDAY_S + DAY_S)
    both = together([one, other])
    assert (both.since_s, both.until_s) == (other.since_s, one.until_s)
    assert found(both).by_hour[3:6] == (1.0, 1.0, 2.0)


@pytest.mark.parametrize(("seconds", "told"), [(-5.0, "0m"), (1500.0, "25m"), (3600.0, "1.0h"), (91_800.0, "25.5h")])
def test_less_than_an_hour_is_told_in_minutes(seconds: float, told: str) -> None:
    assert hours_text(seconds) == told
