"""What a topology file may not say of a DNS route or a virtual address: refused with its line when it is read."""

from __future__ import annotations

import pytest

from interlock.clock import SystemClock
from interlock.documents.topology import parse_topology
from interlock.errors import InvalidFile, UsageError
from interlock.hosts.local import Here
from interlock.model.effects import PointTo, RestoreRoute
from interlock.model.facts import RouteFacts
from interlock.model.topology import ClusterName, RouteName, Topology
from interlock.ports import Route
from interlock.routes.dns_settings import RecordKind, kind_of
from interlock.routes.parts import RouteParts
from interlock.routes.registry import make_route, route_fields

NAME, ADDRESS = RouteName("name"), RouteName("address")

FILE = """\
topology: shop
access: {user: interlock, password: {env: P}, tls: off}
clusters:
  east: {master: {host: 10.1.0.10}, ssh: {host: 10.1.0.10, user: ops}}
  west: {master: {host: 10.2.0.10}, ssh: {host: 10.2.0.10, user: ops}}
routes:
  name:
    type: dns
    server: 10.0.0.53
    zone: example.com
    record: db
    tsig: {name: k, secret: {env: TSIG}}
  address:
    type: vip
    address: 10.0.0.100/24
    interface: eth0
"""


def parse(old: str = "", new: str = "") -> Topology:
    assert old in FILE
    return parse_topology(FILE.replace(old, new, 1) if old else FILE, file="shop.yaml", route_types=route_fields())


def made(topology: Topology, name: RouteName) -> Route:
    """UsageError for what no single key shows."""
    clock = SystemClock()
    parts = RouteParts(topology=topology, outside=Here(clock, {n: c.ssh for n, c in topology.clusters.items() if c.ssh}), clock=clock)
    return make_route(topology.routes[name], parts)


def test_the_values_of_a_record_are_the_masters_hosts_unless_it_says_others() -> None:
    script = made(parse(), NAME).script(PointTo(route=NAME, cluster=ClusterName("west")))
    assert script[0] == (
        r"printf '%s\n' 'server 10.0.0.53 53' 'zone example.com.' 'prereq yxrrset db.example.com. IN A 10.1.0.10' "
        "'update delete db.example.com. IN A' 'update add db.example.com. 5 IN A 10.2.0.10' send | nsupdate -k k.key"
    )
    other = parse("    record: db\n", "    record: db\n    values: {east: east.example.net, west: WEST.example.net.}\n")
    assert "5 IN CNAME west.example.net." in made(other, NAME).script(PointTo(route=NAME, cluster=ClusterName("west")))[0]


