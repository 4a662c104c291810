"""One way of fencing of a cluster `east`, made as the program makes it."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.clock import SystemClock
from interlock.fencing.registry import make_agents
from interlock.hosts.local import Here
from interlock.model.topology import (
    Access,
    Account,
    ClusterName,
    ClusterSpec,
    RouteName,
    RouteSpec,
    ServerName,
    ServerSpec,
    SshSpec,
    Topology,
)
from interlock.ports import FenceAgent, Route

EAST = ClusterName("east")
ACCESS = Access(account=Account(user="u", password=None), tls=None)


def agent_of(
    settings: Mapping[str, object],
    *,
    host: str = "127.0.0.1",
    port: int = 3306,
    ssh: SshSpec | None = None,
    outside: Here | None = None,
    routes: Mapping[str, tuple[str, Route]] | None = None,
) -> FenceAgent:
    """`routes` has the type and the driver of each route, by its name."""
    routes = routes or {}
    master = ServerSpec(name=ServerName("east"), cluster=EAST, host=host, port=port, access=ACCESS)
    cluster = ClusterSpec(name=EAST, master=master, ssh=ssh, fencing=({"within": 5.0, **settings},))
    specs = {RouteName(name): RouteSpec(name=RouteName(name), kind=kind, settings={}) for name, (kind, _) in routes.items()}
    clock = SystemClock()
    (made,) = make_agents(
        cluster,
        topology=Topology(name="shop", clusters={EAST: cluster}, routes=specs),
        outside=outside or Here(clock, {EAST: ssh} if ssh is not None else {}),
        clock=clock,
        route=lambda name: routes[name][1],
    )
    return made
