"""Whole switchovers of a MariaDB pair whose clients connect to a virtual address, on hosts of their own."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from interlock.clock import SystemClock
from interlock.sandbox import pair as pairs
from interlock.sandbox.places import Network
from servers.route_runs import AFTER, BEFORE, TIMES, Routed, routed, strike, switch_there_and_back
from servers.vip_lab import ADDRESS, HOSTS, INTERFACE, Hosts, hosts

CLOCK = SystemClock()


@pytest.fixture(scope="module")
def shared() -> Iterator[Hosts]:
    folder = Path(tempfile.mkdtemp(prefix="vip-"))
    try:
        with hosts(folder) as made:
            yield made
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def moved(shared: Hosts) -> Iterator[Routed]:
    """The servers listen on every address of their host, so on the one that moves, too."""
    network = Network(hosts={**HOSTS, "proxy": HOSTS["tool"]}, inside=shared.inside)
    sandbox = pairs.up(shared.folder / "pair", clock=CLOCK, network=network, options={"bind-address": "0.0.0.0"})  # noqa: S104
    try:
        shared.give("east")
        route = f"  address: {{type: vip, address: {ADDRESS}/24, interface: {INTERFACE}, announce: 1, clients: '{ADDRESS}:3306'}}\n"
        keys = f"user: root, key: {shared.folder}/user, known_hosts: {shared.folder}/known_hosts"
        clusters = {name: f"    ssh: {{host: {HOSTS[name]}, {keys}}}\n" for name in ("east", "west")}
        yield routed(sandbox, shared.folder, route=route, clients=(ADDRESS, 3306), clusters=clusters)
    finally:
        pairs.down(shared.folder / "pair")


@pytest.fixture
def lab(shared: Hosts, moved: Routed) -> Iterator[Hosts]:
    """Everything here runs where the tool is."""
    assert moved.folder == shared.folder
    for host in ("east", "west"):
        if not shared.lets_in(host):
            shared.start_sshd(host)
    with shared.inside("tool"):
        yield shared


def test_switchovers_there_and_back_under_load_lose_nothing(moved: Routed, lab: Hosts) -> None:
    report = switch_there_and_back(moved)
    assert report.is_clean(), report
    assert len(report.switches) == TIMES
    assert lab.holders() == ["east"]


def old_killed(lab: Hosts, old: str, new: str) -> None:
    assert new != old
    lab.kill_sshd(old)


def new_killed(lab: Hosts, old: str, new: str) -> None:
    assert new != old
    lab.kill_sshd(new)


def new_killed_once_it_has_it(lab: Hosts, old: str, new: str) -> None:
    """In the middle of the flip; it is back two seconds later."""

    def watch() -> None:
        while lab.holders() != [new]:
            CLOCK.sleep(0.005)
        lab.kill_sshd(new)
        CLOCK.sleep(2)
        lab.start_sshd(new)

    assert new != old
    threading.Thread(target=watch, name="blow").start()


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    step: str
    blow: Callable[[Hosts, str, str], None]
    outcomes: tuple[str, ...]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Blow(step=BEFORE, blow=old_killed, outcomes=("rolled_back",)), id="old host before"),
        pytest.param(Blow(step=BEFORE, blow=new_killed, outcomes=("rolled_back",)), id="new host before"),
        pytest.param(Blow(step=BEFORE, blow=new_killed_once_it_has_it, outcomes=("rolled_back", "succeeded")), id="new host during"),
        pytest.param(Blow(step=AFTER, blow=old_killed, outcomes=("succeeded",)), id="old host after"),
    ],
)
def test_a_host_that_is_struck_leaves_one_writer_and_the_address_with_it(moved: Routed, lab: Hosts, case: Blow) -> None:
    came = strike(moved, case.step, lambda old, new: case.blow(lab, old, new))
    for thread in threading.enumerate():
        if thread.name == "blow":
            thread.join()
    assert came.outcome in case.outcomes, came.report
    assert came.open_sides == [came.writer]
    assert lab.holders() == [came.writer]
