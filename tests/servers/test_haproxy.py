"""The HAProxy route on real proxies, in front of servers that only say their names."""

from __future__ import annotations

import contextlib
import re
import socket
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from interlock.clock import SystemClock
from interlock.errors import DriverError, NotPermitted, OutcomeUnknown, StatementFailed, Unreachable
from interlock.hosts.local import Here
from interlock.model.codec import from_plain, to_plain
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.facts import EndpointState, RouteFacts
from interlock.model.topology import ClusterName, RouteName, RouteSpec, Topology
from interlock.ports import Route
from interlock.routes.haproxy_socket import ask, parse_address
from interlock.routes.parts import RouteParts
from interlock.routes.registry import make_route
from servers.haproxies import Proxy, greeted_by, haproxy, named_servers
from waiting import eventually

EAST, WEST, ROUTE = ClusterName("east"), ClusterName("west"), RouteName("writes")
CLOCK = SystemClock()
PARTS = RouteParts(topology=Topology(name="shop", clusters={}), outside=Here(CLOCK), clock=CLOCK)
CHECKED = "check inter 50ms fall 2 rise 1"


def route(*sockets: str, **settings: object) -> Route:
    said = {"socket": sockets, "backend": "db", "servers": {EAST: "a", WEST: "b"}, "hold": "lua", "timeout": 10.0, **settings}
    return make_route(RouteSpec(name=ROUTE, kind="haproxy", settings=said), PARTS)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hap-") as name:  # a unix socket's path has 107 bytes at the most
        yield Path(name)


@pytest.fixture
def servers() -> Iterator[dict[str, tuple[str, int]]]:
    with named_servers() as addresses:
        yield addresses


@pytest.fixture
def proxies(folder: Path, servers: dict[str, tuple[str, int]]) -> Iterator[tuple[Proxy, Proxy]]:
    """Two proxies of one route; the second has other weights, and its standby in drain."""
    first = {"a": f"{CHECKED} weight 10", "b": f"{CHECKED} weight 10 disabled"}
    second = {"a": f"{CHECKED} weight 40", "b": f"{CHECKED} weight 30"}
    with haproxy(folder / "1", servers, options=first) as one, haproxy(folder / "2", servers, options=second) as two:
        tell(two, "set server db/b state drain; set weight db/a 7")
        yield one, two


def tell(proxy: Proxy, command: str) -> str:
    return ask(parse_address(proxy.path), (command,), clock=CLOCK, within_s=60)


def stat(proxy: Proxy, name: str, kind: int) -> dict[str, str]:
    """Of the first frontend (1) or server (4) of that name."""
    head, first, *_ = tell(proxy, f"show stat {name} {kind} -1").lstrip("# ").splitlines()
    return dict(zip(head.split(","), first.split(","), strict=True))


def sessions_at_the_gate(proxy: Proxy) -> int:
    return int(stat(proxy, "gate", 1)["scur"])


def kept(facts: RouteFacts) -> list[tuple[str, str, EndpointState, object, object, object]]:
    return [(e.proxy, e.endpoint, e.state, e.raw["weight"], e.raw["maxconn"], e.raw["hold"]) for e in facts.endpoints]


def test_a_flip_sends_new_clients_to_the_other_server_on_every_proxy_and_back(proxies: tuple[Proxy, Proxy]) -> None:
    one, two = proxies
    writes = route(f"unix:{one.path}", two.tcp)
    assert writes.facts().leads_to == (EAST,)

    for cluster, server in ((WEST, "b"), (EAST, "a"), (WEST, "b")):
        writes.apply(PointTo(route=ROUTE, cluster=cluster))
        assert writes.facts().leads_to == (cluster,)
        assert [greeted_by(proxy.clients) for proxy in proxies] == [server, server]


def test_a_flip_ends_the_sessions_on_the_old_server_and_spares_those_on_the_new_one(proxies: tuple[Proxy, Proxy]) -> None:
    one, _ = proxies
    writes = route(one.path)
    with socket.create_connection(one.clients, timeout=60) as old:
        assert old.recv(1) == b"a"
        writes.apply(PointTo(route=ROUTE, cluster=WEST))
        assert old.recv(1) == b""
    with socket.create_connection(one.clients, timeout=60) as new:
        assert new.recv(1) == b"b"
        writes.apply(PointTo(route=ROUTE, cluster=WEST))
        new.settimeout(0.1)
        with pytest.raises(TimeoutError):  # still there, and silent
            new.recv(1)


@pytest.mark.parametrize("park", ["maint", "drain"])
def test_clients_held_by_lua_wait_and_all_reach_the_new_server(proxies: tuple[Proxy, Proxy], park: str) -> None:
    writes = route(proxies[0].path, proxies[1].tcp, park=park)
    writes.apply(Hold(route=ROUTE))
    assert writes.facts().holding
    assert writes.facts().hold_s == 30
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(greeted_by, proxy.clients) for _ in range(10) for proxy in proxies]
        assert eventually(lambda: [sessions_at_the_gate(proxy) for proxy in proxies] == [10, 10])
        assert not any(client.done() for client in waiting)
        writes.apply(PointTo(route=ROUTE, cluster=WEST))
        assert {client.result() for client in waiting} == {"b"}
    assert not writes.facts().holding


