"""The route by a virtual address: real network namespaces, a real sshd on each host, real neighbours and real clients."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from interlock.clock import SystemClock
from interlock.errors import NotPermitted, OutcomeUnknown, StatementFailed, Unreachable, UsageError
from interlock.hosts.local import Here
from interlock.model.codec import from_plain, to_plain
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute
from interlock.model.facts import RouteFacts
from interlock.model.topology import Access, Account, ClusterName, ClusterSpec, RouteName, RouteSpec, ServerName, ServerSpec, Topology
from interlock.ports import Route
from interlock.routes.contract import ROUTE_RULES, Bench, Rule
from interlock.routes.parts import RouteParts
from interlock.routes.registry import make_route
from servers.vip_lab import ADDRESS, HOSTS, INTERFACE, Hosts, hosts, named_servers

ROUTE = RouteName("address")
CLOCK = SystemClock()
PORT = 7000
TO_EAST, TO_WEST = (PointTo(route=ROUTE, cluster=ClusterName(name)) for name in ("east", "west"))
ACCESS = Access(account=Account(user="u", password=None), tls=None)


@pytest.fixture(scope="module")
def shared() -> Iterator[Hosts]:
    with tempfile.TemporaryDirectory(prefix="vip-") as folder, hosts(Path(folder)) as made, named_servers(made, PORT), made.inside("tool"):
        yield made


@pytest.fixture
def lab(shared: Hosts) -> Hosts:
    """East has the address; both hosts let one in."""
    shared.give("east")
    for host in ("east", "west"):
        if not shared.lets_in(host):
            shared.start_sshd(host)
    return shared


@pytest.fixture
def here(lab: Hosts) -> Iterator[Here]:
    made = Here(CLOCK, {ClusterName(name): lab.ssh(name) for name in ("east", "west")}, keep=True)
    yield made
    made.close()


def route(lab: Hosts, here: Here, **settings: object) -> Route:
    clusters = {ClusterName(name): _cluster(lab, name) for name in ("east", "west")}
    said = {"address": f"{ADDRESS}/24", "interface": INTERFACE, "announce": 1, **settings}
    parts = RouteParts(topology=Topology(name="shop", clusters=clusters), outside=here, clock=CLOCK)
    return make_route(RouteSpec(name=ROUTE, kind="vip", settings=said), parts)


def _cluster(lab: Hosts, name: str) -> ClusterSpec:
    master = ServerSpec(name=ServerName(name), cluster=ClusterName(name), host=HOSTS[name], port=3306, access=ACCESS)
    return ClusterSpec(name=ClusterName(name), master=master, ssh=lab.ssh(name))


def greeting() -> str:
    """Which host a new client of the address reaches."""
    with socket.create_connection((ADDRESS, PORT), timeout=60) as client:
        return client.recv(10).decode()


def neighbour(lab: Hosts) -> str:
    """The station by which the client's host knows the address."""
    return lab.run("tool", "ip", "neigh", "show", ADDRESS).split("lladdr ")[1].split()[0]


@pytest.mark.parametrize("rule", ROUTE_RULES, ids=lambda rule: rule.name)
def test_it_keeps_the_contract_of_routes(lab: Hosts, here: Here, rule: Rule) -> None:
    rule.check(Bench(route=route(lab, here), here=ClusterName("east"), there=ClusterName("west")))


@pytest.mark.parametrize("sudo", [False, True], ids=["as root", "by sudo"])
def test_a_flip_moves_the_address_and_its_clients_there_and_back(lab: Hosts, here: Here, *, sudo: bool) -> None:
    address = route(lab, here, sudo=sudo)
    address.warm_up()
    assert greeting() == "east"
    for effect, name in ((TO_WEST, "west"), (TO_EAST, "east")):
        address.apply(effect)
        assert lab.holders() == [name]
        assert address.facts().leads_to == (name,)
        assert greeting() == name
    assert (address.facts().hold_s, address.facts().holding, address.facts().provable) == (None, False, True)


