"""Settings, statements and rows of the ProxySQL route, without a ProxySQL."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from interlock.clock import SystemClock
from interlock.errors import StatementFailed, UsageError
from interlock.hosts.local import Here
from interlock.model.codec import from_plain, to_plain
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.facts import EndpointFacts, EndpointState, RouteFacts
from interlock.model.topology import Access, Account, ClusterName, ClusterSpec, RouteName, RouteSpec, ServerName, ServerSpec, Topology
from interlock.routes.parts import RouteParts
from interlock.routes.proxysql_facts import Row, Seen, is_held_in_part, is_holding, leads_to, not_loaded, read_endpoints, still_in_flight
from interlock.routes.proxysql_script import NO_COLUMN, statements
from interlock.routes.proxysql_settings import Address, ProxySQLSettings, read_settings
from interlock.routes.proxysql_words import HELD, text
from interlock.routes.registry import make_route
from interlock.sandbox.proxysql.tables import SERVERS, VARIABLES

EAST, WEST, ROUTE = ClusterName("east"), ClusterName("west"), RouteName("writes")
NODE, OTHER = "10.0.0.5:6032", "10.0.0.6:6032"
ACCESS = Access(account=Account(user="u", password=None), tls=None)
MASTERS = {EAST: "10.1.0.10", WEST: "10.2.0.10"}
TOPOLOGY = Topology(
    name="shop",
    clusters={
        name: ClusterSpec(name=name, master=ServerSpec(name=ServerName(name), cluster=name, host=host, port=3306, access=ACCESS))
        for name, host in MASTERS.items()
    },
)
PARTS = RouteParts(topology=TOPOLOGY, outside=Here(SystemClock()), clock=SystemClock())


def settings(**said: object) -> ProxySQLSettings:
    known: dict[str, object] = {"admin": {"host": "10.0.0.5", "port": 6032}, "writer_hostgroup": 10}
    return read_settings(RouteSpec(name=ROUTE, kind="proxysql", settings={**known, **said}), TOPOLOGY)


def row(cluster: str, status: str = "ONLINE", **columns: str) -> Row:
    """As `SELECT * FROM mysql_servers` gives one."""
    known = {
        "hostgroup_id": "10",
        "hostname": MASTERS.get(ClusterName(cluster), cluster),
        "port": "3306",
        "gtid_port": "0",
        "status": status,
        "weight": "1000",
        "compression": "0",
        "max_connections": "300",
        "max_replication_lag": "0",
        "use_ssl": "1",
        "max_latency_ms": "0",
        "comment": "",
    }
    return {**known, **columns}


def used(cluster: ClusterName, count: int) -> Row:
    return {"srv_host": MASTERS[cluster], "srv_port": "3306", "ConnUsed": str(count)}


def sleeper(cluster: ClusterName, idle_ms: int) -> Row:
    return {
        "SessionID": "17",
        "user": "app",
        "cli_host": "10.9.0.7",
        "cli_port": "4711",
        "srv_host": MASTERS[cluster],
        "srv_port": "3306",
        "time_ms": str(idle_ms),
    }


def seen(*memory: Row, runtime: tuple[Row, ...] | None = None, **more: tuple[Row, ...]) -> Seen:
    running = tuple(each for each in memory if each["status"] != "OFFLINE_HARD") if runtime is None else runtime
    return Seen(memory=memory, runtime=running, pool=more.get("pool", ()), sleepers=more.get("sleepers", ()), hold_ms=10_000)


def facts(*looks: Seen, **said: object) -> RouteFacts:
    endpoints = tuple(e for node, look in zip((NODE, OTHER), looks, strict=False) for e in read_endpoints(settings(**said), node, look))
    leads = leads_to(endpoints, (EAST, WEST))
    return RouteFacts(
        route=ROUTE,
        leads_to=leads,
        holding=is_holding(endpoints),
        hold_s=10,
        provable=True,
        endpoints=endpoints,
        held_in_part=is_held_in_part(endpoints),
    )


AS_USUAL = seen(row("east"), row("west", "OFFLINE_HARD"))
HELD_ROW = row("east", "OFFLINE_SOFT", comment=f"main{HELD}")


def sent(effect: RouteEffect, **said: object) -> tuple[str, ...]:
    return statements(settings(**said), effect).get(NODE, ())


class Node:
    """ProxySQL's own table on SQLite, where its statements run as they stand."""

    def __init__(self, *rows: Row, also_reader: str = "true") -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute(f"CREATE TABLE mysql_servers ({SERVERS['mysql_servers']})")
        self._db.execute(f"CREATE TABLE global_variables ({VARIABLES['global_variables']})")
        self._db.execute("INSERT INTO global_variables VALUES ('mysql-monitor_writer_is_also_reader', ?)", (also_reader,))
        for each in rows:
            self._db.execute(f"INSERT INTO mysql_servers ({','.join(each)}) VALUES ({','.join('?' * len(each))})", tuple(each.values()))
        self.commands: list[str] = []
        self.saved: list[Row] = []

    def run(self, lines: tuple[str, ...]) -> None:
        for line in lines:
            if line.startswith(("LOAD", "SAVE")):
                self.commands.append(line)
                self.saved = self.rows() if line.startswith("SAVE") else self.saved
            else:
                self._db.execute(line)

    def rows(self) -> list[Row]:
        found = self._db.execute("SELECT * FROM mysql_servers ORDER BY hostgroup_id, hostname, port").fetchall()
        return [{name: str(each[name]) for name in each.keys()} for each in found]  # noqa: SIM118 - a sqlite3.Row is no mapping


