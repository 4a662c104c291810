"""A route of several proxies that holds on some of them only or has lost one, and sessions that no hold reaches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.actions.route_checks import HoldOutlasts
from interlock.actions.route_facts import SeenRoutes, lead_to
from interlock.actions.route_flip import FlipRoutes
from interlock.actions.route_hold import HoldRoutes, ReleaseRoutes
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute
from interlock.model.facts import EndpointFacts, EndpointState, RouteFacts
from interlock.model.topology import ClusterName, RouteName
from interlock.model.verdict import Act, Done, Refuse

ROUTE, EAST, WEST = RouteName("writes"), ClusterName("east"), ClusterName("west")
FREE = RouteFacts(route=ROUTE, leads_to=(EAST,), holding=False, hold_s=10, provable=True)
IN_PART = replace(FREE, held_in_part=True)
HELD = replace(FREE, holding=True)
HOLDS = HoldRoutes(route=(ROUTE,))


def seen(route: RouteFacts) -> SeenRoutes:
    return SeenRoutes(routes=(route,))


@pytest.mark.parametrize(("now", "undone"), [(FREE, False), (IN_PART, True), (HELD, True)], ids=["free", "in part", "held"])
def test_the_undo_of_a_hold_releases_whatever_part_of_it_is_left(now: RouteFacts, undone: bool) -> None:  # noqa: FBT001
    assert HOLDS.undo(seen(FREE), seen(now)) == ((Release(route=ROUTE),) if undone else ())


def test_a_hold_in_part_is_no_hold() -> None:
    assert isinstance(HOLDS.decide(seen(IN_PART)), Act)
    assert HOLDS.effects(seen(IN_PART)) == (Hold(route=ROUTE),)


def test_a_release_and_a_flip_end_a_hold_in_part() -> None:
    assert isinstance(ReleaseRoutes(route=(ROUTE,)).decide(seen(IN_PART)), Act)
    assert ReleaseRoutes(route=(ROUTE,)).effects(seen(IN_PART)) == (Release(route=ROUTE),)
    flip = FlipRoutes(route=(ROUTE,), to=WEST)
    there = replace(IN_PART, leads_to=(WEST,))
    assert isinstance(flip.decide(seen(there)), Act)
    assert flip.effects(seen(there)) == (PointTo(route=ROUTE, cluster=WEST),)


def test_a_session_that_no_hold_reaches_is_named_in_a_warning() -> None:
    endpoint = EndpointFacts(
        proxy="p1:6032",
        endpoint="10.1.0.10:3306",
        cluster=EAST,
        state=EndpointState.DRAIN,
        healthy=None,
        sessions=1,
        queued=0,
        pinned=("session 17 of app@10.9.0.7:4711, idle for 5.1s",),
    )
    verdict = HOLDS.decide(seen(replace(HELD, endpoints=(endpoint, replace(endpoint, pinned=())))))
    assert isinstance(verdict, Done)
    assert verdict.warnings == (
        "route writes: p1:6032 can't hold who keeps a connection to 10.1.0.10:3306: session 17 of app@10.9.0.7:4711, idle for 5.1s",
    )


def endpoint(proxy: str, state: EndpointState) -> EndpointFacts:
    return EndpointFacts(proxy=proxy, endpoint="e", cluster=EAST, state=state, healthy=None, sessions=0, queued=0)


@pytest.mark.parametrize(
    ("first", "lost", "restored"),
    [
        (EndpointState.READY, ("p2",), False),
        (EndpointState.MAINTENANCE, ("p2",), True),
        (EndpointState.READY, (), True),
    ],
    ids=["the other one is as it was", "the other one is not", "none is lost"],
)
def test_an_undo_passes_over_a_proxy_that_was_lost(first: EndpointState, lost: tuple[str, ...], restored: bool) -> None:  # noqa: FBT001
    before = replace(FREE, endpoints=(endpoint("p1", EndpointState.READY), endpoint("p2", EndpointState.READY)))
    now = replace(FREE, endpoints=(endpoint("p1", first), endpoint("p2", EndpointState.UNKNOWN)), lost=lost)
    undo = FlipRoutes(route=(ROUTE,), to=WEST).undo(seen(before), seen(now))
    assert undo == ((RestoreRoute(route=ROUTE, seen=before),) if restored else ())


def test_a_proxy_that_was_lost_is_named_in_a_warning() -> None:
    verdict = lead_to(seen(replace(FREE, lost=("p2",))), EAST)
    assert isinstance(verdict, Done)
    assert verdict.warnings == ("route writes: p2 does not answer and was left out; see where it leads before it gets clients again",)


@pytest.mark.parametrize(("outage_s", "verdict"), [(9.9, Done), (10.0, Done), (10.1, Refuse)])
def test_a_hold_is_at_least_as_long_as_the_outage_may_last(outage_s: float, verdict: type) -> None:
    """ProxySQL's wait and the shipped playbook's bound are ten seconds, both by default."""
    check = HoldOutlasts(route=(ROUTE,), longer_than_s=outage_s)
    assert isinstance(check.decide(SeenRoutes(routes=(FREE,))), verdict)