def test_neighbours_are_told_before_they_ask(lab: Hosts, here: Here) -> None:
    """A client's host that knows the old station would go on sending there."""
    greeting()
    assert neighbour(lab) == _mac(lab, "east")
    route(lab, here).apply(TO_WEST)
    assert neighbour(lab) == _mac(lab, "west")


def _mac(lab: Hosts, host: str) -> str:
    return lab.run(host, "ip", "-o", "link", "show", INTERFACE).split("link/ether ")[1].split()[0]


def test_a_session_of_the_old_host_is_reset_and_one_of_the_new_host_is_not(lab: Hosts, here: Here) -> None:
    address = route(lab, here)
    with socket.create_connection((ADDRESS, PORT), timeout=60) as old:
        assert old.recv(10) == b"east"
        address.apply(TO_WEST)
        old.sendall(b"?")
        with pytest.raises(ConnectionResetError):
            old.recv(10)
    with socket.create_connection((ADDRESS, PORT), timeout=60) as new:
        assert new.recv(10) == b"west"
        address.apply(TO_WEST)  # the second flip disturbs nobody
        new.sendall(b"?")
        assert new.recv(10) == b"west"


def test_the_script_says_what_is_run_where_and_hold_says_nothing(lab: Hosts, here: Here) -> None:
    address = route(lab, here, sudo=True, announce=3)
    assert address.script(TO_WEST) == (
        f"ssh root@{HOSTS['east']} 'sudo -n ip addr del {ADDRESS}/24 dev {INTERFACE}'",
        f"ssh root@{HOSTS['east']} 'ip -o addr show'",
        f"ssh root@{HOSTS['west']} 'sudo -n ip addr add {ADDRESS}/24 dev {INTERFACE}'",
        f"ssh root@{HOSTS['west']} 'sudo -n arping -q -U -c 3 -I {INTERFACE} {ADDRESS}'",
    )
    assert address.script(Hold(route=ROUTE)) == address.script(Release(route=ROUTE)) == ()


@pytest.mark.parametrize(
    "words",
    [(), ("label", f"{INTERFACE}:vip"), ("broadcast", "10.88.0.255", "label", f"{INTERFACE}:1")],
    ids=["plain", "label", "broadcast and label"],
)
def test_undo_gives_the_address_back_as_it_was_seen(lab: Hosts, here: Here, words: tuple[str, ...]) -> None:
    lab.give("east", words=words)
    before = lab.run("east", "ip", "-o", "addr", "show", "to", ADDRESS)
    address = route(lab, here)
    seen = from_plain(to_plain(address.facts()), RouteFacts)  # as a resumed run has it
    address.apply(TO_WEST)
    address.apply(RestoreRoute(route=ROUTE, seen=seen))
    assert lab.run("east", "ip", "-o", "addr", "show", "to", ADDRESS) == before
    assert lab.holders() == ["east"]


@pytest.mark.parametrize("holders", [(), ("east", "west")], ids=["nobody", "both"])
def test_an_address_of_nobody_or_of_both_is_seen_and_never_put_back_to_two(lab: Hosts, here: Here, holders: tuple[str, ...]) -> None:
    lab.give(*holders)
    address = route(lab, here)
    seen = address.facts()
    assert seen.leads_to == holders
    address.apply(TO_WEST)
    address.apply(RestoreRoute(route=ROUTE, seen=seen))
    assert lab.holders() == ([] if not holders else ["west"])


def test_never_two_have_it_while_it_moves(lab: Hosts, here: Here) -> None:
    """The host that gets it is looked at first: if it has it, the other one must not have it afterwards."""
    address = route(lab, here)
    seen: Counter[str] = Counter()
    for effect in (TO_WEST, TO_EAST, TO_WEST):
        flip = threading.Thread(target=address.apply, args=(effect,))
        flip.start()
        new, old = (effect.cluster, "east" if effect.cluster == "west" else "west")
        while flip.is_alive():
            has_new = _has(lab, new)
            seen["both" if has_new and _has(lab, old) else "new" if has_new else "not yet"] += 1
        flip.join()
    assert seen["both"] == 0
    assert seen["new"] > 5
    assert seen["not yet"] > 0


