"""`route.flip`: clients go to another cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from interlock.actions.action import describe, param
from interlock.actions.route_facts import SeenRoutes, lead_to, look_at_routes, untrusted
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, PointTo, RestoreRoute
from interlock.model.facts import RouteFacts
from interlock.model.topology import ClusterName, RouteName
from interlock.model.verdict import Act, Done, Verdict
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipRoutes:
    """Point the routes to a cluster, end the sessions that lead elsewhere, and let waiting clients go. Independent routes flip together."""

    route: tuple[RouteName, ...] = param(Kind.ROUTES, "`all`, a route, or a list of routes")
    to: ClusterName = param(Kind.CLUSTER, "where clients are to go")

    def look(self, world: World, /) -> SeenRoutes:
        others = [cluster for cluster in world.topology.clusters if cluster != self.to]
        return replace(look_at_routes(world, self.route), came_from=others[0] if len(others) == 1 else None)

    def decide(self, seen: SeenRoutes, /) -> Verdict:
        refused = untrusted(seen)
        if refused is not None:
            return refused
        pending = self._pending(seen)
        if pending:
            why = "; ".join(f"{route.route} leads to {_where(route)}" for route in pending)
            return Act(why, once=not any(route.provable for route in pending))
        match lead_to(seen, self.to):
            case Done(why, warnings):
                return Done(why, warnings)
            case verdict:
                return verdict

    def effects(self, seen: SeenRoutes, /) -> tuple[Effect, ...]:
        return tuple(PointTo(route=route.route, cluster=self.to) for route in self._pending(seen))

    def undo(self, before: SeenRoutes, now: SeenRoutes | None, /) -> tuple[Effect, ...]:
        """A route that can't be read back goes to where it is taken to have come from, unless this process has told it so already."""
        were = tuple(_taken_to_lead(route, before.came_from) for route in before.routes)
        return tuple(RestoreRoute(route=was.route, seen=was) for was in were if now is None or _differs(was, now.of(was.route)))

    def outputs(self, seen: SeenRoutes, /) -> Mapping[str, object]:
        return {"to": self.to, "routes": tuple(route.route for route in seen.routes)}

    def _pending(self, seen: SeenRoutes) -> tuple[RouteFacts, ...]:
        return tuple(route for route in seen.routes if route.leads_to != (self.to,) or route.holding or route.held_in_part)


def _where(route: RouteFacts) -> str:
    return " and ".join(route.leads_to) or ("nowhere" if route.provable else "nobody knows where")


def _taken_to_lead(route: RouteFacts, came_from: ClusterName | None) -> RouteFacts:
    return route if route.provable or route.leads_to or came_from is None else replace(route, leads_to=(came_from,))


def _differs(before: RouteFacts, now: RouteFacts | None) -> bool:
    """Counts of sessions move by themselves; what is to be put back is what the driver keeps in `raw`, the states and the hold.

    A proxy that was lost meanwhile can't be put back, and nobody is led to a server that the proxy has found to be down since.
    """
    if now is None:
        return True
    shape = [(e.proxy, e.endpoint, e.state, dict(e.raw)) for e in before.endpoints if e.proxy not in now.lost]
    shape_now = [(e.proxy, e.endpoint, e.state, dict(e.raw)) for e in now.endpoints if e.proxy not in now.lost]
    sick = {endpoint.cluster for endpoint in now.endpoints if endpoint.healthy is False}
    leads_elsewhere = set(before.leads_to) - sick != set(now.leads_to) - sick
    return shape != shape_now or leads_elsewhere or before.holding != now.holding


SPECS = (describe(FlipRoutes, "route.flip", Verb.DO, outputs={"to": Kind.CLUSTER, "routes": Kind.TEXTS}, role=Role.FLIPS),)
