"""The version that a server greets with, asked without logging in: for whoever has no account yet."""

from __future__ import annotations

import socket
from contextlib import closing

WITHIN_S = 2.0
_PROTOCOL = 10


def greeted_version(host: str, port: int, *, within_s: float = WITHIN_S) -> str | None:
    """None if nobody greets: nothing listens, it is hung, or it lets nobody in from here (then an error comes in the greeting's place).

    Source: MySQL internals, "Protocol::HandshakeV10": three bytes of length, one of sequence, the protocol's number, then the version up to
    a zero byte.
    """
    try:
        with closing(socket.create_connection((host, port), timeout=within_s)) as asking:
            asking.settimeout(within_s)
            said = b""
            while b"\0" not in said[5:]:
                part = asking.recv(256)
                if not part or len(said) > 512:
                    return None
                said += part
    except OSError:
        return None
    return said[5:].partition(b"\0")[0].decode("ascii", "replace") if said[4] == _PROTOCOL else None
