"""Settings, judgement and statements of the route by ProxySQL's rules, on ProxySQL's own tables in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from itertools import product

import pytest

from interlock.errors import StatementFailed, UsageError
from interlock.model.codec import from_plain, to_plain
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.facts import RouteFacts
from interlock.model.topology import ClusterName, ClusterSpec, RouteName, RouteSpec, SegmentSpec, ServerName, ServerSpec, Topology
from interlock.routes.proxysql_facts import Row, leads_to
from interlock.routes.proxysql_rules_facts import (
    Seen,
    check_that_it_can_be_moved,
    differing_fast,
    differing_rules,
    is_ours,
    read_endpoints,
    reading,
    unset,
)
from interlock.routes.proxysql_rules_script import rules_statements
from interlock.routes.proxysql_rules_settings import RulesSettings, read_rules_settings
from interlock.sandbox.proxysql.tables import RULES, SERVERS, STATS, USERS, VARIABLES
from unit.routes.test_proxysql_words import ACCESS, EAST, MASTERS, WEST

ROUTE, NODE = RouteName("eu"), "10.0.0.5:6032"
TO_WEST, TO_EAST = PointTo(route=ROUTE, cluster=WEST), PointTo(route=ROUTE, cluster=EAST)


def segment(name: str, route: str | None) -> SegmentSpec:
    return SegmentSpec(
        name=name,
        schemas=(f"shop_{name}",),
        accounts=(f"app_{name}@%", f"app_{name}@10.%"),
        owner=EAST,
        route=None if route is None else RouteName(route),
    )


TOPOLOGY = Topology(
    name="shop",
    clusters={
        name: ClusterSpec(name=name, master=ServerSpec(name=ServerName(name), cluster=name, host=host, port=3306, access=ACCESS))
        for name, host in MASTERS.items()
    },
    segments={"eu": segment("eu", "eu"), "us": segment("us", None)},
)


def settings(**said: object) -> RulesSettings:
    known: dict[str, object] = {"admin": {"host": "10.0.0.5"}, "hostgroups": {EAST: "10", WEST: "20"}}
    return read_rules_settings(RouteSpec(name=ROUTE, kind="proxysql_rules", settings={**known, **said}), TOPOLOGY)


class Node:
    """ProxySQL's tables, where its statements run as they stand; LOAD and SAVE copy."""

    def __init__(self, *rows: str, iterations: str = "0") -> None:
        """`rows` as SQL; east's server stands in 10, west's in 20, and the two accounts go to 10 by default."""
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("ATTACH ':memory:' AS disk")
        for name, layout in {**RULES, **SERVERS, **USERS, **VARIABLES, **STATS}.items():
            for place in ("main.", "main.runtime_", "disk."):
                self._db.execute(f"CREATE TABLE {place}{name} ({layout})")
        for statement in (
            *(
                f"INSERT INTO runtime_mysql_servers (hostgroup_id, hostname) VALUES ({hostgroup}, '{host}')"
                for hostgroup, host in zip((10, 20), MASTERS.values(), strict=True)
            ),
            "INSERT INTO runtime_mysql_users (username, default_hostgroup) VALUES ('app_eu', 10), ('app_us', 20), ('report', 30)",
            f"INSERT INTO runtime_global_variables VALUES ('mysql-query_processor_iterations', '{iterations}')",
            *rows,
        ):
            self._db.execute(statement)
        self.run(("LOAD", "SAVE"))

    def run(self, lines: tuple[str, ...]) -> None:
        for line in lines:
            for target, word in (("main.runtime_", "LOAD"), ("disk.", "SAVE")):
                for name in RULES if line.startswith(word) else ():
                    active = " WHERE active=1" if (name, word) == ("mysql_query_rules", "LOAD") else ""
                    self._db.execute(f"DELETE FROM {target}{name}")
                    self._db.execute(f"INSERT INTO {target}{name} SELECT * FROM main.{name}{active}")
            if not line.startswith(("LOAD", "SAVE")):
                self._db.execute(line)

    def rows(self, statement: str) -> tuple[Row, ...]:
        found = self._db.execute(statement).fetchall()
        return tuple({key: "" if each[key] is None else str(each[key]) for key in each.keys()} for each in found)  # noqa: SIM118 - no mapping

    def seen(self, **said: object) -> Seen:
        return Seen(**{name: self.rows(statement) for name, statement in reading(settings(**said)).items()})

    def facts(self, **said: object) -> RouteFacts:
        endpoints = read_endpoints(settings(**said), NODE, self.seen(**said))
        leads = leads_to(endpoints, (EAST, WEST))
        return RouteFacts(route=ROUTE, leads_to=leads, holding=False, hold_s=None, provable=True, endpoints=endpoints)

    def everything(self) -> list[Row]:
        return [row for place in ("", "runtime_", "disk.") for name in RULES for row in self.rows(f"SELECT * FROM {place}{name}")]

    def of(self, effect: RouteEffect, **said: object) -> None:
        self.run(rules_statements(settings(**said), effect).get(NODE, ()))


