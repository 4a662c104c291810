"""A forwarder on loopback that can keep requests for later, lose all replies, or just one of them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from threading import Event, Thread


class OddProxy:
    """`let_in` and `let_out` are set while requests and replies pass. A reply that does not pass is lost; a request waits, though its
    sender may be gone meanwhile. `loses`: the reply to the next request that holds these bytes is lost, and its connection ends.
    """

    def __init__(self, listener: socket.socket, target: tuple[str, int]) -> None:
        self.address = "{}:{}".format(*listener.getsockname())
        self.let_in, self.let_out, self.sent = Event(), Event(), Event()
        self.loses = b""
        self.let_in.set()
        self.let_out.set()
        self._listener = listener
        self._target = target
        self._deaf_to: socket.socket | None = None
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed: the test is over
            while True:
                client, _ = self._listener.accept()
                upstream = socket.create_connection(self._target)
                Thread(target=self._forward, args=(client, upstream), daemon=True).start()
                Thread(target=self._answer, args=(upstream, client), daemon=True).start()

    def _forward(self, client: socket.socket, upstream: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                self.let_in.wait()
                if self.loses and self.loses in data:
                    self.loses, self._deaf_to = b"", upstream
                upstream.sendall(data)
                self.sent.set()
        # upstream stays open: a server must not see that the sender gave up

    def _answer(self, upstream: socket.socket, client: socket.socket) -> None:
        with upstream, client, contextlib.suppress(OSError):
            upstream.settimeout(20)
            while data := upstream.recv(1 << 16):
                if upstream is self._deaf_to:
                    client.shutdown(socket.SHUT_RDWR)
                    return
                if self.let_out.is_set():
                    client.sendall(data)


@contextlib.contextmanager
def odd_proxy(target: tuple[str, int]) -> Iterator[OddProxy]:
    with socket.create_server((target[0], 0)) as listener:
        yield OddProxy(listener, target)
        listener.shutdown(socket.SHUT_RDWR)
