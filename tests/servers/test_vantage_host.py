"""A server's own host as a vantage point, through a real sshd; systemctl is a stand-in (`service_lab.py`)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import hanging
from interlock.clock import SystemClock
from interlock.hosts.local import Here
from interlock.model.liveness import View
from interlock.model.topology import ClusterName
from interlock.vantages import host
from servers.service_lab import ServiceHost, service_host
from waiting import eventually

CLOCK, EAST, UNIT = SystemClock(), ClusterName("east"), "mariadb"


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


def test_a_service_runs_also_while_it_hangs_and_has_stopped_once_it_was_killed(lab: ServiceHost, outside: Here) -> None:
    look = host.visit(outside, EAST, port=lab.port, unit=UNIT)
    assert look(60.0).view is View.RUNS
    hanging.stop(lab.pid())
    assert look(60.0).view is View.RUNS
    lab.end()
    assert eventually(lambda: look(60.0).view is View.STOPPED)


def test_a_unit_that_does_not_exist_tells_nothing(lab: ServiceHost, outside: Here) -> None:
    lab.end()
    assert host.visit(outside, EAST, port=lab.port, unit="mariabd")(60.0).view is View.UNKNOWN


def test_without_a_unit_a_listener_at_the_port_runs(lab: ServiceHost, outside: Here) -> None:
    assert lab.lets_in()
    seen = host.visit(outside, EAST, port=lab.port, unit=None)(60.0)
    assert (seen.view, seen.detail) == (View.RUNS, f"somebody listens at port {lab.port}")


def test_a_host_that_is_not_there_is_silent(lab: ServiceHost, outside: Here) -> None:
    lab.sshd.stop()
    try:
        assert host.visit(outside, EAST, port=lab.port, unit=UNIT)(1.0).view is View.SILENT
    finally:
        lab.sshd.start()
