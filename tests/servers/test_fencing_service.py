"""Fencing by the host's service manager: a real sshd and a real process; systemctl is a stand-in (`service_lab.py`)."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import hanging
from interlock.clock import SystemClock
from interlock.errors import DriverError, OutcomeUnknown, StatementFailed, Unreachable
from interlock.fencing.contract import FENCE_RULES, Bench, Rule
from interlock.fencing.service import OPTIONS
from interlock.hosts.local import Here
from interlock.model.effects import FenceOutside, ReleaseOutside
from interlock.ports import FenceAgent
from servers.fencing_parts import EAST, agent_of
from servers.service_lab import UNIT, ServiceHost, service_host

CLOCK = SystemClock()
FENCE = FenceOutside(cluster=EAST, agent="service", within_s=20.0)


@pytest.fixture(scope="module")
def shared() -> Iterator[ServiceHost]:
    with tempfile.TemporaryDirectory(prefix="service-") as folder, service_host(Path(folder)) as made:
        yield made


@pytest.fixture
def lab(shared: ServiceHost) -> ServiceHost:
    shared.mend()
    return shared


@pytest.fixture
def outside(shared: ServiceHost) -> Iterator[Here]:
    made = Here(CLOCK, {EAST: shared.sshd.spec}, keep=True)
    yield made
    made.close()


@pytest.fixture
def agent(lab: ServiceHost, outside: Here) -> FenceAgent:
    return of(lab, outside)


def of(lab: ServiceHost, outside: Here, **settings: object) -> FenceAgent:
    said = {"type": "service", "unit": "mariadb", "option_file": lab.option_file, **settings}
    return agent_of(said, host=lab.address, port=lab.port, ssh=lab.sshd.spec, outside=outside)


@pytest.mark.parametrize("rule", FENCE_RULES, ids=lambda rule: rule.name)
def test_a_service_keeps_the_contract(lab: ServiceHost, outside: Here, rule: Rule) -> None:
    rule.check(
        Bench(
            agent=of(lab, outside),
            another=lambda: of(lab, Here(CLOCK, {EAST: lab.sshd.spec})),
            lets_in=lab.lets_in,
            start=lab.start,
        )
    )


def test_it_is_barred_before_it_is_killed_and_starts_read_only_whoever_starts_it(lab: ServiceHost, agent: FenceAgent) -> None:
    agent.apply(FENCE)
    assert [call for call in lab.calls() if not call.startswith(("show", "start"))] == [
        f"mask {UNIT}",
        f"kill --signal=SIGKILL {UNIT}",
        f"stop {UNIT}",
    ]
    assert Path(lab.option_file).read_text() == OPTIONS
    assert "read_only=1\n" in OPTIONS
    assert agent.facts().detail == f"{UNIT} is failed (failed), barred from starting; nobody listens at port {lab.port}"


def test_the_servers_own_account_can_read_what_is_written_whatever_roots_mask(lab: ServiceHost, agent: FenceAgent) -> None:
    sh = lab.folder / "bin" / "sh"
    sh.write_text('#!/bin/sh\numask 077\nexec /bin/sh "$@"\n')
    sh.chmod(0o755)
    try:
        agent.apply(FENCE)
    finally:
        sh.unlink()
    assert Path(lab.option_file).stat().st_mode & 0o044 == 0o044


def test_a_process_that_is_stopped_is_ended_too(lab: ServiceHost, agent: FenceAgent) -> None:
    hanging.stop(lab.pid())
    agent.apply(FENCE)
    assert agent.facts().fenced is True


def test_a_release_starts_it_while_it_is_still_told_to_be_read_only(lab: ServiceHost, agent: FenceAgent) -> None:
    before = agent.facts()
    agent.apply(FENCE)
    agent.apply(ReleaseOutside(cluster=EAST, agent="service", seen=before))
    assert (lab.folder / "started-with").read_text() == OPTIONS
    assert not Path(lab.option_file).exists()


def test_an_option_file_that_was_there_is_put_back_as_it_was(lab: ServiceHost, agent: FenceAgent) -> None:
    Path(lab.option_file).write_text("[mysqld]\n# it's the team's \"own\" $HOME\n")
    before = agent.facts()
    agent.apply(FENCE)
    assert Path(lab.option_file).read_text() == OPTIONS
    agent.apply(ReleaseOutside(cluster=EAST, agent="service", seen=before))
    assert Path(lab.option_file).read_text() == "[mysqld]\n# it's the team's \"own\" $HOME\n"


def test_without_an_option_file_a_release_lets_it_start_and_does_not_start_it(lab: ServiceHost, outside: Here) -> None:
    agent = of(lab, outside, option_file=None)
    before = agent.facts()
    agent.apply(FENCE)
    with pytest.raises(StatementFailed, match="may be started again, and was not") as told:
        agent.apply(ReleaseOutside(cluster=EAST, agent="service", seen=before))
    assert told.value.hint.startswith("see to `read_only` there, then: systemctl start mariadb.service")
    assert not lab.lets_in()
    lab.start()
    assert lab.lets_in()


def test_what_was_ended_before_is_not_started_by_a_release(lab: ServiceHost, agent: FenceAgent) -> None:
    lab.end()
    before = agent.facts()
    agent.apply(FENCE)
    agent.apply(ReleaseOutside(cluster=EAST, agent="service", seen=before))
    assert not any(call.startswith("start") for call in lab.calls()[lab.calls().index(f"mask {UNIT}") :])


def test_a_unit_that_can_not_be_barred_is_not_killed(lab: ServiceHost, agent: FenceAgent) -> None:
    (lab.folder / "in-etc").touch()
    with pytest.raises(StatementFailed, match="already exists"):
        agent.apply(FENCE)
    assert lab.lets_in()
    assert agent.facts().fenced is False


def test_a_unit_that_nobody_knows_proves_nothing(lab: ServiceHost, outside: Here) -> None:
    """systemctl would mask a name that is no unit, and it would look barred and ended from then on."""
    wrong = of(lab, outside, unit="mariadbb")
    assert (wrong.facts().fenced, wrong.facts().detail) == (None, "the host knows no unit mariadbb.service")
    with pytest.raises(StatementFailed, match="knows no unit mariadbb"):
        wrong.apply(FENCE)
    (lab.folder / "masked").touch()
    assert wrong.facts().fenced is False, "somebody else listens at the server's port"


def test_a_server_that_runs_beside_its_unit_is_no_fenced_one(lab: ServiceHost, agent: FenceAgent) -> None:
    """Started by hand, past the service manager: the unit is barred and ended."""
    (lab.folder / "masked").touch()
    (lab.folder / "pid").rename(lab.folder / "by-hand")
    try:
        assert agent.facts().fenced is False
        assert f"somebody listens at port {lab.port}" in agent.facts().detail
    finally:
        (lab.folder / "by-hand").rename(lab.folder / "pid")


def test_it_ends_within_its_bound_and_what_it_left_is_seen_by_the_next(lab: ServiceHost, agent: FenceAgent) -> None:
    (lab.folder / "sticks").touch()
    agent.facts()  # and so it is logged in
    began_s = CLOCK.monotonic_s()
    with pytest.raises(OutcomeUnknown):
        agent.apply(replace(FENCE, within_s=3.0))  # for the orders before the one that sticks, on a busy machine
    assert CLOCK.monotonic_s() - began_s < 50  # what sticks does so for a minute
    assert agent.facts().fenced is True


@pytest.mark.parametrize("orders", [1, 2, 3], ids=["the-option-file-is-there", "barred", "killed"])
def test_one_that_was_killed_half_way_is_done_again_and_taken_back(lab: ServiceHost, outside: Here, orders: int) -> None:
    agent = of(lab, outside)
    before = agent.facts()
    for order in agent._orders(FENCE)[:orders]:  # type: ignore[attr-defined]
        outside.run(order)
    again = of(lab, Here(CLOCK, {EAST: lab.sshd.spec}))
    again.apply(FENCE)
    assert again.facts().fenced is True
    again.apply(ReleaseOutside(cluster=EAST, agent="service", seen=before))
    lab.start()
    assert again.facts().fenced is False
    assert lab.lets_in()


def test_a_host_that_is_silent_is_unreachable_and_is_not_waited_for_at_every_look(lab: ServiceHost) -> None:
    """Its kernel takes the connection, and nothing comes back."""
    with socket.create_server((lab.address, 2298)):
        silent = replace(lab.sshd.spec, host=lab.address, port=2298)
        agent = of(replace(lab, sshd=replace(lab.sshd, spec=silent)), Here(CLOCK, {EAST: silent}), within=1.5)
        took_s = []
        for call in (agent.facts, lambda: agent.apply(FENCE), agent.facts):
            began_s = CLOCK.monotonic_s()
            with pytest.raises(Unreachable):
                call()
            took_s.append(CLOCK.monotonic_s() - began_s)
    assert min(took_s[1:]) < 1.4 < took_s[0]


def test_what_could_not_tell_before_is_not_released(agent: FenceAgent) -> None:
    unknown = replace(agent.facts(), fenced=None)
    agent.apply(FENCE)
    with pytest.raises(DriverError, match="before the fence it could not tell"):
        agent.apply(ReleaseOutside(cluster=EAST, agent="service", seen=unknown))
    assert agent.facts().fenced is True
