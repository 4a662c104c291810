from __future__ import annotations

import signal
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.fleet.children import Child, End
from interlock.fleet.model import Limits
from interlock.fleet.pool import LET_GO_AFTER_S, Pool, StopAsked
from interlock.simulated.clock import SimulatedClock

FAILED = End(exit_code=3, document={})
GOOD = End(exit_code=0, document={})


@dataclass(slots=True, kw_only=True)
class FakeChild:
    """Ends at a moment, or once it gets a signal that it heeds."""

    clock: SimulatedClock
    ends_at_s: float
    end: End
    heeds: frozenset[int] = frozenset()
    got: list[int] = field(default_factory=list)

    def poll(self) -> End | None:
        return self.end if self.clock.monotonic_s() >= self.ends_at_s or self.heeds & set(self.got) else None

    def signal(self, number: signal.Signals, /) -> None:
        self.got.append(number)


@dataclass(slots=True, kw_only=True)
class Bench:
    """`Hands` whose jobs are numbers of children."""

    children: list[FakeChild]
    cant_begin: frozenset[int] = frozenset()
    then: dict[int, FakeChild] = field(default_factory=dict)
    begun: list[int] = field(default_factory=list)
    running: set[int] = field(default_factory=set)
    most: int = 0
    failed: int = 0
    failed_at_begin: list[int] = field(default_factory=list)
    trouble: bool = False

    def begin(self, job: int, /) -> Child | None:
        self.begun.append(job)
        self.failed_at_begin.append(self.failed)
        if job in self.cant_begin:
            self.failed += 1
            return None
        self.running.add(job)
        self.most = max(self.most, len(self.running))
        return self.children[job]

    def ended(self, job: int, end: End, /) -> Child | bool:
        if job in self.then:
            return self.then.pop(job)
        self.running.discard(job)
        self.failed += end is FAILED
        return end is GOOD

    def stopped(self) -> bool:
        return self.trouble


def _pool(bench: Bench, clock: SimulatedClock, *, at_once: int = 2, failures: int = 9, within_s: float = 60.0) -> Pool[int]:
    limits = Limits(at_once=at_once, stop_after_failures=failures, each_within_s=within_s)
    return Pool(hands=bench, limits=limits, clock=clock, stop=StopAsked())


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 8), st.integers(1, 5), st.one_of(st.none(), st.floats(0.0, 20.0)))
def test_never_more_than_may_run_none_after_too_many_failures_each_at_most_once(
    seed: int, jobs: int, at_once: int, failures: int, stop_at_s: float | None
) -> None:
    random, clock = Random(seed), SimulatedClock()  # noqa: S311 - a schedule, not a secret
    children = [FakeChild(clock=clock, ends_at_s=random.uniform(0, 30), end=random.choice([GOOD, GOOD, FAILED])) for _ in range(jobs)]
    bench = Bench(children=children, cant_begin=frozenset(n for n in range(jobs) if random.random() < 0.1))
    pool = _pool(bench, clock, at_once=at_once, failures=failures)
    if stop_at_s is not None:
        clock.after(stop_at_s, lambda: setattr(pool.stop, "times", 1))
    assert pool.work_off(range(jobs)) == ()
    assert bench.most <= at_once
    assert len(bench.begun) == len(set(bench.begun))
    assert all(so_far < failures for so_far in bench.failed_at_begin)
    assert bench.running == set()
    if bench.failed < failures and stop_at_s is None:
        assert sorted(bench.begun) == list(range(jobs))


def test_one_that_hangs_holds_up_its_own_place_only() -> None:
    clock = SimulatedClock()
    hung = FakeChild(clock=clock, ends_at_s=float("inf"), end=FAILED, heeds=frozenset({signal.SIGKILL}))
    bench = Bench(children=[hung, *(FakeChild(clock=clock, ends_at_s=0.0, end=GOOD) for _ in range(20))])
    clock.after(1.0, lambda: bench.begun.append(-1))
    pool = _pool(bench, clock, within_s=60.0)
    assert pool.work_off(range(21)) == ()
    assert bench.begun.index(-1) == 21, "the others were not done within a second"
    assert hung.got == [signal.SIGTERM, signal.SIGKILL]
    assert 120.0 <= clock.monotonic_s() < 121.0
    assert pool.failures == 1


@pytest.mark.parametrize(
    ("stops", "got", "left"),
    [
        pytest.param([1.0], [signal.SIGTERM], 0, id="one asks them gently, and waits"),
        pytest.param([1.0, 2.0], [signal.SIGTERM, signal.SIGTERM], 1, id="two ask them twice, and wait no longer than they must"),
    ],
)
def test_a_stop_is_passed_on(stops: list[float], got: list[int], left: int) -> None:
    clock = SimulatedClock()
    deaf = FakeChild(clock=clock, ends_at_s=30.0, end=GOOD)
    bench = Bench(children=[deaf, FakeChild(clock=clock, ends_at_s=0.0, end=GOOD)])
    pool = _pool(bench, clock, at_once=1)
    for at_s in stops:
        clock.after(at_s, lambda: setattr(pool.stop, "times", pool.stop.times + 1))
    assert len(pool.work_off([0, 1])) == left
    assert (deaf.got, bench.begun) == (got, [0])
    assert clock.monotonic_s() == pytest.approx(2.0 + LET_GO_AFTER_S if left else 30.0, abs=0.1)


def test_trouble_of_the_fleet_begins_no_more_and_asks_nobody_to_stop() -> None:
    clock = SimulatedClock()
    children = [FakeChild(clock=clock, ends_at_s=5.0, end=GOOD) for _ in range(3)]
    bench = Bench(children=children)
    clock.after(1.0, lambda: setattr(bench, "trouble", True))
    assert _pool(bench, clock).work_off(range(3)) == ()
    assert (bench.begun, [child.got for child in children]) == ([0, 1], [[], [], []])


def test_one_whose_run_another_process_carries_out_is_waited_for() -> None:
    clock = SimulatedClock()
    other = FakeChild(clock=clock, ends_at_s=7.0, end=GOOD)
    bench = Bench(children=[FakeChild(clock=clock, ends_at_s=0.0, end=FAILED)], then={0: other})
    pool = _pool(bench, clock)
    pool.work_off([0])
    assert pool.failures == 0
    assert clock.monotonic_s() == pytest.approx(7.0, abs=0.1)
