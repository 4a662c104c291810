"""Fencing in the proxies: a real HAProxy, and nodes of the stand-in for ProxySQL, in front of two real servers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pymysql
import pytest

import hanging
from interlock.bootstrap import read_topology
from interlock.clock import SystemClock
from interlock.errors import Unreachable
from interlock.fencing.contract import FENCE_RULES, Bench, Rule
from interlock.fencing.routing import CLOSED
from interlock.hosts.local import Here
from interlock.model.effects import FenceOutside, PointTo, ReleaseOutside
from interlock.model.topology import ClusterName, RouteName
from interlock.ports import FenceAgent, Route
from interlock.routes.parts import RouteParts
from interlock.routes.registry import make_route
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import rows
from servers.fencing_parts import EAST, agent_of
from servers.proxysqls import Fleet, fleet

CLOCK = SystemClock()
WEST, ROUTE = ClusterName("west"), RouteName("writes")
FENCE = FenceOutside(cluster=EAST, agent="proxy", within_s=60.0)


def haproxy_route(pair: Sandbox) -> Route:
    topology = read_topology(Path(pair.topology))
    return make_route(topology.routes[ROUTE], RouteParts(topology=topology, outside=Here(CLOCK), clock=CLOCK))


def closing_in(kind: str, route: Callable[[], Route], **settings: object) -> FenceAgent:
    return agent_of({"type": "proxy", "route": "writes", **settings}, routes={"writes": (kind, route())})


@pytest.fixture
def led_east(pair: Sandbox) -> Sandbox:
    haproxy_route(pair).apply(PointTo(route=ROUTE, cluster=EAST))
    return pair


@pytest.fixture(scope="module")
def nodes(pair: Sandbox) -> Iterator[Fleet]:
    with fleet(pair) as made:
        yield made


@pytest.fixture
def two(nodes: Fleet) -> Fleet:
    """With no server left, a client is told so after a fifth of a second."""
    nodes.reset()
    for node in nodes.nodes:
        nodes.tell(node, "SET mysql-connect_timeout_server_max='200'", "LOAD MYSQL VARIABLES TO RUNTIME")
    return nodes


def reaches_east(pair: Sandbox) -> bool:
    try:
        with closing(sql.connect_as_client(pair, read_timeout_s=60)) as client:
            return bool(sql.value(client, "SELECT @@server_id") == 1)
    except pymysql.err.OperationalError:
        return False


def _starts_anyhow() -> None:
    """The server behind the proxies runs all the time."""


@pytest.mark.parametrize("rule", FENCE_RULES, ids=lambda rule: rule.name)
def test_a_cluster_that_is_closed_in_haproxy_keeps_the_contract(led_east: Sandbox, rule: Rule) -> None:
    def agent() -> FenceAgent:
        return closing_in("haproxy", lambda: haproxy_route(led_east))

    rule.check(Bench(agent=agent(), another=agent, lets_in=lambda: reaches_east(led_east), start=_starts_anyhow))


@pytest.mark.parametrize("rule", FENCE_RULES, ids=lambda rule: rule.name)
def test_a_cluster_that_is_closed_in_proxysql_keeps_the_contract(two: Fleet, pair: Sandbox, rule: Rule) -> None:
    def agent() -> FenceAgent:
        return closing_in("proxysql", two.route)

    def lets_in() -> bool:
        found = {reaches_east(node.before(pair)) for node in two.nodes}
        assert len(found) == 1, "one node lets clients in and the other does not"
        return found.pop()

    rule.check(Bench(agent=agent(), another=agent, lets_in=lets_in, start=_starts_anyhow))


def test_the_sessions_through_a_proxy_are_ended(led_east: Sandbox) -> None:
    agent = closing_in("haproxy", lambda: haproxy_route(led_east))
    with closing(sql.connect_as_client(led_east)) as client:
        rows(client, "SELECT 1")
        agent.apply(FENCE)
        with pytest.raises(pymysql.err.OperationalError):
            rows(client, "SELECT 1")
    assert agent.facts().detail.startswith("east at unix:")
    assert "is maintenance with 0 sessions" in agent.facts().detail


def test_one_way_that_is_closed_is_not_the_whole_server(led_east: Sandbox) -> None:
    agent = closing_in("haproxy", lambda: haproxy_route(led_east))
    agent.apply(FENCE)
    assert not agent.facts().whole
    with closing(sql.connect(led_east, "east")) as east:
        assert sql.value(east, "SELECT @@server_id") == 1


def test_a_release_leads_nobody_back_once_the_route_leads_elsewhere(led_east: Sandbox) -> None:
    """Between the fence and its release the writes went over: to let clients go to both would split them."""
    agent = closing_in("haproxy", lambda: haproxy_route(led_east))
    before = agent.facts()
    agent.apply(FENCE)
    haproxy_route(led_east).apply(PointTo(route=ROUTE, cluster=WEST))
    agent.apply(ReleaseOutside(cluster=EAST, agent="proxy", seen=before))
    assert {e.cluster: str(e.state) for e in haproxy_route(led_east).facts().endpoints} == {EAST: "maintenance", WEST: "ready"}


def test_a_proxysql_row_keeps_its_attributes(two: Fleet) -> None:
    agent = closing_in("proxysql", two.route)
    tables = [two.table(node) for node in two.nodes]
    before = agent.facts()
    agent.apply(FENCE)
    closed = [{row["status"] for row in two.table(node) if row["hostname"] == two.sandbox.members["east"].host} for node in two.nodes]
    assert closed == [{"OFFLINE_HARD"}] * 2
    agent.apply(ReleaseOutside(cluster=EAST, agent="proxy", seen=before))
    assert [two.table(node) for node in two.nodes] == tables
    assert set(before.raw) == {"writes"}
    assert json.loads(before.raw["writes"])["route"] == "writes"


def test_a_node_that_does_not_answer_can_not_be_closed_and_is_not_said_to_be(two: Fleet) -> None:
    (first, second) = two.nodes
    agent = closing_in("proxysql", lambda: two.route(timeout="1s"))
    agent.facts()
    with hanging.hung(two.process(second).pid):
        with pytest.raises(Unreachable):
            agent.apply(FENCE)
        with pytest.raises(Unreachable):
            agent.facts()
    assert reaches_east(first.before(two.sandbox)), "a fence in some of the proxies only is none"


def test_all_takes_every_route_that_can_end_sessions(led_east: Sandbox, two: Fleet) -> None:
    others = {"vip": ("vip", haproxy_route(led_east)), "dns": ("dns", haproxy_route(led_east))}
    able = {"writes": ("haproxy", haproxy_route(led_east)), "more": ("proxysql", two.route())}
    agent = agent_of({"type": "proxy", "route": "all"}, routes={**others, **able})
    assert len(agent.script(FENCE)) == 2
    agent.apply(FENCE)
    assert not reaches_east(led_east)
    assert not reaches_east(two.nodes[0].before(led_east))
    assert set(CLOSED) == {"haproxy", "proxysql", "vip"}
