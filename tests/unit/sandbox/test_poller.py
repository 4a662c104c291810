from __future__ import annotations

from collections.abc import Callable

import pytest

from interlock.sandbox.poller import sample


def _answers(*answers: bool | None) -> Callable[[], bool | None]:
    left = iter(answers)
    return lambda: next(left)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param((True, True), (True,), "two", id="both-at-one-instant"),
        pytest.param((True, False), (True,), "one", id="handed-over-while-it-looked"),
        pytest.param((False, True), (True,), "one", id="handed-back-while-it-looked"),
        pytest.param((False, False), (False,), "none", id="both-fenced"),
        pytest.param((True, True), (False,), "one", id="the-first"),
        pytest.param((False, False), (True,), "one", id="the-second"),
        pytest.param((True, True), (None,), "unknown", id="the-second-does-not-answer"),
        pytest.param((None, True), (True,), "unknown", id="the-first-does-not-answer"),
    ],
)
def test_two_writers_are_seen_only_if_there_was_an_instant_with_both(
    first: tuple[bool | None, ...], second: tuple[bool | None], expected: str
) -> None:
    assert sample(_answers(*first), _answers(*second)) == expected