def test_a_parked_server_in_drain_keeps_its_health_and_one_in_maintenance_has_none(proxies: tuple[Proxy, Proxy]) -> None:
    by_proxy = {e.proxy: e for e in route(proxies[0].path, proxies[1].tcp).facts().endpoints if e.cluster == WEST}
    assert [(e.state, e.healthy) for e in by_proxy.values()] == [(EndpointState.MAINTENANCE, None), (EndpointState.DRAIN, True)]


@pytest.mark.parametrize("holding", [False, True], ids=["free", "held"])
def test_restore_puts_states_weights_and_hold_back_as_they_were_seen(proxies: tuple[Proxy, Proxy], holding: bool) -> None:  # noqa: FBT001
    writes = route(proxies[0].path, proxies[1].tcp)
    if holding:
        writes.apply(Hold(route=ROUTE))
    seen = from_plain(to_plain(writes.facts()), RouteFacts)  # as a resumed run has it, out of the journal
    writes.apply(PointTo(route=ROUTE, cluster=WEST))
    tell(proxies[1], "set weight db/a 3; set weight db/b 0")
    assert kept(writes.facts()) != kept(seen)

    for _ in range(2):
        writes.apply(RestoreRoute(route=ROUTE, seen=seen))
        assert kept(writes.facts()) == kept(seen)
    assert writes.facts().leads_to == (EAST,)
    assert writes.facts().holding is holding


def test_restore_ends_the_sessions_that_came_after_the_flip(proxies: tuple[Proxy, Proxy]) -> None:
    writes = route(proxies[0].path)
    seen = writes.facts()
    writes.apply(PointTo(route=ROUTE, cluster=WEST))
    with socket.create_connection(proxies[0].clients, timeout=60) as client:
        assert client.recv(1) == b"b"
        writes.apply(RestoreRoute(route=ROUTE, seen=seen))
        assert client.recv(1) == b""


@pytest.mark.parametrize(
    "effect", [Hold(route=ROUTE), Release(route=ROUTE), PointTo(route=ROUTE, cluster=WEST)], ids=["hold", "release", "flip"]
)
def test_with_one_of_two_proxies_down_the_error_names_it_and_the_other_was_set(proxies: tuple[Proxy, Proxy], effect: RouteEffect) -> None:
    one, two = proxies
    writes = route(one.path, two.tcp)
    two.stop()
    with pytest.raises(Unreachable, match=re.escape(two.tcp)) as failed:
        writes.apply(effect)
    assert one.path not in failed.value.message
    with pytest.raises(Unreachable, match=re.escape(two.tcp)):
        writes.facts()
    if isinstance(effect, PointTo):
        assert route(one.path).facts().leads_to == (WEST,)


def test_with_every_proxy_down_each_is_named(proxies: tuple[Proxy, Proxy]) -> None:
    writes = route(proxies[0].path, proxies[1].tcp)
    for proxy in proxies:
        proxy.stop()
    with pytest.raises(Unreachable, match="2 of 2 proxies") as failed:
        writes.facts()
    assert proxies[0].path in failed.value.message
    assert proxies[1].tcp in failed.value.message


def test_proxies_that_lead_to_different_clusters_are_a_split_route(proxies: tuple[Proxy, Proxy]) -> None:
    route(proxies[0].path).apply(PointTo(route=ROUTE, cluster=WEST))
    assert route(proxies[0].path, proxies[1].tcp).facts().leads_to == (EAST, WEST)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"backend": "nowhere"}, "Can't find backend"),
        ({"servers": {EAST: "a", WEST: "zz"}}, "db/zz"),
    ],
    ids=["backend", "server"],
)
def test_a_name_that_the_proxy_does_not_know_is_said_with_what_it_knows(
    proxies: tuple[Proxy, Proxy], settings: dict[str, object], words: str
) -> None:
    writes = route(proxies[0].path, **settings)
    with pytest.raises(StatementFailed, match=words):
        writes.facts()
    with pytest.raises(StatementFailed, match=r"No such (backend|server)") as failed:
        writes.apply(PointTo(route=ROUTE, cluster=WEST))
    assert proxies[0].path in failed.value.message


def test_a_socket_below_level_admin_is_found_before_anything_is_changed(folder: Path, servers: dict[str, tuple[str, int]]) -> None:
    with haproxy(folder, servers, options={"a": "", "b": "disabled"}, level="operator") as proxy:
        writes = route(proxy.path)
        for attempt in (writes.facts, lambda: writes.apply(Hold(route=ROUTE))):
            with pytest.raises(NotPermitted, match="Permission denied") as refused:
                attempt()
            assert "level admin" in refused.value.hint