def rule(number: int, hostgroup: int | None, *, apply: int = 1, active: int = 1, **columns: object) -> str:
    known = {"rule_id": number, "active": active, "destination_hostgroup": hostgroup, "apply": apply, **columns}
    values = ("NULL" if value is None else "'" + str(value).replace("'", "''") + "'" for value in known.values())
    return f"INSERT INTO mysql_query_rules ({', '.join(known)}) VALUES ({', '.join(values)})"


def fast(account: str, schema: str, hostgroup: int, flag: int = 0) -> str:
    return f"INSERT INTO mysql_query_rules_fast_routing VALUES ('{account}', '{schema}', {flag}, {hostgroup}, 'kept')"


EU = rule(7, 10, username="app_eu", comment="it's eu's", timeout=500)
US = rule(8, 20, username="app_us")
SCHEMAS: Mapping[str, object] = {"schemas": ("shop_eu",)}
READS: Mapping[str, object] = {"reader_hostgroups": {EAST: 11, WEST: 21}}
SKIPPED = "a last rule with apply=1 keeps fast routing from being asked (issue 5620)"
BOTH: Mapping[str, object] = {"accounts": ("app_eu",), "schemas": ("shop_eu",)}


@pytest.mark.parametrize(
    ("rows", "said", "leads"),
    [
        pytest.param([EU, US], {}, "east", id="by-its-account"),
        pytest.param([rule(1, 20, username="app_eu", active=0), EU], {}, "east", id="a-rule-that-is-not-active-decides-nothing"),
        pytest.param([EU, rule(9, 30)], {}, "east", id="what-stands-behind-it-is-not-asked"),
        pytest.param([rule(1, 20, username="app_us"), EU], {}, "east", id="another-account-before-it"),
        pytest.param([rule(1, 20, schemaname="shop_us"), EU], {}, "east", id="another-segments-schema-before-it"),
        pytest.param([rule(7, 10, username="app_eu", apply=0)], {}, "east", id="without-apply"),
        pytest.param([rule(1, 30, apply=0), EU], {}, "east", id="it-goes-before-an-earlier-one-without-apply"),
        pytest.param([rule(1, None, apply=0, cache_ttl=100), EU], {}, "east", id="a-rule-that-leads-nowhere"),
        pytest.param([rule(1, 30, error_msg="no", match_pattern="^DROP"), EU], {}, "east", id="a-rule-that-answers"),
        pytest.param([rule(1, None, flagOUT=5, apply=0), rule(2, 10, username="app_eu", flagIN=5)], {}, "east", id="a-chain"),
        pytest.param([rule(7, 10, schemaname="shop_eu")], SCHEMAS, "east", id="by-its-schema"),
        pytest.param([rule(1, 20, username="app_us"), rule(7, 10, schemaname="shop_eu")], SCHEMAS, "east", id="who-can-not-write-it"),
        pytest.param([fast("app_eu", "shop_eu", 10)], BOTH, "east", id="by-fast-routing"),
        pytest.param([fast("", "shop_eu", 10)], SCHEMAS, "east", id="by-fast-routing-of-the-schema"),
        pytest.param([fast("", "shop_eu", 30), fast("app_eu", "shop_eu", 10)], BOTH, "east", id="fast-routing-of-both-first"),
        pytest.param([rule(1, 30, apply=0), fast("app_eu", "shop_eu", 10)], BOTH, "east", id="fast-routing-before-no-apply"),
        pytest.param([rule(5, 11, username="app_eu", match_digest="^SELECT"), EU], READS, "east", id="reads"),
        pytest.param([rule(7, 20, username="app_eu")], {}, "west", id="flipped"),
        pytest.param(
            [rule(5, 20, username="app_eu", match_digest="^SELECT"), EU], {}, "east and west", id="a-part-of-it-on-the-other-side"
        ),
        pytest.param([], {}, "hostgroup 10 (default_hostgroup of app_eu: no rule decides it)", id="no-rule"),
        pytest.param(
            [rule(7, 10, username="app_eu", proxy_port=6033)],
            {},
            "east and hostgroup 10 (default_hostgroup of app_eu: no rule decides it)",
            id="a-rule-for-a-part",
        ),
        pytest.param([rule(1, 10), EU], {}, "hostgroup 10 (rule 1)", id="a-rule-for-everybody-before-it"),
        pytest.param([rule(1, 30, match_digest="^SELECT"), EU], {}, "east and hostgroup 30 (rule 1)", id="reads-of-everybody"),
        pytest.param(
            [rule(1, 30, username="report"), rule(7, 10, schemaname="shop_eu")], SCHEMAS, "east and hostgroup 30 (rule 1)", id="a-reader"
        ),
        pytest.param([rule(7, 30, username="app_eu")], {}, "hostgroup 30 (rule 7)", id="somebody-led-it-elsewhere"),
        pytest.param(
            [rule(6, 10, username="app_us", next_query_flagIN=3), rule(9, 30, flagIN=3), EU],
            {},
            "east and hostgroup 30 (rule 9)",
            id="the-next-ones-flag",
        ),
        pytest.param(
            [rule(1, 20, username="app_us"), fast("app_eu", "shop_eu", 10)],
            BOTH,
            f"east and hostgroup 10 (default_hostgroup of app_eu: no rule decides it: {SKIPPED})",
            id="a-last-rule-that-hides-fast-routing",
        ),
        pytest.param(
            [EU, "UPDATE runtime_mysql_users SET fast_forward=1"],
            {},
            "hostgroup 10 (app_eu is fast_forward: no rule is asked)",
            id="fast-forward",
        ),
        pytest.param(
            [EU, "INSERT INTO runtime_mysql_servers (hostgroup_id, hostname) VALUES (10, '10.2.0.10')"],
            {},
            "hostgroup 10 (rule 7), which leads to east and west",
            id="a-hostgroup-with-both-servers",
        ),
        pytest.param(
            [EU, "UPDATE runtime_mysql_servers SET status='OFFLINE_SOFT'"],
            {},
            "hostgroup 10 (rule 7), which leads to no server that takes clients",
            id="a-hostgroup-without-one",
        ),
    ],
)  # fmt: skip
def test_where_statements_go_is_told_by_every_rule_that_may_take_one(rows: list[str], said: Mapping[str, object], leads: str) -> None:
    assert " and ".join(Node(*rows).facts(**said).leads_to) == leads


