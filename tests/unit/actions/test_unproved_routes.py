"""A route that can't be read back is proved by a canary, or taken at the operator's word, or not used."""

from __future__ import annotations

import pytest

from interlock.actions.route_checks import RouteCanary, RouteLeadsTo, SeenCanaries
from interlock.actions.route_facts import SeenRoutes
from interlock.actions.route_flip import FlipRoutes
from interlock.model.effects import PointTo, RestoreRoute
from interlock.model.facts import CanaryFacts, RouteFacts
from interlock.model.topology import ClusterName, RouteName, ServerName
from interlock.model.verdict import Act, Done, Refuse

EAST, WEST, BLIND, PROXY = ClusterName("east"), ClusterName("west"), RouteName("blind"), RouteName("proxy")
FLIP = FlipRoutes(route=(BLIND, PROXY), to=WEST)


def facts(route: RouteName = BLIND, *leads_to: ClusterName) -> RouteFacts:
    return RouteFacts(route=route, leads_to=leads_to, holding=False, hold_s=None, provable=route is PROXY)


AT_ITS_WORD = "route blind can't be read back: it is taken at its word, and nothing proves where it leads"
ONLY_READ_BACK = "proxy: no `clients` address in the topology, so no row was sent, and it was only read back"
HINT = "give it `show`, or `clients` for a canary, or take it at its word: `unproved: true` in routes.blind"


def test_it_refuses_what_nothing_can_tell_of() -> None:
    refused = Refuse("route blind can't be read back, and no canary can be sent through it", HINT)
    blind = SeenRoutes(routes=(facts(),))
    assert RouteLeadsTo(route=(BLIND,), to=EAST).decide(blind) == refused
    assert RouteCanary(route=(BLIND,), expect=EAST).decide(SeenCanaries(canaries=(), unproved=blind)) == refused
    assert FLIP.decide(blind) == refused


def test_what_is_trusted_passes_with_a_warning_each_time() -> None:
    seen = SeenRoutes(routes=(facts(),), trusted=(BLIND,))
    assert RouteLeadsTo(route=(BLIND,), to=EAST).decide(seen) == Done("blind: taken to lead to east, unproved", (AT_ITS_WORD,))


@pytest.mark.parametrize(
    ("routes", "rows", "why", "warnings"),
    [
        ((facts(),), 0, "no row was sent; blind: taken to lead to west, unproved", (AT_ITS_WORD,)),
        ((facts(PROXY, WEST),), 0, "no row was sent; proxy: to west", (ONLY_READ_BACK,)),
        (
            (facts(), facts(PROXY, WEST)),
            2,
            "2 rows through other were taken by west; proxy: to west; blind: taken to lead to west, unproved",
            (ONLY_READ_BACK, AT_ITS_WORD),
        ),
    ],
    ids=["unproved", "read back", "both, beside one with a canary"],
)
def test_where_no_canary_went_none_is_claimed(routes: tuple[RouteFacts, ...], rows: int, why: str, warnings: tuple[str, ...]) -> None:
    sent = tuple(CanaryFacts(route=RouteName("other"), server=ServerName("west"), detail="") for _ in range(rows))
    seen = SeenCanaries(canaries=sent, unproved=SeenRoutes(routes=routes, trusted=(BLIND,)))
    assert RouteCanary(route=(BLIND, PROXY), expect=WEST).decide(seen) == Done(why, warnings)


@pytest.mark.parametrize(
    ("routes", "once"),
    [((facts(),), True), ((facts(), facts(PROXY, EAST)), False), ((facts(BLIND, WEST), facts(PROXY, EAST)), False)],
    ids=["alone", "with one that can", "told already"],
)
def test_only_a_flip_that_nothing_can_tell_of_is_not_looked_at_again(routes: tuple[RouteFacts, ...], *, once: bool) -> None:
    verdict = FLIP.decide(SeenRoutes(routes=routes, trusted=(BLIND,)))
    assert isinstance(verdict, Act)
    assert verdict.once is once


def test_a_flip_is_done_once_this_process_told_it_and_sends_nothing_more() -> None:
    seen = SeenRoutes(routes=(facts(BLIND, WEST), facts(PROXY, WEST)), trusted=(BLIND,))
    assert isinstance(FLIP.decide(seen), Done)
    assert FLIP.effects(seen) == ()


def test_both_kinds_flip_in_one_go() -> None:
    seen = SeenRoutes(routes=(facts(), facts(PROXY, EAST)), trusted=(BLIND,), came_from=EAST)
    assert FLIP.effects(seen) == (PointTo(route=BLIND, cluster=WEST), PointTo(route=PROXY, cluster=WEST))


@pytest.mark.parametrize(
    ("now", "goes_back"),
    [(None, True), (facts(), True), (facts(BLIND, WEST), True), (facts(BLIND, EAST), False)],
    ids=["in a plan", "by another process", "told to go", "told to come back"],
)
def test_the_way_back_takes_it_to_where_it_came_from_and_then_leaves_it(now: RouteFacts | None, *, goes_back: bool) -> None:
    before = SeenRoutes(routes=(facts(),), trusted=(BLIND,), came_from=EAST)
    undo = FLIP.undo(before, None if now is None else SeenRoutes(routes=(now,)))
    assert undo == ((RestoreRoute(route=BLIND, seen=facts(BLIND, EAST)),) if goes_back else ())
