from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from faults.stage import Lab
from faults.stage import lab as made_lab
from scenarios.pair_state import open_sides


class _Labs:
    """The lab that cases share, made anew when a case left it broken: one failure shall not become forty."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._lab: Lab | None = None

    def whole(self) -> Lab:
        if self._lab is None or len(open_sides(self._lab.sandbox)) != 1:
            self._stack.close()
            self._lab = self._stack.enter_context(made_lab())
        return self._lab

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="session")
def labs() -> Iterator[_Labs]:
    made = _Labs()
    yield made
    made.close()


@pytest.fixture
def lab(labs: _Labs) -> Lab:
    """A pair in a network of its own, with one writer."""
    return labs.whole()
