"""What comes before a failover: as long as the writer answers, a planned switchover loses less."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.model.liveness import SeenFrom, VantageKind, View
from interlock.model.topology import ClusterName, ServerName
from interlock.ports import VantagePoint, World

PLANNED = "switchover"
SHORT_BUDGET = {"max_outage": "3s", "fence": "1s", "drain": "500ms"}
"""What the planned switchover may take of an emergency's time: its inputs."""

_LOOK_S = 1.0
_SILENT = frozenset({View.HANGS, View.SILENT})


def writer_of_other_side(world: World, to: str) -> ClusterName | None:
    """The only other cluster of the pair; None if `to` is none of it."""
    others = [name for name in world.topology.clusters if name != to]
    return others[0] if len(others) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """What came of knocking at a cluster's master, at this moment of the monotonic clock. `silent` is the master if it let us wait."""

    cluster: ClusterName
    answers: bool
    silent: frozenset[ServerName]
    at_s: float


def knock(world: World, cluster: ClusterName, clock: Clock) -> Knock:
    """Whether its master lets us in and answers, now, on a new connection at any of its addresses."""
    at_s = clock.monotonic_s()
    points = [point for point in world.vantage_points(cluster) if point.kind is VantageKind.HERE]
    looks: list[Callable[[], SeenFrom]] = [partial(_look, point) for point in points]
    views = {seen.view for seen in world.gather(looks)}
    silent = {world.topology.clusters[cluster].master.name} if not views.isdisjoint(_SILENT) else set[ServerName]()
    return Knock(cluster=cluster, answers=View.ANSWERS in views, silent=frozenset(silent), at_s=at_s)


def _look(point: VantagePoint) -> SeenFrom:
    return point.look(_LOOK_S)


def falls_through(outcome: str | None) -> bool:
    """Only what was refused before any effect may be followed by something else."""
    return outcome == "refused"
