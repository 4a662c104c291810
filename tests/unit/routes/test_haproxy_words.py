"""Settings, commands and answers of the HAProxy route, without a proxy."""

from __future__ import annotations

import pytest

from interlock.clock import SystemClock
from interlock.errors import UsageError
from interlock.hosts.local import Here
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.facts import EndpointFacts, EndpointState, RouteFacts
from interlock.model.topology import ClusterName, RouteName, RouteSpec, Topology
from interlock.ports import Route
from interlock.routes.haproxy_facts import leads_to
from interlock.routes.parts import RouteParts
from interlock.routes.registry import make_route

EAST, WEST, ROUTE = ClusterName("east"), ClusterName("west"), RouteName("writes")
CLOCK = SystemClock()
PARTS = RouteParts(topology=Topology(name="shop", clusters={}), outside=Here(CLOCK), clock=CLOCK)


def route(**settings: object) -> Route:
    said = {"socket": ("/s1",), "backend": "db", "servers": {EAST: "a", WEST: "b"}, **settings}
    return make_route(RouteSpec(name=ROUTE, kind="haproxy", settings=said, clients=("127.0.0.1", 3306)), PARTS)


def endpoint(name: str, cluster: ClusterName, state: EndpointState, *, sessions: int = 0, **raw: str) -> EndpointFacts:
    known = {"state": "ready" if state is EndpointState.READY else "maint", "weight": "1", "configured_weight": "1", "maxconn": "0"}
    return EndpointFacts(
        proxy="/s1",
        endpoint=name,
        cluster=cluster,
        state=state,
        healthy=None,
        sessions=sessions,
        queued=0,
        raw={**known, "backup": "0", "hold": "0", **raw},
    )


def seen(*endpoints: EndpointFacts) -> RouteFacts:
    return RouteFacts(route=ROUTE, leads_to=(EAST,), holding=False, hold_s=30, provable=True, endpoints=endpoints)


AS_USUAL = seen(endpoint("a", EAST, EndpointState.READY, weight="7"), endpoint("b", WEST, EndpointState.MAINTENANCE))

LUA = {"hold": "lua"}
QUEUE = {"hold": "queue", "hold_limit": 20.0}


@pytest.mark.parametrize(
    ("settings", "effect", "words"),
    [
        pytest.param(LUA, Hold(route=ROUTE), "experimental-mode on; set var proc.hold int(1)", id="lua-hold"),
        pytest.param(LUA, Release(route=ROUTE), "experimental-mode on; set var proc.hold int(0)", id="lua-release"),
        pytest.param(
            LUA,
            PointTo(route=ROUTE, cluster=WEST),
            "set server db/b state ready; set server db/a state maint; shutdown sessions server db/a; "
            "experimental-mode on; set var proc.hold int(0)",
            id="lua-flip: ready before parked, and the hold last",
        ),
        pytest.param(
            {"park": "drain"},
            PointTo(route=ROUTE, cluster=EAST),
            "set server db/a state ready; set server db/b state drain; shutdown sessions server db/b",
            id="drain",
        ),
        pytest.param(QUEUE, Hold(route=ROUTE), "set maxconn server db/a 1; set maxconn server db/b 1", id="queue-hold"),
        pytest.param(
            {**QUEUE, "maxconn": 50},
            PointTo(route=ROUTE, cluster=WEST),
            "set maxconn server db/b 50; set server db/b state ready; set server db/a state maint; "
            "shutdown sessions server db/a; set maxconn server db/a 50",
            id="queue-flip: room before ready",
        ),
        pytest.param(
            QUEUE,
            Release(route=ROUTE),
            "set maxconn server db/a 100000; set maxconn server db/a 0; set maxconn server db/b 100000; set maxconn server db/b 0",
            id="queue-release: a limit of 0 lets nobody out",
        ),
        pytest.param(
            {},
            RestoreRoute(route=ROUTE, seen=AS_USUAL),
            "set weight db/a 7; set server db/a state ready; "
            "set weight db/b 100%; set server db/b state maint; shutdown sessions server db/b",
            id="restore",
        ),
        pytest.param(
            {},
            RestoreRoute(
                route=ROUTE,
                seen=seen(endpoint("a", EAST, EndpointState.READY), endpoint("b", WEST, EndpointState.MAINTENANCE, sessions=2)),
            ),
            "set weight db/a 100%; set server db/a state ready; set weight db/b 100%; set server db/b state maint",
            id="restore spares sessions that were there before",
        ),
    ],
)
def test_each_effect_comes_to_these_words(settings: dict[str, object], effect: RouteEffect, words: str) -> None:
    assert route(**settings).script(effect) == (f"haproxy /s1: {words}",)


