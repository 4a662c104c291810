"""`route.hold` and `route.release`: clients wait instead of being refused."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.actions.route_facts import SeenRoutes, look_at_routes
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, Hold, Release
from interlock.model.facts import RouteFacts
from interlock.model.topology import RouteName
from interlock.model.verdict import Act, Done, Verdict
from interlock.playbook.catalogue import Role, Verb
from interlock.ports import World


def _names(routes: tuple[RouteFacts, ...]) -> str:
    return ", ".join(route.route for route in routes)


def _keeps_some_waiting(route: RouteFacts) -> bool:
    """Some of its proxies are enough: their clients would wait for good."""
    return route.holding or route.held_in_part


def _pinned(held: tuple[RouteFacts, ...]) -> tuple[str, ...]:
    """Whom a hold can't hold: a statement of theirs meets the fence."""
    return tuple(
        f"route {route.route}: {endpoint.proxy} can't hold who keeps a connection to {endpoint.endpoint}: {'; '.join(endpoint.pinned)}"
        for route in held
        for endpoint in route.endpoints
        if endpoint.pinned
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRoutes:
    """Keep clients that connect through the routes waiting, where a route can."""

    route: tuple[RouteName, ...] = param(Kind.ROUTES, "`all`, a route, or a list of routes")

    def look(self, world: World, /) -> SeenRoutes:
        return look_at_routes(world, self.route)

    def decide(self, seen: SeenRoutes, /) -> Verdict:
        pending = self._pending(seen)
        cannot = tuple(route for route in seen.routes if route.hold_s is None)
        if pending:
            return Act(f"{_names(pending)}: clients are let through")
        warnings = (f"{_names(cannot)} can't hold: clients that connect meanwhile see errors",) if cannot else ()
        held = tuple(route for route in seen.routes if route.holding)
        return Done(f"{_names(held) or 'no route'}: held", (*warnings, *_pinned(held)))

    def effects(self, seen: SeenRoutes, /) -> tuple[Effect, ...]:
        return tuple(Hold(route=route.route) for route in self._pending(seen))

    def undo(self, before: SeenRoutes, now: SeenRoutes | None, /) -> tuple[Effect, ...]:
        still_held = {route.route for route in (now or before).routes if now is None or _keeps_some_waiting(route)}
        return tuple(
            Release(route=route.route)
            for route in before.routes
            if not route.holding and route.hold_s is not None and route.route in still_held
        )

    def outputs(self, seen: SeenRoutes, /) -> Mapping[str, object]:
        return {"held": tuple(route.route for route in seen.routes if route.holding)}

    @staticmethod
    def _pending(seen: SeenRoutes) -> tuple[RouteFacts, ...]:
        return tuple(route for route in seen.routes if route.hold_s is not None and not route.holding)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRoutes:
    """Let the clients go that the routes keep waiting."""

    route: tuple[RouteName, ...] = param(Kind.ROUTES, "`all`, a route, or a list of routes")

    def look(self, world: World, /) -> SeenRoutes:
        return look_at_routes(world, self.route)

    def decide(self, seen: SeenRoutes, /) -> Verdict:
        held = tuple(route for route in seen.routes if _keeps_some_waiting(route))
        return Act(f"{_names(held)}: clients wait") if held else Done("no route holds clients")

    def effects(self, seen: SeenRoutes, /) -> tuple[Effect, ...]:
        return tuple(Release(route=route.route) for route in seen.routes if _keeps_some_waiting(route))

    def undo(self, before: SeenRoutes, now: SeenRoutes | None, /) -> tuple[Effect, ...]:
        free = {route.route for route in (now or before).routes if now is None or not route.holding}
        return tuple(Hold(route=route.route) for route in before.routes if route.holding and route.route in free)

    def outputs(self, seen: SeenRoutes, /) -> Mapping[str, object]:
        return {"held": tuple(route.route for route in seen.routes if route.holding)}


SPECS = (
    describe(HoldRoutes, "route.hold", Verb.DO, outputs={"held": Kind.TEXTS}, role=Role.HOLDS),
    describe(ReleaseRoutes, "route.release", Verb.DO, outputs={"held": Kind.TEXTS}),
)
