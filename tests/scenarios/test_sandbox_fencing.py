"""The sandbox's own fencing from outside, by the hook in its folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import hanging
from interlock.bootstrap import read_topology
from interlock.clock import SystemClock
from interlock.errors import Refused, UsageError
from interlock.fencing.contract import FENCE_RULES, Bench, Rule
from interlock.fencing.registry import make_agents
from interlock.hosts.local import Here
from interlock.model.effects import FenceOutside
from interlock.model.topology import ClusterName
from interlock.ports import FenceAgent, Route
from interlock.sandbox import members, pair, processes
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from scenarios.command_line import environment, interlock

CLOCK = SystemClock()
FENCE = FenceOutside(cluster=ClusterName("east"), agent="command", within_s=60.0)


@pytest.fixture(params=["mariadb", "mysql"])
def running_pair(request: pytest.FixtureRequest) -> Sandbox:
    """Its east runs, and is not barred."""
    sandbox: Sandbox = request.getfixturevalue("pair" if request.param == "mariadb" else "mysql_pair")
    (Path(sandbox.directory) / "east.barred").unlink(missing_ok=True)
    if "east" in pair.status(Path(sandbox.directory)).missing:
        pair.restart(sandbox, "east", clock=CLOCK)
    return sandbox


def agent_of(sandbox: Sandbox) -> FenceAgent:
    topology = read_topology(Path(sandbox.topology))
    (made,) = make_agents(topology.clusters[ClusterName("east")], topology=topology, outside=Here(CLOCK), clock=CLOCK, route=_no_route)
    return made


def _no_route(name: str) -> Route:
    raise KeyError(name)


def lets_in(sandbox: Sandbox) -> bool:
    east = sandbox.members["east"]
    try:
        with socket.create_connection((east.host, east.port), timeout=60) as client:
            return client.recv(1) != b""  # the server greets first
    except OSError:
        return False


def start(sandbox: Sandbox) -> None:
    try:
        members.start(Path(sandbox.directory), "east", clock=CLOCK)
    except (Refused, UsageError):
        return  # it is barred, or it runs


@pytest.mark.parametrize("rule", FENCE_RULES, ids=lambda rule: rule.name)
def test_the_hook_keeps_the_contract(running_pair: Sandbox, rule: Rule) -> None:
    rule.check(
        Bench(
            agent=agent_of(running_pair),
            another=lambda: agent_of(running_pair),
            lets_in=lambda: lets_in(running_pair),
            start=lambda: start(running_pair),
        )
    )


def test_one_that_was_fenced_is_shown_so_and_is_not_started_unless_that_is_said(fresh_pair: Sandbox, tmp_path: Path) -> None:
    env = environment(None, tmp_path)
    folder = ("--dir", fresh_pair.directory)
    agent_of(fresh_pair).apply(FENCE)
    seen = interlock("sandbox", "status", *folder, "--json", env=env).document
    assert (seen["missing"], seen["barred"]) == (["east"], ["east"])
    assert "fenced from outside, and barred from starting: east" in interlock("sandbox", "status", *folder, env=env).out
    refused = interlock("sandbox", "start", "east", *folder, env=env)
    assert refused.code == 3
    assert "east was fenced from outside and is barred from starting" in refused.err
    assert "--barred" in refused.err
    with pytest.raises(Refused):
        pair.restart(fresh_pair, "east", clock=CLOCK)
    assert interlock("sandbox", "start", "east", "--barred", *folder, env=env).code == 0
    assert query(fresh_pair, "east", "SELECT @@read_only AS fenced") == [{"fenced": 1}]
    assert agent_of(fresh_pair).facts().fenced is False, "barred and running is not fenced"
    agent_of(fresh_pair).apply(FENCE)
    assert agent_of(fresh_pair).facts().fenced is True


def test_a_server_is_stopped_killed_and_started_by_name(fresh_pair: Sandbox, tmp_path: Path) -> None:
    env = environment(None, tmp_path)
    folder = ("--dir", fresh_pair.directory)
    log = Path(fresh_pair.members["east"].log)
    assert interlock("sandbox", "stop", "east", *folder, env=env).code == 0
    assert "Shutdown complete" in log.read_text()
    gone = interlock("sandbox", "stop", "east", *folder, env=env)
    assert (gone.code, "east does not run" in gone.err) == (2, True)
    started = interlock("sandbox", "start", "east", "--json", *folder, env=env)
    assert (started.code, started.document["running"]) == (0, True)
    again = interlock("sandbox", "start", "east", *folder, env=env)
    assert (again.code, "runs already" in again.err) == (2, True)
    before = log.read_text().count("Shutdown complete")
    assert interlock("sandbox", "stop", "east", "--kill", *folder, env=env).code == 0
    assert log.read_text().count("Shutdown complete") == before
    unknown = interlock("sandbox", "start", "north", *folder, env=env)
    assert (unknown.code, "known: east, west" in unknown.err) == (2, True)


@pytest.mark.parametrize("strike", [hanging.stop, lambda pid: os.kill(pid, signal.SIGKILL)], ids=["hung", "dead"])
def test_the_hook_ends_a_server_that_hangs_and_bars_one_that_is_gone(fresh_pair: Sandbox, strike: Callable[[int], None]) -> None:
    pid = next(process.pid for process in processes.running(Path(fresh_pair.directory)) if process.name == "east")
    strike(pid)
    agent_of(fresh_pair).apply(FENCE)
    assert agent_of(fresh_pair).facts().fenced is True
    assert {process.name for process in processes.running(Path(fresh_pair.directory))} == {"west", "haproxy"}


def test_the_hook_leaves_alone_what_only_names_the_servers_file(fresh_pair: Sandbox) -> None:
    with subprocess.Popen(["/usr/bin/tail", "-f", fresh_pair.members["east"].options], stdout=subprocess.DEVNULL) as reader:
        agent_of(fresh_pair).apply(FENCE)
        assert reader.poll() is None
        reader.kill()


def test_one_that_is_gone_and_not_barred_is_not_fenced(fresh_pair: Sandbox) -> None:
    members.stop(Path(fresh_pair.directory), "east", kill=True)
    assert (agent_of(fresh_pair).facts().fenced, agent_of(fresh_pair).facts().detail) == (False, "`show` says 'ended'")
