"""Every test of this room runs against the pair in memory and against real servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contract.benches import Bench, RealBench, SimulatedBench


@pytest.fixture(params=["simulated", "real"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """The real pair is only started when a test asks for it, and shared by all of them."""
    made: Bench = SimulatedBench() if request.param == "simulated" else RealBench(request.getfixturevalue("pair"))
    yield made
    made.put_back()
