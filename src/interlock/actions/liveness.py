"""`cluster.is_dead`: a failover's first question, put to everybody who can see the cluster's master."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
from interlock.decisions.liveness import liveness, may_settle, remedy
from interlock.documents.fields import Kind
from interlock.model.liveness import Liveness, LivenessFacts, SeenFrom
from interlock.model.topology import ClusterName
from interlock.model.verdict import Done, Refuse, Verdict, Wait
from interlock.playbook.catalogue import Verb
from interlock.ports import VantagePoint, World

_LONGEST_LOOK_S = 1.0
"""A server that lives answers sooner; one that is dead is told by who has noticed it, which takes no time at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLiveness:
    """`other` is the cluster that the writes could go to."""

    master: LivenessFacts
    other: ClusterName


def look_at(world: World, cluster: ClusterName, within_s: float) -> LivenessFacts:
    """From every vantage point at once; as long as the slowest takes."""
    looks: list[Callable[[], SeenFrom]] = [partial(_look, point, within_s) for point in world.vantage_points(cluster)]
    return liveness(cluster, world.gather(looks))


def _look(point: VantagePoint, within_s: float) -> SeenFrom:
    return point.look(within_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class IsDead:
    """A cluster's master is dead: two that look from different places agree, and nobody has a word from it."""

    cluster: ClusterName = param(Kind.CLUSTER, "the cluster that does not answer")
    within_s: float = param(Kind.DURATION, "how long those who look may take to agree", default=1.0)

    def look(self, world: World, /) -> SeenLiveness:
        other = next(name for name in world.topology.clusters if name != self.cluster)
        return SeenLiveness(master=look_at(world, self.cluster, min(self.within_s, _LONGEST_LOOK_S)), other=other)

    def decide(self, seen: SeenLiveness, /) -> Verdict:
        if seen.master.state is Liveness.DEAD:
            return Done(seen.master.why)
        hint = remedy(seen.master, seen.other)
        return Wait(seen.master.why, hint=hint) if may_settle(seen.master) else Refuse(seen.master.why, hint)

    def outputs(self, seen: SeenLiveness, /) -> Mapping[str, object]:
        return {"verdict": seen.master.state.value, "seen": seen.master.seen}


SPECS = (describe(IsDead, "cluster.is_dead", Verb.CHECK, outputs={"verdict": Kind.TEXT, "seen": Kind.ANY}, tells_failures=True),)