def test_a_backup_server_gets_clients_only_when_no_other_can(folder: Path, servers: dict[str, tuple[str, int]]) -> None:
    with haproxy(folder, servers, options={"a": "", "b": "backup"}) as proxy:
        writes = route(proxy.path)
        assert writes.facts().leads_to == (EAST,)
        writes.apply(PointTo(route=ROUTE, cluster=WEST))
        assert writes.facts().leads_to == (WEST,)
        assert greeted_by(proxy.clients) == "b"


def test_a_server_whose_last_check_failed_is_told_before_it_counts_as_down(folder: Path, servers: dict[str, tuple[str, int]]) -> None:
    patient = "check inter 20ms fall 10000"
    address = (servers["a"][0], 13307)
    with (
        socket.create_server(address) as listening,
        haproxy(folder, {**servers, "a": address}, options={"a": patient, "b": patient}) as proxy,
    ):
        writes = route(f"unix:{proxy.path}")
        assert eventually(lambda: stat(proxy, "db", 4)["check_status"] == "L4OK")  # one that was never up goes down at once
        listening.close()
        assert eventually(lambda: writes.facts().endpoints[0].failing)
        assert [(e.healthy, e.failing) for e in writes.facts().endpoints] == [(True, True), (True, False)]


def test_a_server_of_weight_zero_takes_nobody(proxies: tuple[Proxy, Proxy]) -> None:
    tell(proxies[0], "set weight db/a 0")
    assert route(proxies[0].path).facts().leads_to == ()


def test_a_static_algorithm_takes_its_weights_back(folder: Path, servers: dict[str, tuple[str, int]]) -> None:
    with haproxy(folder, servers, options={"a": "weight 5", "b": "weight 5 disabled\n    balance source"}) as proxy:
        writes = route(proxy.path)
        seen = writes.facts()
        writes.apply(PointTo(route=ROUTE, cluster=WEST))
        writes.apply(RestoreRoute(route=ROUTE, seen=seen))
        assert kept(writes.facts()) == kept(seen)


def test_what_plan_prints_is_what_is_sent(proxies: tuple[Proxy, Proxy]) -> None:
    """The printed commands, given to a second proxy by hand, have the same effect."""
    one, two = proxies
    tell(two, "set server db/b state maint; set weight db/a 100%; set weight db/b 100%")
    writes = route(one.path)
    (line,) = writes.script(PointTo(route=ROUTE, cluster=WEST))
    prefix = f"haproxy {one.path}: "
    assert line.startswith(prefix)
    tell(two, line.removeprefix(prefix))
    writes.apply(PointTo(route=ROUTE, cluster=WEST))
    by_hand, sent = route(two.tcp).facts(), writes.facts()
    assert [(e.endpoint, e.state, e.raw["hold"]) for e in by_hand.endpoints] == [
        (e.endpoint, e.state, e.raw["hold"]) for e in sent.endpoints
    ]


@pytest.mark.parametrize("answers", [False, True], ids=["silent", "dripping"])
def test_a_proxy_that_never_answers_is_bounded_as_a_whole(folder: Path, *, answers: bool) -> None:
    """A question that gets no answer is Unreachable; an order may still land, so it is OutcomeUnknown."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/deaf")
        listener.listen()
        ended = threading.Event()
        threading.Thread(target=_drip, args=(listener, ended, answers), daemon=True).start()
        writes = route(f"{folder}/deaf", timeout=0.3)
        began = CLOCK.monotonic_s()
        expected: list[tuple[type[DriverError], object]] = [
            (Unreachable, writes.facts),
            (OutcomeUnknown, lambda: writes.apply(Hold(route=ROUTE))),
        ]
        for kind, attempt in expected:
            with pytest.raises(kind, match=re.escape(f"{folder}/deaf did not answer within 0.3s")):
                attempt()  # type: ignore[operator]
        assert CLOCK.monotonic_s() - began < 60  # it would go on for ever
        ended.set()


def _drip(listener: socket.socket, ended: threading.Event, answers: bool) -> None:  # noqa: FBT001
    clients: list[socket.socket] = []
    listener.settimeout(0.02)
    while not ended.is_set():
        with contextlib.suppress(OSError):  # nobody came
            clients.append(listener.accept()[0])
        for client in clients if answers else ():
            with contextlib.suppress(OSError):  # it is gone
                client.sendall(b" ")
    for client in clients:
        client.close()


def test_a_restore_of_another_routes_proxies_says_nothing(proxies: tuple[Proxy, Proxy]) -> None:
    writes = route(proxies[0].path)
    seen = writes.facts()
    foreign = replace(seen, endpoints=tuple(replace(e, proxy="tcp:198.51.100.1:1") for e in seen.endpoints))
    assert writes.script(RestoreRoute(route=ROUTE, seen=foreign)) == ()
