"""`server.release_outside`: what a failover closed from outside is as it was before, now that its server is a standby again."""

from __future__ import annotations

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, ReleaseOutside
from interlock.model.fencing import AgentFacts
from interlock.model.topology import ClusterName
from interlock.model.verdict import Act, Done, Verdict
from interlock.playbook.catalogue import Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenBars:
    """The ways of fencing that the failover used, as they stood before it."""

    before: tuple[AgentFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFromOutside(NoOutputs):
    """Put every way of fencing back that the failover closed a server with. The server stays fenced; only its next start may be its own.

    What can't be put back is told, and fails nothing: the server replicates already.
    """

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that has rejoined")

    def look(self, world: World, /) -> SeenBars:
        known = {agent.name for agent in world.fence_agents(self.cluster)}
        return SeenBars(before=tuple(one for one in world.returning(self.cluster).closed_with() if one.agent in known))

    def decide(self, seen: SeenBars, /) -> Verdict:
        if not self._used(seen):
            return Done(f"no failover that is known closed {self.cluster} from outside")
        ways = ", ".join(one.agent for one in self._used(seen))
        left = Done(f"{self.cluster} may still be closed by {ways}", (f"see docs/fencing.md for how {ways} is released",))
        return Act(f"{self.cluster} was closed by {ways}", once=True, otherwise=left)

    def effects(self, seen: SeenBars, /) -> tuple[Effect, ...]:
        return tuple(ReleaseOutside(cluster=self.cluster, agent=one.agent, seen=one) for one in reversed(self._used(seen)))

    def undo(self, before: SeenBars, now: SeenBars | None, /) -> tuple[Effect, ...]:
        """None: to close it again would stop a server that replicates."""
        del before, now
        return ()

    def _used(self, seen: SeenBars) -> tuple[AgentFacts, ...]:
        return tuple(one for one in seen.before if one.fenced is False)


SPECS = (describe(ReleaseFromOutside, "server.release_outside", Verb.DO),)
