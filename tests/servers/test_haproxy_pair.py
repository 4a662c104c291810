"""What clients of a real pair behind HAProxy feel: canary, prober, and a hold in HAProxy's queue."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest

from interlock.clock import SystemClock
from interlock.errors import StatementFailed
from interlock.hosts.local import Here
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute
from interlock.model.topology import ClusterName, RouteName, RouteSpec, ServerName, Topology
from interlock.ports import Route
from interlock.routes.client import ClientLogin
from interlock.routes.parts import RouteParts
from interlock.routes.prober import RouteProber
from interlock.routes.registry import make_route
from interlock.sandbox.places import Member, Sandbox
from servers.haproxies import Proxy, haproxy

EAST, WEST, ROUTE = ClusterName("east"), ClusterName("west"), RouteName("writes")
CLOCK = SystemClock()


@pytest.fixture
def proxy(pair: Sandbox) -> Iterator[Proxy]:
    servers = {name: (member.host, member.port) for name, member in pair.members.items()}
    with haproxy(
        Path(pair.directory) / "own", servers, options={"east": "check inter 100ms", "west": "check inter 100ms disabled"}
    ) as running:
        yield running


def login(pair: Sandbox, user: str = "interlock_canary") -> ClientLogin:
    return ClientLogin(user=user, password=pair.password(user), tls=None, only_canary=user == "interlock_canary")


def route(pair: Sandbox, proxy: Proxy, connect: ClientLogin | None = None, **settings: object) -> Route:
    said = {"socket": (proxy.path,), "backend": "db", "servers": {EAST: "east", WEST: "west"}, "hold": "lua", **settings}
    parts = RouteParts(
        topology=Topology(name="shop", clusters={}),
        outside=Here(CLOCK),
        clock=CLOCK,
        connect=connect or login(pair),
        server_ids=lambda: {member.server_id: ServerName(name) for name, member in pair.members.items()},
    )
    return make_route(spec(proxy, said), parts)


def spec(proxy: Proxy, settings: dict[str, object]) -> RouteSpec:
    return RouteSpec(name=ROUTE, kind="haproxy", settings=settings, clients=proxy.clients)


def set_read_only(pair: Sandbox, member: Member, value: int) -> None:
    with closing(pymysql.connect(unix_socket=member.socket, user="admin", password=pair.password("admin"))) as connection:
        connection.cursor().execute(f"SET GLOBAL read_only={value}")


def test_a_canary_is_taken_by_the_writer_and_refused_by_the_fenced_server(pair: Sandbox, proxy: Proxy) -> None:
    writes = route(pair, proxy)
    assert writes.canary("t1").server == "east"
    writes.apply(PointTo(route=ROUTE, cluster=WEST))
    refused = writes.canary("t2")
    assert refused.server is None
    assert "read-only" in refused.detail
    assert "1290" in refused.detail


def test_the_tools_own_account_does_not_write_to_a_fenced_server(pair: Sandbox, proxy: Proxy) -> None:
    writes = route(pair, proxy, login(pair, "admin"))
    writes.apply(PointTo(route=ROUTE, cluster=WEST))
    refused = writes.canary("own-account")
    assert refused.server is None
    assert "not tried" in refused.detail
    with closing(pymysql.connect(unix_socket=pair.members["west"].socket, user="admin", password=pair.password("admin"))) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT COUNT(*) FROM interlock.canary WHERE token = 'own-account'")
        assert cursor.fetchone() == (0,)


def test_a_wrong_password_is_no_write_with_the_servers_words(pair: Sandbox, proxy: Proxy) -> None:
    writes = route(pair, proxy, replace(login(pair), password="wrong"))
    refused = writes.canary("t3")
    assert refused.server is None
    assert "Access denied" in refused.detail
    assert "wrong" not in refused.detail


def test_the_prober_measures_a_flip_through_a_held_route(pair: Sandbox, proxy: Proxy) -> None:
    writes = route(pair, proxy)
    east, west = pair.members["east"], pair.members["west"]
    prober = RouteProber([spec(proxy, {})], login(pair), CLOCK)
    prober.start()
    try:
        prober.await_writes(60.0)
        writes.apply(Hold(route=ROUTE))
        set_read_only(pair, east, 1)
        CLOCK.sleep(0.1)
        set_read_only(pair, west, 0)
        writes.apply(PointTo(route=ROUTE, cluster=WEST))
        prober.await_writes(60.0)
    finally:
        seen = prober.stop()
        set_read_only(pair, west, 1)
        set_read_only(pair, east, 0)
    assert seen.outage_ms is not None
    assert seen.outage_ms > 90
    assert sum(seen.errors.values()) == 1, seen.errors  # its connection to the old server; it then waits in the hold
    assert seen.acknowledged > 1


def connect_as_client(pair: Sandbox, proxy: Proxy) -> int:
    session = login(pair)(*proxy.clients, 10)
    try:
        ((server_id,),) = session.query("SELECT @@server_id")
        return int(str(server_id))
    finally:
        session.close()


@pytest.mark.parametrize("end", ["flip", "release", "restore"])
@pytest.mark.parametrize("maxconn", [0, 40], ids=["no-limit", "limit-40"])
def test_clients_held_in_the_queue_all_get_through_and_maxconn_is_put_back(pair: Sandbox, end: str, maxconn: int) -> None:
    servers = {name: (member.host, member.port) for name, member in pair.members.items()}
    limit = f"maxconn {maxconn}" if maxconn else ""
    options = {"east": limit, "west": f"{limit} disabled"}
    with haproxy(Path(pair.directory) / "queue", servers, options=options, lua=False) as proxy, ThreadPoolExecutor(12) as pool:
        writes = route(pair, proxy, hold="queue", hold_limit=20.0, maxconn=maxconn)
        seen = writes.facts()
        writes.apply(Hold(route=ROUTE))
        writes.apply(Hold(route=ROUTE))  # a second hold needs no second session
        assert writes.facts().holding
        waiting = [pool.submit(connect_as_client, pair, proxy) for _ in range(12)]
        CLOCK.sleep(0.3)
        assert not any(client.done() for client in waiting)
        match end:
            case "flip":
                writes.apply(PointTo(route=ROUTE, cluster=WEST))
            case "release":
                writes.apply(Release(route=ROUTE))
            case _:
                writes.apply(RestoreRoute(route=ROUTE, seen=seen))
        expected = pair.members["west" if end == "flip" else "east"].server_id
        assert {client.result() for client in waiting} == {expected}
        after = writes.facts()
        assert not after.holding
        assert {endpoint.raw["maxconn"] for endpoint in after.endpoints} == {str(maxconn)}


def test_a_queue_is_not_held_when_its_maxconn_could_not_be_put_back(pair: Sandbox) -> None:
    servers = {name: (member.host, member.port) for name, member in pair.members.items()}
    with haproxy(Path(pair.directory) / "limit", servers, options={"east": "maxconn 30", "west": "disabled"}, lua=False) as proxy:
        writes = route(pair, proxy, hold="queue", hold_limit=20.0)
        with pytest.raises(StatementFailed, match=r"db/east at .* has maxconn 30, the topology file says 0") as failed:
            writes.apply(Hold(route=ROUTE))
        assert failed.value.hint == "set `maxconn: 30` in route writes"
        assert {endpoint.raw["maxconn"] for endpoint in writes.facts().endpoints} == {"30", "0"}
