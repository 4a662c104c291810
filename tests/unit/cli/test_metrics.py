"""Where `watch --metrics` listens."""

from __future__ import annotations

import socket
from urllib.request import urlopen

import pytest
from prometheus_client.registry import CollectorRegistry

from interlock.cli.metrics import served
from interlock.errors import UsageError

_HOST = "127.93.7.1"
"""Nobody's but ours: no connection from this machine is given a port of it."""


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


@pytest.mark.parametrize("where", ["", "9478", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:99999", "127.0.0.1:9478/metrics", "[::1:9478"])
def test_what_is_no_address_and_port_is_refused(where: str) -> None:
    with pytest.raises(UsageError, match="is not ADDRESS:PORT") as refused, served(CollectorRegistry(), where):
        pytest.fail("it listens")
    assert "127.0.0.1:9478" in refused.value.hint


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"{where}' can't be listened at: Address already in use"), served(CollectorRegistry(), where):
            pytest.fail("it listens")


def test_it_answers_as_long_as_it_is_served_and_no_longer() -> None:
    port = _free_port()
    with served(CollectorRegistry(), f"{_HOST}:{port}"):
        assert urlopen(f"http://{_HOST}:{port}/metrics", timeout=60).status == 200
    with pytest.raises(ConnectionRefusedError), socket.create_connection((_HOST, port), timeout=60):
        pytest.fail("it still listens")
