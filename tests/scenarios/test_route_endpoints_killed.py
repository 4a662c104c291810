"""What a route talks to is killed just before, during and just after its flip, and is started again as its supervisor would.

Whatever the moment: the run ends rolled back or has gone forward, with one writer, and the route leads to that writer alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from interlock.bootstrap import Wiring
from interlock.engine.events import PhaseBegan, PhaseEnded, RunEnded, StepActs
from interlock.engine.status import status
from interlock.errors import DriverError
from interlock.model.effects import PointTo
from interlock.model.topology import ClusterName, RouteName
from interlock.sandbox.places import Sandbox
from interlock.sandbox.poller import poller
from interlock.sandbox.sql import query
from scenarios.pair_state import open_sides, switchover_with
from scenarios.routed import KINDS, Moved, by_etcd, by_webhook, go, leads_to, routed, sandbox_with, wired
from scenarios.test_going_back_under_load import short_way_back
from servers.etcd_lab import etcd_cluster
from servers.http_stand_ins import Request
from waiting import eventually

BACK_AFTER_S = 1.0
MOMENTS = ("before", "during", "after")


@pytest.fixture(autouse=True)
def east_writes(pair: Sandbox) -> None:
    """Whatever a test before left."""
    query(pair, "west", "SET GLOBAL read_only=1")
    query(pair, "east", "SET GLOBAL read_only=0")


@contextmanager
def route_of(kind: str, pair: Sandbox) -> Iterator[tuple[Sandbox, Moved]]:
    if kind != "etcd":
        with routed(pair, {"writes": KINDS[kind](pair)}) as (sandbox, routes), all_back():
            yield sandbox, routes["writes"]
        return
    folder = Path(pair.directory) / "etcd"
    folder.mkdir(exist_ok=True)
    with etcd_cluster(folder, size=1) as cluster, routed(pair, {"writes": by_etcd(pair, cluster)}) as (sandbox, routes), all_back():
        yield sandbox, routes["writes"]


_RESTARTS: list[threading.Timer] = []


def restarted(moved: Moved) -> None:
    _RESTARTS.append(threading.Timer(BACK_AFTER_S, moved.start))
    _RESTARTS[-1].start()


def await_restarts() -> None:
    """What was killed runs again: a route tells of one that is out of reach what it saw before, for a while."""
    while _RESTARTS:
        _RESTARTS.pop().join()


@contextmanager
def all_back() -> Iterator[None]:
    """None is started behind a test's back, when what it needs is gone."""
    try:
        yield
    finally:
        await_restarts()


def is_a_flip(request: Request) -> bool:
    """Whichever service it is: the request that names the new side, or makes it ready."""
    names_it = "west" in request.body or '"id": "w"' in request.body
    return request.method != "GET" and (names_it or (request.path.endswith("/west") and "ready" in request.body))


def arm(moved: Moved, moment: str) -> Callable[[Any], None]:
    """Have it killed at the moment; an observer of the run, to give to it."""

    def kill() -> None:
        moved.stop()
        restarted(moved)

    def killed_by(request: Request) -> bool:
        hit = is_a_flip(request)
        if hit:
            restarted(moved)
        return hit

    if moved.stand_in is not None and moment != "before":
        setattr(moved.stand_in, "dies_in" if moment == "during" else "dies_after", once(killed_by))
        return lambda _: None

    leads, over = moved.leads, threading.Event()
    killers: list[threading.Thread] = []

    def kill_once_it_leads(leads: Callable[[], str]) -> None:
        eventually(lambda: over.is_set() or leads() == "west")
        if not over.is_set():
            kill()

    def observe(event: Any) -> None:
        if isinstance(event, RunEnded):
            over.set()
            for killer in killers:
                killer.join()
        if moment == "during" and isinstance(event, StepActs) and event.step == "flip/route.flip":
            if leads is None:  # what it is told at run time is lost with it: it must be dead while the run still looks
                kill()
            else:
                killers.append(threading.Thread(target=kill_once_it_leads, args=(leads,)))
                killers[-1].start()
        begins = isinstance(event, PhaseBegan) and event.phase == "flip" and moment == "before"
        ends = isinstance(event, PhaseEnded) and event.phase == "flip" and moment == "after"
        if begins or ends:
            kill()

    return observe


