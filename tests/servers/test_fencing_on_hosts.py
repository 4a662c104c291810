"""Fencing on a host of its own: its packet filter, and its virtual address; real network namespaces, nftables, sshd and clients."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.clock import SystemClock
from interlock.errors import Unreachable
from interlock.fencing.contract import FENCE_RULES, Bench, Rule
from interlock.hosts.local import Here
from interlock.model.effects import FenceOutside, PointTo, ReleaseOutside
from interlock.model.topology import ClusterName, ClusterSpec, RouteName, RouteSpec, ServerName, ServerSpec, Topology
from interlock.ports import FenceAgent, Route
from interlock.routes.parts import RouteParts
from interlock.routes.registry import make_route
from servers.fencing_parts import ACCESS, EAST, agent_of
from servers.vip_lab import ADDRESS, HOSTS, INTERFACE, Hosts, hosts, named_servers

CLOCK = SystemClock()
WEST, PORT = ClusterName("west"), 7000
TABLE = f"interlock_fence_{PORT}"
FENCE = FenceOutside(cluster=EAST, agent="port", within_s=60.0)


@pytest.fixture(scope="module")
def shared() -> Iterator[Hosts]:
    with tempfile.TemporaryDirectory(prefix="vip-") as folder, hosts(Path(folder)) as made, named_servers(made, PORT), made.inside("tool"):
        yield made


@pytest.fixture
def lab(shared: Hosts) -> Hosts:
    """East has the address, nothing is closed, and its host lets one in."""
    shared.give("east")
    shared.run("east", "nft", "flush ruleset")
    if not shared.lets_in("east"):
        shared.start_sshd("east")
    return shared


@pytest.fixture
def here(lab: Hosts) -> Iterator[Here]:
    made = _here(lab)
    yield made
    made.close()


def _here(lab: Hosts) -> Here:
    return Here(CLOCK, {ClusterName(name): lab.ssh(name) for name in ("east", "west")}, keep=True)


def port(lab: Hosts, here: Here, **settings: object) -> FenceAgent:
    return agent_of({"type": "port", **settings}, host=HOSTS["east"], port=PORT, ssh=lab.ssh("east"), outside=here)


def greets(host: str) -> bool:
    try:
        with socket.create_connection((host, PORT), timeout=1) as client:
            return client.recv(10) != b""
    except OSError:
        return False


def _starts_anyhow() -> None:
    """A server that is started again listens at the same port, on the same host."""


@pytest.mark.parametrize("rule", FENCE_RULES, ids=lambda rule: rule.name)
def test_a_closed_port_keeps_the_contract(lab: Hosts, here: Here, rule: Rule) -> None:
    rule.check(
        Bench(agent=port(lab, here), another=lambda: port(lab, _here(lab)), lets_in=lambda: greets(HOSTS["east"]), start=_starts_anyhow)
    )


@pytest.mark.parametrize("sudo", [False, True], ids=["as-root", "by-sudo"])
def test_a_new_client_is_refused_and_an_old_one_is_reset(lab: Hosts, here: Here, *, sudo: bool) -> None:
    agent = port(lab, here, sudo=sudo)
    with socket.create_connection((HOSTS["east"], PORT), timeout=2) as old:
        assert old.recv(10) == b"east"
        agent.apply(FENCE)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOSTS["east"], PORT), timeout=2)
        old.sendall(b"commit")
        with pytest.raises(ConnectionResetError):
            old.recv(10)
    assert agent.facts().detail == f"table {TABLE} closes port {PORT}; {HOSTS['east']}:{PORT} takes no connection from here"


def test_no_answer_leaves_the_server_for_what_came_before_the_fence(lab: Hosts, here: Here) -> None:
    """A commit that was under way is not acknowledged once the other side may take writes."""
    with lab.inside("east"):
        server = socket.create_server(("0.0.0.0", PORT + 1))  # noqa: S104 - the namespace's
    agent = agent_of({"type": "port", "port": PORT + 1}, host=HOSTS["east"], ssh=lab.ssh("east"), outside=here)
    with server, socket.create_connection((HOSTS["east"], PORT + 1), timeout=1) as client:
        at_server, _ = server.accept()
        with at_server:
            client.sendall(b"commit")
            assert at_server.recv(10) == b"commit"
            agent.apply(FENCE)
            at_server.sendall(b"ok")
            with pytest.raises(TimeoutError):
                client.recv(10)


def test_clients_on_the_host_itself_are_refused_too(lab: Hosts, here: Here) -> None:
    port(lab, here).apply(FENCE)
    for address in ("127.0.0.1", HOSTS["east"]):
        with lab.inside("east"), pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, PORT), timeout=2)


def test_who_is_allowed_still_gets_in_and_nobody_else(lab: Hosts, here: Here) -> None:
    agent = port(lab, here, allow=(HOSTS["tool"],))
    agent.apply(FENCE)
    assert greets(HOSTS["east"])
    with lab.inside("west"), pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOSTS["east"], PORT), timeout=2)
    assert agent.facts().fenced is True
    assert port(lab, here).facts().fenced is False, "somebody is let in whom this topology does not allow"


def test_a_firewall_that_accepts_the_port_does_not_open_it(lab: Hosts, here: Here) -> None:
    chain = f"add table inet f; add chain inet f i {{ type filter hook input priority 0; }}; add rule inet f i tcp dport {PORT} accept"
    lab.run("east", "nft", chain)
    port(lab, here).apply(FENCE)
    assert not greets(HOSTS["east"])


@pytest.mark.parametrize(
    "deed",
    [
        pytest.param(f"flush chain inet {TABLE} in", id="nothing-refused"),
        pytest.param(f"flush chain inet {TABLE} out", id="answers-let-out"),
        pytest.param(f"delete table inet {TABLE}", id="no-table"),
        pytest.param(f"insert rule inet {TABLE} in ip saddr 10.88.0.2 accept", id="somebody-let-in"),
    ],
)
def test_a_table_that_somebody_changed_is_no_fence_and_is_made_again(lab: Hosts, here: Here, deed: str) -> None:
    agent = port(lab, here)
    agent.apply(FENCE)
    lab.run("east", "nft", deed)
    assert agent.facts().fenced is False
    agent.apply(FENCE)
    assert agent.facts().fenced is True


def test_a_host_that_is_silent_is_unreachable_within_the_bound(lab: Hosts) -> None:
    lab.kill_sshd("east")
    agent = port(lab, _here(lab), within=1.0)
    for call in (agent.facts, lambda: agent.apply(FENCE)):
        began_s = CLOCK.monotonic_s()
        with pytest.raises(Unreachable):
            call()
        assert CLOCK.monotonic_s() - began_s < 60


# -- the address


def address_route(lab: Hosts, here: Here) -> Route:
    clusters = {
        name: ClusterSpec(
            name=name,
            master=ServerSpec(name=ServerName(name), cluster=name, host=HOSTS[name], port=3306, access=ACCESS),
            ssh=lab.ssh(name),
        )
        for name in (EAST, WEST)
    }
    parts = RouteParts(topology=Topology(name="shop", clusters=clusters), outside=here, clock=CLOCK)
    settings = {"address": f"{ADDRESS}/24", "interface": INTERFACE, "announce": 1}
    return make_route(RouteSpec(name=RouteName("vip"), kind="vip", settings=settings), parts)


def address(lab: Hosts, here: Here) -> FenceAgent:
    return agent_of({"type": "address", "route": "vip"}, routes={"vip": ("vip", address_route(lab, here))})


@pytest.mark.parametrize("rule", FENCE_RULES, ids=lambda rule: rule.name)
def test_an_address_that_is_taken_away_keeps_the_contract(lab: Hosts, here: Here, rule: Rule) -> None:
    rule.check(
        Bench(agent=address(lab, here), another=lambda: address(lab, _here(lab)), lets_in=lambda: greets(ADDRESS), start=_starts_anyhow)
    )


def test_an_address_that_the_other_side_has_got_is_left_to_it(lab: Hosts, here: Here) -> None:
    agent, before = address(lab, here), address(lab, here).facts()
    agent.apply(FENCE)
    address_route(lab, here).apply(PointTo(route=RouteName("vip"), cluster=WEST))
    agent.apply(FENCE)
    assert lab.holders() == ["west"]
    agent.apply(ReleaseOutside(cluster=EAST, agent="address", seen=before))
    assert lab.holders() == ["west"], "two holders would both answer"
    assert not before.whole
