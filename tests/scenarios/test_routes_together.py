"""Routes of different kinds in one run: they flip together or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from interlock.engine.events import PhaseBegan
from interlock.sandbox.places import Sandbox
from interlock.sandbox.poller import poller
from interlock.sandbox.sql import query
from scenarios.pair_state import open_sides
from scenarios.routed import CLOCK, Moved, by_command, by_etcd, by_haproxy, by_webhook, go, leads_to, routed, sandbox_with, wired
from servers.etcd_lab import Cluster
from servers.http_stand_ins import Answer, Request, StandIn

SLOW_S = 2.0

Together = tuple[Sandbox, dict[str, Moved]]


@pytest.fixture(autouse=True)
def east_writes(pair: Sandbox) -> None:
    """Whatever a test before left."""
    query(pair, "west", "SET GLOBAL read_only=1")
    query(pair, "east", "SET GLOBAL read_only=0")


@pytest.fixture
def together(pair: Sandbox, etcd: Cluster) -> Iterator[Together]:
    """HAProxy, a key in etcd, a service, and a program."""
    kinds = {"proxy": by_haproxy(pair), "key": by_etcd(pair, etcd), "service": by_webhook(pair), "program": by_command(pair)}
    with routed(pair, kinds) as made:
        yield made


def service_of(routes: Mapping[str, Moved]) -> StandIn:
    stand_in = routes["service"].stand_in
    assert stand_in is not None
    return stand_in


def is_a_flip(request: Request) -> bool:
    return request.method == "POST" and request.path == "/switch"


def test_four_kinds_flip_together_there_and_back(together: Together) -> None:
    sandbox, routes = together
    with wired(sandbox) as wiring, poller(sandbox) as watching:
        for to in ("west", "east"):
            report = go(wiring, to)
            assert (report.outcome, report.problems) == ("succeeded", []), report
            assert leads_to(wiring) == dict.fromkeys(routes, (to,))
            assert open_sides(sandbox) == [to]
        assert watching.stop().two == 0


def test_the_flip_of_several_routes_takes_as_long_as_the_slowest(pair: Sandbox, together: Together) -> None:
    """Two of them take two seconds each: one after the other would be four."""
    _, routes = together
    service = service_of(routes)
    service.before = lambda request: CLOCK.sleep(SLOW_S if is_a_flip(request) else 0)
    program = routes["program"].settings["flip"]
    assert isinstance(program, list)
    slow = {**routes["program"].settings, "flip": [*program[:2], f"sleep {SLOW_S}; {program[2]}", *program[3:]]}
    sandbox = sandbox_with(pair, {**routes, "program": replace(routes["program"], settings=slow)})
    with wired(sandbox) as wiring:
        report = go(wiring, "west")
        assert report.outcome == "succeeded", report
        (flip,) = (phase for phase in report.phases if phase.phase == "flip")
        assert flip.ms is not None
        assert SLOW_S * 1000 <= flip.ms < 2 * SLOW_S * 1000
        assert report.outage_ms is not None
        assert report.outage_ms >= SLOW_S * 1000
        assert go(wiring, "east").outcome == "succeeded"


@pytest.mark.parametrize("how", ["refuses", "is gone"])
def test_one_that_fails_sends_all_of_them_back(together: Together, how: str) -> None:
    sandbox, routes = together
    service = service_of(routes)
    judge = service.handle

    def refuses_west(request: Request) -> Answer:
        return (409, "not today") if is_a_flip(request) and "west" in request.body else judge(request)

    def end_for_a_moment_at_the_flip(event: object) -> None:
        if isinstance(event, PhaseBegan) and event.phase == "flip":
            service.stop()
            threading.Timer(1.5, service.start).start()

    with wired(sandbox) as wiring, poller(sandbox) as watching:
        if how == "refuses":
            service.handle = refuses_west
            report = go(wiring, "west")
        else:
            report = go(wiring, "west", observe=end_for_a_moment_at_the_flip)
        assert (report.outcome, report.exit_code) == ("rolled_back", 4), report
        assert service.url in report.problems[0].what
        assert leads_to(wiring) == dict.fromkeys(routes, ("east",))
        assert not any(wiring.world.route(name).facts().holding for name in routes)
        assert open_sides(sandbox) == ["east"]
        assert watching.stop().two == 0
