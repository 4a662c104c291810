from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.documents.topology import load_topology, parse_topology
from interlock.errors import InvalidFile
from interlock.model.topology import ChannelSpec, ClusterName, Follow, LogsSpec, RouteName, SecretSource, Tenants, Tls, Topology
from unit.documents.example import ROUTE_TYPES, SHOP

EAST, WEST = ClusterName("east"), ClusterName("west")
TENANTS = "tenants: {column: tenant, values: [acme, '7'], tables: [s.t]}"


def parse(text: str) -> Topology:
    return parse_topology(text, file="/etc/interlock/shop.yaml", route_types=ROUTE_TYPES)


def changed(old: str, new: str) -> str:
    assert old in SHOP
    return SHOP.replace(old, new, 1)


def test_the_example_of_the_design_is_read_whole() -> None:
    shop = parse(SHOP)
    assert [str(server.name) for server in shop.servers()] == ["east", "east-r1", "west"]
    east = shop.clusters[EAST]
    assert (east.master.host, east.master.port, east.master.access.account.user) == ("10.1.0.10", 3306, "interlock")
    assert not east.replicas[0].is_master
    assert east.ssh is not None
    assert east.ssh.key == "/etc/interlock/keys/ops"
    assert east.fencing[1] == {
        "type": "command",
        "fence": ("/etc/interlock/hooks/power", "off", "east"),
        "show": ("/etc/interlock/hooks/power", "show", "east"),
        "fenced": "off",
        "name": None,
        "within": 5.0,
        "release": None,
        "whole": True,
    }
    assert shop.routes[RouteName("writes")].settings["servers"] == {"east": "a", "west": "b"}
    assert shop.routes[RouteName("anything")].settings["flip"] == ("/etc/interlock/hooks/flip", "{to}")
    assert shop.routes[RouteName("anything")].clients == ("10.0.0.1", 3306)
    assert shop.segments["eu"].owner == "east"
    assert shop.digest == hashlib.sha256(SHOP.encode()).hexdigest()


def test_tenants_of_shared_tables_are_a_segment_without_schemas_and_accounts() -> None:
    acme = parse(changed('schemas: [shop_eu], accounts: ["app_eu@%"]', TENANTS)).segments["eu"]
    assert (acme.tenants, acme.schemas, acme.accounts) == (Tenants(column="tenant", values=("acme", "7"), tables=("s.t",)), (), ())


@pytest.mark.parametrize(
    ("old", "new", "tls"),
    [
        pytest.param("  tls: {ca: certificates/db-ca.pem}\n", "", Tls(), id="left-out-is-the-systems-authorities"),
        pytest.param("tls: {ca: certificates/db-ca.pem}", "tls: off", None, id="off-must-be-said"),
        pytest.param("certificates/db-ca.pem", "/a/b.pem", Tls(ca="/a/b.pem"), id="absolute-path"),
        pytest.param("port: 3306}", "port: 3306, tls: off}", None, id="set-on-one-server"),
        pytest.param("port: 3306}", "port: 3306, access: {tls: {verify_name: false}}}", Tls(verify_name=False), id="under-access"),
        pytest.param("# default", "# ", Tls(ca="/etc/interlock/certificates/db-ca.pem"), id="relative-to-the-file"),
    ],
)
def test_tls_is_on_unless_the_topology_says_off(old: str, new: str, tls: Tls | None) -> None:
    assert parse(changed(old, new)).clusters[EAST].master.access.tls == tls


def test_access_set_on_a_server_leaves_the_others_as_they_were() -> None:
    shop = parse(changed("host: 10.2.0.10, port: 3306", "host: 10.2.0.10, user: other, canary: {user: c, password: {file: ~/c}}"))
    assert shop.clusters[EAST].master.access.account.user == "interlock"
    west = shop.clusters[WEST].master.access
    assert west.account.user == "other"
    assert west.account.password is not None
    assert west.account.password.source is SecretSource.ENV
    assert west.canary is not None
    assert west.canary.password is not None
    assert west.canary.password.place[0] == str(Path("~/c").expanduser())


