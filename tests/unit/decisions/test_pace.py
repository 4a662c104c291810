from __future__ import annotations

import pytest

from interlock.decisions.pace import LEAST_ROWS, MOST_ROWS, Limits, Load, next_rows, over_limit, rows_at_once


@pytest.mark.parametrize(
    ("rows", "took_s", "expected"),
    [(1000, 0.5, 1000), (1000, 1.0, 500), (1000, 0.25, 2000), (1000, 0.0, 4000), (200, 10.0, LEAST_ROWS), (MOST_ROWS, 0.1, MOST_ROWS)],
    ids=["as aimed at", "too slow", "too quick", "at most four times", "never too few", "never too many"],
)
def test_a_range_takes_as_long_as_was_aimed_at(rows: int, took_s: float, expected: int) -> None:
    assert next_rows(rows, took_s, 0.5) == expected


FINE = Load(threads=(("east", 3), ("west", 2)), lag_s=0.0, latency_s=0.001)


@pytest.mark.parametrize(
    ("load", "why"),
    [
        (FINE, ""),
        (Load(threads=(("east", 3), ("west", 30)), lag_s=0.0, latency_s=0.0), "west runs 30 statements at once, more than 25"),
        (Load(threads=(), lag_s=7.0, latency_s=0.0), "the other side is 7s behind, more than 5s"),
        (Load(threads=(), lag_s=None, latency_s=0.0), ""),
        (Load(threads=(), lag_s=0.0, latency_s=0.5), "a statement that needs nothing takes 500 ms on the writer, more than 200 ms"),
    ],
    ids=["nothing", "statements", "behind", "behind is not known", "slow"],
)
def test_what_is_over_its_limit_is_waited_for_and_named(load: Load, why: str) -> None:
    assert over_limit(load, Limits()) == why


@pytest.mark.parametrize(
    ("row_bytes", "expected"), [(0, 1_000), (1, 8_000), (150, 8_000), (524, 8_000), (1_000, 4_194), (32_768, 128), (50_000_000, 1)]
)
def test_no_more_is_put_together_than_a_server_holds(row_bytes: int, expected: int) -> None:
    assert rows_at_once(row_bytes) == expected