BOTH = (row("east", comment="main"), row("west", "OFFLINE_HARD", comment="standby", weight="7"))
READER = row("10.3.0.10", hostgroup_id="20")


@pytest.mark.parametrize(
    ("before", "effect", "after", "commands"),
    [
        pytest.param(
            BOTH,
            Hold(route=ROUTE),
            (row("east", "OFFLINE_SOFT", comment=f"main{HELD}"), BOTH[1]),
            ["LOAD MYSQL SERVERS TO RUNTIME"],
            id="a-hold-marks-the-writer-and-is-not-saved",
        ),
        pytest.param(
            (row("east", "OFFLINE_SOFT"), BOTH[1]),
            Hold(route=ROUTE),
            (row("east", "OFFLINE_SOFT"), BOTH[1]),
            ["LOAD MYSQL SERVERS TO RUNTIME"],
            id="a-row-that-is-offline-already-is-not-marked",
        ),
        pytest.param(
            (HELD_ROW, row("west", "OFFLINE_SOFT")),
            Release(route=ROUTE),
            (row("east", comment="main"), row("west", "OFFLINE_SOFT")),
            ["LOAD MYSQL SERVERS TO RUNTIME"],
            id="a-release-opens-only-what-a-hold-closed",
        ),
        pytest.param(
            (HELD_ROW, BOTH[1]),
            PointTo(route=ROUTE, cluster=WEST),
            (row("east", "OFFLINE_HARD", comment="main"), row("west", "ONLINE", comment="standby", weight="7")),
            ["LOAD MYSQL SERVERS TO RUNTIME", "SAVE MYSQL SERVERS TO DISK"],
            id="a-flip-changes-statuses-and-ends-the-hold",
        ),
        pytest.param(
            (row("east", comment="the writer"),),
            PointTo(route=ROUTE, cluster=WEST),
            (row("west", comment="the writer"),),
            ["LOAD MYSQL SERVERS TO RUNTIME", "SAVE MYSQL SERVERS TO DISK"],
            id="a-flip-writes-the-address-where-there-is-one-row",
        ),
        pytest.param(
            (row("east", "SHUNNED"), BOTH[1]),
            Hold(route=ROUTE),
            (row("east", "OFFLINE_SOFT", comment=HELD), BOTH[1]),
            ["LOAD MYSQL SERVERS TO RUNTIME"],
            id="a-writer-in-trouble-is-held-too",
        ),
    ],
)
def test_the_statements_do_to_proxysqls_table(
    before: tuple[Row, ...], effect: RouteEffect, after: tuple[Row, ...], commands: list[str]
) -> None:
    """…and to no row of another hostgroup; said twice, they do the same."""
    node = Node(*before, READER)
    for _ in range(2):
        node.run(sent(effect))
        assert node.rows() == [*after, READER]
    assert node.commands == commands * 2