def _has(lab: Hosts, host: str) -> bool:
    return bool(lab.run(host, "ip", "-o", "addr", "show", "to", ADDRESS))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            ("ip", "addr", "add", f"{ADDRESS}/32", "dev", INTERFACE),
            rf"host of west has {ADDRESS}/32 on eth0, the topology says {ADDRESS}/24",
        ),
        (
            ("ip", "addr", "add", f"{ADDRESS}/32", "dev", "lo"),
            rf"host of west has {ADDRESS}/32 on lo, the topology says {ADDRESS}/24 on eth0",
        ),
    ],
    ids=["another prefix", "another interface"],
)
def test_an_address_that_could_not_be_taken_away_is_no_state_of_the_route(
    lab: Hosts, here: Here, spoil: tuple[str, ...], words: str
) -> None:
    lab.run("west", *spoil)
    try:
        with pytest.raises(StatementFailed, match=words) as failed:
            route(lab, here).facts()
        assert failed.value.hint == "correct the topology, or move it there by hand"
    finally:
        lab.run("west", *("del" if word == "add" else word for word in spoil))


def test_an_address_that_would_take_others_with_it_is_not_moved_unless_the_kernel_promotes_them(lab: Hosts, here: Here) -> None:
    """Linux removes an interface's secondary addresses together with the first one of their network (ip-sysctl, promote_secondaries)."""
    knob = f"/proc/sys/net/ipv4/conf/{INTERFACE}/promote_secondaries"
    lab.run("east", "ip", "addr", "flush", "dev", INTERFACE)
    lab.run("east", "sh", "-c", f"echo 0 >{knob}; ip addr add {ADDRESS}/24 dev {INTERFACE}; ip addr add {HOSTS['east']}/24 dev {INTERFACE}")
    address = route(lab, here)
    try:
        with pytest.raises(StatementFailed, match=rf"host of east would lose other addresses of 10\.88\.0\.0/24 with {ADDRESS}") as failed:
            address.facts()
        assert failed.value.hint == f"sysctl net.ipv4.conf.{INTERFACE}.promote_secondaries=1, or use the prefix /32"
        lab.run("east", "sh", "-c", f"echo 1 >{knob}")
        assert address.facts().leads_to == ("east",)
        address.apply(TO_WEST)
        assert HOSTS["east"] in lab.run("east", "ip", "-o", "addr", "show")
    finally:
        lab.run("east", "ip", "addr", "flush", "dev", INTERFACE)
        lab.run("east", "sh", "-c", f"echo 0 >{knob}; ip addr add {HOSTS['east']}/24 dev {INTERFACE}")


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"interface": "eth7"}, "could not move .*: ip ended with 1.*eth7"), ({"sudo": True, "interface": "eth7"}, "eth7")],
    ids=["no interface", "no interface, by sudo"],
)
def test_what_would_fail_in_the_flip_is_found_before_the_fence(lab: Hosts, here: Here, settings: dict[str, object], words: str) -> None:
    with pytest.raises(NotPermitted, match=words) as failed:
        route(lab, here, **settings).warm_up()
    assert "iputils-arping" in failed.value.hint


def test_an_interface_that_is_down_is_found_before_the_fence(lab: Hosts, here: Here) -> None:
    lab.run("west", "ip", "link", "add", "spare", "type", "bridge")
    lab.run("east", "sh", "-c", "ip link add spare type bridge; ip link set spare up")
    try:
        with pytest.raises(StatementFailed, match="host of west: spare is not up") as failed:
            route(lab, here, interface="spare").warm_up()
        assert failed.value.hint == "ip link set spare up"
    finally:
        for host in ("east", "west"):
            lab.run(host, "ip", "link", "del", "spare")