@pytest.mark.parametrize(
    ("old", "new", "what", "hint"),
    [
        pytest.param("user: interlock", "usr: interlock", "3:3: access has no key 'usr'", "did you mean 'user'?", id="unknown-key"),
        pytest.param("host: 10.2.0.10, ", "", "15:13: master lacks 'host'", "a name or an address", id="missing-key"),
        pytest.param("port: 3306}", "port: x}", "8:37: port is the text 'x', not an integer", "the port", id="wrong-kind"),
        pytest.param("port: 3306}", "port: 70000}", "8:37: port '70000' is not between 1 and 65535", "", id="port-out-of-range"),
        pytest.param("  west:\n", "  west`;:\n", "14:3: cluster name 'west`;' is not allowed", "a name has", id="backtick"),
        pytest.param("  west:\n", '  "we\\nst":\n', "14:3: cluster name 'we\\nst' is not allowed", "a name has", id="newline"),
        pytest.param("  west:\n", '  "we\'st":\n', '14:3: cluster name "we\'st" is not allowed', "a name has", id="quote"),
        pytest.param("  west:\n", "  writer:\n", "14:3: cluster name 'writer' has a meaning", "another name", id="reserved-name"),
        pytest.param("host: 10.2.0.10", "host: 10.1.0.10", "15:14: west has the address of east", "share", id="same-address"),
        pytest.param("name: east-r1", "name: east", "9:16: there are two servers called 'east'", "line 8", id="same-server-name"),
        pytest.param("{env: INTERLOCK_PASSWORD}", "hunter2", "4:13: password stands in the file itself", "{env: NAME}", id="password"),
        pytest.param("{env: INTERLOCK_PASSWORD}", "{envv: X}", "4:13: password does not say in one way", "{env: NAME}", id="secret-way"),
        pytest.param(
            "type: vip", "type: vips", "20:19: route 'address' has an unknown type 'vips'", "did you mean 'vip'?", id="route-type"
        ),
        pytest.param(
            "{east: a, west: b}", "{east: a, wset: b}", "17:92: servers: there is no cluster 'wset'", "'west'", id="map-of-clusters"
        ),
        pytest.param('"10.0.0.1:3306"', "here", "21:90: clients is the text 'here', not an address", "host:port", id="address"),
        pytest.param("owner: east", "owner: wst", "23:59: owner: there is no cluster 'wst'", "'west'", id="owner"),
        pytest.param("route: writes", "route: write", "23:72: there is no route 'write'", "'writes'", id="segment-route"),
        pytest.param("[shop_eu]", f"[shop_eu], {TENANTS}", "23:7: segment 'eu' is tenants", "make two", id="tenants-and-schemas"),
        pytest.param(
            "schemas: [shop_eu]", "tenants: {column: t, values: [a]}", "23:17: tenants lacks 'tables'", "schema.table", id="tables"
        ),
        pytest.param("schemas: [shop_eu]", TENANTS.replace("s.t", "t"), "23:7: 't' is no table", "schema.table", id="no-table"),
        pytest.param('["app_eu@%"]', "[app_eu]", "23:7: 'app_eu' is no account", "user@host", id="account"),
        pytest.param("route: writes}", "trusted: [root]}", "23:7: 'root' is no account", "user@host", id="trusted"),
        pytest.param("tls: {ca: certificates/db-ca.pem}", "tls: false", "5:8: tls is the flag 'false'", "tls: off", id="tls-flag"),
        pytest.param("[./hooks/show]", "./hooks/show now", "21:65: show is the text './hooks/show now'", "no shell", id="shell-line"),
        pytest.param("type: service", "type: srvice", "12:14: fencing has an unknown type 'srvice'", "'service'", id="fencing-type"),
        pytest.param("  user: interlock\n", "", "7:13: server east has no user", "`access`", id="no-user"),
    ],
)
def test_each_problem_has_its_place_and_hint(old: str, new: str, what: str, hint: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        parse(changed(old, new))
    found = {str(problem).removeprefix("/etc/interlock/shop.yaml:"): problem.hint for problem in caught.value.problems}
    hints = [its_hint for its_what, its_hint in found.items() if its_what.startswith(what)]
    assert hints, found
    assert hint in hints[0]


def test_a_misspelt_user_is_one_problem_and_not_one_of_each_server() -> None:
    with pytest.raises(InvalidFile) as caught:
        parse(changed("user: interlock", "usr: interlock"))
    assert len(caught.value.problems) == 1


def test_a_password_in_the_file_is_not_repeated_in_the_message() -> None:
    with pytest.raises(InvalidFile) as caught:
        parse(changed("{env: INTERLOCK_PASSWORD}", "hunter2"))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("clusters", "count"), [("{a: {master: {host: h}}}", 1), ("{}", 0)])
