"""Every test of this room runs against the pair in memory and against real servers: MariaDB and MySQL, with GTIDs and without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from contract.benches import Bench, RealBench, SimulatedBench, without_gtids
from interlock.sandbox.places import Sandbox

_PAIRS = {"mariadb": "pair", "mariadb-files": "pair", "mysql": "mysql_pair", "mysql-files": "mysql_pair"}


@pytest.fixture(params=["simulated", *_PAIRS], scope="module")
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox | None]:
    """A real pair, shared by all tests of a file; None for the one in memory."""
    with ExitStack() as stack:
        found: Sandbox | None = None if request.param == "simulated" else request.getfixturevalue(_PAIRS[request.param])
        if found is not None and request.param.endswith("-files"):
            stack.enter_context(without_gtids(found))
        yield found


@pytest.fixture
def bench(sandbox: Sandbox | None) -> Iterator[Bench]:
    made: Bench = SimulatedBench() if sandbox is None else RealBench(sandbox)
    yield made
    made.put_back()