@pytest.mark.parametrize(
    "before",
    [BOTH, BOTH[:1], (HELD_ROW, BOTH[1]), (row("east", comment='it\'s a \\ "test"; --'), BOTH[1])],
    ids=["both rows", "one row", "held", "odd comment"],
)
def test_a_restore_out_of_the_journal_brings_back_every_column_of_every_row(before: tuple[Row, ...]) -> None:
    node = Node(*before, READER)
    recorded = from_plain(to_plain(facts(seen(*before))), RouteFacts)
    node.run(sent(PointTo(route=ROUTE, cluster=WEST)))
    assert node.rows() != [*before, READER]
    for _ in range(2):
        node.run(sent(RestoreRoute(route=ROUTE, seen=recorded)))
        assert node.rows() == [*before, READER]


@pytest.mark.parametrize(
    ("before", "on_disk"),
    [
        pytest.param(BOTH, BOTH, id="no-hold"),
        pytest.param((HELD_ROW, BOTH[1]), BOTH, id="back-into-a-hold"),
    ],
)
def test_a_restore_saves_no_hold_to_the_disk(before: tuple[Row, ...], on_disk: tuple[Row, ...]) -> None:
    """Found by killing runs: the release after it is not saved, so a node that starts from its disk would hold for good."""
    node = Node(*before)
    node.run(sent(RestoreRoute(route=ROUTE, seen=facts(seen(*before)))))
    assert (node.rows(), node.saved) == (list(before), list(on_disk))
    assert sorted(node.commands) == ["LOAD MYSQL SERVERS TO RUNTIME", "SAVE MYSQL SERVERS TO DISK"]


def test_a_restore_says_nothing_to_a_node_that_was_not_seen() -> None:
    foreign = facts(AS_USUAL)
    foreign = replace(foreign, endpoints=tuple(replace(e, proxy="198.51.100.1:6032") for e in foreign.endpoints))
    assert sent(RestoreRoute(route=ROUTE, seen=foreign)) == ()


def test_the_words_of_a_flip() -> None:
    pair = "hostgroup_id=10 AND ((hostname='10.1.0.10' AND port=3306) OR (hostname='10.2.0.10' AND port=3306))"
    move = (
        "UPDATE mysql_servers SET hostname='10.2.0.10', port=3306 WHERE hostgroup_id=10 AND ((hostname='10.1.0.10' AND port=3306)) "
        "AND NOT EXISTS (SELECT 1 FROM mysql_servers WHERE hostgroup_id=10 AND ((hostname='10.2.0.10' AND port=3306)))"
    )
    switch = (
        "UPDATE mysql_servers SET status=CASE WHEN (hostname='10.2.0.10' AND port=3306) THEN 'ONLINE' ELSE 'OFFLINE_SOFT' END, "
        f"comment=replace(comment,' [held by interlock]','') WHERE {pair}"
    )
    assert sent(PointTo(route=ROUTE, cluster=WEST), park="OFFLINE_SOFT", save=False) == (move, switch, "LOAD MYSQL SERVERS TO RUNTIME")


def test_every_node_is_told_the_same() -> None:
    said = settings(admin=None, nodes=({"host": "10.0.0.5"}, {"host": "10.0.0.6", "port": 7032}))
    told = statements(said, Hold(route=ROUTE))
    assert list(told) == ["10.0.0.5:6032", "10.0.0.6:7032"]
    assert len(set(told.values())) == 1


def test_a_text_that_sqlite_would_cut_is_refused() -> None:
    assert text("a'b\\") == "'a''b\\'"
    with pytest.raises(ValueError, match="not a text that SQLite can hold"):
        text("a\0b")