def test_an_old_host_that_is_out_of_reach_keeps_the_address_and_the_way_back_has_nothing_to_do(lab: Hosts, here: Here) -> None:
    address = route(lab, here)
    seen = address.facts()
    lab.kill_sshd("east")
    with pytest.raises(Unreachable, match=rf"host {HOSTS['east']}:22"):
        address.facts()  # nothing was tried yet: not known is not healthy
    with pytest.raises(Unreachable, match=rf"so {ADDRESS} is not seen to be gone from there") as failed:
        address.apply(TO_WEST)
    assert failed.value.hint.startswith("fails closed")
    assert lab.holders() == ["east"]
    assert address.facts() == seen  # nothing was sent there
    with pytest.raises(Unreachable):
        route(lab, Here(CLOCK, {ClusterName(name): lab.ssh(name) for name in HOSTS})).facts()  # another process did not see it


def test_a_new_host_that_is_out_of_reach_gets_nothing_and_the_old_one_has_it_back_without_it(lab: Hosts, here: Here) -> None:
    address = route(lab, here)
    seen = address.facts()
    lab.kill_sshd("west")
    with pytest.raises(Unreachable, match=rf"host {HOSTS['west']}:22"):
        address.apply(TO_WEST)
    assert lab.holders() == []
    assert address.facts().leads_to == ()
    address.apply(RestoreRoute(route=ROUTE, seen=seen))
    assert lab.holders() == ["east"]


def test_a_new_host_that_may_have_got_it_is_not_taken_for_one_that_has_not(lab: Hosts, here: Here) -> None:
    """It ended in the middle of being told: only a look can tell, and there is none. Its neighbours are told for two seconds."""
    address = route(lab, here, announce=2)
    seen = address.facts()
    taken = threading.Thread(target=_kill_once_it_has_it, args=(lab, "west"))
    taken.start()
    with pytest.raises((OutcomeUnknown, Unreachable)):
        address.apply(TO_WEST)
    taken.join()
    for again in (address.facts, lambda: address.apply(RestoreRoute(route=ROUTE, seen=seen))):
        with pytest.raises((Unreachable, OutcomeUnknown)):
            again()
    assert lab.holders() == ["west"]
    lab.start_sshd("west")
    address.apply(RestoreRoute(route=ROUTE, seen=seen))
    assert lab.holders() == ["east"]


def _kill_once_it_has_it(lab: Hosts, host: str) -> None:
    while not _has(lab, host):
        CLOCK.sleep(0.005)
    lab.kill_sshd(host)


def test_a_host_that_is_gone_after_its_flip_is_not_taken_from_memory(lab: Hosts, here: Here) -> None:
    address = route(lab, here)
    address.facts()
    address.apply(TO_WEST)
    lab.kill_sshd("east")
    with pytest.raises(Unreachable):
        address.facts()
    assert greeting() == "west"


def test_a_kept_login_is_made_anew_when_its_host_was_away(lab: Hosts, here: Here) -> None:
    address = route(lab, here)
    assert address.facts().leads_to == ("east",)
    lab.kill_sshd("east")
    lab.start_sshd("east")
    assert address.facts().leads_to == ("east",)


def test_a_cluster_without_a_host_and_a_hosts_own_address_are_refused(lab: Hosts, here: Here) -> None:
    east, west = _cluster(lab, "east"), replace(_cluster(lab, "west"), ssh=None)
    parts = RouteParts(topology=Topology(name="shop", clusters={east.name: east, west.name: west}), outside=here, clock=CLOCK)
    with pytest.raises(UsageError, match="cluster west has no host to log in to") as failed:
        make_route(RouteSpec(name=ROUTE, kind="vip", settings={"address": f"{ADDRESS}/24", "interface": INTERFACE}), parts)
    assert failed.value.hint == "add `ssh` to west"
    with pytest.raises(UsageError, match=rf"would move the address by which cluster west itself is reached: {HOSTS['west']}"):
        route(lab, here, address=f"{HOSTS['west']}/24")
