"""`ports.World` on a simulated pair, as one process sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from interlock.engine.marks import PairMarks
from interlock.errors import InterlockError
from interlock.model.effects import ChannelEffect, FencingEffect, RouteEffect, SegmentEffect, ServerEffect, TableEffect
from interlock.model.mending import MendEffect
from interlock.model.returning import ReturnEffect
from interlock.model.topology import ClusterName, RouteName, ServerName, Topology
from interlock.ports import Comparer, FenceAgent, Marks, Mender, Outside, Prober, Returning, Route, Server, Store, VantagePoint
from interlock.simulated.clients import SimulatedProber
from interlock.simulated.comparing import SimulatedComparer
from interlock.simulated.fencing import SimulatedFencing
from interlock.simulated.mending import SimulatedMender
from interlock.simulated.outside import SimulatedOutside
from interlock.simulated.pair import Sent, SimulatedPair
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.returning import SimulatedReturning
from interlock.simulated.route import SimulatedRoute
from interlock.simulated.server import SimulatedServer
from interlock.simulated.vantages import simulated_vantages

R = TypeVar("R")


class SimulatedWorld:
    def __init__(self, pair: SimulatedPair, process: SimulatedProcess, store: Store) -> None:
        self.topology: Topology = pair.topology
        self.present_run = ""
        self.outside: Outside = SimulatedOutside(pair.programs, process.move)
        self.probers: list[SimulatedProber] = []
        self._pair = pair
        self._process = process
        self._store = store
        self._servers: dict[ServerName, Server] = {}
        self._routes: dict[RouteName, Route] = {}
        self._returning: dict[ClusterName, Returning] = {}
        self._comparers: dict[ClusterName, Comparer] = {}
        self.mender: Mender = SimulatedMender(pair=pair, process=process, done=self._note)

    def server(self, name: str, /) -> Server:
        spec = self.topology.server(name)
        if spec.name not in self._servers:
            self._servers[spec.name] = SimulatedServer(spec, self._pair.database(spec.name), self._process, self._note)
        return self._servers[spec.name]

    def route(self, name: str, /) -> Route:
        spec = self.topology.routes[RouteName(name)]
        if spec.name not in self._routes:
            self._routes[spec.name] = SimulatedRoute(spec, self._pair.proxy, self._process, self._note)
        return self._routes[spec.name]

    @property
    def marks(self) -> Marks:
        return PairMarks(self._store, self.topology.name, self._pair.clock, f"{self._process.name}@simulated")

    def vantage_points(self, cluster: str, /) -> tuple[VantagePoint, ...]:
        watched = self.topology.clusters[ClusterName(cluster)].master.name
        (other,) = self.topology.other_masters(watched)
        return simulated_vantages(self._pair.database(watched), self._pair.database(other), self._process)

    def fence_agents(self, cluster: str, /) -> tuple[FenceAgent, ...]:
        return tuple(SimulatedFencing(power, self._process, self._note) for power in self._pair.fencing[ClusterName(cluster)])

    def returning(self, cluster: str, /) -> Returning:
        name = ClusterName(cluster)
        if name not in self._returning:
            self._returning[name] = SimulatedReturning(name, self._pair, self._process, lambda: self.marks, self._note)
        return self._returning[name]

    def comparer(self, cluster: str, /) -> Comparer:
        name = ClusterName(cluster)
        return self._comparers.setdefault(
            name, SimulatedComparer(cluster=name, pair=self._pair, process=self._process, run=lambda: self.present_run)
        )

    @property
    def turn(self) -> AbstractContextManager[object]:
        return nullcontext()

    def gather(self, calls: Sequence[Callable[[], R]], /) -> list[R]:
        """One after the other; the first error once all have ended."""
        results: list[R] = []
        errors: list[InterlockError] = []
        for call in calls:
            try:
                results.append(call())
            except InterlockError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return results

    def prober(self) -> Prober | None:
        self.probers.append(SimulatedProber(self._pair.ledger, self._pair.clock))
        return self.probers[-1]

    def unfinished_runs(self) -> tuple[str, ...]:
        runs = self._store.runs(self.topology.name)
        return tuple(header.run for header in runs if header.outcome is None and header.run != self.present_run)

    def _note(
        self, effect: ServerEffect | SegmentEffect | TableEffect | ChannelEffect | RouteEffect | FencingEffect | ReturnEffect | MendEffect
    ) -> None:
        self._pair.note(Sent(at_s=self._pair.clock.monotonic_s(), process=self._process.name, effect=effect))
