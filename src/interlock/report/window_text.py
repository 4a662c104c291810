"""The quietest times of a pair, with a plot of its day, for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from interlock.audit.activity import Read
from interlock.decisions.windows import DAY_S, HOURS, Window, Windows
from interlock.report.durations import as_typed
from interlock.report.tables import Column, table

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_COLUMNS = (
    Column(title="when (UTC)"),
    Column(title="a minute at the most", right=True),
    Column(title="in the mean", right=True),
    Column(title="seen", right=True),
)
_BLOCKS = " ▏▎▍▌▋▊▉█"
_A_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


def window_text(topology: str, found: Windows, reads: Sequence[Read], width: int) -> str:
    cycle = "week" if found.cycle_s > DAY_S else "day"
    lines = [f"the quietest time for {as_typed(found.length_s)} on {topology}, each {cycle}", ""]
    rows = [(_when(one, found), f"{one.most_per_s * 60:,.1f}", f"{one.mean_per_s * 60:,.1f}", f"{one.seen}") for one in found.best]
    lines += [table(_COLUMNS, rows, width), ""]
    lines.append(f"loudest: {_when(found.peak, found)}, {found.peak.mean_per_s * 60:,.1f} transactions a minute")
    lines += ["", "transactions a minute by hour of the day (UTC)", *_plot(found.by_hour, width), ""]
    lines += [_of_log(read) for read in reads]
    return "\n".join(lines)


def _when(one: Window, found: Windows) -> str:
    begins = _A_MONDAY + timedelta(seconds=one.begins_s)
    ends = begins + timedelta(seconds=found.length_s)
    day = f"{_DAYS[begins.weekday()]} " if found.cycle_s > DAY_S else ""
    return f"{day}{begins:%H:%M} to {ends:%H:%M}"


def _plot(by_hour: Sequence[float], width: int) -> list[str]:
    most, room = max(by_hour) or 1.0, max(10, min(60, width - 20))
    return [f"  {hour:02d}  {_bar(by_hour[hour] / most, room)} {by_hour[hour] * 60:,.1f}" for hour in range(HOURS)]


def _bar(share: float, room: int) -> str:
    eighths = round(share * room * 8)
    return "█" * (eighths // 8) + (_BLOCKS[eighths % 8] if eighths % 8 else "")


def _of_log(read: Read) -> str:
    since = datetime.fromtimestamp(read.activity.since_s, UTC)
    own = f"{sum(read.activity.bins.values()):,} transactions"
    part = "" if read.read_bytes >= read.of_bytes else f", the newest {read.read_bytes / 1e6:.0f} of {read.of_bytes / 1e6:.0f} MB"
    cut = "" if read.whole else ", not to its end: the time was over"
    return f"log of {read.server}: {own} of its own since {since:%Y-%m-%d %H:%M} UTC{part}{cut}"
