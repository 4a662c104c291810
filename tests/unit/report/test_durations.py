from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from interlock.documents.values import duration_s
from interlock.report.durations import ago, as_typed, inputs_text, moment, moment_ms, span, span_ms

NOON = datetime(2025, 3, 1, 12, 0, 0, 123999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown"),
        (0.0, "0ms"),
        (0.00004, "0ms"),
        (0.00006, "0.1ms"),
        (0.0032, "3.2ms"),
        (0.00996, "10ms"),
        (0.24, "240ms"),
        (0.9994, "999ms"),
        (0.9996, "1.0s"),
        (12.34, "12.3s"),
        (59.94, "59.9s"),
        (59.96, "1m 00s"),
        (185, "3m 05s"),
        (3599.6, "1h 00m"),
        (4 * 3600 + 125, "4h 02m"),
        (86_399, "1d 0h"),
        (2 * 86_400 + 3 * 3600, "2d 3h"),
        (-1.5, "-1.5s"),
    ],
)
def test_a_span_reads_in_its_two_largest_units(seconds: float | None, text: str) -> None:
    assert span(seconds) == text
    assert span_ms(None if seconds is None else seconds * 1000) == text


@pytest.mark.parametrize("offset_h", [0, 5.5, -8])
def test_a_moment_is_shown_in_utc(offset_h: float) -> None:
    at = NOON.astimezone(timezone(timedelta(hours=offset_h)))
    assert moment(at) == "2025-03-01T12:00:00Z"
    assert moment_ms(at) == "2025-03-01T12:00:00.123Z"


def test_a_moment_that_is_not_known_says_so() -> None:
    assert (moment(None), moment_ms(None), ago(None, NOON)) == ("unknown", "unknown", "unknown")


@pytest.mark.parametrize(("seconds", "text"), [(-185, "3m 05s ago"), (0, "0ms ago"), (2, "in 2.0s")])
def test_a_moment_is_told_from_now(seconds: float, text: str) -> None:
    assert ago(NOON + timedelta(seconds=seconds), NOON) == text


@pytest.mark.parametrize(
    ("seconds", "typed"),
    [(0.0, "0s"), (0.2, "200ms"), (2.5, "2500ms"), (2.0, "2s"), (90.0, "90s"), (600.0, "10m"), (14_400.0, "4h"), (172_800.0, "2d")],
)
def test_a_duration_that_was_given_is_told_as_it_may_be_typed_again(seconds: float, typed: str) -> None:
    assert as_typed(seconds) == typed
    assert duration_s(typed) == seconds


def test_inputs_are_told_as_typed_but_for_those_that_say_nothing() -> None:
    assert inputs_text({"to": "west", "for": 14_400.0, "accept": "", "rate": 0, "from": None}) == "to=west, for=4h, rate=0"
