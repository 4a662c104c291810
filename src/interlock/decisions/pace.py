"""How much is read at once while others work on the same servers. Pure.

Two rules: a piece of work takes about as long as was aimed at, whatever the rows are like; and whoever is over a limit is waited for, not
slowed down a little.
"""

from __future__ import annotations

from interlock.dataclass import dataclass

FIRST_ROWS = 1_000
LEAST_ROWS, MOST_ROWS = 100, 500_000
_GROWS_AT_MOST = 4.0
_AT_ONCE_ROWS, _AT_ONCE_BYTES, _AT_ONCE_UNKNOWN = 8_000, 4_194_304, 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`threads`: statements that run at the same time on a server, ours with them. `lag_s`: how far the other side may be behind.
    `latency_s`: how long a statement that needs nothing may take on the writer.
    """

    threads: int = 25
    lag_s: float = 5.0
    latency_s: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What was seen of both servers. `lag_s` is None if the channel does not tell: then there is nothing to wait for."""

    threads: tuple[tuple[str, int], ...]
    lag_s: float | None
    latency_s: float


def next_rows(rows: int, took_s: float, aim_s: float) -> int:
    """How many rows to take next, when `rows` took `took_s`: at once fewer, only by and by more."""
    wanted = rows * aim_s / max(took_s, 0.001)
    return int(min(max(min(wanted, rows * _GROWS_AT_MOST), LEAST_ROWS), MOST_ROWS))


def rows_at_once(row_bytes: int) -> int:
    """How many rows are put together as one text and hashed, if the server takes one to have `row_bytes` (0: it can't tell).

    Of 8,000 a row costs a fifth less than of 1,000 (measured), of more not less yet; and of a part that differs all rows are looked at
    again. A row's text is longer than the row: four times as much is what a server puts together.
    """
    return max(1, min(_AT_ONCE_ROWS, _AT_ONCE_BYTES // row_bytes)) if row_bytes else _AT_ONCE_UNKNOWN


def over_limit(load: Load, limits: Limits) -> str:
    """What is too much, in words; empty if nothing is."""
    for server, threads in load.threads:
        if threads > limits.threads:
            return f"{server} runs {threads} statements at once, more than {limits.threads}"
    if load.lag_s is not None and load.lag_s > limits.lag_s:
        return f"the other side is {load.lag_s:g}s behind, more than {limits.lag_s:g}s"
    if load.latency_s > limits.latency_s:
        return (
            f"a statement that needs nothing takes {load.latency_s * 1000:.0f} ms on the writer, more than {limits.latency_s * 1000:.0f} ms"
        )
    return ""
