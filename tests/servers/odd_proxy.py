"""A forwarder on loopback that can keep requests for later, and lose replies."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from threading import Event, Thread


class OddProxy:
    """`let_in` and `let_out` are set while requests and replies pass. A reply that does not pass is lost; a request waits, though its
    sender may be gone meanwhile."""

    def __init__(self, listener: socket.socket, target: tuple[str, int]) -> None:
        self.address = "{}:{}".format(*listener.getsockname())
        self.let_in, self.let_out, self.sent = Event(), Event(), Event()
        self.let_in.set()
        self.let_out.set()
        self._listener = listener
        self._target = target
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
                upstream.sendall(data)
                self.sent.set()
        # upstream stays open: a server must not see that the sender gave up

    def _answer(self, upstream: socket.socket, client: socket.socket) -> None:
        with upstream, client, contextlib.suppress(OSError):
            upstream.settimeout(20)
            while data := upstream.recv(1 << 16):
                if self.let_out.is_set():
                    client.sendall(data)


@contextlib.contextmanager
def odd_proxy(target: tuple[str, int]) -> Iterator[OddProxy]:
    with socket.create_server((target[0], 0)) as listener:
        yield OddProxy(listener, target)
        listener.shutdown(socket.SHUT_RDWR)
