"""What `ports.Route` promises, held by the proxy in memory and by HAProxy alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contract.benches import Bench
from interlock.model.effects import Fence, Open, PointTo, RestoreRoute
from interlock.model.topology import ClusterName, RouteName, ServerName
from interlock.ports import Route
from interlock.routes.contract import ROUTE_RULES, Rule
from interlock.routes.contract import Bench as Tried

ROUTE, EAST, WEST = RouteName("writes"), ClusterName("east"), ClusterName("west")


@pytest.fixture
def route(bench: Bench) -> Iterator[Route]:
    """As it was, afterwards."""
    made = bench.first.route(ROUTE)
    before = made.facts()
    yield made
    made.apply(RestoreRoute(route=ROUTE, seen=before))


@pytest.mark.parametrize("rule", ROUTE_RULES, ids=lambda rule: rule.name)
def test_a_route_keeps_the_contract(route: Route, rule: Rule) -> None:
    rule.check(Tried(route=route, here=EAST, there=WEST))


def test_a_canary_goes_where_clients_go(bench: Bench, route: Route) -> None:
    assert route.canary("contract-route-1").server == "east"
    server = bench.first.server("east")
    assert server.sees_canary("contract-route-1") or bench.first.server("west").wait_applied(server.write_facts().position, 60.0)


def test_a_canary_that_is_refused_names_no_server_and_says_why(route: Route) -> None:
    route.apply(PointTo(route=ROUTE, cluster=WEST))
    refused = route.canary("contract-route-2")
    assert refused.server is None
    assert "1290" in refused.detail


def test_a_canary_follows_the_writer(bench: Bench, route: Route) -> None:
    bench.first.server("east").apply(Fence(server=ServerName("east"), within_s=20.0), mark="contract")
    bench.first.server("west").apply(Open(server=ServerName("west")), mark="contract")
    route.apply(PointTo(route=ROUTE, cluster=WEST))
    taken = route.canary("contract-route-3")
    bench.first.server("west").apply(Fence(server=ServerName("west"), within_s=20.0), mark="contract")
    assert taken.server == "west"
    assert bench.first.server("east").wait_applied(bench.first.server("west").write_facts().position, 60.0)
