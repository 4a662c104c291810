"""A server that greets with its name, and then answers with it whatever it hears."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def named_server(address: tuple[str, int], name: str) -> Iterator[None]:
    """A connection ends when the client ends it."""
    with _Named(address, name) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


class _Named(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], name: str) -> None:
        self.greeting = name.encode()
        super().__init__(address, _Greeter)


class _Greeter(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _Named)
        try:
            self.request.sendall(self.server.greeting)
            while self.request.recv(100):
                self.request.sendall(self.server.greeting)
        except OSError:
            return  # the client is gone, or the proxy cut it
