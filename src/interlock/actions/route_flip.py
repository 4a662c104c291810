"""`route.flip`: clients go to another cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from interlock.actions.action import describe, param
from interlock.actions.route_facts import SeenRoutes, lead_to, look_at_routes
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, PointTo, RestoreRoute
from interlock.model.facts import RouteFacts
from interlock.model.topology import ClusterName, RouteName
from interlock.model.verdict import Act, Done, Refuse, Verdict
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipRoutes:
    """Point the routes to a cluster, end the sessions that lead elsewhere, and let waiting clients go. Independent routes flip together."""

    route: tuple[RouteName, ...] = param(Kind.ROUTES, "`all`, a route, or a list of routes")
    to: ClusterName = param(Kind.CLUSTER, "where clients are to go")

    def look(self, world: World, /) -> SeenRoutes:
        return look_at_routes(world, self.route)

    def decide(self, seen: SeenRoutes, /) -> Verdict:
        pending = self._pending(seen)
        unproved = tuple(route for route in seen.routes if not route.provable)
        if unproved:
            names = ", ".join(route.route for route in unproved)
            return Act(f"{names} can't be read back; flipped once, to be proved by a canary", once=True)
        if pending:
            return Act("; ".join(f"{route.route} leads to {' and '.join(route.leads_to) or 'nowhere'}" for route in pending))
        match lead_to(seen.routes, self.to):
            case Refuse() as refused:
                return refused
            case verdict:
                return Done(verdict.why)

    def effects(self, seen: SeenRoutes, /) -> tuple[Effect, ...]:
        return tuple(PointTo(route=route.route, cluster=self.to) for route in self._pending(seen))

    def undo(self, before: SeenRoutes, now: SeenRoutes | None, /) -> tuple[Effect, ...]:
        return tuple(
            RestoreRoute(route=route.route, seen=route)
            for route in before.routes
            if now is None or not route.provable or _differs(route, now.of(route.route))
        )

    def outputs(self, seen: SeenRoutes, /) -> Mapping[str, object]:
        return {"to": self.to, "routes": tuple(route.route for route in seen.routes)}

    def _pending(self, seen: SeenRoutes) -> tuple[RouteFacts, ...]:
        return tuple(route for route in seen.routes if not route.provable or route.leads_to != (self.to,) or route.holding)


def _differs(before: RouteFacts, now: RouteFacts | None) -> bool:
    """Counts of sessions move by themselves; what is to be put back is what the driver keeps in `raw`, the states and the hold."""
    if now is None:
        return True
    shape = [(e.proxy, e.endpoint, e.state, dict(e.raw)) for e in before.endpoints]
    shape_now = [(e.proxy, e.endpoint, e.state, dict(e.raw)) for e in now.endpoints]
    return shape != shape_now or before.leads_to != now.leads_to or before.holding != now.holding


SPEC = describe(FlipRoutes, "route.flip", Verb.DO, outputs={"to": Kind.CLUSTER, "routes": Kind.TEXTS}, role=Role.FLIPS)
