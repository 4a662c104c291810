"""What `ports.Segments` promises, held by the segments in memory and by the drivers alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from interlock.bootstrap import RealWorld, read_topology
from interlock.clock import SystemClock
from interlock.hosts.secrets import Secrets
from interlock.model.effects import CloseSegment, NoteOwner, OpenSegment
from interlock.model.segments import SegmentFacts, SegmentNote
from interlock.model.topology import ClusterName, SegmentSpec, ServerName
from interlock.ports import Segments, World
from interlock.sandbox.places import Sandbox
from interlock.simulated.active_active import with_segments
from interlock.simulated.pair import simulated_pair
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.store import MemoryStore
from interlock.simulated.world import SimulatedWorld
from scenarios.segment_lab import active_active

EAST = ServerName("east")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """East owns the segment."""

    world: World
    spec: SegmentSpec

    @property
    def east(self) -> Segments:
        return self.world.server("east").segments

    @property
    def west(self) -> Segments:
        return self.world.server("west").segments

    def seen(self) -> SegmentFacts:
        return self.east.facts(self.spec)


@pytest.fixture(scope="module", params=["simulated", "pair", "mysql_pair"], ids=["simulated", "mariadb", "mysql"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    if request.param == "simulated":
        pair = simulated_pair(clients=0)
        with_segments(pair, clients=False)
        world: World = SimulatedWorld(pair, SimulatedProcess("test"), MemoryStore(pair.clock))
        yield Bench(world=world, spec=world.topology.segments["eu"])
        return
    sandbox: Sandbox = request.getfixturevalue(request.param)
    shop = active_active(sandbox, tmp_path_factory.mktemp("shop"))
    clock = SystemClock()
    real = RealWorld(read_topology(Path(shop.env["INTERLOCK_TOPOLOGY"])), clock, Secrets(clock), MemoryStore(clock))
    yield Bench(world=real, spec=real.topology.segments["eu"])
    real.close()


def test_it_is_open_on_its_owner_and_closed_on_the_other_side(bench: Bench) -> None:
    assert (bench.seen().is_closed, bench.west.facts(bench.spec).is_closed) == (False, True)
    assert bench.seen().missing == bench.seen().unclear == ()


def test_what_was_taken_is_given_back_exactly_and_twice_is_once(bench: Bench) -> None:
    before = bench.seen()
    assert before.accounts[0].rights
    for _ in range(2):
        bench.east.apply(CloseSegment(server=EAST, segment="eu", accounts=bench.seen().accounts), mark="contract")
        assert (bench.seen().open_by, bench.seen().is_closed) == ("", True)
    for _ in range(2):
        bench.east.apply(OpenSegment(server=EAST, segment="eu", accounts=before.accounts), mark="contract")
        assert bench.seen().accounts == before.accounts


def test_nothing_of_it_moves_the_position_or_the_other_side(bench: Bench) -> None:
    before, there = bench.seen(), bench.west.facts(bench.spec)
    bench.east.apply(CloseSegment(server=EAST, segment="eu", accounts=before.accounts), mark="contract")
    closed = bench.seen().position
    bench.east.apply(OpenSegment(server=EAST, segment="eu", accounts=before.accounts), mark="contract")
    bench.east.apply(NoteOwner(server=EAST, segment="eu", note=bench.seen().note), mark="contract")
    assert bench.seen().position == closed
    assert bench.west.facts(bench.spec) == there


def test_a_note_is_what_was_noted_last_and_nothing_is_a_note_too(bench: Bench) -> None:
    before = bench.seen().note
    for note in (SegmentNote(owner=ClusterName("west"), epoch=8), None, None, before):
        bench.east.apply(NoteOwner(server=EAST, segment="eu", note=note), mark="contract")
        assert bench.seen().note == note


def test_a_script_is_pure_and_says_something(bench: Bench) -> None:
    for effect in (
        CloseSegment(server=EAST, segment="eu", accounts=bench.seen().accounts),
        OpenSegment(server=EAST, segment="eu", accounts=bench.seen().accounts),
        NoteOwner(server=EAST, segment="eu", note=None),
    ):
        assert bench.east.script(effect) == bench.east.script(effect) != ()


def test_nobody_else_can_write_it(bench: Bench) -> None:
    around = bench.east.surroundings(bench.spec)
    assert (around.writers, around.events, around.lacks) == ((), (), ())
