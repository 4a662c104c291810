"""What the route actions share: looking at several routes at once, and judging where they lead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from interlock.model.facts import RouteFacts
from interlock.model.topology import ClusterName, RouteName
from interlock.model.verdict import Done, Refuse, Verdict
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRoutes:
    routes: tuple[RouteFacts, ...]

    def of(self, name: RouteName) -> RouteFacts | None:
        return next((route for route in self.routes if route.route == name), None)


def look_at_routes(world: World, names: Sequence[RouteName]) -> SeenRoutes:
    """All at the same time."""
    return SeenRoutes(routes=tuple(world.gather([world.route(name).facts for name in names])))


def lead_to(routes: Sequence[RouteFacts], cluster: ClusterName) -> Verdict:
    """Every route that can be read back sends clients to `cluster`, and nowhere else."""
    for route in routes:
        if route.provable and route.leads_to != (cluster,):
            where = " and ".join(route.leads_to) or "nowhere"
            return Refuse(
                f"route {route.route} leads to {where}, not to {cluster}", f"`interlock status` shows each proxy of {route.route}"
            )
    unproved = tuple(f"route {route.route} can't be read back" for route in routes if not route.provable)
    if not routes:
        return Done("there is no route to look at", ("the topology has no routes: clients are moved by other means",))
    return Done(f"{', '.join(route.route for route in routes)}: to {cluster}", unproved)
