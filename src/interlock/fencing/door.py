"""Whether anybody takes a connection at a server's address, seen from here."""

from __future__ import annotations

import socket

KNOCK_S = 1.0


def takes_connections(host: str, port: int, within_s: float = KNOCK_S) -> bool:
    """Also of a server that hangs: the kernel takes connections in its place until its queue is full. False if nothing is heard."""
    try:
        socket.create_connection((host, port), timeout=within_s).close()
    except OSError:
        return False
    return True
