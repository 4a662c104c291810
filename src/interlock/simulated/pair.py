"""Two databases that replicate to each other, a proxy before them, clients, and the watch over promise 1 and 2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from functools import partial

from interlock.dataclass import dataclass
from interlock.model.effects import ChannelEffect, FencingEffect, RouteEffect, SegmentEffect, ServerEffect, TableEffect
from interlock.model.mending import MendEffect
from interlock.model.returning import ReturnEffect
from interlock.model.topology import (
    Access,
    Account,
    ClusterName,
    ClusterSpec,
    RouteName,
    RouteSpec,
    ServerName,
    ServerSpec,
    Topology,
)
from interlock.simulated.clients import Client, Ledger
from interlock.simulated.clock import SimulatedClock
from interlock.simulated.database import Database, Flavor
from interlock.simulated.fencing import Power
from interlock.simulated.network import Network
from interlock.simulated.outside import Programs
from interlock.simulated.replication import Channel
from interlock.simulated.route import Proxy

EAST, WEST, ROUTE = ClusterName("east"), ClusterName("west"), RouteName("writes")

_CLIENT_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An effect, who sent it and when."""

    at_s: float
    process: str
    effect: ServerEffect | SegmentEffect | TableEffect | ChannelEffect | RouteEffect | FencingEffect | ReturnEffect | MendEffect


@dataclass(slots=True, kw_only=True)
class SimulatedPair:
    """`violations` are the broken promises, a sentence each, noted at the instant at which they broke. `excused` are servers that were
    started unfenced, by no deed of Interlock's: what they do is the option file's fault, until Interlock fences them. `fencing` are each
    cluster's ways of being fenced from outside, in their order.
    """

    clock: SimulatedClock
    topology: Topology
    east: Database
    west: Database
    to_west: Channel
    to_east: Channel
    proxy: Proxy
    network: Network
    ledger: Ledger = field(default_factory=Ledger)
    programs: Programs = field(default_factory=Programs)
    sent: list[Sent] = field(default_factory=list)
    on_sent: list[Callable[[Sent], None]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    excused: set[str] = field(default_factory=set)
    fencing: dict[ClusterName, list[Power]] = field(default_factory=dict)
    differing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By the name of a comparison: the keys of rows that west lacks (`mending.py`)."""
    kept: set[str] = field(default_factory=set)
    """Keys of what one side lacks and was read and kept (`returning.py`)."""
    replicas: dict[str, Database] = field(default_factory=dict)
    """Servers behind the pair (`replicas.py`): clients never reach them."""

    def note(self, sent: Sent) -> None:
        """An effect is about to be sent."""
        self.sent.append(sent)
        for tell in self.on_sent:
            tell(sent)

    def database(self, name: str) -> Database:
        return {"east": self.east, "west": self.west, **self.replicas}[name]

    def writers(self) -> tuple[ServerName, ...]:
        return tuple(each.name for each in (self.east, self.west) if each.takes_writes)

    def missing(self, name: str) -> set[str]:
        """The keys that were acknowledged and are not on this server."""
        return self.ledger.acknowledged.keys() - self.database(name).rows

    def watch(self) -> None:
        """Called whenever a server begins or ends to take writes."""
        at = f"at {self.clock.monotonic_s():.3f}s"
        if len(self.writers()) > 1 and not self.topology.segments and self.excused.isdisjoint(self.writers()):
            self.violations.append(f"{at} both servers take writes")
        for name in self.writers() if not self.excused else ():
            if missing := self.missing(name):
                self.violations.append(f"{at} {name} is open without {len(missing)} acknowledged keys, such as {min(missing)}")


def simulated_pair(clock: SimulatedClock | None = None, *, clients: int = 2, flavor: Flavor = Flavor.MARIADB) -> SimulatedPair:
    """East is open and the route leads there; west is its standby."""
    clock = clock or SimulatedClock()
    network = Network(now_s=clock.monotonic_s)
    east = Database(name=ServerName("east"), server_id=1, clock=clock, network=network, flavor=flavor, read_only=False)
    west = Database(name=ServerName("west"), server_id=2, clock=clock, network=network, flavor=flavor, notes=east.notes)
    pair = SimulatedPair(
        clock=clock,
        topology=_topology(),
        east=east,
        west=west,
        to_west=Channel(source=east, target=west),
        to_east=Channel(source=west, target=east),
        proxy=Proxy(clock=clock, databases={EAST: east, WEST: west}, leads_to=(EAST,), weights={EAST: "100", WEST: "70"}, network=network),
        network=network,
        fencing={cluster: [Power(cluster=cluster, database=database)] for cluster, database in ((EAST, east), (WEST, west))},
    )
    for channel in (pair.to_west, pair.to_east):
        channel.connect()
    for database in (east, west):
        database.on_turn.append(pair.watch)
        network.on_heal.append(database.land_all)
    for number in range(clients):
        client = Client(name=f"c{number}", proxy=pair.proxy, ledger=pair.ledger)
        clock.after(_CLIENT_PAUSE_S * number / clients, partial(clock.every, _CLIENT_PAUSE_S, client.write))
    return pair


def _topology() -> Topology:
    access = Access(account=Account(user="interlock", password=None), tls=None, canary=Account(user="interlock_canary", password=None))
    clusters = {
        name: ClusterSpec(
            name=name, master=ServerSpec(name=ServerName(name), cluster=name, host=f"{name}.example", port=3306, access=access)
        )
        for name in (EAST, WEST)
    }
    route = RouteSpec(name=ROUTE, kind="simulated", settings={}, clients=("proxy.example", 3306))
    return Topology(name="shop", clusters=clusters, routes={ROUTE: route})
