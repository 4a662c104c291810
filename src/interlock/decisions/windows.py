"""When is a pair quiet? From how many transactions its logs have in each ten minutes.

What repeats is a day, or a week where the logs reach back that far. A time of it counts as quiet by its worst occurrence, then by the mean:
one loud night among seven is no quiet hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from interlock.dataclass import dataclass
from interlock.model.verdict import Refuse

BIN_S = 600
HOUR_S = 3600
DAY_S = 86_400
WEEK_S = 7 * DAY_S
_MONDAY = 4 * DAY_S  # 1970-01-01 was a Thursday
HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Transactions by the number of their bin (seconds since 1970 // BIN_S), seen from `since_s` to `until_s`."""

    since_s: int
    until_s: int
    bins: Mapping[int, int]

    @property
    def span_s(self) -> int:
        return self.until_s - self.since_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """`begins_s` seconds into the cycle (a week begins on Monday, 00:00 UTC). Transactions a second: the mean of the times that it was
    `seen`, and the most.
    """

    begins_s: int
    mean_per_s: float
    most_per_s: float
    seen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """`cycle_s` is a day or a week. `best` comes first, none overlaps another. `by_hour` is the mean of each hour of the day, UTC; `peak`
    the loudest window of that length.
    """

    cycle_s: int
    length_s: int
    best: tuple[Window, ...]
    peak: Window
    by_hour: tuple[float, ...]


def together(activities: Sequence[Activity]) -> Activity:
    """What all of them saw at the same time."""
    bins: dict[int, int] = {}
    for activity in activities:
        for number, count in activity.bins.items():
            bins[number] = bins.get(number, 0) + count
    return Activity(since_s=max(one.since_s for one in activities), until_s=min(one.until_s for one in activities), bins=bins)


def hours_text(seconds: float) -> str:
    """`25.5h`; of less than an hour the minutes."""
    return f"{seconds / 3600:.1f}h" if seconds >= HOUR_S else f"{max(seconds, 0) / 60:.0f}m"


def quietest(activity: Activity, length_s: int, most: int) -> Windows | Refuse:
    """At most so many windows of that length. Refuse where the logs don't tell: not every time of the day was seen."""
    if length_s > DAY_S:
        return Refuse(f"{length_s / 3600:g}h is longer than a day", "ask for a shorter time: what takes days has no quiet hour")
    if activity.span_s < DAY_S + length_s:
        return Refuse(
            f"the logs reach back {hours_text(activity.span_s)}: too short to tell when it is quiet",
            f"ask again once they reach back {hours_text(DAY_S + length_s)}, better a week",
        )
    cycle_s = WEEK_S if activity.span_s >= WEEK_S + length_s else DAY_S
    found = sorted(_windows(activity, length_s, cycle_s), key=lambda one: (one.most_per_s, one.mean_per_s, one.begins_s))
    return Windows(
        cycle_s=cycle_s,
        length_s=length_s,
        best=tuple(_apart(found, length_s, cycle_s, most)),
        peak=max(found, key=lambda one: one.mean_per_s),
        by_hour=tuple(_by_hour(activity)),
    )


def _windows(activity: Activity, length_s: int, cycle_s: int) -> Iterator[Window]:
    width = -(-length_s // BIN_S)
    first, last = -(-activity.since_s // BIN_S), activity.until_s // BIN_S
    for begins_s in range(0, cycle_s, BIN_S):
        offset = (begins_s + (_MONDAY if cycle_s == WEEK_S else 0)) // BIN_S
        cycle = cycle_s // BIN_S
        start = first + (offset - first) % cycle
        totals = [sum(activity.bins.get(number, 0) for number in range(at, at + width)) for at in range(start, last - width + 1, cycle)]
        if totals:
            seconds = width * BIN_S
            yield Window(
                begins_s=begins_s, mean_per_s=sum(totals) / len(totals) / seconds, most_per_s=max(totals) / seconds, seen=len(totals)
            )


def _apart(found: Sequence[Window], length_s: int, cycle_s: int, most: int) -> Iterator[Window]:
    chosen: list[Window] = []
    for one in found:
        if len(chosen) == most:
            return
        if all(min((one.begins_s - other.begins_s) % cycle_s, (other.begins_s - one.begins_s) % cycle_s) >= length_s for other in chosen):
            chosen.append(one)
            yield one


def _by_hour(activity: Activity) -> Iterator[float]:
    counts, seen_s = [0] * HOURS, [0] * HOURS
    for number in range(-(-activity.since_s // BIN_S), activity.until_s // BIN_S):
        hour = number * BIN_S // 3600 % HOURS
        counts[hour] += activity.bins.get(number, 0)
        seen_s[hour] += BIN_S
    for count, seconds in zip(counts, seen_s, strict=True):
        yield count / seconds if seconds else 0.0