def test_a_flip_changes_where_its_own_rules_lead_and_nothing_else() -> None:
    rows = [
        EU,
        US,
        rule(9, 10, username="app_eu", active=0),
        rule(10, 30, username="app_eu"),
        rule(11, 10, schemaname="shop_eu"),
        fast("app_eu", "shop_eu", 10),
        fast("app_us", "shop_us", 10),
    ]
    node = Node(*rows)
    before = node.everything()
    for _ in range(2):
        node.of(TO_WEST)
        changed = [(old, new) for old, new in zip(before, node.everything(), strict=True) if old != new]
        assert [{key for key in new if old[key] != new[key]} for old, new in changed] == [{"destination_hostgroup"}] * 6
        assert {(new.get("rule_id"), new["username"], new["destination_hostgroup"]) for _, new in changed} == {
            ("7", "app_eu", "20"),
            (None, "app_eu", "20"),
        }
    node.of(TO_EAST)
    assert node.everything() == before


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param([EU, US], {}, id="one-rule"),
        pytest.param([rule(5, 20, username="app_eu", match_digest="^SELECT"), EU], {}, id="rules-on-both-sides"),
        pytest.param([fast("app_eu", "shop_eu", 10), fast("app_eu", "it''s", 20)], {}, id="fast-routing"),
        pytest.param([rule(5, 11, username="app_eu", match_digest="^SELECT"), EU], READS, id="reads-too"),
        pytest.param([rule(7, 10, schemaname="shop_eu"), rule(8, 10, schemaname="shop_eu", username="app_us")], SCHEMAS, id="a-schema"),
    ],
)
def test_a_restore_out_of_the_journal_brings_back_what_was_seen(rows: list[str], said: Mapping[str, object]) -> None:
    node = Node(*rows)
    before, seen = node.everything(), from_plain(to_plain(node.facts(**said)), RouteFacts)
    node.of(TO_WEST, **said)
    assert node.everything() != before
    for _ in range(2):
        node.of(RestoreRoute(route=ROUTE, seen=seen), **said)
        assert node.everything() == before


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        pytest.param({}, {"app_eu ", "app_eu shop_eu", "app_eu shop_us"}, id="by-account"),
        pytest.param(SCHEMAS, {" shop_eu", "app_eu shop_eu", "report shop_eu"}, id="by-schema"),
        pytest.param(BOTH, {"app_eu shop_eu"}, id="by-both"),
    ],
)
def test_what_a_flip_changes_is_what_is_taken_for_the_routes_own(said: Mapping[str, object], ours: set[str]) -> None:
    named = list(product(("", "app_eu", "app_us", "report"), ("", "shop_eu", "shop_us")))
    node = Node(
        *(rule(number, 10, username=account or None, schemaname=schema) for number, (account, schema) in enumerate(named)),
        *(fast(account, schema, 10) for account, schema in named),
    )
    seen = node.seen(**said)
    assert {f"{row['username']} {row['schemaname']}" for row in seen.rules if is_ours(settings(**said), row)} == ours
    node.of(TO_WEST, **said)
    for table in RULES:
        flipped = node.rows(f"SELECT * FROM runtime_{table} WHERE destination_hostgroup=20")
        assert {f"{row['username']} {row['schemaname']}" for row in flipped} == ours


