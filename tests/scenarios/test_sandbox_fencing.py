"""The sandbox's own fencing from outside, by the hook in its folder."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from interlock.bootstrap import read_topology
from interlock.clock import SystemClock
from interlock.errors import Refused, UsageError
from interlock.fencing.contract import FENCE_RULES, Bench, Rule
from interlock.fencing.registry import make_agents
from interlock.hosts.local import Here
from interlock.model.topology import ClusterName
from interlock.ports import FenceAgent, Route
from interlock.sandbox import members, pair
from interlock.sandbox.places import Sandbox

CLOCK = SystemClock()


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
        with socket.create_connection((east.host, east.port), timeout=2) as client:
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
