"""`cluster.is_dead` on a pair in memory: only a dead master passes, and each other answer comes with what a person can do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interlock.actions.liveness import IsDead
from interlock.model.liveness import Liveness
from interlock.model.topology import ClusterName
from interlock.model.verdict import Done, Refuse, Verdict, Wait
from interlock.simulated.network import TOOL
from interlock.simulated.pair import SimulatedPair, simulated_pair
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.store import MemoryStore
from interlock.simulated.world import SimulatedWorld

CHECK = IsDead(cluster=ClusterName("east"), within_s=1.0)


def _cut_here(pair: SimulatedPair) -> None:
    pair.network.cut(TOOL, "east")


def _cut_there(pair: SimulatedPair) -> None:
    pair.network.cut("east", "west")


def _down_unseen(pair: SimulatedPair) -> None:
    """Its host is gone: nobody gets an answer, and the receiver does not know."""
    for party in (TOOL, "west"):
        pair.network.cut("east", party)


def _refuse(pair: SimulatedPair) -> None:
    pair.east.faults.refuses = True


def _down_and_west_hung(pair: SimulatedPair) -> None:
    pair.east.crash()
    pair.west.hang()


CASES: dict[str, tuple[Callable[[SimulatedPair], None], Liveness, type[Verdict]]] = {
    "alive": (lambda _: None, Liveness.ALIVE, Refuse),
    "killed": (lambda pair: pair.east.crash(), Liveness.DEAD, Done),
    "killed, and the survivor hangs": (_down_and_west_hung, Liveness.DEAD, Done),
    "hung": (lambda pair: pair.east.hang(), Liveness.HUNG, Refuse),
    "cut off from here": (_cut_here, Liveness.CUT_OFF, Wait),
    "cut off from the survivor": (_cut_there, Liveness.ALIVE, Refuse),
    "out of everybody's reach": (_down_unseen, Liveness.UNKNOWN, Wait),
    "refusing": (_refuse, Liveness.REFUSING, Refuse),
}


@pytest.mark.parametrize(("strike", "state", "kind"), CASES.values(), ids=CASES.keys())
def test_only_a_dead_master_passes(strike: Callable[[SimulatedPair], None], state: Liveness, kind: type[Verdict]) -> None:
    pair = simulated_pair(clients=0)
    world = SimulatedWorld(pair, SimulatedProcess("first"), MemoryStore(pair.clock))
    strike(pair)
    seen = CHECK.look(world)
    verdict = CHECK.decide(seen)
    assert seen.master.state is state
    assert isinstance(verdict, kind)
    assert seen.master.why == verdict.why
    if isinstance(verdict, Refuse | Wait):
        assert verdict.hint
    assert CHECK.outputs(seen) == {"verdict": state.value, "seen": seen.master.seen}


def test_an_alive_master_is_offered_the_planned_switchover() -> None:
    pair = simulated_pair(clients=0)
    world = SimulatedWorld(pair, SimulatedProcess("first"), MemoryStore(pair.clock))
    verdict = CHECK.decide(CHECK.look(world))
    assert isinstance(verdict, Refuse)
    assert "interlock switchover --to west" in verdict.hint


def test_a_receiver_that_was_stopped_is_no_witness() -> None:
    pair = simulated_pair(clients=0)
    world = SimulatedWorld(pair, SimulatedProcess("first"), MemoryStore(pair.clock))
    pair.to_west.receiving = False
    pair.east.crash()
    views = {each.vantage: each.view.value for each in CHECK.look(world).master.seen}
    assert views["west's receiver"] == "unknown"