def test_a_restore_touches_no_rule_that_somebody_made_another_one_meanwhile() -> None:
    node = Node(EU, rule(8, 10, username="app_eu", schemaname="shop_eu"))
    seen = node.facts()
    node.of(TO_WEST)
    node.run(("DELETE FROM mysql_query_rules WHERE rule_id=7", "UPDATE mysql_query_rules SET username='app_us', destination_hostgroup=20"))
    node.of(RestoreRoute(route=ROUTE, seen=seen))
    assert [(row["rule_id"], row["username"], row["destination_hostgroup"]) for row in node.rows("SELECT * FROM mysql_query_rules")] == [
        ("8", "app_us", "20")
    ]


def test_a_rule_that_somebody_led_elsewhere_is_not_flipped_and_named() -> None:
    node = Node(EU)
    node.run(("UPDATE mysql_query_rules SET destination_hostgroup=30", "LOAD"))
    node.of(TO_WEST)
    assert node.facts().leads_to == ("hostgroup 30 (rule 7)",)


@pytest.mark.parametrize("effect", [Hold(route=ROUTE), Release(route=ROUTE)])
def test_it_holds_nothing(effect: RouteEffect) -> None:
    assert rules_statements(settings(), effect) == {}


def test_the_words_of_a_flip() -> None:
    ours = "username IN ('app_eu') AND schemaname IN ('shop_eu')"
    assert rules_statements(settings(**BOTH, save=False), TO_WEST)[NODE] == (
        f"UPDATE mysql_query_rules SET destination_hostgroup=20 WHERE {ours} AND active=1 AND destination_hostgroup IN (10)",
        f"UPDATE mysql_query_rules_fast_routing SET destination_hostgroup=20 WHERE {ours} AND destination_hostgroup IN (10)",
        "LOAD MYSQL QUERY RULES TO RUNTIME",
    )


@pytest.mark.parametrize(
    ("rows", "iterations", "words", "hint"),
    [
        pytest.param([], "0", "go to hostgroup 10 .default_hostgroup of app_eu", "VALUES (1, 'app_eu', 10, 1)", id="no-rule"),
        pytest.param([rule(1, 10), EU], "0", "go to hostgroup 10 .rule 1.", "is for others, too", id="a-rule-for-all"),
        pytest.param([rule(1, 30, match_digest="^S"), EU], "0", "go to hostgroup 30 .rule 1.", "`reader_hostgroups`", id="reads"),
        pytest.param(
            [EU, "UPDATE runtime_mysql_servers SET status='OFFLINE_HARD' WHERE hostgroup_id=20"],
            "0",
            "hostgroup 20 leads to no server that takes clients, not to west alone",
            "10.2.0.10:3306 is to be ONLINE there",
            id="nobody-to-flip-to",
        ),
        pytest.param([EU, rule(9, None, flagOUT=3)], "2", "iterations is 2, and rules have a flagOUT", "set it to 0", id="iterations"),
    ],
)
def test_what_can_not_be_moved_is_met_before_the_first_effect(rows: list[str], iterations: str, words: str, hint: str) -> None:
    with pytest.raises(StatementFailed, match=words) as refused:
        check_that_it_can_be_moved(settings(), NODE, Node(*rows, iterations=iterations).seen())
    assert hint in refused.value.hint


@pytest.mark.parametrize("rows", [[EU], [EU, rule(9, None, flagOUT=3)]], ids=["one rule", "a chain"])
def test_what_can_be_moved_is_let_through(rows: list[str]) -> None:
    check_that_it_can_be_moved(settings(), NODE, Node(*rows).seen())


