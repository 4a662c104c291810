"""Question 2: when are the peaks? By when the log's files began, and how large they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from interlock.audit.facts import PairSeen, ServerSeen
from interlock.audit.rule import Chapter, Fault, Rule, set_global
from interlock.decisions.windows import DAY_S, WEEK_S, hours_text
from interlock.model.audit import AuditVerdict, Fix

_ATTENTION, _PERSON = AuditVerdict.NEEDS_ATTENTION, AuditVerdict.PERSON


def kept_s(server: ServerSeen) -> float | None:
    """How long the server keeps its log by its settings; None: for ever, or it does not tell."""
    seconds = server.setting("binlog_expire_logs_seconds")
    if seconds is not None and seconds != "0":
        return float(seconds)
    days = server.setting("expire_logs_days")
    return float(days) * DAY_S if days is not None and float(days) > 0 else None


def keep(server: ServerSeen, seconds: int) -> Fix:
    setting = "binlog_expire_logs_seconds" if "binlog_expire_logs_seconds" in server.settings else "expire_logs_days"
    return set_global(server, setting, str(seconds if setting.endswith("seconds") else seconds // DAY_S))


def bytes_by_hour(begins: Sequence[tuple[datetime, int]], until: datetime) -> dict[int, float]:
    """Bytes logged in each hour of the day (UTC). A file's bytes are spread evenly over the time until the next one began."""
    found: dict[int, float] = {}
    ends = [at for at, _ in begins[1:]] + [until]
    for (began, size), end in zip(begins, ends, strict=True):
        hours = max(1, round((end - began).total_seconds() / 3600))
        for hour in range(min(hours, 24 * 7)):
            found[(began.hour + hour) % 24] = found.get((began.hour + hour) % 24, 0.0) + size / hours
    return found


def span_s(server: ServerSeen, now: datetime) -> float:
    """How far back the log that is there reaches."""
    return (now - server.log.begins[0][0]).total_seconds() if server.log.begins else 0.0


def _kept_for_a_week(pair: PairSeen) -> Iterator[Fault]:
    for server in pair.masters:
        kept = kept_s(server)
        if kept is not None and kept < WEEK_S:
            yield Fault(
                says=f"{server.name} keeps its log for {kept / DAY_S:g} days: no week can be looked back at",
                server=server.name,
                object="retention",
                seen={one.name: f"{kept_s(one) or 0:g}s" for one in pair.masters},
                fix=keep(server, WEEK_S),
            )


def _same_retention(pair: PairSeen) -> Iterator[Fault]:
    ours, theirs = kept_s(pair.writer), kept_s(pair.standby)
    if ours != theirs:
        yield Fault(
            says=f"{pair.writer.name} keeps its log for {_shown(ours)}, {pair.standby.name} for {_shown(theirs)}",
            object="retention",
            seen={pair.writer.name: _shown(ours), pair.standby.name: _shown(theirs)},
            fix=keep(pair.standby, int(ours or 0)),
        )


def _told_by_logs(pair: PairSeen) -> Iterator[Fault]:
    """Asked only where the logs are too short to tell."""
    if max(span_s(one, pair.at) for one in pair.masters) < WEEK_S:
        yield Fault(
            says="when are the peaks, and when is it quiet? the logs reach back less than a week (`interlock window` reads them)",
            object="peaks",
        )


def _shown(seconds: float | None) -> str:
    return "ever" if seconds is None else f"{seconds / DAY_S:g} days"


def _tells(pair: PairSeen) -> Iterator[str]:
    for server in pair.masters:
        files, reaches_s = server.log.begins, span_s(server, pair.at)
        count = f"{len(files)} log file{'s' * (len(files) != 1)}"
        said = f"{server.name}: {count}, {sum(size for _, size in files) / 1e6:.1f} MB in {hours_text(reaches_s)}"
        if reaches_s >= DAY_S:
            by_hour = bytes_by_hour(server.log.begins, pair.at)
            quiet = min(range(24), key=lambda hour: by_hour.get(hour, 0.0))
            busy = max(range(24), key=lambda hour: by_hour.get(hour, 0.0))
            said += f"; most is written at {busy:02d}:00 UTC, least at {quiet:02d}:00 UTC"
        yield said


CHAPTER = Chapter(
    question=2,
    title="When are the peaks?",
    tells=_tells,
    rules=(
        Rule(
            id="peaks.logs_kept",
            question=2,
            title="Logs are kept for a week",
            verdict=_ATTENTION,
            why="peaks repeat by weekday: from less than a week nobody can say when it is quiet",
            source='MySQL manual, "binlog_expire_logs_seconds"',
            look=_kept_for_a_week,
        ),
        Rule(
            id="peaks.logs_alike",
            question=2,
            title="Logs are kept alike on both",
            verdict=_ATTENTION,
            why="after a switchover the history by which quiet hours are found is cut short",
            source='MySQL manual, "binlog_expire_logs_seconds"',
            look=_same_retention,
        ),
        Rule(
            id="peaks.known",
            question=2,
            title="The quiet hours are known",
            verdict=_PERSON,
            why="a switchover at the peak costs most clients the outage",
            source="docs/audit.md",
            look=_told_by_logs,
        ),
    ),
)
