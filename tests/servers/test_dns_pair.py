"""Whole switchovers of a MariaDB pair whose clients find the writer by a name of DNS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

import hanging
from interlock.sandbox.places import Sandbox
from servers.dns_lab import KEY, NAME, ZONE, Lab, ask, name_server_of_a_machine, put, resolve_by
from servers.route_runs import AFTER, BEFORE, TIMES, VERIFY, Routed, routed, strike, switch_there_and_back

CLIENTS = (NAME.rstrip("."), 3306)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with name_server_of_a_machine(tmp_path_factory.mktemp("dns") / "knot") as made:
        yield made


@pytest.fixture(scope="module")
def named(pair: Sandbox, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Routed:
    folder = tmp_path_factory.mktemp("named")
    secret = folder / "tsig"
    secret.touch(mode=0o600)
    secret.write_text(lab.secret + "\n")
    put(lab, f"5 A {pair.members['east'].host}")
    route = (
        f"  name: {{type: dns, server: {lab.primary.host}, zone: {ZONE}, record: writer, ttl: 1,\n"
        f"         tsig: {{name: {KEY}, secret: {{file: {secret}}}}}, clients: '{CLIENTS[0]}:3306'}}\n"
    )
    return routed(pair, folder, route=route, clients=CLIENTS)


@pytest.fixture
def machine(lab: Lab) -> Iterator[ThreadPoolExecutor]:
    """A thread whose programs resolve names by the lab's server."""
    if lab.primary.process is None:
        lab.primary.start()
    with ThreadPoolExecutor(1, initializer=resolve_by, initargs=(lab.primary.log.parent / "resolv.conf",)) as pool:
        yield pool


def leads_to(named: Routed, lab: Lab) -> list[str]:
    hosts = {member.host: name for name, member in named.sandbox.members.items()}
    return [hosts[line.split()[1]] for line in ask(lab.primary)]


def test_switchovers_there_and_back_under_load_lose_nothing(named: Routed, lab: Lab, machine: ThreadPoolExecutor) -> None:
    report = machine.submit(switch_there_and_back, named).result()
    assert report.is_clean(), report
    assert len(report.switches) == TIMES
    assert leads_to(named, lab) == ["east"]


def killed(lab: Lab) -> None:
    lab.primary.kill()


def away_for_a_while(lab: Lab) -> threading.Timer:
    lab.primary.kill()
    return threading.Timer(2.0, lab.primary.start)


def hung_for_a_while(lab: Lab) -> threading.Timer:
    """It takes the update, and says so only later."""
    process = lab.primary.process
    assert process is not None
    hanging.stop(process.pid)
    return threading.Timer(3.0, hanging.wake, (process.pid,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    step: str
    blow: Callable[[Lab], threading.Timer | None]
    outcomes: tuple[str, ...]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Blow(step=BEFORE, blow=killed, outcomes=("rolled_back",)), id="killed before"),
        pytest.param(Blow(step=BEFORE, blow=away_for_a_while, outcomes=("rolled_back",)), id="away before"),
        pytest.param(Blow(step=BEFORE, blow=hung_for_a_while, outcomes=("rolled_back", "succeeded")), id="hung during"),
        pytest.param(Blow(step=VERIFY, blow=away_for_a_while, outcomes=("rolled_back", "succeeded")), id="away after"),
        pytest.param(Blow(step=AFTER, blow=killed, outcomes=("succeeded",)), id="killed at the end"),
    ],
)
def test_a_name_server_that_is_struck_leaves_one_writer_and_a_name_that_leads_to_it(
    named: Routed, lab: Lab, machine: ThreadPoolExecutor, case: Blow
) -> None:
    timers: list[threading.Timer] = []

    def blow(*_: str) -> None:
        timer = case.blow(lab)
        if timer is not None:
            timers.append(timer)
            timer.start()

    came = machine.submit(strike, named, case.step, blow).result()
    for timer in timers:
        timer.join()
    if lab.primary.process is None:
        lab.primary.start()
    assert came.outcome in case.outcomes, came.report
    assert came.open_sides == [came.writer]
    assert leads_to(named, lab) == [came.writer]


def test_a_record_that_somebody_else_moved_meanwhile_is_left_alone(named: Routed, lab: Lab, machine: ThreadPoolExecutor) -> None:
    """The flip sees an address that is no cluster's; what it has not touched it does not put back."""
    came = machine.submit(strike, named, BEFORE, lambda *_: put(lab, "5 A 198.51.100.9")).result()
    assert came.outcome == "rolled_back", came.report
    assert came.open_sides == [came.old]
    assert ask(lab.primary) == ["5 198.51.100.9"]