@pytest.mark.parametrize(
    ("looks", "leads", "held"),
    [
        pytest.param([AS_USUAL], ("east",), "no", id="as-usual"),
        pytest.param([seen(row("east", "OFFLINE_HARD"), row("west"))], ("west",), "no", id="flipped"),
        pytest.param([seen(HELD_ROW, row("west", "OFFLINE_HARD"))], ("east",), "yes", id="held"),
        pytest.param([seen(row("east", "OFFLINE_SOFT"), row("west", "OFFLINE_HARD"))], (), "no", id="put-offline-by-somebody-else"),
        pytest.param([seen(row("east"), row("west"))], ("east", "west"), "no", id="two-writers"),
        pytest.param([seen(row("east"), row("10.7.0.1"))], ("east", "10.7.0.1:3306"), "no", id="a-writer-that-is-none-of-the-pairs"),
        pytest.param([seen(HELD_ROW, row("10.7.0.1"))], ("east", "10.7.0.1:3306"), "in part", id="a-hold-that-a-third-server-undermines"),
        pytest.param([seen(row("east"), row("10.7.0.1", "OFFLINE_SOFT"))], ("east",), "no", id="a-third-server-that-is-offline"),
        pytest.param([seen(row("east", "SHUNNED"))], ("east",), "no", id="a-writer-in-trouble"),
        pytest.param([seen(row("east", weight="0"))], (), "no", id="a-writer-of-weight-zero"),
        pytest.param([seen(row("east", max_connections="0"))], (), "no", id="a-writer-that-may-have-no-connection"),
        pytest.param([AS_USUAL, seen(row("west"))], ("east", "west"), "no", id="two-nodes-that-differ"),
        pytest.param([AS_USUAL, seen(HELD_ROW)], ("east",), "in part", id="a-hold-on-one-node-of-two"),
        pytest.param([seen(HELD_ROW), seen(HELD_ROW)], ("east",), "yes", id="a-hold-on-both-nodes"),
        pytest.param([seen(HELD_ROW, runtime=(row("east"),))], ("east",), "no", id="a-hold-that-was-not-loaded"),
        pytest.param([seen(row("east"), runtime=(HELD_ROW,))], ("east",), "yes", id="a-release-that-was-not-loaded"),
        pytest.param([seen(row("west"), runtime=(row("east"),))], ("east",), "no", id="a-flip-that-was-not-loaded"),
    ],
)
def test_where_a_route_leads_is_what_proxysql_does_at_run_time(looks: list[Seen], leads: tuple[str, ...], held: str) -> None:
    found = facts(*looks)
    assert (found.leads_to, {(True, False): "yes", (False, True): "in part"}.get((found.holding, found.held_in_part), "no")) == (
        leads,
        held,
    )


def test_an_endpoint_has_its_state_its_connections_and_its_whole_row() -> None:
    look = seen(row("east", "SHUNNED", comment="x"), runtime=(row("east", "SHUNNED"),), pool=(used(EAST, 4),))
    east, west = facts(look).endpoints
    assert east == EndpointFacts(
        proxy=NODE,
        endpoint="10.1.0.10:3306",
        cluster=EAST,
        state=EndpointState.READY,
        healthy=False,
        sessions=4,
        queued=0,
        raw={**row("east", "SHUNNED", comment="x"), NO_COLUMN: "0"},
    )
    assert (west.cluster, west.state, west.healthy, west.raw) == (WEST, EndpointState.MAINTENANCE, None, {NO_COLUMN: "0"})


def test_a_session_that_keeps_its_connection_is_named() -> None:
    look = seen(row("east"), sleepers=(sleeper(EAST, 5100), sleeper(EAST, 20), sleeper(WEST, 9000)))
    east, west = facts(look).endpoints
    assert east.pinned == ("session 17 of app@10.9.0.7:4711, idle for 5.1s",)
    assert len(west.pinned) == 1


@pytest.mark.parametrize(
    ("pool", "sleepers", "left"),
    [
        ((used(EAST, 0),), (), 0),
        ((used(EAST, 3),), (), 3),
        ((used(EAST, 3), used(WEST, 1)), (sleeper(EAST, 5000),), 3),
        ((used(EAST, 1),), (sleeper(EAST, 20),), 1),
        ((used(EAST, 1),), (sleeper(EAST, 5000),), 0),
        (({"srv_host": "10.7.0.1", "srv_port": "3306", "ConnUsed": "9"},), (), 0),
    ],
    ids=["none", "in use", "on either server", "between two statements", "kept for good", "not ours"],
)
def test_a_hold_has_drained_when_only_pinned_sessions_are_left(pool: tuple[Row, ...], sleepers: tuple[Row, ...], left: int) -> None:
    assert still_in_flight(settings(), pool, sleepers) == left


