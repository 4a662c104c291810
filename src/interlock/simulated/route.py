"""`ports.Route` on a proxy in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from interlock.dataclass import dataclass
from interlock.errors import OutcomeUnknown, StatementFailed, Unreachable, WriteRefused
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.facts import CanaryFacts, EndpointFacts, EndpointState, RouteFacts
from interlock.model.topology import ClusterName, RouteName, RouteSpec
from interlock.simulated.clock import SimulatedClock
from interlock.simulated.database import BOUND_S, CALL_S, Database
from interlock.simulated.network import PROXY, TOOL, Network
from interlock.simulated.process import SimulatedProcess


@dataclass(slots=True, kw_only=True)
class Proxy:
    """Where clients go. `weights` stand for all that a proxy keeps of a server and a flip must not change. Faults: `down` answers nobody;
    `lose_reply` takes the next command and does not answer.
    """

    clock: SimulatedClock
    databases: dict[ClusterName, Database]
    leads_to: tuple[ClusterName, ...]
    holding: bool = False
    hold_s: float | None = 20.0
    weights: dict[ClusterName, str] = field(default_factory=dict)
    down: bool = False
    lose_reply: bool = False
    network: Network = field(default_factory=Network)
    on_turn: list[Callable[[], None]] = field(default_factory=list)

    def target(self) -> Database | None:
        """Where a new client ends up; None while it is kept waiting or there is nowhere to go."""
        return None if self.holding or self.down or not self.leads_to else self.databases[self.leads_to[0]]

    def change(self, effect: RouteEffect) -> None:
        match effect:
            case Hold():
                self.holding = True
            case Release():
                self.holding = False
            case PointTo(cluster=cluster):
                self.leads_to, self.holding = (cluster,), False
                self._cut_others()
            case RestoreRoute(seen=seen):
                self.leads_to, self.holding = seen.leads_to, seen.holding
                self.weights = {each.cluster: each.raw["weight"] for each in seen.endpoints if each.cluster is not None}
                self._cut_others()

        for tell in self.on_turn:
            tell()

    def _cut_others(self) -> None:
        for cluster, database in self.databases.items():
            if cluster not in self.leads_to:
                for number in [number for number, session in database.sessions.items() if session.user == "app"]:
                    del database.sessions[number]


class SimulatedRoute:
    """`done` gets every effect that is sent."""

    def __init__(self, spec: RouteSpec, proxy: Proxy, process: SimulatedProcess, done: Callable[[RouteEffect], None]) -> None:
        self._spec = spec
        self._proxy = proxy
        self._process = process
        self._done = done

    @property
    def name(self) -> RouteName:
        return self._spec.name

    def facts(self) -> RouteFacts:
        proxy = self._reach()
        endpoints = tuple(
            EndpointFacts(
                proxy="proxy",
                endpoint=str(cluster),
                cluster=cluster,
                state=EndpointState.READY if cluster in proxy.leads_to else EndpointState.MAINTENANCE,
                healthy=not database.faults.down,
                sessions=len(database.sessions),
                queued=0,
                raw={"weight": proxy.weights.get(cluster, "100")},
            )
            for cluster, database in proxy.databases.items()
        )
        return RouteFacts(
            route=self.name, leads_to=proxy.leads_to, holding=proxy.holding, hold_s=proxy.hold_s, provable=True, endpoints=endpoints
        )

    def script(self, effect: RouteEffect, /) -> tuple[str, ...]:
        match effect:
            case Hold():
                return ("hold",)
            case Release():
                return ("release",)
            case PointTo(cluster=cluster):
                return (f"point to {cluster}",)
            case RestoreRoute(seen=seen):
                return (f"point to {' and '.join(seen.leads_to) or 'nowhere'}", "hold" if seen.holding else "release")

    def apply(self, effect: RouteEffect, /) -> None:
        proxy = self._reach(effect=True)
        if isinstance(effect, Hold) and proxy.hold_s is None:
            raise StatementFailed(f"route {self.name} can't hold")
        self._done(effect)
        proxy.change(effect)
        if proxy.lose_reply or not proxy.network.passes(PROXY, TOOL):
            proxy.lose_reply = False
            proxy.clock.sleep(BOUND_S)
            raise OutcomeUnknown(f"the proxy of {self.name} did not answer within {BOUND_S:g}s")
        self._process.move()

    def canary(self, token: str, /) -> CanaryFacts:
        if self._spec.clients is None:
            raise StatementFailed(f"route {self.name} has no `clients` address")
        target = self._reach().target()
        try:
            if target is None:
                return CanaryFacts(route=self.name, server=None, detail="no server behind the proxy")
            target.commit(f"canary {token}")
        except (WriteRefused, Unreachable) as error:
            return CanaryFacts(route=self.name, server=None, detail=error.message)
        return CanaryFacts(route=self.name, server=target.name, detail="taken")

    def warm_up(self) -> None:
        self._reach()

    def close(self) -> None:
        """Nothing is kept open."""

    def _reach(self, *, effect: bool = False) -> Proxy:
        self._process.move()
        network = self._proxy.network
        self._proxy.clock.sleep(2 * CALL_S)
        if not network.joins(TOOL, PROXY) and (not network.passes(TOOL, PROXY) or not effect):
            # What is sent to a proxy is a line of text on a new connection: one that can't be made brings nothing there, now or later.
            self._proxy.clock.wait_until(lambda: network.joins(TOOL, PROXY), BOUND_S)
            if not network.joins(TOOL, PROXY):
                raise Unreachable(f"the proxy of {self.name} does not answer", hint="is the network up?")
        if self._proxy.down:
            raise Unreachable(f"the proxy of {self.name} does not answer", hint="is it running?")
        return self._proxy