def test_a_pair_has_exactly_two_clusters(clusters: str, count: int) -> None:
    with pytest.raises(InvalidFile, match=f"there are {count} clusters, not two"):
        parse(f"topology: t\naccess: {{user: u}}\nclusters: {clusters}\n")


def test_all_problems_are_reported_at_once() -> None:
    text = SHOP.replace("port: 3306", "port: no").replace("owner: east", "owner: x").replace("type: dns", "type: dsn")
    with pytest.raises(InvalidFile) as caught:
        parse(text)
    assert [problem.line for problem in caught.value.problems] == [8, 15, 19, 23]


def test_a_file_is_loaded_with_paths_relative_to_it(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP)
    shop = load_topology(path, ROUTE_TYPES)
    assert shop.path == str(path)
    assert shop.routes[RouteName("anything")].settings["show"] == (str(tmp_path / "hooks/show"),)


@given(st.integers(0, len(SHOP)), st.integers(0, 30), st.text(alphabet="{}[]:,-&*\"'`\n \0x1", max_size=5))
def test_a_mutated_topology_is_read_or_has_problems(at: int, cut: int, put: str) -> None:
    with contextlib.suppress(InvalidFile):
        assert parse(SHOP[:at] + put + SHOP[at + cut :]).clusters


PAIR = """\
topology: shop
access: {user: interlock, tls: off}
clusters:
  east:
    master: {host: 10.1.0.10}
    replicas: [{name: r1, host: 10.1.0.11}, {name: r2, host: 10.1.0.12, follow: @FOLLOW}]
    channel: @CHANNEL
  west: {master: {host: 10.2.0.10}}
"""


def _pair(*, follow: str = "writer", channel: str = "{type: tungsten, service: west, trepctl: [/opt/trepctl, -x]}") -> str:
    return PAIR.replace("@FOLLOW", follow).replace("@CHANNEL", channel)


def test_a_replica_says_whom_it_follows_and_a_cluster_what_replicates_into_it() -> None:
    topology = parse_topology(_pair(), file="t.yaml", route_types={})
    assert [(replica.name, replica.follow) for replica in topology.replicas()] == [("r1", Follow.MASTER), ("r2", Follow.WRITER)]
    east, west = topology.clusters.values()
    assert east.channel == ChannelSpec(kind="tungsten", service="west", trepctl=("/opt/trepctl", "-x"))
    assert west.channel is None


def test_a_cluster_says_where_its_master_s_log_is() -> None:
    text = _pair().replace("  west: {", "  west: {logs: {dir: /var/lib/mysql, base: binlog.}, ")
    topology = parse_topology(text, file="t.yaml", route_types={})
    assert [cluster.logs for cluster in topology.clusters.values()] == [None, LogsSpec(folder="/var/lib/mysql", base="binlog.")]
    with pytest.raises(InvalidFile, match="'data' is no absolute path"):
        parse_topology(text.replace("/var/lib/mysql", "data"), file="t.yaml", route_types={})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_pair(follow="standby"), "follow"),
        (_pair(channel="{type: kafka, service: west}"), "type"),
        (_pair(channel="{type: tungsten}"), "service"),
        (_pair(channel="{type: tungsten, service: west, trepctl: trepctl -x}"), "trepctl"),
    ],
    ids=["follow", "another kind of channel", "no service", "a line for a shell"],
)
def test_what_nobody_can_follow_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        parse_topology(text, file="t.yaml", route_types={})
    assert words in str(refused.value)
