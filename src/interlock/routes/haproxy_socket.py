"""One exchange with HAProxy's runtime socket: commands in, their answers out, bounded as a whole.

Without `prompt`, HAProxy reads one line, answers its commands in order and closes; commands are joined by `;` (HAProxy management guide,
9.3 "Unix Socket commands"). A failing command does not stop those after it, and an empty answer is success: so what is left when blank
lines are cut is an error's text.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.errors import NotPermitted, OutcomeUnknown, StatementFailed, Unreachable

_ANSWER_LIMIT = 4 << 20


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """Where a proxy's runtime socket is: a path, or a host and port. `text` is what the topology file says, and the proxy's name."""

    text: str
    path: str | None = None
    host: str = ""
    port: int = 0


def parse_address(text: str) -> ProxyAddress:
    """From `unix:/path`, `/path` or `tcp:host:port`. ValueError if it is none of them."""
    if "\n" in text or "\0" in text:
        raise ValueError(f"{text!r} holds a line break")
    if text.startswith("tcp:"):
        host, _, port = text.removeprefix("tcp:").rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"{text!r} is not tcp:host:port")
        return ProxyAddress(text, host=host.strip("[]"), port=int(port))
    path = text.removeprefix("unix:").removeprefix("unix@")
    if not path.startswith("/"):
        raise ValueError(f"{text!r} is neither tcp:host:port nor unix:/path")
    return ProxyAddress(text, path=path)


def ask(proxy: ProxyAddress, commands: Sequence[str], *, clock: Clock, within_s: float) -> str:
    """The answers to `commands`, one text. Unreachable if nothing was sent; OutcomeUnknown if it was and no whole answer came in time."""
    deadline = Deadline.after(clock, within_s)
    try:
        connection = _connect(proxy, within_s)
    except OSError as error:
        raise Unreachable(
            f"HAProxy at {proxy.text} can't be reached: {error.strerror or error}",
            hint="see that it runs, that its `stats socket` is there, and that this user may connect to it",
        ) from error
    with connection:
        try:
            connection.sendall("; ".join(commands).encode() + b"\n")
            return _read_all(connection, proxy, deadline)
        except TimeoutError as error:
            raise OutcomeUnknown(
                f"HAProxy at {proxy.text} did not answer within {within_s:g}s", hint="see whether it is stopped"
            ) from error
        except OSError as error:
            raise OutcomeUnknown(f"HAProxy at {proxy.text} ended the connection: {error.strerror or error}") from error


def order(proxy: ProxyAddress, commands: Sequence[str], *, clock: Clock, within_s: float) -> None:
    """Have `commands` carried out. StatementFailed with the proxy's own words if it objects to any of them."""
    answer = ask(proxy, commands, clock=clock, within_s=within_s)
    check_level(proxy, answer)
    words = " / ".join(line.strip() for line in answer.splitlines() if line.strip())
    if words:
        raise StatementFailed(f"HAProxy at {proxy.text} says: {words[:500]} (to: {'; '.join(commands)})")


def check_level(proxy: ProxyAddress, answer: str) -> None:
    """NotPermitted if the socket's level is below `admin`."""
    if "Permission denied" in answer:
        raise NotPermitted(
            f"HAProxy at {proxy.text} refuses commands that change something: Permission denied",
            hint="its line in haproxy.cfg must say `level admin`",
        )


def _connect(proxy: ProxyAddress, within_s: float) -> socket.socket:
    if proxy.path is None:
        return socket.create_connection((proxy.host, proxy.port), timeout=within_s)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(within_s)
        connection.connect(proxy.path)
    except BaseException:
        connection.close()
        raise
    return connection


def _read_all(connection: socket.socket, proxy: ProxyAddress, deadline: Deadline) -> str:
    """Until the proxy closes. The deadline is for the whole, so that an answer that drips can't stretch it."""
    parts: list[bytes] = []
    size = 0
    while True:
        left_s = deadline.left_s()
        if left_s <= 0:
            raise TimeoutError
        connection.settimeout(left_s)
        part = connection.recv(1 << 16)
        if not part:
            return b"".join(parts).decode(errors="replace")
        parts.append(part)
        size += len(part)
        if size > _ANSWER_LIMIT:
            raise StatementFailed(f"HAProxy at {proxy.text} answered more than {_ANSWER_LIMIT >> 20} MiB")