def once(judge: Callable[[Request], bool]) -> Callable[[Request], bool]:
    hits: list[Request] = []

    def judged(request: Request) -> bool:
        if hits or not judge(request):
            return False
        hits.append(request)
        return True

    return judged


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("kind", ["data-plane", "consul", "webhook", "maxscale"])
def test_a_killed_service_splits_nothing(pair: Sandbox, kind: str, moment: str) -> None:
    with route_of(kind, pair) as (sandbox, moved), wired(sandbox) as wiring:
        whole_or_back(sandbox, wiring, moved, moment)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("kind", ["haproxy", "etcd", "ssh"])
def test_a_killed_program_splits_nothing(pair: Sandbox, kind: str, moment: str) -> None:
    with route_of(kind, pair) as (sandbox, moved), wired(sandbox) as wiring:
        whole_or_back(sandbox, wiring, moved, moment)


def test_a_command_that_is_killed_when_its_work_is_done_splits_nothing(pair: Sandbox) -> None:
    with route_of("command", pair) as (sandbox, moved), wired(sandbox) as wiring:
        moved.stop()
        whole_or_back(sandbox, wiring, moved, "not again")


def whole_or_back(sandbox: Sandbox, wiring: Wiring, moved: Moved, moment: str) -> None:
    with poller(sandbox) as watching:
        report = go(wiring, "west", observe=arm(moved, moment))
        assert report.outcome in {"succeeded", "rolled_back"}, report
        writer = "west" if report.outcome == "succeeded" else "east"
        assert open_sides(sandbox) == [writer]
        assert eventually(lambda: is_led_to(wiring, writer))
        assert watching.stop().two == 0
    await_restarts()
    if writer == "west":
        home = go(wiring, "east")
        assert home.outcome == "succeeded", home


def is_led_to(wiring: Wiring, cluster: str) -> bool:
    """Once it answers again."""
    try:
        return leads_to(wiring) == {"writes": (cluster,)}
    except DriverError:
        return False


def test_one_that_stays_dead_in_its_flip_halts_the_run_and_is_rolled_back_once_it_lives(pair: Sandbox, tmp_path: Path) -> None:
    """Where it leads can't be known: nobody is let write, on neither side."""
    playbook = Path(short_way_back(switchover_with(tmp_path / "short.yaml")))
    with routed(pair, {"writes": by_webhook(pair)}) as (sandbox, routes), wired(sandbox) as wiring:
        moved = routes["writes"]
        assert moved.stand_in is not None
        moved.stand_in.dies_in = once(is_a_flip)
        report = go(wiring, "west", playbook=playbook)
        assert (report.outcome, open_sides(sandbox)) == ("halted", []), report
        moved.start()
        assert go(wiring, "west", run=report.run).outcome == "rolled_back"
        assert (leads_to(wiring), open_sides(sandbox)) == ({"writes": ("east",)}, ["east"])


def test_a_flip_that_lands_after_the_run_went_back_is_foretold_and_splits_nothing(pair: Sandbox) -> None:
    """Its answer never came, so the run sent its own way back, and said that the first may still land. When it does, clients are led to a
    server that is fenced, and status says so; an order of the later kind leads them home.
    """
    with routed(pair, {"writes": by_webhook(pair)}) as (sandbox, routes):
        moved, lands = routes["writes"], threading.Event()

        def hold_up(request: Request) -> None:
            if is_a_flip(request):
                lands.wait(60)

        assert moved.stand_in is not None
        moved.stand_in.before = hold_up
        with wired(sandbox_with(pair, routes, within="300ms")) as wiring, poller(sandbox) as watching:
            report = go(wiring, "west")
            assert (report.outcome, leads_to(wiring), open_sides(sandbox)) == ("rolled_back", {"writes": ("east",)}, ["east"]), report
            assert any("may still" in problem.what for problem in report.problems), report.problems
            lands.set()
            assert eventually(lambda: is_led_to(wiring, "west"))
            assert (open_sides(sandbox), wiring.world.route("writes").canary("late").server) == (["east"], None)
            assert "route writes leads to west, the writer is east" in [each["what"] for each in status(wiring.world).problems]
            wiring.world.route("writes").apply(PointTo(route=RouteName("writes"), cluster=ClusterName("east")))
            assert wiring.world.route("writes").canary("home").server == "east"
            assert watching.stop().two == 0
