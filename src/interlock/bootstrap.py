"""The only place that picks real drivers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from interlock.actions.catalogue import catalogue
from interlock.clock import Clock, Deadline, SystemClock
from interlock.documents.topology import load_topology
from interlock.engine.events import Asker, Observer
from interlock.engine.execution import Stop
from interlock.engine.marks import PairMarks
from interlock.engine.runs import Engine
from interlock.errors import DriverError, StatementFailed
from interlock.fencing.registry import make_agents
from interlock.hosts.local import Here
from interlock.hosts.secrets import Secrets
from interlock.model.effects import CopyLogs
from interlock.model.facts import CommandResult
from interlock.model.topology import ClusterName, ClusterSpec, RouteName, ServerName, ServerSpec, SshSpec, Topology
from interlock.ports import Comparer, FenceAgent, Marks, Outside, Prober, Returning, Route, Server, Store, VantagePoint
from interlock.routes.client import ClientLogin
from interlock.routes.parts import RouteParts
from interlock.routes.prober import RouteProber
from interlock.routes.registry import make_route, route_fields
from interlock.servers.registry import make_server
from interlock.servers.server import SqlServer
from interlock.servers.trepctl import Replicator
from interlock.servers.trepctl_heartbeat import Origin
from interlock.stores.holder import this_author, this_holder
from interlock.stores.open import open_store, state_folder
from interlock.vantages.points import Doors, vantage_points

if TYPE_CHECKING:
    from interlock.diff.mender import RowMender
    from interlock.keepers import Keepers

R = TypeVar("R")

_AT_ONCE = 16
_BEGUN_WITHIN_S = 0.2
"""A thread that is there has begun by then, on a busy machine too."""
_SILENT_FOR_S = 30.0


def _host_of(cluster: ClusterSpec) -> ClusterName | None:
    """The cluster on whose host its programs run; None for here."""
    return cluster.name if cluster.ssh is not None else None


def _copier(folder: Path, clock: Clock) -> Callable[[CopyLogs, SshSpec | None], CommandResult]:
    def copy(effect: CopyLogs, ssh: SshSpec | None) -> CommandResult:
        from interlock.losses.folder import Keep  # noqa: PLC0415 - only in an emergency
        from interlock.losses.salvage import copy_logs  # noqa: PLC0415 - as above

        return copy_logs(effect, ssh, Keep(folder), clock)

    return copy


class RealWorld:
    """Servers, routes and hooks of one topology, each made when it is first asked for."""

    def __init__(self, topology: Topology, clock: Clock, secrets: Secrets, store: Store, folder: Path | None = None) -> None:
        self.topology = topology
        self.present_run = ""
        self.turn = threading.RLock()
        self._store = store
        hosts = {name: cluster.ssh for name, cluster in topology.clusters.items() if cluster.ssh is not None}
        self._here = Here(clock, hosts, keep=True, redact=secrets.redact, copy=_copier(folder, clock) if folder is not None else None)
        self.outside: Outside = self._here
        self._clock = clock
        self._secrets = secrets
        self._servers: dict[ServerName, SqlServer] = {}
        self._routes: dict[RouteName, Route] = {}
        self._fencing: dict[ClusterName, tuple[FenceAgent, ...]] = {}
        self._keepers: Keepers | None = None
        self._silent: dict[ServerName, Deadline] = {}
        self._folder = folder
        self._pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="interlock")

    def server(self, name: str, /) -> Server:
        spec = self.topology.server(name)
        if spec.name not in self._servers:
            self._servers[spec.name] = make_server(
                spec,
                secrets=self._secrets.read,
                clock=self._clock,
                pair=self.topology.servers(),
                replicator=self._replicator(spec),
                others=lambda: tuple(self._servers.values()),
            )
        return self._servers[spec.name]

    def sql_server(self, name: str, /) -> SqlServer:
        """The same, for who needs connections of its own."""
        self.server(name)
        return self._servers[self.topology.server(name).name]

    def _replicator(self, spec: ServerSpec) -> Replicator | None:
        """What replicates into a master in place of the server itself, if the topology says so."""
        cluster = self.topology.clusters[spec.cluster]
        if cluster.channel is None or not spec.is_master:
            return None
        source = self.topology.other_masters(spec.name)[0]
        other = self.topology.clusters[self.topology.server(source).cluster]
        origin = None
        if other.channel is not None:
            origin = Origin(source=source, service=cluster.channel.service, trepctl=other.channel.trepctl, host=_host_of(other))
        return Replicator(
            cluster.channel,
            server=spec.name,
            source=source,
            host=_host_of(cluster),
            outside=self.outside,
            clock=self._clock,
            origin=origin,
        )

    def route(self, name: str, /) -> Route:
        spec = self.topology.routes[RouteName(name)]
        if spec.name not in self._routes:
            parts = RouteParts(
                topology=self.topology,
                outside=self.outside,
                clock=self._clock,
                connect=self._login(),
                server_ids=self._server_ids,
                secrets=self._secrets.read,
                hide=self._secrets.hide,
                redact=self._secrets.redact,
            )
            self._routes[spec.name] = make_route(spec, parts)
        return self._routes[spec.name]

    def vantage_points(self, cluster: str, /) -> tuple[VantagePoint, ...]:
        doors = Doors(
            topology=self.topology,
            clock=self._clock,
            secrets=self._secrets.read,
            outside=self.outside,
            server=self.server,
            route=self.route,
            fence_agents=self.fence_agents(cluster),
        )
        return vantage_points(self.topology.clusters[ClusterName(cluster)], doors)

    def fence_agents(self, cluster: str, /) -> tuple[FenceAgent, ...]:
        spec = self.topology.clusters[ClusterName(cluster)]
        if spec.name not in self._fencing:
            self._fencing[spec.name] = make_agents(spec, topology=self.topology, outside=self.outside, clock=self._clock, route=self.route)
        return self._fencing[spec.name]

    def returning(self, cluster: str, /) -> Returning:
        return self._kept().returning(ClusterName(cluster))

    def comparer(self, cluster: str, /) -> Comparer:
        return self._kept().comparer(ClusterName(cluster))

    @property
    def mender(self) -> RowMender:
        return self._kept().mender

    def _kept(self) -> Keepers:
        """StatementFailed where nothing can be kept."""
        if self._keepers is None:
            from interlock.keepers import Keepers  # noqa: PLC0415 - most runs need none of them, and clients wait while a failover starts

            if self._folder is None:
                raise StatementFailed("nothing is kept here, neither comparisons nor what is lost: there is no folder beside the store")
            self._keepers = Keepers(
                self.topology,
                self._folder,
                store=self._store,
                marks=self.marks,
                server=self.sql_server,
                outside=self.outside,
                clock=self._clock,
                secrets=self._secrets,
                present_run=lambda: self.present_run,
            )
        return self._keepers

    @property
    def marks(self) -> Marks:
        return PairMarks(self._store, self.topology.name, self._clock, this_author())

    def gather(self, calls: Sequence[Callable[[], R]], /) -> list[R]:
        """The caller does the first itself, and what nobody has begun after a while: a gather within a gather waits for no free thread."""
        if not calls:
            return []
        first, *others = calls
        begun = [(call, self._pool.submit(call)) for call in others]
        try:
            results = [first()]
        finally:
            wait([future for _, future in begun], timeout=_BEGUN_WITHIN_S)
            wait([future for _, future in begun if not future.cancel()])
        return results + [call() if future.cancelled() else future.result() for call, future in begun]

    def prober(self) -> Prober | None:
        login = self._login()
        routes = [route for route in self.topology.routes.values() if route.clients is not None]
        return RouteProber(routes, login, self._clock) if routes and login is not None and login.only_canary else None

    def unfinished_runs(self) -> tuple[str, ...]:
        runs = self._store.runs(self.topology.name)
        return tuple(header.run for header in runs if header.outcome is None and header.run != self.present_run)

    def close(self) -> None:
        kept = self._keepers.all() if self._keepers is not None else ()
        for closable in (*kept, *self._servers.values(), *self._routes.values()):
            with contextlib.suppress(DriverError):  # it is of no more use, and says so
                closable.close()
        self._here.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _login(self) -> ClientLogin | None:
        """As a client logs in: with the canary account, or with Interlock's own. The writer's settings hold for both sides."""
        access = next(iter(self.topology.masters())).access
        account = access.canary or access.account
        password = self._secrets.read(account.password) if account.password is not None else ""
        return ClientLogin(user=account.user, password=password, tls=access.tls, only_canary=access.canary is not None)

    def _server_ids(self) -> Mapping[int, ServerName]:
        """A master that did not answer is not asked again for a while: each canary of a failover would wait for the dead one."""
        found: dict[int, ServerName] = {}
        for master in self.topology.masters():
            if (silent := self._silent.get(master.name)) is not None and not silent.is_over():
                continue
            try:
                found[self.server(master.name).facts().server_id] = master.name
            except DriverError:  # its id is not known, so nothing will be taken for it
                self._silent[master.name] = Deadline.after(self._clock, _SILENT_FOR_S)
        return found


def read_topology(path: Path) -> Topology:
    """InvalidFile with every problem."""
    return load_topology(path, route_fields())


class Wiring:
    """A topology, a store and the engine on them. Close it when the command ends."""

    def __init__(self, topology: Topology, store_url: str | None, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.topology = topology
        self.secrets = Secrets(self.clock)
        self.store: Store = open_store(store_url, self.clock)
        self.folder = state_folder(store_url)
        self.world = RealWorld(topology, self.clock, self.secrets, self.store, self.folder)
        self.catalogue = catalogue()

    def engine(self, observe: Observer, ask: Asker, stop: Stop) -> Engine:
        return Engine(
            world=self.world,
            store=self.store,
            catalogue=self.catalogue,
            clock=self.clock,
            observe=observe,
            ask=ask,
            stop=stop,
            holder=this_holder,
            redact=self.secrets.redact,
        )

    def close(self) -> None:
        self.world.close()
        self.store.close()
