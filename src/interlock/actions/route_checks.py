"""`route.*` checks: where do clients really end up?"""

from __future__ import annotations

import uuid

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.actions.route_facts import SeenRoutes, lead_to, look_at_routes
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.facts import CanaryFacts
from interlock.model.topology import ClusterName, RouteName, ServerName
from interlock.model.verdict import Done, Refuse, Verdict
from interlock.playbook.catalogue import Verb
from interlock.ports import World

_HINT = "`interlock status`; and see what may hold up writes there: a lock on all (FLUSH TABLES WITH READ LOCK, of a backup), a full disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteLeadsTo(NoOutputs):
    """The routes send clients to one cluster, on every proxy."""

    route: tuple[RouteName, ...] = param(Kind.ROUTES, "`all`, a route, or a list of routes")
    to: ClusterName = param(Kind.CLUSTER, "where they must lead")

    def look(self, world: World, /) -> SeenRoutes:
        return look_at_routes(world, self.route)

    def decide(self, seen: SeenRoutes, /) -> Verdict:
        return lead_to(seen, self.to)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldOutlasts(NoOutputs):
    """Every route that can hold keeps clients waiting at least as long as the outage may last."""

    route: tuple[RouteName, ...] = param(Kind.ROUTES, "`all`, a route, or a list of routes")
    longer_than_s: float = param(Kind.DURATION, "how long the outage may last")

    def look(self, world: World, /) -> SeenRoutes:
        return look_at_routes(world, self.route)

    def decide(self, seen: SeenRoutes, /) -> Verdict:
        for route in seen.routes:
            if route.hold_s is not None and route.hold_s < self.longer_than_s:
                return Refuse(
                    f"route {route.route} holds clients for {route.hold_s:g}s, and the outage may last {self.longer_than_s:g}s",
                    "lower max_outage, or let the proxy hold for longer",
                )
        cannot = tuple(route.route for route in seen.routes if route.hold_s is None)
        warnings = (f"{', '.join(cannot)} can't hold clients: those that connect in the outage see an error",) if cannot else ()
        return Done(
            "; ".join(f"{r.route} holds for {r.hold_s:g}s" for r in seen.routes if r.hold_s is not None) or "no route holds", warnings
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCanaries:
    """`unproved` names the routes without a client address, with what they say of themselves instead."""

    canaries: tuple[CanaryFacts, ...]
    unproved: SeenRoutes


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCanary(NoOutputs):
    """A marked row, written through each route as a client would, is taken by the expected master."""

    route: tuple[RouteName, ...] = param(Kind.ROUTES, "`all`, a route, or a list of routes")
    expect: ClusterName = param(Kind.CLUSTER, "whose master must take the row")
    times: int = param(Kind.INTEGER, "how many rows, each on a new connection", default=1)

    def look(self, world: World, /) -> SeenCanaries:
        provable = [name for name in self.route if world.topology.routes[name].clients is not None]
        canaries = tuple(world.route(name).canary(f"route {name} {uuid.uuid4().hex}") for _ in range(self.times) for name in provable)
        return SeenCanaries(canaries=canaries, unproved=look_at_routes(world, [name for name in self.route if name not in provable]))

    def decide(self, seen: SeenCanaries, /) -> Verdict:
        for canary in seen.canaries:
            if canary.server is None or str(canary.server) != str(self.expect):
                where = f"was taken by {canary.server}" if canary.server else f"was refused ({canary.detail})"
                return Refuse(f"a row written through route {canary.route} {where}, expected {self.expect}", _HINT)
        names = sorted({canary.route for canary in seen.canaries})
        if not seen.unproved.routes:
            return Done(f"{len(seen.canaries)} rows through {', '.join(names) or 'no route'} were taken by {self.expect}")
        match lead_to(seen.unproved, self.expect):
            case Done(why, warnings):
                rows = f"{len(seen.canaries)} rows through {', '.join(names)} were taken by {self.expect}" if names else "no row was sent"
                read_back = ", ".join(route.route for route in seen.unproved.routes if route.provable)
                note = (
                    (f"{read_back}: no `clients` address in the topology, so no row was sent, and it was only read back",)
                    if read_back
                    else ()
                )
                return Done(f"{rows}; {why}", (*note, *warnings))
            case verdict:
                return verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenProof:
    canary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusesWrites(NoOutputs):
    """A server is proved fenced: read back on another connection, and a canary write refused."""

    server: ServerName = param(Kind.SERVER, "the server that must refuse writes")

    def look(self, world: World, /) -> SeenProof:
        return SeenProof(canary=world.server(self.server).proof_of_fence().canary)

    def decide(self, seen: SeenProof, /) -> Verdict:
        return Done(f"{self.server} is read-only; canary write: {seen.canary}")


SPECS = (
    describe(RouteLeadsTo, "route.leads_to", Verb.CHECK),
    describe(HoldOutlasts, "route.hold_outlasts", Verb.CHECK),
    describe(RouteCanary, "route.canary", Verb.CHECK),
    describe(RefusesWrites, "server.refuses_writes", Verb.CHECK),
)
