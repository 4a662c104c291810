"""The simulated fencing from outside: the contract of the real ones, and the faults it can be given."""

from __future__ import annotations

import pytest

from interlock.errors import BoundReached, DriverError, OutcomeUnknown, StatementFailed, Unreachable
from interlock.fencing.contract import FENCE_RULES, Bench, Rule
from interlock.model.effects import FenceOutside
from interlock.model.topology import ClusterName
from interlock.ports import FenceAgent
from interlock.simulated.fencing import FencingFaults
from interlock.simulated.pair import SimulatedPair, simulated_pair
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.store import MemoryStore
from interlock.simulated.world import SimulatedWorld

EAST = ClusterName("east")
FENCE = FenceOutside(cluster=EAST, agent="power", within_s=5.0)


def agent_of(pair: SimulatedPair) -> FenceAgent:
    (agent,) = SimulatedWorld(pair, SimulatedProcess("process"), MemoryStore(pair.clock)).fence_agents(EAST)
    return agent


@pytest.mark.parametrize("rule", FENCE_RULES, ids=lambda rule: rule.name)
def test_the_simulated_fencing_keeps_the_contract(rule: Rule) -> None:
    pair = simulated_pair()
    rule.check(
        Bench(
            agent=agent_of(pair),
            another=lambda: agent_of(pair),
            lets_in=lambda: not pair.east.faults.down,
            start=pair.east.start,
        )
    )


@pytest.mark.parametrize(
    ("faults", "error", "fenced"),
    [
        pytest.param(FencingFaults(fails=True), StatementFailed, False, id="it-says-no"),
        pytest.param(FencingFaults(hangs=True), BoundReached, False, id="it-hangs-and-did-nothing"),
        pytest.param(FencingFaults(late_s=9.0), OutcomeUnknown, False, id="it-lands-later"),
        pytest.param(FencingFaults(late_s=2.0), OutcomeUnknown, True, id="it-landed-and-nobody-heard"),
        pytest.param(FencingFaults(blind=True), None, None, id="it-can-not-tell"),
    ],
)
def test_a_fault_is_told_and_nothing_is_said_to_be_fenced_that_is_not(
    faults: FencingFaults, error: type[DriverError] | None, *, fenced: bool | None
) -> None:
    pair = simulated_pair()
    pair.fencing[EAST][0].faults = faults
    agent = agent_of(pair)
    if error is None:
        agent.apply(FENCE)
    else:
        with pytest.raises(error):
            agent.apply(FENCE)
    assert agent.facts().fenced is fenced


def test_one_that_is_silent_is_unreachable() -> None:
    pair = simulated_pair()
    pair.fencing[EAST][0].faults.silent = True
    for call in (agent_of(pair).facts, lambda: agent_of(pair).apply(FENCE)):
        with pytest.raises(Unreachable):
            call()


def test_a_fence_that_lands_late_fences_then() -> None:
    pair = simulated_pair()
    pair.fencing[EAST][0].faults.late_s = 9.0
    with pytest.raises(OutcomeUnknown):
        agent_of(pair).apply(FENCE)
    pair.clock.sleep(5.0)
    assert agent_of(pair).facts().fenced is True
    assert pair.writers() == ()
