"""What comes before a failover: as long as the writer answers, a planned switchover loses less."""

from __future__ import annotations

from interlock.model.liveness import VantageKind, View
from interlock.model.topology import ClusterName
from interlock.ports import World

PLANNED = "switchover"
SHORT_BUDGET = {"max_outage": "3s", "fence": "1s", "drain": "500ms"}
"""What the planned switchover may take of an emergency's time: its inputs."""

_LOOK_S = 1.0


def writer_of_other_side(world: World, to: str) -> ClusterName | None:
    """The only other cluster of the pair; None if `to` is none of it."""
    others = [name for name in world.topology.clusters if name != to]
    return others[0] if len(others) == 1 else None


def answers(world: World, cluster: ClusterName) -> bool:
    """Whether its master lets us in and answers, now, on a new connection."""
    here = [point for point in world.vantage_points(cluster) if point.kind is VantageKind.HERE]
    return any(point.look(_LOOK_S).view is View.ANSWERS for point in here)


def falls_through(outcome: str | None) -> bool:
    """Only what was refused before any effect may be followed by something else."""
    return outcome == "refused"
