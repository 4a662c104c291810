"""How spans and moments read, and what was given. Spans are written as in a playbook (`200ms`, `2s`, `5m`, `4h`, `1d`); moments are UTC,
ISO 8601.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

_UNKNOWN = "unknown"


def span(seconds: float | None) -> str:
    """`0ms` `3.2ms` `240ms` `12.3s` `3m 05s` `4h 02m` `2d 3h`; `unknown` for None. The two largest units, rounded to the smaller one."""
    if seconds is None:
        return _UNKNOWN
    return f"-{_span(-seconds)}" if seconds < 0 else _span(seconds)


def as_typed(seconds: float) -> str:
    """Exactly, in the largest unit of a playbook that gives a whole number: `4h` `90s` `200ms`."""
    milliseconds = round(seconds * 1000)
    for unit, its_ms in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % its_ms == 0:
            return f"{milliseconds // its_ms}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def span_ms(milliseconds: float | None) -> str:
    return span(None if milliseconds is None else milliseconds / 1000)


def _span(seconds: float) -> str:
    # Each limit lies half a step below the unit, so that nothing reads as `1000ms`, `60.0s` or `59m 60s`.
    milliseconds = seconds * 1000
    if milliseconds < 0.05:
        return "0ms"
    if milliseconds < 9.95:
        return f"{milliseconds:.1f}ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest_s:02d}s"
    hours, rest_m = divmod(round(seconds / 60), 60)
    if hours < 24:
        return f"{hours}h {rest_m:02d}m"
    days, rest_h = divmod(round(seconds / 3600), 24)
    return f"{days}d {rest_h}h"


def moment(at: datetime | None) -> str:
    """`2025-03-01T12:00:00Z`; `unknown` for None."""
    return _UNKNOWN if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def moment_ms(at: datetime | None) -> str:
    """`2025-03-01T12:00:00.123Z`. Milliseconds are cut, not rounded: a moment never reads later than it was."""
    return _UNKNOWN if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def ago(at: datetime | None, now: datetime) -> str:
    """`3m 05s ago`; `in 3m 05s` for a moment to come; `unknown` for None."""
    if at is None:
        return _UNKNOWN
    seconds = (now - at).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"


def inputs_text(inputs: Mapping[str, object]) -> str:
    """`to=west, max_outage=10s`, as they are typed; without those that say nothing. The only fractions among inputs are durations."""
    said = {name: as_typed(value) if isinstance(value, float) else str(value) for name, value in inputs.items() if value is not None}
    return ", ".join(f"{name}={value}" for name, value in said.items() if value)
