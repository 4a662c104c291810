"""Which places there are to look at a cluster's master from, by the topology alone: nothing is connected to here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.model.facts import ChannelFacts, RouteFacts
from interlock.model.liveness import VantageKind
from interlock.model.topology import ClusterSpec, RouteSpec, SecretRef, ServerSpec, Topology
from interlock.ports import FenceAgent, Outside, Route, Server
from interlock.vantages import here, host, peer, power, proxy
from interlock.vantages.point import Vantage

_CHECK_NOTHING = frozenset({"dns", "vip", "command", "webhook", "consul", "etcd"})
"""Types of routes that lead somewhere and never look whether anybody is there. Another package's may."""

_ADDRESSES = ("socket", "admin", "nodes", "url")
"""The settings by which the types of routes say where their proxies are asked."""

_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What looking takes. `fence_agents` are the cluster's, in the order of its `fencing`."""

    topology: Topology
    clock: Clock
    secrets: Callable[[SecretRef], str]
    outside: Outside
    server: Callable[[str], Server]
    route: Callable[[str], Route]
    fence_agents: tuple[FenceAgent, ...]


def vantage_points(cluster: ClusterSpec, doors: Doors) -> tuple[Vantage, ...]:
    """From here first."""
    return (*_here(cluster, doors), *_peers(cluster, doors), *_proxies(cluster, doors), *_host(cluster, doors), *_power(cluster, doors))


def _here(cluster: ClusterSpec, doors: Doors) -> Iterator[Vantage]:
    places = cluster.master.places
    for address, port in places:
        name = "here" if len(places) == 1 else f"here at {address}:{port}"
        at = replace(cluster.master, host=address, port=port, others=())
        yield Vantage(name=name, kind=VantageKind.HERE, see=here.knock(at, doors.secrets, doors.clock), clock=doors.clock)


def _peers(cluster: ClusterSpec, doors: Doors) -> Iterator[Vantage]:
    for spec in doors.topology.servers():
        if spec.name != cluster.master.name:
            see = peer.overhear(partial(_channels, doors, spec), cluster.master.name, doors.clock)
            yield Vantage(name=f"{spec.name}'s receiver", kind=VantageKind.PEER, see=see, clock=doors.clock, at=spec.host)


def _channels(doors: Doors, spec: ServerSpec) -> tuple[ChannelFacts, ...]:
    return doors.server(spec.name).channels()


def _proxies(cluster: ClusterSpec, doors: Doors) -> Iterator[Vantage]:
    for spec in doors.topology.routes.values():
        if spec.kind not in _CHECK_NOTHING:
            see = proxy.ask(partial(_facts, doors, spec), cluster.name)
            yield Vantage(name=f"proxy of {spec.name}", kind=VantageKind.PROXY, see=see, clock=doors.clock, at=_machine_of(spec))


def _facts(doors: Doors, spec: RouteSpec) -> RouteFacts:
    return doors.route(spec.name).facts()


def _machine_of(spec: RouteSpec) -> str:
    """Of a route's proxies, as its settings name them. Empty if one is asked by a socket file or a loopback address: it is this one."""
    found: list[str] = []
    for key in _ADDRESSES:
        said = spec.settings.get(key) or ()
        found += [_host_in(each) for each in (said if isinstance(said, Sequence) and not isinstance(said, str) else (said,))]
    return "" if not found or not _THIS_MACHINE.isdisjoint(found) else " ".join(sorted(set(found)))


def _host_in(address: object) -> str:
    """Of `{host, port}`, `tcp:host:port` or a URL; empty for a socket file."""
    if isinstance(address, Mapping):
        return str(address.get("host", ""))
    text = str(address)
    if text.startswith(("unix", "/")):
        return ""
    return urlsplit(text if "://" in text else f"tcp://{text.removeprefix('tcp:')}").hostname or ""


def _host(cluster: ClusterSpec, doors: Doors) -> Iterator[Vantage]:
    if cluster.ssh is not None:
        unit = next((str(one["unit"]) for one in cluster.fencing if one.get("type") == "service"), None)
        see = host.visit(doors.outside, cluster.name, port=cluster.master.port, unit=unit)
        yield Vantage(name=f"{cluster.name}'s host", kind=VantageKind.HOST, see=see, clock=doors.clock)


def _power(cluster: ClusterSpec, doors: Doors) -> Iterator[Vantage]:
    for settings, agent in zip(cluster.fencing, doors.fence_agents, strict=True):
        if settings.get("type") == "command":
            name = f"fencing command {agent.name}" if agent.name != "command" else "the fencing command"
            yield Vantage(name=name, kind=VantageKind.POWER, see=power.show(agent.facts), clock=doors.clock)
