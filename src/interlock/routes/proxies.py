"""The same exchange with several proxies at once, and one error for all that failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from interlock.errors import DriverError, OutcomeUnknown, StatementFailed

R = TypeVar("R")


def at_once(calls: Mapping[str, Callable[[], R]]) -> dict[str, R]:
    """Results by proxy; all calls end before anything is raised. One failure is raised as it is, several as one error that names each."""
    if len(calls) == 1:
        return {proxy: call() for proxy, call in calls.items()}
    results: dict[str, R] = {}
    failures: list[DriverError] = []
    with ThreadPoolExecutor(max_workers=max(1, len(calls))) as pool:
        futures = {proxy: pool.submit(call) for proxy, call in calls.items()}
        for proxy, future in futures.items():
            try:
                results[proxy] = future.result()
            except DriverError as failure:
                failures.append(failure)
    if failures:
        raise combined(failures, of=len(calls)) from failures[0]
    return results


def combined(failures: Sequence[DriverError], *, of: int) -> DriverError:
    """Of the class that all of them are; else OutcomeUnknown if one is, since something may still land; else StatementFailed."""
    kinds = {type(failure) for failure in failures}
    kind: type[DriverError] = StatementFailed
    if len(kinds) == 1:
        kind = kinds.pop()
    elif OutcomeUnknown in kinds:
        kind = OutcomeUnknown
    words = "; ".join(failure.message for failure in failures)
    hints = "; ".join(dict.fromkeys(failure.hint for failure in failures if failure.hint))
    return kind(f"{len(failures)} of {of} proxies failed: {words}", hint=hints)
