"""A route that is one place which names a cluster: a key, a team's hook, a service of theirs.

Where it leads is known in one of three ways, the first that can be had:

1. The place is read back.
2. The topology says where clients connect, and the route keeps nobody waiting: a client logs in there and asks who answers.
3. Not at all. Then `provable` is False, and `leads_to` is what this process told the place, empty as long as it told it nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from typing import Protocol

from interlock.clock import Deadline
from interlock.dataclass import dataclass
from interlock.errors import DriverError, StatementFailed
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.facts import CanaryFacts, EndpointFacts, EndpointState, RouteFacts
from interlock.model.topology import ClusterName, RouteName, RouteSpec, ServerName
from interlock.routes.canary import WITHIN_S, send_canary
from interlock.routes.last_seen import LastSeen
from interlock.routes.parts import RouteParts

_SETTLE_S, _PAUSE_S = 1.0, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a place says. `cluster` is None if it names none of the pair's; `holding` is None if it can't tell.

    `raw` is what a restore puts back, and nothing that moves by itself.
    """

    cluster: ClusterName | None
    holding: bool | None = None
    raw: Mapping[str, str] = field(default_factory=dict)


class Place(Protocol):
    """What a type of route brings; the rest is the same for all of them. `hold_s` is None if it can't keep clients waiting."""

    @property
    def name(self) -> str: ...
    @property
    def hold_s(self) -> float | None: ...
    def look(self) -> Seen | None:
        """None if it can't be read back; a DriverError if it could be, and was not."""
        ...

    def script(self, effect: RouteEffect, /) -> tuple[str, ...]: ...
    def apply(self, effect: RouteEffect, /) -> None:
        """Unreachable only if nothing was sent."""
        ...


class PointerRoute:
    """A `Route` over a `Place`. Of a place that can't tell, it remembers what it told it and whether it had it hold."""

    def __init__(self, spec: RouteSpec, parts: RouteParts, place: Place) -> None:
        self._spec = spec
        self._parts = parts
        self._place = place
        self._told: tuple[ClusterName, ...] = ()
        self._holding = False
        self._ids: Mapping[int, ServerName] = {}
        self._last: LastSeen[Seen | None] = LastSeen(after_a_miss=True)

    @property
    def name(self) -> RouteName:
        return self._spec.name

    def facts(self) -> RouteFacts:
        seen = self._last.look(self._place.name, self._place.look)
        if seen is None and self._can_be_tried():
            seen = Seen(cluster=self._where_a_client_goes())
        leads_to = self._told if seen is None else (seen.cluster,) if seen.cluster is not None else ()
        holding = self._holding if seen is None or seen.holding is None else seen.holding
        return RouteFacts(
            route=self.name,
            leads_to=leads_to,
            holding=holding,
            hold_s=self._place.hold_s,
            provable=seen is not None,
            endpoints=tuple(
                EndpointFacts(
                    proxy=self._place.name,
                    endpoint=cluster,
                    cluster=cluster,
                    state=_state(cluster, seen),
                    healthy=None,
                    sessions=0,
                    queued=0,
                    raw={} if seen is None else seen.raw,
                )
                for cluster in self._parts.topology.clusters
            ),
        )

    def script(self, effect: RouteEffect, /) -> tuple[str, ...]:
        return self._place.script(effect)

    def apply(self, effect: RouteEffect, /) -> None:
        with self._last.attempt(), self._last.touching(self._place.name):
            self._place.apply(effect)
        match effect:
            case Hold():
                self._holding = True
            case Release():
                self._holding = False
            case PointTo(cluster=cluster):
                self._told, self._holding = (cluster,), False
                self._let_settle(cluster)
            case RestoreRoute(seen=seen):
                self._told, self._holding = seen.leads_to, seen.holding

    def canary(self, token: str, /) -> CanaryFacts:
        return send_canary(self._spec, self._parts.connect, self._parts.server_ids, token)

    def warm_up(self) -> None:
        """A place that is not there is found out before the fence, not after it."""
        self.facts()

    def close(self) -> None:
        """Nothing is kept open."""

    def _let_settle(self, cluster: ClusterName) -> None:
        """A place may take its word before it has carried it out: it is looked at for a moment before anybody tells it again."""
        deadline = Deadline.after(self._parts.clock, _SETTLE_S)
        with suppress(DriverError):  # the next look says so
            while self.facts().leads_to != (cluster,) and not deadline.is_over():
                self._parts.clock.sleep(_PAUSE_S)

    def _can_be_tried(self) -> bool:
        """Not where clients are kept waiting: the one that looks would wait with them."""
        return self._spec.clients is not None and self._parts.connect is not None and self._place.hold_s is None

    def _where_a_client_goes(self) -> ClusterName:
        """StatementFailed if a server answers that is none of the pair's."""
        if self._spec.clients is None or self._parts.connect is None:
            raise StatementFailed(f"route {self.name} has no address where a client could connect")
        session = self._parts.connect(*self._spec.clients, WITHIN_S)
        try:
            ((server_id,),) = session.query("SELECT @@global.server_id")
        finally:
            session.close()
        number = int(str(server_id))
        if number not in self._ids:
            self._ids = self._parts.server_ids()  # they change with a server's restart at the most: asked once
        if number not in self._ids:
            raise StatementFailed(f"route {self.name} led to a server with server_id {number}, which is none of this pair")
        return self._parts.topology.server(self._ids[number]).cluster


def _state(cluster: ClusterName, seen: Seen | None) -> EndpointState:
    if seen is None:
        return EndpointState.UNKNOWN
    return EndpointState.READY if cluster == seen.cluster else EndpointState.MAINTENANCE
