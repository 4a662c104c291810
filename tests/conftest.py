"""The private pair that tests on real servers share. A missing server program is a failure, never a skip: `make setup` installs them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest

from interlock.clock import SystemClock
from interlock.sandbox import pair as pairs
from interlock.sandbox.places import Sandbox
from servers.etcd_lab import Cluster, etcd_cluster

# What is right is asserted of every input, and how soon a busy machine makes one of none.
hypothesis.settings.register_profile("any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("any machine")


@contextmanager
def _sandbox(kind: str = "mariadb") -> Iterator[Sandbox]:
    folder = Path(tempfile.mkdtemp(prefix="interlock-"))  # pytest's own folders have paths too long for unix sockets
    try:
        sandbox = pairs.up(folder / "pair", clock=SystemClock(), kind=kind)
        try:
            yield sandbox
        finally:
            pairs.down(folder / "pair")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture(scope="module")
def pair() -> Iterator[Sandbox]:
    """One pair for the tests of a file: east open, west fenced at its beginning. A test that breaks it has its own."""
    with _sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def mysql_pair() -> Iterator[Sandbox]:
    """The same of MySQL 9.7, in some four seconds."""
    with _sandbox("mysql") as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def mariadb_11_pair() -> Iterator[Sandbox]:
    """The same of MariaDB 11.8."""
    with _sandbox("mariadb-11.8") as sandbox:
        yield sandbox


@pytest.fixture
def fresh_pair() -> Iterator[Sandbox]:
    """A pair of the test's own, in half a second."""
    with _sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def fresh_mysql_pair() -> Iterator[Sandbox]:
    """The same of MySQL, in some two seconds."""
    with _sandbox("mysql") as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def etcd() -> Iterator[Cluster]:
    """Three members for all tests of a session. Each test has a prefix of its own; one that stops members has its own cluster."""
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder, etcd_cluster(Path(folder)) as cluster:
        yield cluster
