"""What `ports.Route` promises, held by the proxy in memory and by HAProxy alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contract.benches import Bench
from interlock.model.effects import Fence, Hold, Open, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.facts import RouteFacts
from interlock.model.topology import ClusterName, RouteName, ServerName
from interlock.ports import Route

ROUTE, EAST, WEST = RouteName("writes"), ClusterName("east"), ClusterName("west")


@pytest.fixture
def route(bench: Bench) -> Iterator[Route]:
    """As it was, afterwards."""
    made = bench.first.route(ROUTE)
    before = made.facts()
    yield made
    made.apply(RestoreRoute(route=ROUTE, seen=before))


def kept(facts: RouteFacts) -> object:
    """What a restore must bring back: all but the counts and the proxy's own health checks."""
    return facts.leads_to, facts.holding, [(e.endpoint, e.cluster, e.state, dict(e.raw)) for e in facts.endpoints]


def test_a_route_leads_to_the_writer_and_can_be_read_back(route: Route) -> None:
    facts = route.facts()
    assert (facts.route, facts.leads_to, facts.holding, facts.provable) == (ROUTE, (EAST,), False, True)
    assert facts.hold_s is not None
    assert {endpoint.cluster for endpoint in facts.endpoints} == {EAST, WEST}


@pytest.mark.parametrize(
    ("effects", "leads_to", "holding"),
    [
        ([Hold(route=ROUTE)], (EAST,), True),
        ([Hold(route=ROUTE), Hold(route=ROUTE)], (EAST,), True),
        ([Hold(route=ROUTE), Release(route=ROUTE)], (EAST,), False),
        ([Release(route=ROUTE)], (EAST,), False),
        ([PointTo(route=ROUTE, cluster=WEST)], (WEST,), False),
        ([PointTo(route=ROUTE, cluster=WEST), PointTo(route=ROUTE, cluster=WEST)], (WEST,), False),
        ([Hold(route=ROUTE), PointTo(route=ROUTE, cluster=WEST)], (WEST,), False),
        ([PointTo(route=ROUTE, cluster=WEST), PointTo(route=ROUTE, cluster=EAST)], (EAST,), False),
    ],
    ids=["hold", "hold twice", "hold and release", "release what flows", "flip", "flip twice", "flip releases", "there and back"],
)
def test_an_effect_is_seen_on_the_next_look(
    route: Route, effects: list[RouteEffect], leads_to: tuple[ClusterName, ...], *, holding: bool
) -> None:
    for effect in effects:
        route.apply(effect)
    assert (route.facts().leads_to, route.facts().holding) == (leads_to, holding)


@pytest.mark.parametrize(
    "effects",
    [[PointTo(route=ROUTE, cluster=WEST)], [Hold(route=ROUTE)], [Hold(route=ROUTE), PointTo(route=ROUTE, cluster=WEST)]],
    ids=["flipped", "held", "held and flipped"],
)
def test_a_restored_route_is_exactly_as_it_was_seen(route: Route, effects: list[RouteEffect]) -> None:
    before = route.facts()
    for effect in effects:
        route.apply(effect)
    for _ in range(2):
        route.apply(RestoreRoute(route=ROUTE, seen=before))
        assert kept(route.facts()) == kept(before)


def test_a_held_route_is_restored_as_held(route: Route) -> None:
    route.apply(Hold(route=ROUTE))
    held = route.facts()
    route.apply(PointTo(route=ROUTE, cluster=WEST))
    route.apply(RestoreRoute(route=ROUTE, seen=held))
    assert kept(route.facts()) == kept(held)


def test_a_canary_goes_where_clients_go(bench: Bench, route: Route) -> None:
    assert route.canary("contract-route-1").server == "east"
    server = bench.first.server("east")
    assert server.sees_canary("contract-route-1") or bench.first.server("west").wait_applied(server.write_facts().position, 5.0)


def test_a_canary_that_is_refused_names_no_server_and_says_why(route: Route) -> None:
    route.apply(PointTo(route=ROUTE, cluster=WEST))
    refused = route.canary("contract-route-2")
    assert refused.server is None
    assert "1290" in refused.detail


def test_a_canary_follows_the_writer(bench: Bench, route: Route) -> None:
    bench.first.server("east").apply(Fence(server=ServerName("east"), within_s=2.0), mark="contract")
    bench.first.server("west").apply(Open(server=ServerName("west")), mark="contract")
    route.apply(PointTo(route=ROUTE, cluster=WEST))
    taken = route.canary("contract-route-3")
    bench.first.server("west").apply(Fence(server=ServerName("west"), within_s=2.0), mark="contract")
    assert taken.server == "west"
    assert bench.first.server("east").wait_applied(bench.first.server("west").write_facts().position, 5.0)


@pytest.mark.parametrize(
    "effect", [Hold(route=ROUTE), Release(route=ROUTE), PointTo(route=ROUTE, cluster=WEST)], ids=lambda effect: type(effect).__name__
)
def test_a_script_is_pure(route: Route, effect: RouteEffect) -> None:
    before = kept(route.facts())
    assert route.script(effect) == route.script(effect) != ()
    assert kept(route.facts()) == before
