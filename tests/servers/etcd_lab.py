"""A private etcd of one or three members on loopback, whose members can be stopped, woken, killed and started again.

    with etcd_cluster(folder) as cluster: … cluster.url("prefix") …

It is quick to elect (50 ms heartbeats) and so can serve leases of 1 s; its addresses are free ones of 127.0.0.0/8.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hanging
from interlock.clock import Deadline, SystemClock
from waiting import eventually

_CLIENT, _PEER = 2379, 2380
_START_S = 60.0


@dataclass(slots=True, kw_only=True)
class Member:
    name: str
    host: str
    argv: Sequence[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"PATH": os.environ["PATH"], "GOMAXPROCS": "1"}
            )

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def stop(self) -> None:
        """It hangs: its sockets stay open and nobody answers."""
        hanging.stop(self.pid)

    def wake(self) -> None:
        hanging.wake(self.pid)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@dataclass(slots=True, kw_only=True)
class Cluster:
    members: list[Member]
    scheme: str = "http"
    _prefixes: Iterator[int] = field(default_factory=lambda: iter(range(1, 1 << 30)))

    def url(self, prefix: str = "", query: str = "") -> str:
        """For `--store`. Without a prefix, one that nobody used yet."""
        hosts = ",".join(f"{member.host}:{_CLIENT}" for member in self.members)
        scheme = "etcds" if self.scheme == "https" else "etcd"
        return f"{scheme}://{hosts}/{prefix or f'test{next(self._prefixes)}'}{query}"

    def address(self, member: int) -> tuple[str, int]:
        return self.members[member].host, _CLIENT

    def ask(self, path: str, body: Mapping[str, object], member: int = 0) -> dict[str, Any]:
        """As curl would, without any code of ours."""
        request = urllib.request.Request(f"http://{self.members[member].host}:{_CLIENT}/v3/{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - our own address
            answer: dict[str, Any] = json.load(response)
            return answer

    def leader(self) -> Member:
        """Who counts itself as such; while there is an election, nobody does."""
        assert eventually(lambda: any(map(self._leads, self.members)))
        return next(filter(self._leads, self.members))

    def _leads(self, member: Member) -> bool:
        status = self.ask("maintenance/status", {}, self.members.index(member))
        return bool(status["leader"] == status["header"]["member_id"])

    def followers(self) -> list[Member]:
        leader = self.leader()
        return [member for member in self.members if member is not leader]

    def await_health(self) -> None:
        """Until every member that runs answers with the majority behind it."""
        clock = SystemClock()
        deadline = Deadline.after(clock, _START_S)
        for member in self.members:
            while not _is_well(self, member):
                assert member.process is not None
                if member.process.poll() is not None or deadline.is_over():
                    raise AssertionError(f"etcd {member.name} is not well: {member.log.read_text()[-2000:]}")
                clock.sleep(0.02)


def _is_well(cluster: Cluster, member: Member) -> bool:
    if cluster.scheme == "https":  # the tests' own certificate is what is tested
        with socket.socket() as probe:
            return probe.connect_ex((member.host, _CLIENT)) == 0
    try:
        with urllib.request.urlopen(f"http://{member.host}:{_CLIENT}/health", timeout=1) as response:
            return bool(json.load(response).get("health") == "true")
    except (OSError, ValueError):
        return False


@contextmanager
def etcd_cluster(folder: Path, *, size: int = 3, options: Sequence[str] = (), scheme: str = "http", network: str = "") -> Iterator[Cluster]:
    """A missing `etcd` is a failure, never a skip: `make setup` installs it."""
    program = shutil.which("etcd")
    assert program is not None, "etcd is not installed: apt-get install etcd-server"
    network = network or _free_network(size)
    hosts = {f"e{number}": f"{network}.{number}" for number in range(1, size + 1)}
    peers = ",".join(f"{name}=http://{host}:{_PEER}" for name, host in hosts.items())
    cluster = Cluster(
        scheme=scheme,
        members=[
            Member(
                name=name, host=host, argv=[program, *_arguments(name, host, peers, folder, scheme), *options], log=folder / f"{name}.log"
            )
            for name, host in hosts.items()
        ],
    )
    try:
        for member in cluster.members:
            member.start()
        cluster.await_health()
        yield cluster
    finally:
        for member in cluster.members:
            if member.process is not None:
                member.kill()


def _arguments(name: str, host: str, peers: str, folder: Path, scheme: str) -> list[str]:
    said = {
        "name": name,
        "data-dir": str(folder / name),
        "listen-client-urls": f"{scheme}://{host}:{_CLIENT}",
        "advertise-client-urls": f"{scheme}://{host}:{_CLIENT}",
        "listen-peer-urls": f"http://{host}:{_PEER}",
        "initial-advertise-peer-urls": f"http://{host}:{_PEER}",
        "initial-cluster": peers,
        "initial-cluster-state": "new",
        "heartbeat-interval": "50",
        "election-timeout": "500",
        "logger": "zap",
        "log-level": "error",
    }
    return [word for key, value in said.items() for word in (f"--{key}", value)]


def _free_network(size: int) -> str:
    spread = random.Random(os.urandom(16))  # noqa: S311 - to spread, not to hide
    for _ in range(100):
        network = f"127.{spread.randrange(16, 250)}.{spread.randrange(1, 250)}"
        if all(_is_free(f"{network}.{number}", port) for number in range(1, size + 1) for port in (_CLIENT, _PEER)):
            return network
    raise AssertionError("no free loopback network")


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