@pytest.mark.parametrize("effect", [Hold(route=ROUTE), Release(route=ROUTE)], ids=["hold", "release"])
def test_a_route_that_cannot_hold_says_nothing(effect: RouteEffect) -> None:
    assert route().script(effect) == ()


def test_no_effect_touches_a_frontends_maxconn() -> None:
    """HAProxy 2.6.12 aborts (upstream issue 2726)."""
    effects = (Hold(route=ROUTE), Release(route=ROUTE), PointTo(route=ROUTE, cluster=WEST), RestoreRoute(route=ROUTE, seen=AS_USUAL))
    for settings in (LUA, QUEUE, {}):
        assert not any("frontend" in line for effect in effects for line in route(**settings).script(effect))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"backend": "db; shutdown frontend clients"}, "no name of HAProxy's"),
        ({"backend": "db\nset server db/a state maint"}, "no name of HAProxy's"),
        ({"servers": {EAST: "a state maint; x", WEST: "b"}}, "no name of HAProxy's"),
        ({"servers": {EAST: "a\n", WEST: "b"}}, "no name of HAProxy's"),
        ({"servers": {EAST: "", WEST: "b"}}, "no name of HAProxy's"),
        ({"servers": {EAST: "a/b", WEST: "b"}}, "no name of HAProxy's"),
        ({"servers": {EAST: "a", WEST: "a"}}, "the same server"),
        ({"socket": ("tcp:host",)}, "not tcp:host:port"),
        ({"socket": ("tcp:host:99999",)}, "not tcp:host:port"),
        ({"socket": ("relative/path",)}, "neither tcp:host:port nor unix:/path"),
        ({"socket": ("/path\nx",)}, "line break"),
        ({"hold": "queue"}, "without hold_limit"),
        ({**QUEUE, "socket": ("/s1", "/s2")}, "needs one proxy"),
        ({**QUEUE, "maxconn": 1}, "can't be told from a hold"),
    ],
)
def test_settings_that_could_inject_or_cannot_work_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        route(**settings)
    assert "route writes" in refused.value.message


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ({}, {"state": EndpointState.MAINTENANCE}, (EAST,)),
        ({}, {}, (EAST, WEST)),
        ({}, {"backup": "1"}, (EAST,)),
        ({"state": EndpointState.DRAIN}, {"backup": "1"}, (WEST,)),
        ({"healthy": False}, {"backup": "1"}, (WEST,)),
        ({"backup": "1"}, {"backup": "1"}, (EAST,)),
        ({"healthy": False}, {"state": EndpointState.MAINTENANCE}, ()),
    ],
    ids=["one", "split", "backup-idle", "backup-after-drain", "backup-after-death", "first-backup", "none"],
)
def test_a_route_leads_where_new_clients_are_sent_now(
    a: dict[str, object], b: dict[str, object], expected: tuple[ClusterName, ...]
) -> None:
    endpoints = tuple(
        EndpointFacts(
            proxy="/s1",
            endpoint=name,
            cluster=cluster,
            state=EndpointState(str(said.get("state", "ready"))),
            healthy=bool(said.get("healthy", True)),
            sessions=0,
            queued=0,
            raw={"backup": str(said.get("backup", "0"))},
        )
        for name, cluster, said in (("a", EAST, a), ("b", WEST, b))
    )
    assert leads_to(endpoints, (EAST, WEST)) == expected
