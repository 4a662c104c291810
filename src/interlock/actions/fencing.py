"""`server.fence_outside` and `fencing.possible`: a server that can't be asked any more is closed from outside, and proved closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.dataclass import dataclass
from interlock.decisions.fencing import can_be_fenced, is_fenced_outside, proof_among
from interlock.documents.fields import Kind
from interlock.errors import DriverError
from interlock.model.effects import Effect, FenceOutside, ReleaseOutside
from interlock.model.fencing import AgentFacts
from interlock.model.topology import ClusterName, ClusterSpec
from interlock.model.verdict import Verdict
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import FenceAgent, World


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideFacts:
    """How every way of fencing of a cluster stands, in the topology's order."""

    cluster: ClusterSpec
    agents: tuple[AgentFacts, ...]


def look_at(world: World, cluster: ClusterName) -> OutsideFacts:
    found = world.gather([_told(agent, cluster) for agent in world.fence_agents(cluster)])
    return OutsideFacts(cluster=world.topology.clusters[cluster], agents=tuple(found))


def _told(agent: FenceAgent, cluster: ClusterName) -> Callable[[], AgentFacts]:
    """One that can't tell must not keep the others from being tried."""

    def look() -> AgentFacts:
        try:
            return agent.facts()
        except DriverError as error:
            return AgentFacts(agent=agent.name, cluster=cluster, fenced=None, whole=agent.whole, detail=error.message)

    return look


@dataclass(frozen=True, slots=True, kw_only=True)
class FencingPossible(NoOutputs):
    """The cluster can be proved closed from outside, or a person answers for it."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that is to be fenced")
    accept: str = param(Kind.TEXT, "the sentence that accepts what can't be proved, as `plan` prints it", default="")

    def look(self, world: World, /) -> OutsideFacts:
        return look_at(world, self.cluster)

    def decide(self, seen: OutsideFacts, /) -> Verdict:
        return can_be_fenced(seen.cluster, seen.agents, self.accept)


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceFromOutside:
    """Close a server from outside, by the ways that the topology names, in their order, until one proves that no client can write to it.

    What no way could prove counts only if the operator has typed the sentence that `plan` prints.
    """

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster whose master is fenced")
    accept: str = param(Kind.TEXT, "the sentence that accepts what can't be proved, as `plan` prints it", default="")
    within_s: float = param(Kind.DURATION, "how long one of the ways may take, and so long they are tried again", default=15.0)

    def look(self, world: World, /) -> OutsideFacts:
        return look_at(world, self.cluster)

    def decide(self, seen: OutsideFacts, /) -> Verdict:
        return is_fenced_outside(seen.cluster, seen.agents, self.accept)

    def effects(self, seen: OutsideFacts, /) -> tuple[Effect, ...]:
        """All that are left, in order; the engine ends with the first that proves it."""
        if proof_among(seen.agents) is not None:
            return ()
        left = [agent for agent in seen.agents if agent.fenced is not True]
        return tuple(FenceOutside(cluster=self.cluster, agent=agent.agent, within_s=self.within_s) for agent in left)

    def undo(self, before: OutsideFacts, now: OutsideFacts | None, /) -> tuple[Effect, ...]:
        """What this run closed, the last one first. One that can't be looked at now is told all the same, if it was seen open before; how
        one stood that could not be asked then is not known, so it is left as it is.
        """
        open_now = {agent.agent for agent in now.agents if agent.fenced is False} if now is not None else set[str]()
        closed = [agent for agent in reversed(before.agents) if agent.fenced is False and agent.agent not in open_now]
        return tuple(ReleaseOutside(cluster=self.cluster, agent=agent.agent, seen=agent) for agent in closed)

    def outputs(self, seen: OutsideFacts, /) -> Mapping[str, object]:
        proof = proof_among(seen.agents)
        return {"proved_by": proof.agent if proof is not None else ""}


SPECS = (
    describe(FencingPossible, "fencing.possible", Verb.CHECK),
    describe(
        FenceFromOutside,
        "server.fence_outside",
        Verb.DO,
        outputs={"proved_by": Kind.TEXT},
        role=Role.FENCES_OUTSIDE,
    ),
)
