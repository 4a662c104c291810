from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from faults.stage import Lab, ready_endpoints
from faults.stage import lab as made_lab
from interlock.sandbox import pair as pairs
from scenarios.pair_state import open_sides


class _Labs:
    """The lab that cases share, made anew when a case left it broken: one failure shall not become forty."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._lab: Lab | None = None

    def whole(self) -> Lab:
        if self._lab is None or not _is_whole(self._lab):
            self._stack.close()
            self._lab = self._stack.enter_context(made_lab())
        return self._lab

    def close(self) -> None:
        self._stack.close()


def _is_whole(lab: Lab) -> bool:
    """One writer, and the proxy leads to it."""
    if pairs.status(Path(lab.sandbox.directory)).missing:
        return False
    return len(open_sides(lab.sandbox)) == 1 and ready_endpoints(lab.sandbox) == set(open_sides(lab.sandbox))


@pytest.fixture(scope="session")
def labs() -> Iterator[_Labs]:
    made = _Labs()
    yield made
    made.close()


@pytest.fixture
def lab(labs: _Labs) -> Lab:
    """A pair in a network of its own, with one writer."""
    return labs.whole()
