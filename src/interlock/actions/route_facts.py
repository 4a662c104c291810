"""What the route actions share: looking at several routes at once, and judging where they lead."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.dataclass import dataclass
from interlock.model.facts import RouteFacts
from interlock.model.topology import ClusterName, RouteName
from interlock.model.verdict import Done, Refuse, Verdict
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRoutes:
    """`trusted` are those that may be used though they can't be read back: a canary can be sent through them, or the operator says so.

    `came_from` is where such a route is taken to have led before a flip.
    """

    routes: tuple[RouteFacts, ...]
    trusted: tuple[RouteName, ...] = ()
    came_from: ClusterName | None = None

    def of(self, name: RouteName) -> RouteFacts | None:
        return next((route for route in self.routes if route.route == name), None)


def look_at_routes(world: World, names: Sequence[RouteName]) -> SeenRoutes:
    """All at the same time."""
    specs = world.topology.routes
    trusted = tuple(name for name in names if name in specs and (specs[name].unproved or specs[name].clients is not None))
    return SeenRoutes(routes=tuple(world.gather([world.route(name).facts for name in names])), trusted=trusted)


def untrusted(seen: SeenRoutes) -> Refuse | None:
    """Why not to use a route that nothing can tell of; None if there is none such."""
    for route in seen.routes:
        if not route.provable and route.route not in seen.trusted:
            return Refuse(
                f"route {route.route} can't be read back, and no canary can be sent through it",
                f"give it `show`, or `clients` for a canary, or take it at its word: `unproved: true` in routes.{route.route}",
            )
    return None


def lead_to(seen: SeenRoutes, cluster: ClusterName) -> Verdict:
    """Every route that can be read back sends clients to `cluster`, and nowhere else; any other is trusted."""
    refused = untrusted(seen)
    if refused is not None:
        return refused
    routes = seen.routes
    for route in routes:
        if route.provable and route.leads_to != (cluster,):
            where = " and ".join(route.leads_to) or "nowhere"
            return Refuse(
                f"route {route.route} leads to {where}, not to {cluster}", f"`interlock status` shows each proxy of {route.route}"
            )
    blind = [route.route for route in routes if not route.provable]
    unproved = tuple(f"route {name} can't be read back: it is taken at its word, and nothing proves where it leads" for name in blind)
    if not routes:
        return Done("there is no route to look at", ("no route leads these clients: they are moved by other means",))
    told = f"{', '.join(route.route for route in routes if route.provable)}: to {cluster}" if len(blind) < len(routes) else ""
    taken = f"{', '.join(blind)}: taken to lead to {cluster}, unproved" if blind else ""
    return Done("; ".join(filter(None, (told, taken))), (*unproved, *_lost(routes)))


def _lost(routes: Sequence[RouteFacts]) -> tuple[str, ...]:
    """The proxies that were left out because they do not answer: who comes back may lead to where it led before."""
    return tuple(
        f"route {route.route}: {proxy} does not answer and was left out; see where it leads before it gets clients again"
        for route in routes
        for proxy in route.lost
    )
