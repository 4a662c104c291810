"""The route by ProxySQL's rules on two nodes of the stand-in, in front of two real servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pymysql
import pytest

from interlock.actions.route_facts import SeenRoutes, lead_to
from interlock.errors import OutcomeUnknown, StatementFailed, Unreachable
from interlock.model.codec import from_plain, to_plain
from interlock.model.effects import PointTo, RestoreRoute
from interlock.model.facts import RouteFacts
from interlock.model.topology import ClusterName
from interlock.model.verdict import Refuse
from interlock.ports import Route
from interlock.routes.contract import ROUTE_RULES, Bench, Rule
from interlock.routes.proxysql_rules_script import LOAD, SAVE
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from servers.odd_proxy import odd_proxy
from servers.proxysqls import ROUTE, RULES, Fleet, fleet
from waiting import eventually

EAST, WEST = ClusterName("east"), ClusterName("west")
TO_WEST = PointTo(route=ROUTE, cluster=WEST)
TABLES = ("mysql_query_rules", "mysql_query_rules_fast_routing")
_RULES = (
    "INSERT INTO mysql_query_rules (rule_id, active, username, destination_hostgroup, apply, match_digest, timeout, comment) VALUES "
    "(7, 1, 'app', 10, 1, '^SELECT', 60000, 'it''s kept'), (8, 1, 'app', 10, 1, NULL, NULL, NULL), "
    "(9, 1, 'interlock_canary', 10, 0, NULL, NULL, NULL)"
)
APP = (_RULES, "INSERT INTO mysql_query_rules_fast_routing VALUES ('interlock_canary', 'app', 0, 10, 'of another')")


@pytest.fixture(scope="module")
def nodes_of_the_pair(pair: Sandbox) -> Iterator[Fleet]:
    with fleet(pair) as made:
        yield made


@pytest.fixture
def two(nodes_of_the_pair: Fleet) -> Fleet:
    nodes_of_the_pair.reset()
    nodes_of_the_pair.let_rules_lead(*APP)
    return nodes_of_the_pair


def route_of(made: Fleet, **settings: str) -> Route:
    return made.route(**{**RULES, "accounts": "app", **settings})


def everything(made: Fleet) -> list[list[dict[str, str]]]:
    places = [f"{place}{table}" for place in ("", "runtime_", "disk.") for table in TABLES]
    return [made.tell(node, f"SELECT * FROM {place}") for node in made.nodes for place in places]


@pytest.mark.parametrize("rule", ROUTE_RULES, ids=lambda rule: rule.name)
def test_a_rule_of_the_contract(two: Fleet, rule: Rule) -> None:
    rule.check(Bench(route=route_of(two), here=EAST, there=WEST))


def test_a_flip_moves_the_next_statement_of_a_session_that_is_there_and_of_no_other_account(two: Fleet) -> None:
    writes = route_of(two)
    first = two.nodes[0]
    with closing(two.client(first)) as client, closing(two.client(first)) as busy, closing(two.client(first)) as locked:
        sql.rows(busy, "START TRANSACTION")
        assert [sql.value(each, "SELECT @@server_id") for each in (client, busy, locked)] == [1, 1, 1]
        sql.rows(locked, "SET @mine = 1")
        writes.apply(TO_WEST)
        assert [sql.value(each, "SELECT @@server_id") for each in (client, busy)] == [2, 1]
        with pytest.raises(pymysql.err.OperationalError, match="locked to hostgroup 10 but trying to reach hostgroup 20"):
            sql.value(locked, "SELECT @@server_id")
        sql.rows(busy, "COMMIT")
        assert sql.value(busy, "SELECT @@server_id") == 2
    seen = two.tell(first, "SELECT rule_id, destination_hostgroup FROM runtime_mysql_query_rules ORDER BY rule_id")
    assert [tuple(row.values()) for row in seen] == [("7", "20"), ("8", "20"), ("9", "10")]


def test_an_undo_is_exact_on_every_node_and_on_the_disk(two: Fleet) -> None:
    """One of them had a rule more than the other."""
    two.tell(two.nodes[1], "UPDATE mysql_query_rules SET schemaname='app' WHERE rule_id=7", "LOAD MYSQL QUERY RULES TO RUNTIME")
    two.tell(two.nodes[1], "SAVE MYSQL QUERY RULES TO DISK")
    writes, before = route_of(two), everything(two)
    seen = from_plain(to_plain(writes.facts()), RouteFacts)
    writes.apply(TO_WEST)
    assert everything(two) != before
    for _ in range(2):
        writes.apply(RestoreRoute(route=ROUTE, seen=seen))
        assert everything(two) == before
        assert writes.facts() == seen


def test_what_plan_prints_is_what_is_sent(two: Fleet) -> None:
    writes, second = route_of(two), two.nodes[1]
    (line,) = (line for line in writes.script(TO_WEST) if line.startswith(f"proxysql {second.admin}: "))
    two.tell(second, *line.removeprefix(f"proxysql {second.admin}: ").split("; "))
    by_hand = everything(two)
    assert writes.facts().leads_to == (EAST, WEST)
    writes.apply(TO_WEST)
    assert everything(two) == [*by_hand[6:], *by_hand[6:]]


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["UPDATE mysql_query_rules SET timeout=1"], "what runtime_mysql_query_rules has, and a flip would load them: rule 7"),
        (
            ["UPDATE mysql_query_rules SET timeout=1", "LOAD MYSQL QUERY RULES TO RUNTIME"],
            "what disk.mysql_query_rules has, and a flip would save them: rule 7",
        ),
        (["DELETE FROM mysql_query_rules_fast_routing"], "load them: fast routing of interlock_canary in app"),
        (["DELETE FROM mysql_query_rules WHERE rule_id=8", "LOAD MYSQL QUERY RULES TO RUNTIME"], "default_hostgroup of app"),
    ],
    ids=["not loaded", "not saved", "fast routing", "no rule left"],
)
def test_what_a_flip_could_not_move_or_would_put_into_force_is_met_before_it(two: Fleet, statements: list[str], words: str) -> None:
    route_of(two).warm_up()
    two.tell(two.nodes[1], *statements)
    with pytest.raises(StatementFailed, match=words):
        route_of(two).warm_up()


def test_what_somebody_leaves_half_done_after_the_check_is_not_put_into_force(two: Fleet) -> None:
    """On one node, while the run was killed, say: no node is flipped, and the way back has nothing to do."""
    writes = route_of(two)
    writes.warm_up()
    two.tell(two.nodes[1], "UPDATE mysql_query_rules SET timeout=1 WHERE rule_id=9")
    before = everything(two)
    with pytest.raises(StatementFailed, match="a flip would load them: rule 9"):
        writes.apply(TO_WEST)
    assert everything(two) == before
    two.tell(two.nodes[1], "LOAD MYSQL QUERY RULES FROM DISK")
    writes.apply(TO_WEST)
    assert writes.facts().leads_to == (WEST,)


def test_a_rule_that_somebody_puts_before_ours_is_named_and_stops_a_flip_from_being_over(two: Fleet) -> None:
    writes, second = route_of(two), two.nodes[1]
    seen = writes.facts()
    two.tell(second, "INSERT INTO mysql_query_rules (rule_id, active, destination_hostgroup, apply) VALUES (1, 1, 10, 1)", LOAD, SAVE)
    writes.apply(TO_WEST)
    verdict = lead_to(SeenRoutes(routes=(writes.facts(),)), WEST)
    assert isinstance(verdict, Refuse)
    assert verdict.why == "route writes leads to west and hostgroup 10 (rule 1), not to west"
    two.tell(second, "DELETE FROM mysql_query_rules WHERE rule_id=1")
    writes.apply(RestoreRoute(route=ROUTE, seen=seen))
    assert writes.facts() == seen


# -- a node that goes away -----------------------------------------------------------------------------------------------------------


def test_a_node_whose_reply_is_lost_in_its_flip_is_led_either_way(two: Fleet) -> None:
    """It has changed a table and loaded nothing; nobody here knows how far it came."""
    first, second = two.nodes
    with odd_proxy((second.host, second.admin_port)) as odd:
        host, _, port = odd.address.rpartition(":")
        writes = route_of(two, nodes=f"[{{host: {first.host}, port: {first.admin_port}}}, {{host: {host}, port: {port}}}]")
        seen, before = writes.facts(), everything(two)
        odd.loses = b"UPDATE mysql_query_rules SET"
        with pytest.raises(OutcomeUnknown, match=odd.address):
            writes.apply(TO_WEST)
        assert odd.loses == b""
        assert writes.facts().leads_to == (EAST, WEST)
        writes.warm_up()  # as a run does that is taken up here
        writes.apply(TO_WEST)
        assert writes.facts().leads_to == (WEST,)
        writes.apply(RestoreRoute(route=ROUTE, seen=seen))
        assert everything(two) == before


def test_a_node_that_is_down_is_an_error_first_and_left_out_and_named_later(two: Fleet) -> None:
    second = two.nodes[1]
    writes = route_of(two, lost_after="300ms")
    seen = writes.facts()
    two.stop(second)
    with pytest.raises(Unreachable, match=second.admin):
        writes.facts()

    def is_left_out() -> bool:
        try:
            return writes.facts().lost == (second.admin,)
        except Unreachable:
            return False

    assert eventually(is_left_out)
    writes.apply(TO_WEST)
    assert (writes.facts().lost, writes.facts().leads_to) == ((second.admin,), (WEST,))
    two.start(second)
    assert writes.facts().leads_to == (EAST, WEST)
    writes.apply(RestoreRoute(route=ROUTE, seen=seen))
    assert writes.facts() == seen


def test_a_node_that_dies_after_its_flip_comes_back_flipped(two: Fleet) -> None:
    writes, second = route_of(two), two.nodes[1]
    writes.apply(TO_WEST)
    two.stop(second)
    two.start(second)
    assert writes.facts().leads_to == (WEST,)
