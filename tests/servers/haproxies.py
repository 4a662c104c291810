"""HAProxy processes of a test's own, in front of two servers that answer with their own name."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from interlock.clock import Deadline, SystemClock
from interlock.sandbox.settings import gate_frontend, hold_lua
from servers.named_server import named_server

CLOCK = SystemClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """One HAProxy: where clients connect, and its two runtime sockets."""

    clients: tuple[str, int]
    path: str
    tcp: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def network() -> str:
    """Three numbers of a loopback network that nobody listens in."""
    random = Random()  # noqa: S311 - addresses, no secrets
    while True:
        base = f"127.{random.randrange(120, 160)}.{random.randrange(1, 255)}"
        if not any(_answers((f"{base}.{last}", port)) for last, port in ((1, 13306), (2, 13306), (9, 3306), (9, 9999))):
            return base


@contextmanager
def named_servers(names: Sequence[str] = ("a", "b")) -> Iterator[dict[str, tuple[str, int]]]:
    """Servers that greet with their name; a connection ends when the client ends it."""
    base = network()
    with ExitStack() as stack:
        addresses = {}
        for number, name in enumerate(names, start=1):
            addresses[name] = (f"{base}.{number}", 13306)
            stack.enter_context(named_server(addresses[name], name))
        yield addresses


@contextmanager
def haproxy(
    folder: Path, servers: dict[str, tuple[str, int]], *, options: dict[str, str], lua: bool = True, level: str = "admin"
) -> Iterator[Proxy]:
    """A running HAProxy with one backend `db`. `options` are words after each server's address."""
    base = network()
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("admin").unlink(missing_ok=True)  # an earlier test's, which would pass for ours
    folder.joinpath("hold.lua").write_text(hold_lua(base))
    lines = "\n".join(f"    server {name} {host}:{port} {options[name]}" for name, (host, port) in servers.items())
    hold = "    tcp-request inspect-delay 30s\n    tcp-request content lua.hold" if lua else ""
    folder.joinpath("haproxy.cfg").write_text(f"""\
global
    maxconn 200
    stats socket unix@{folder}/admin mode 600 level {level}
    stats socket ipv4@{base}.9:9999 level {level}
    lua-load-per-thread {folder}/hold.lua
defaults
    mode tcp
    timeout connect 2s
    timeout client 1h
    timeout server 1h
    timeout queue 20s
frontend clients
    bind {base}.9:3306 backlog 1024
{hold}
    default_backend db
{gate_frontend(base)}
backend db
{lines}
""")
    log = folder.joinpath("log").open("wb")
    with log, subprocess.Popen(["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], stdout=log, stderr=log) as process:
        try:
            deadline = Deadline.after(CLOCK, 60)
            while not _answers(f"{folder}/admin") or not _answers((f"{base}.9", 9999)):
                assert process.poll() is None, folder.joinpath("log").read_text()
                assert not deadline.is_over(), folder.joinpath("log").read_text()
                CLOCK.sleep(0.01)
            yield Proxy(clients=(f"{base}.9", 3306), path=f"{folder}/admin", tcp=f"tcp:{base}.9:9999", process=process)
        finally:
            process.kill()


def _answers(address: str | tuple[str, int]) -> bool:
    """Whether somebody listens there; a path is a unix socket's, which is there before anybody listens."""
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as knocking:
        knocking.settimeout(1)
        try:
            knocking.connect(address)
        except OSError:
            return False
    return True


def greeted_by(address: tuple[str, int], *, within_s: float = 40) -> str:
    """Which server a new client reaches; empty if it was closed without a word. A held one may wait for `inspect-delay` (docs/facts.md)."""
    with socket.create_connection(address, timeout=within_s) as client:
        return client.recv(10).decode()
