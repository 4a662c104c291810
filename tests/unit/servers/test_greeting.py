"""A server's version by its greeting, from sockets that say one thing."""

from __future__ import annotations

import socket
import threading

import pytest

from interlock.servers.greeting import greeted_version


@pytest.mark.parametrize(
    ("said", "version"),
    [
        pytest.param([b"\x4a\0\0\0\x0a8.4.3\0\x08\0"], "8.4.3", id="mysql"),
        pytest.param([b"\x4a\0\0", b"\0\x0a5.5.5-10.11", b".6-MariaDB\0"], "5.5.5-10.11.6-MariaDB", id="in-parts"),
        pytest.param([b"\x45\0\0\0\xff\x6a\x04Host 'x' is not allowed\0"], None, id="lets-nobody-in"),
        pytest.param([b"\x4a\0\0\0\x0a8."], None, id="ends-too-early"),
        pytest.param([b"x" * 2000], None, id="something-else"),
        pytest.param([], None, id="says-nothing"),
    ],
)
def test_the_version_is_what_stands_in_the_greeting(said: list[bytes], version: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with listening.accept()[0] as client:
                for part in said:
                    client.sendall(part)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            assert greeted_version("127.0.0.1", listening.getsockname()[1], within_s=60) == version
        finally:
            thread.join()


def test_nobody_there_and_a_hung_server_greet_with_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert greeted_version("127.0.0.1", port, within_s=0.1) is None
    assert greeted_version("127.0.0.1", port, within_s=0.1) is None