def test_a_hostgroup_that_the_monitor_will_fill_may_be_empty() -> None:
    """The server that the segment goes to may be fenced before the move."""
    node = Node(
        EU,
        "DELETE FROM runtime_mysql_servers WHERE hostgroup_id=20",
        "INSERT INTO runtime_mysql_replication_hostgroups (writer_hostgroup, reader_hostgroup) VALUES (20, 21)",
    )
    check_that_it_can_be_moved(settings(), NODE, node.seen())


@pytest.mark.parametrize(
    ("statement", "differing"),
    [
        ("UPDATE mysql_query_rules SET destination_hostgroup=20 WHERE rule_id=7", []),
        ("UPDATE mysql_query_rules SET destination_hostgroup=30 WHERE rule_id=7", ["rule 7"]),
        ("UPDATE mysql_query_rules SET destination_hostgroup=10 WHERE rule_id=8", ["rule 8"]),
        ("UPDATE mysql_query_rules SET timeout=9 WHERE rule_id=7", ["rule 7"]),
        (rule(12, 30), ["rule 12"]),
        (rule(12, 30, active=0), []),
        ("DELETE FROM mysql_query_rules WHERE rule_id=8", ["rule 8"]),
        ("UPDATE mysql_query_rules_fast_routing SET destination_hostgroup=20 WHERE username='app_eu'", []),
        ("UPDATE mysql_query_rules_fast_routing SET destination_hostgroup=30 WHERE username='app_eu'", ["app_eu in shop_eu"]),
        (fast("app_us", "more", 20), ["app_us in more"]),
    ],
    ids=[
        "a flip cut short", "led elsewhere", "another's", "another column", "a new one", "not active", "taken away",
        "fast routing cut short", "fast routing elsewhere", "a new row",
    ],
)  # fmt: skip
def test_what_is_not_loaded_is_named_but_for_a_flip_of_our_own(statement: str, differing: list[str]) -> None:
    node = Node(EU, US, fast("app_eu", "shop_eu", 10), rule(20, 30, digest="0x00AB", match_pattern="x", re_modifiers="caseless"))
    node.run((statement,))
    memory, runtime = (node.rows(f"SELECT * FROM {place}mysql_query_rules") for place in ("", "runtime_"))
    rows = node.rows(differing_fast(settings(), "runtime_mysql_query_rules_fast_routing"))
    assert [*differing_rules(settings(), memory, runtime), *(f"{row['username']} in {row['schemaname']}" for row in rows)] == differing


def test_a_rule_is_the_same_at_run_time_where_proxysql_writes_it_anew() -> None:
    (row,) = Node(rule(20, 30, digest="0xAB", match_pattern="x", re_modifiers="caseless")).rows("SELECT * FROM mysql_query_rules")
    running = unset({**row, "digest": "0x00000000000000AB", "re_modifiers": "CASELESS", "flagOUT": "-1", "proxy_port": "-1"})
    assert differing_rules(settings(), (row,), (running,)) == ()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"hostgroups": {EAST: "ten", WEST: 20}}, "hostgroups of east is 'ten'"),
        ({"hostgroups": {EAST: 10, WEST: 10}}, "a hostgroup stands there twice: 10, 10"),
        ({"reader_hostgroups": {EAST: 10, WEST: 21}}, "a hostgroup stands there twice"),
        ({"accounts": ("app_us",)}, "account app_us is one of segment us"),
        ({"schemas": ("shop_us",)}, "schema shop_us is one of segment us"),
        ({"admin": None}, "one of `admin` and `nodes` must be there"),
    ],
)
def test_settings_that_cannot_work_are_refused(said: Mapping[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        settings(**said)


def test_it_moves_its_segments_accounts_unless_others_are_named() -> None:
    assert (settings().accounts, settings().other_accounts, settings().other_schemas) == (("app_eu",), ("app_us",), ("shop_us",))
    spec = RouteSpec(name=RouteName("nobodys"), kind="proxysql_rules", settings={"admin": {"host": "h"}, "hostgroups": {EAST: 1, WEST: 2}})
    with pytest.raises(UsageError, match="does not say whose statements it moves"):
        read_rules_settings(spec, TOPOLOGY)


def test_a_cluster_is_led_to_by_its_name() -> None:
    assert Node(EU).facts().endpoints[0].raw == {"rule 7": "10"}
    assert [endpoint.cluster for endpoint in Node(EU).facts().endpoints] == [ClusterName("east"), ClusterName("west")]
