"""One route of each type behind an API, a key or a hook, leading to east, and what stands behind it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from interlock.clock import SystemClock
from interlock.hosts.local import Here
from interlock.model.topology import (
    Access,
    Account,
    ClusterName,
    ClusterSpec,
    RouteName,
    RouteSpec,
    SecretRef,
    SecretSource,
    ServerName,
    ServerSpec,
    SshSpec,
    Topology,
)
from interlock.ports import Route
from interlock.routes.parts import RouteParts
from interlock.routes.registry import make_route
from servers.etcd_lab import Cluster, etcd_cluster
from servers.haproxies import haproxy, named_servers, network
from servers.http_stand_ins import Consul, DataPlane, Entry, MaxScale, StandIn, Switchboard
from servers.sshd_lab import sshd

EAST, WEST, ROUTE = ClusterName("east"), ClusterName("west"), RouteName("writes")
CLOCK = SystemClock()
_ACCESS = Access(account=Account(user="u", password=None), tls=None)


def topology(ssh: SshSpec | None = None) -> Topology:
    def cluster(name: ClusterName) -> ClusterSpec:
        master = ServerSpec(name=ServerName(name), cluster=name, host=name, port=1, access=_ACCESS)
        return ClusterSpec(name=name, master=master, ssh=ssh)

    return Topology(name="shop", clusters={name: cluster(name) for name in (EAST, WEST)})


def secret(word: str) -> SecretRef:
    """One whose place is the secret itself."""
    return SecretRef(source=SecretSource.ENV, place=(word,))


def made(kind: str, settings: dict[str, object], *, ssh: SshSpec | None = None) -> Route:
    hosts = {} if ssh is None else {EAST: ssh, WEST: ssh}
    parts = RouteParts(topology=topology(ssh), outside=Here(CLOCK, hosts, keep=True), clock=CLOCK, secrets=lambda ref: ref.place[0])
    return make_route(RouteSpec(name=ROUTE, kind=kind, settings=settings), parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """`stop` ends what the route talks to, `start` begins it again with its state kept. `again` makes another driver of the same route."""

    route: Route
    stop: Callable[[], None]
    start: Callable[[], object]
    again: Callable[[], Route]
    stand_in: StandIn | None = None
    state: object = None
    settings: dict[str, object] = field(default_factory=dict)


def behind(kind: str, settings: dict[str, object], stand_in: StandIn, state: object) -> Behind:
    def again() -> Route:
        return made(kind, settings)

    return Behind(route=again(), stop=stand_in.stop, start=stand_in.start, again=again, stand_in=stand_in, state=state, settings=settings)


def address() -> str:
    return f"{network()}.8"


@contextmanager
def consul(**more: object) -> Iterator[Behind]:
    state = Consul(token="s3cret-token")
    state.keys["db/writer"] = Entry(value="10.1.0.10:3306", flags=42, created=7, modified=9)
    stand_in = StandIn(address(), 8500, state.handle).start()
    said = {
        "url": (stand_in.url,),
        "key": "db/writer",
        "values": {EAST: "10.1.0.10:3306", WEST: "10.2.0.10:3306"},
        "hold_key": "db/hold",
        "hold_limit": 20.0,
        "token": secret("s3cret-token"),
        **more,
    }
    try:
        yield behind("consul", said, stand_in, state)
    finally:
        stand_in.stop()


@contextmanager
def etcd(cluster: Cluster | None = None, **more: object) -> Iterator[Behind]:
    """On real members; with `cluster`, on those of others, in a prefix of its own."""
    with ExitStack() as stack:
        if cluster is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="interlock-"))
            cluster = stack.enter_context(etcd_cluster(Path(folder), size=1))
        prefix = cluster.url().rpartition("/")[2]
        urls = tuple(f"http://{host}:{port}" for host, port in (cluster.address(n) for n in range(len(cluster.members))))
        said: dict[str, object] = {"url": urls, "key": f"{prefix}/writer", "hold_key": f"{prefix}/hold", "hold_limit": 20.0, **more}

        def again() -> Route:
            return made("etcd", said)

        members = cluster.members

        def stop() -> None:
            for member in members:
                member.kill()

        def start() -> None:
            for member in members:
                member.start()
            cluster.await_health()

        first = again()
        etcd_put(cluster, f"{prefix}/writer", "east")
        yield Behind(route=first, stop=stop, start=start, again=again, state=cluster, settings=said)


def etcd_put(cluster: Cluster, key: str, value: str) -> None:
    from base64 import b64encode  # noqa: PLC0415 - here only

    cluster.ask("kv/put", {"key": b64encode(key.encode()).decode(), "value": b64encode(value.encode()).decode()})


@contextmanager
def webhook(**more: object) -> Iterator[Behind]:
    state = Switchboard()
    stand_in = StandIn(address(), 8080, state.handle).start()
    said = {
        "flip": {"url": f"{stand_in.url}/switch", "body": '{"to": "{to}"}', "expect": (202,), "method": "POST"},
        "show": {"url": f"{stand_in.url}/state", "pointer": "/pools/0/active"},
        "hold": {"url": f"{stand_in.url}/hold", "body": '{"hold": true}'},
        "release": {"url": f"{stand_in.url}/hold", "body": '{"hold": false}'},
        "hold_limit": 20.0,
        "values": {EAST: "pool-east", WEST: "pool-west"},
        "token": secret("t0ken"),
        **more,
    }
    try:
        yield behind("webhook", said, stand_in, state)
    finally:
        stand_in.stop()


@contextmanager
def maxscale(**more: object) -> Iterator[Behind]:
    state = MaxScale()
    stand_in = StandIn(address(), 8989, state.handle).start()
    said = {
        "url": (stand_in.url,),
        "service": "rw",
        "servers": {EAST: "e", WEST: "w"},
        "user": "admin",
        "password": secret("mariadb"),
        "settle": 0.3,
        **more,
    }
    try:
        yield behind("maxscale", said, stand_in, state)
    finally:
        stand_in.stop()


@contextmanager
def haproxy_api(version: str) -> Iterator[Behind]:
    """A stand-in of the API in front of a real HAProxy."""
    options = {"a": "check inter 50ms", "b": "check inter 50ms disabled"}
    with (
        tempfile.TemporaryDirectory(prefix="hap-") as folder,
        named_servers() as servers,
        haproxy(Path(folder), servers, options=options) as proxy,
    ):
        state = DataPlane(socket=f"unix:{proxy.path}")
        stand_in = StandIn(address(), 5555, state.handle).start()
        said = {
            "url": (stand_in.url,),
            "version": version,
            "backend": "db",
            "servers": {EAST: "a", WEST: "b"},
            "user": "dataplane",
            "password": secret("secret"),
        }
        try:
            yield behind("haproxy_api", said, stand_in, proxy)
        finally:
            stand_in.stop()


@contextmanager
def command_by_ssh() -> Iterator[Behind]:
    with tempfile.TemporaryDirectory(prefix="sshd-") as name, sshd(Path(name)) as host:
        folder = Path(name)
        folder.joinpath("place").write_text("east\n")
        said: dict[str, object] = {
            "flip": ("sh", "-c", f'echo "$1" >{folder}/place', "flip", "{to}"),
            "show": ("cat", f"{folder}/place"),
            "hold": ("touch", f"{folder}/held"),
            "release": ("rm", "-f", f"{folder}/held"),
            "hold_limit": 20.0,
            "on": EAST,
        }

        def again() -> Route:
            return made("command", said, ssh=host.spec)

        yield Behind(route=again(), stop=host.stop, start=host.start, again=again, state=folder, settings=said)


KINDS = {
    "consul": consul,
    "webhook": webhook,
    "maxscale": maxscale,
    "maxscale with its listener": lambda: maxscale(listener="in", hold_limit=20.0),
    "data plane v2": lambda: haproxy_api("v2"),
    "data plane v3": lambda: haproxy_api("v3"),
    "ssh": command_by_ssh,
}