def test_what_is_waited_for_stands_in_the_script() -> None:
    waits = parse("    record: db\n", "    record: db\n    resolvers: [10.0.0.54, '[2001:db8::1]:5353']\n    wait_for_old_answers: true\n")
    assert made(waits, NAME).script(PointTo(route=NAME, cluster=ClusterName("west")))[2:] == (
        "# wait until 10.0.0.54:53 answers 10.2.0.10",
        "# wait until [2001:db8::1]:5353 answers 10.2.0.10",
        "# wait as long as the TTL that the record had before",
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("server: 10.0.0.53", "server: ns.example.com", "9:13: server: 'ns.example.com' is no address of a DNS server"),
        ("server: 10.0.0.53", "server: 10.0.0.53\n    port: 99999", "10:11: port: 99999 is not between 1 and 65535"),
        ("zone: example.com", 'zone: "example.com; rm -rf /"', "10:11: zone: 'example.com; rm -rf /' is no name of DNS"),
        ("zone: example.com", 'zone: "a\\nsend"', r"10:11: zone: 'a\nsend' is no name of DNS"),
        ("zone: example.com", "zone: ..", "10:11: zone: '..' is no name of DNS"),
        ("record: db", 'record: "db 5 IN A 10.9.9.9"', "11:13: record: 'db 5 IN A 10.9.9.9' is no name of DNS"),
        ("record: db", "record: db\n    ttl: -1", "12:10: ttl: -1 is not between 0 and 86400"),
        ("record: db", "record: db\n    ttl: 5s", "12:10: ttl is the text '5s', not an integer"),
        ("record: db", "record: db\n    values: {east: 10.1.0.10, west: 10.1.0.10}", "12:13: values: two clusters have the same value"),
        ("record: db", "record: db\n    values: {east: 10.1.0.10, west: '2001:db8::1'}", "12:13: values: an address of each version"),
        ("record: db", "record: db\n    values: {east: 10.1.0.10, west: 10.1.0.999}", "12:13: values: '10.1.0.999' is neither an address"),
        ("record: db", "record: db\n    resolvers: [10.0.0.54, cache.example.com]", "12:16: resolvers: 'cache.example.com' is no address"),
        ("secret: {env: TSIG}", "secret: c2VjcmV0", "12:29: secret stands in the file itself"),
        ("name: k,", "name: k, algorithm: hmac-md5,", "12:32: algorithm is 'hmac-md5', not one of hmac-sha256"),
        ("    tsig: {name: k, secret: {env: TSIG}}\n", "", "8:5: route 'name' lacks 'tsig'"),
        ("address: 10.0.0.100/24", "address: 10.0.0.100", "15:14: address: '10.0.0.100' does not say how long its network's prefix is"),
        ("address: 10.0.0.100/24", "address: 10.0.0.100/0", "15:14: address: '10.0.0.100/0' does not say"),
        ("address: 10.0.0.100/24", "address: 10.0.0.300/24", "15:14: address: '10.0.0.300/24' is no address"),
        ("address: 10.0.0.100/24", "address: 2001:db8::1/64", "15:14: address: '2001:db8::1/64' is of IPv6"),
        ("address: 10.0.0.100/24", "address: 127.0.0.9/8", "15:14: address: '127.0.0.9/8' can't be an address that clients connect to"),
        ("interface: eth0", "interface: '-help'", "16:16: interface: '-help' is no name of an interface"),
        ("interface: eth0", "interface: 'eth0; reboot'", "16:16: interface: 'eth0; reboot' is no name of an interface"),
        ("interface: eth0", "interface: eth0\n    announce: 100", "17:15: announce: 100 is not between 1 and 10"),
    ],
)
def test_a_hostile_value_is_refused_when_the_file_is_read_with_its_line(old: str, new: str, problem: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        parse(old, new)
    assert len(refused.value.problems) == 1
    assert str(refused.value.problems[0]).startswith(f"shop.yaml:{problem}")
    assert refused.value.problems[0].hint
    assert "c2VjcmV0" not in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "name", "words"),
    [
        ("master: {host: 10.2.0.10}", "master: {host: db-west}", NAME, "an address of each version, or an address and a name"),
        ("record: db", "record: db.example.org.", NAME, "db.example.org. is not in zone example.com."),
        (
            "record: db",
            "record: '@'\n    values: {east: a.example.net, west: b.example.net}",
            NAME,
            "the zone's own name can't be an alias",
        ),
        ("record: db", f"record: {'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}", NAME, "is longer than a name may be: 253"),
        ("record: db", "record: db\n    ttl: 16\n    resolvers: [10.0.0.54]", NAME, "a ttl of 16s can't be waited out, 15s can"),
        (", ssh: {host: 10.2.0.10, user: ops}", "", ADDRESS, "cluster west has no host to log in to"),
        ("10.0.0.100/24", "10.1.0.10/24", ADDRESS, "would move the address by which cluster east itself is reached: 10.1.0.10"),
    ],
    ids=["masters of two kinds", "another zone", "alias at the apex", "too long", "ttl", "no ssh", "a host's own address"],
)
def test_keys_that_do_not_fit_each_other_are_refused_before_anything_is_sent(old: str, new: str, name: RouteName, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        made(parse(old, new), name)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("10.1.0.10", RecordKind.A),
        ("2001:db8::1", RecordKind.AAAA),
        ("db-east.example.net", RecordKind.CNAME),
        ("db_east", RecordKind.CNAME),
        ("10.1.0.256", None),
        ("1", None),
        ("a b", None),
        ("-a", None),
        ("", None),
    ],
)
def test_the_kind_of_record_goes_by_the_value(value: str, kind: RecordKind | None) -> None:
    assert kind_of(value) == kind


def test_nothing_that_was_seen_is_put_back_by_a_restore_of_another_route() -> None:
    """Facts without an endpoint of ours say nothing of us."""
    nothing = RouteFacts(route=NAME, leads_to=(), holding=False, hold_s=None, provable=True)
    assert made(parse(), NAME).script(RestoreRoute(route=NAME, seen=nothing)) == ()
