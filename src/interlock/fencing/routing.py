"""Fencing by the pair's own routes: a virtual address is taken away, or the cluster is closed in every proxy.

Either closes one way in. Who knows the server's own address still gets there, so none of them is whole: they stand before one that is, to
end what clients do at once.

A route is told to be as it was seen, but for what leads to the cluster. What that is in a proxy's words (`raw`) is its own type's affair;
it is said here for the types whose sessions can be ended so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.errors import StatementFailed, Unreachable
from interlock.fencing.parts import FencingParts, FencingType, must_be_known
from interlock.model.codec import from_plain, to_plain
from interlock.model.effects import FenceOutside, FencingEffect, ReleaseOutside, RestoreRoute
from interlock.model.facts import EndpointFacts, EndpointState, RouteFacts
from interlock.model.fencing import AgentFacts
from interlock.model.topology import ClusterName
from interlock.ports import FenceAgent, Route

CLOSED: Mapping[str, Mapping[str, str]] = {"haproxy": {"state": "maint"}, "proxysql": {"status": "OFFLINE_HARD"}, "vip": {}}
"""What an endpoint's `raw` says, for each type of route, once it takes no clients and keeps none."""

_ALL_AT_ONCE = {"vip"}
"""A route of which every endpoint must be told, since one has what the others have not."""

_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAgent:
    """`routes` with the type of each. `raw` has, by the route's name, the endpoints that lead to the cluster, as they were."""

    name: str
    cluster: ClusterName
    routes: tuple[tuple[Route, str], ...]
    clock: Clock
    whole: bool = False

    def facts(self) -> AgentFacts:
        """Fenced: no proxy sends anybody there, and no session through one is left. None if one of a proxy's nodes can't be asked."""
        seen = [route.facts() for route, _ in self.routes]
        ours = [endpoint for facts in seen for endpoint in _of(facts, self.cluster)]
        left = [e for e in ours if e.state is not EndpointState.MAINTENANCE or e.sessions > 0]
        unknown = [e for e in ours if e.state is EndpointState.UNKNOWN]
        words = "; ".join(f"{e.endpoint} at {e.proxy} is {e.state} with {e.sessions} sessions" for e in ours)
        return AgentFacts(
            agent=self.name,
            cluster=self.cluster,
            fenced=None if unknown or not ours else not left,
            whole=self.whole,
            detail=words or f"no route knows {self.cluster}",
            raw={str(facts.route): json.dumps(to_plain(facts)) for facts in seen},
        )

    def script(self, effect: FencingEffect, /) -> tuple[str, ...]:
        """A fence is told as what it makes of the route; which words do that, depends on how the route stands then."""
        match effect:
            case FenceOutside():
                return tuple(
                    f"route {route.name}: nobody is sent to {self.cluster}, and its sessions are ended" for route, _ in self.routes
                )
            case ReleaseOutside(seen=seen):
                orders = self._back(seen, now=None)
                return tuple(line for route, order in orders for line in route.script(order))

    def apply(self, effect: FencingEffect, /) -> None:
        """StatementFailed if it still leads there when the bound is over."""
        deadline = Deadline.after(self.clock, effect.within_s)
        match effect:
            case FenceOutside():
                for route, kind in self.routes:
                    route.apply(self._closing(route.facts(), kind))
                while (facts := self.facts()).fenced is not True:
                    if deadline.left_s() <= _PAUSE_S:
                        raise StatementFailed(f"{self.name} has not closed {self.cluster}: {facts.detail}")
                    self.clock.sleep(_PAUSE_S)
            case ReleaseOutside(seen=seen):
                must_be_known(seen)
                for route, order in self._back(seen, now={str(route.name): route.facts() for route, _ in self.routes}):
                    route.apply(order)

    def _closing(self, now: RouteFacts, kind: str) -> RestoreRoute:
        lost = [endpoint.proxy for endpoint in _of(now, self.cluster) if endpoint.state is EndpointState.UNKNOWN]
        if lost:
            raise Unreachable(f"{self.name} can't close {self.cluster} at {', '.join(lost)}: it does not answer")
        closed = tuple(
            replace(e, state=EndpointState.MAINTENANCE, sessions=0, raw={**e.raw, **CLOSED[kind]}) if e.cluster == self.cluster else e
            for e in now.endpoints
        )
        return RestoreRoute(route=now.route, seen=replace(now, endpoints=self._told(closed, kind)))

    def _back(self, seen: AgentFacts, now: Mapping[str, RouteFacts] | None) -> tuple[tuple[Route, RestoreRoute], ...]:
        """The endpoints that lead to the cluster as they were; what leads elsewhere as it is now.

        Nothing of a route that was led elsewhere meanwhile: a flip of the route is the one to lead clients back.
        """
        orders = []
        for route, kind in self.routes:
            if str(route.name) not in seen.raw:
                continue
            then = from_plain(json.loads(seen.raw[str(route.name)]), RouteFacts)
            stands = then if now is None else now[str(route.name)]
            if set(stands.leads_to) - {self.cluster} and not set(then.leads_to) - {self.cluster}:
                continue
            was = {(e.proxy, e.endpoint): e for e in _of(then, self.cluster)}
            mixed = tuple(was.get((e.proxy, e.endpoint), e) for e in stands.endpoints)
            orders.append((route, RestoreRoute(route=route.name, seen=replace(stands, endpoints=self._told(mixed, kind)))))
        return tuple(orders)

    def _told(self, endpoints: tuple[EndpointFacts, ...], kind: str) -> tuple[EndpointFacts, ...]:
        return endpoints if kind in _ALL_AT_ONCE else tuple(e for e in endpoints if e.cluster == self.cluster)


def _of(facts: RouteFacts, cluster: ClusterName) -> tuple[EndpointFacts, ...]:
    return tuple(endpoint for endpoint in facts.endpoints if endpoint.cluster == cluster)


def _make(parts: FencingParts) -> FenceAgent:
    said = str(parts.settings["route"])
    names = [name for name, kind in parts.routes.items() if kind in CLOSED and kind != "vip"] if said == "all" else [said]
    kinds = {str(name): kind for name, kind in parts.routes.items()}
    return RouteAgent(
        name=parts.name,
        cluster=parts.cluster.name,
        routes=tuple((parts.route(name), kinds[name]) for name in names),
        clock=parts.clock,
    )


ADDRESS = FencingType(name="address", summary="A route's virtual address is taken from the cluster's host.", make=_make)
PROXY = FencingType(name="proxy", summary="The cluster is closed in every proxy of a route.", make=_make)