@pytest.mark.parametrize(
    ("memory", "runtime", "differing"),
    [
        (BOTH, BOTH, ()),
        ((row("east"),), (row("east", "SHUNNED"),), ()),
        ((row("east", "online"),), (row("east"),), ()),
        ((row("east"), row("west")), (row("east"),), ("10.2.0.10:3306 in hostgroup 10",)),
        ((row("east"), row("west", "OFFLINE_HARD")), (row("east"),), ()),
        ((row("east"),), (row("east"), row("west", "OFFLINE_HARD")), ()),
        ((row("east", weight="1"),), (row("east", weight="2"),), ("10.1.0.10:3306 in hostgroup 10",)),
        ((READER,), (), ("10.3.0.10:3306 in hostgroup 20",)),
        ((row("east", "OFFLINE_HARD"),), (row("east"),), ("10.1.0.10:3306 in hostgroup 10",)),
    ],
    ids=["same", "in trouble", "in small letters", "missing", "gone already", "not gone yet", "weight", "another hostgroup", "status"],
)
def test_what_is_not_loaded_yet_is_named(memory: tuple[Row, ...], runtime: tuple[Row, ...], differing: tuple[str, ...]) -> None:
    assert not_loaded(memory, runtime) == differing


def test_a_hostgroup_that_proxysql_fills_by_itself_is_refused() -> None:
    moved = {"mover": "mysql_galera_hostgroups", "writer": "10", "reader": "20"}
    look = replace(AS_USUAL, movers=(moved, {**moved, "mover": "runtime_mysql_galera_hostgroups"}))
    with pytest.raises(StatementFailed, match="moves the servers of hostgroup 10 by itself: mysql_galera_hostgroups and") as failed:
        facts(look)
    assert "delete that row" in failed.value.hint


def test_a_hostgroup_without_the_pairs_servers_is_said_with_what_it_has() -> None:
    with pytest.raises(StatementFailed, match=r"none of 10\.1\.0\.10:3306, 10\.2\.0\.10:3306 in hostgroup 10") as failed:
        facts(seen(row("10.7.0.1")))
    assert "there are: 10.7.0.1:3306" in failed.value.hint


def test_servers_of_the_route_go_before_the_masters_addresses() -> None:
    assert settings().servers == {EAST: Address("10.1.0.10", 3306), WEST: Address("10.2.0.10", 3306)}
    said = settings(servers={EAST: "db-east.internal:3307", WEST: "[fd00::2]:3306".replace("[", "").replace("]", "")})
    assert said.servers == {EAST: Address("db-east.internal", 3307), WEST: Address("fd00::2", 3306)}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"admin": None}, "one of `admin` and `nodes` must be there"),
        ({"nodes": ({"host": "10.0.0.5"},)}, "one of `admin` and `nodes` must be there"),
        ({"admin": None, "nodes": ({"host": "n"}, {"host": "n", "port": 6032})}, "a node is named twice: n:6032, n:6032"),
        ({"admin": {"host": "n", "port": 99999}}, "'n:99999' is no address"),
        ({"servers": {EAST: "east", WEST: "w:1"}}, "'east' in `servers` is not host:port"),
        ({"servers": {EAST: "e' OR 1=1 --:3306", WEST: "w:1"}}, "is no address"),
        ({"servers": {EAST: "w:1", WEST: "w:1"}}, "two clusters have the same address, w:1"),
        ({"writer_hostgroup": -1}, "writer_hostgroup is -1"),
    ],
    ids=["no node", "both ways", "twice", "port", "no port", "hostile", "same", "hostgroup"],
)
def test_settings_that_cannot_work_are_refused(said: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        settings(**said)


def test_a_route_is_made_without_a_connection_or_a_secret() -> None:
    made = make_route(RouteSpec(name=ROUTE, kind="proxysql", settings={"admin": {"host": "192.0.2.1"}, "writer_hostgroup": 10}), PARTS)
    assert made.script(Hold(route=ROUTE))[0].startswith("proxysql 192.0.2.1:6032: UPDATE mysql_servers SET status='OFFLINE_SOFT'")
