"""What is asked at the same time, by the threads of one process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from interlock.bootstrap import RealWorld
from interlock.clock import SystemClock
from interlock.errors import StepFailed
from interlock.hosts.secrets import Secrets
from interlock.model.topology import Topology
from interlock.simulated.store import MemoryStore

CLOCK = SystemClock()


@pytest.fixture
def world() -> Iterator[RealWorld]:
    with closing(RealWorld(Topology(name="shop", clusters={}), CLOCK, Secrets(CLOCK), MemoryStore(CLOCK))) as made:
        yield made


def test_calls_run_at_the_same_time_and_their_results_stand_in_order(world: RealWorld) -> None:
    both = threading.Barrier(2)

    def met(name: str) -> str:
        both.wait(60)
        return name

    assert world.gather([lambda: met("a"), lambda: met("b")]) == ["a", "b"]
    assert world.gather([]) == []


def test_a_gather_within_a_gather_waits_for_no_free_thread(world: RealWorld) -> None:
    """Steps of a `parallel` gather, too, and there may be more of them than threads."""
    found: list[list[int]] = []
    outer = [lambda: sum(world.gather([lambda: 1, lambda: 2]))] * 50
    threading.Thread(target=lambda: found.append(world.gather(outer)), daemon=True).start()
    deadline_s = CLOCK.monotonic_s() + 60
    while not found:
        assert CLOCK.monotonic_s() < deadline_s, "it hangs"
        CLOCK.sleep(0.005)
    assert found == [[3] * 50]


@pytest.mark.parametrize("first", ["fails", "ends"])
def test_an_error_is_raised_once_all_that_began_have_ended(world: RealWorld, first: str) -> None:
    both, ended = threading.Barrier(2), threading.Event()

    def fail() -> None:
        both.wait(60)
        raise StepFailed("no")

    def end() -> None:
        both.wait(60)
        CLOCK.sleep(0.05)
        ended.set()

    with pytest.raises(StepFailed, match="no"):
        world.gather([fail, end] if first == "fails" else [end, fail])
    assert ended.is_set()
