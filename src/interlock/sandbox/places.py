"""Where a sandbox listens, and how it is written down in its folder.

A sandbox has a network of its own, `127.x.y.0/24`: east is .1, west .2, the proxy .3. So every one of them has its usual port, all below
the range that the kernel hands out to clients, and sandboxes do not meet.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field
from pathlib import Path
from random import Random
from types import MappingProxyType

from interlock.dataclass import dataclass
from interlock.errors import UsageError
from interlock.model.codec import from_plain, to_plain
from interlock.sandbox.processes import Process

RECORD = "sandbox.json"
SIDES = ("east", "west")
_TAKEN = frozenset({"proxy", "haproxy", "secrets", "ledgers", "runs", "hold", "fence"})
LONGEST_FOLDER = 80  # a unix socket's path has 107 bytes at the most (unix(7)), and HAProxy adds some of its own while it binds


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One server. `options` is its option file: its program with `--defaults-file=OPTIONS` starts it again, fenced."""

    name: str
    server_id: int
    host: str
    port: int
    socket: str
    options: str
    data: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """A way in through the proxy: a route of the topology, with a port for its clients. `leads_to` is a side, at first."""

    route: str
    port: int
    backend: str
    leads_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The HAProxy in front: where clients connect, and its two admin sockets, which are the same proxy. `port` and `backend` are those of
    the first of the `entrances`; there are none in the record of an older sandbox, which had one.
    """

    host: str
    port: int
    admin_socket: str
    admin_port: int
    config: str
    log: str
    backend: str = "writers"
    entrances: tuple[Entrance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Where the programs live: an address for each of `east`, `west` and `proxy` (by default, free ones on the loopback interface), and
    what is to be entered while something of that place is started or connects.
    """

    hosts: Mapping[str, str] = field(default_factory=dict)
    inside: Callable[[str], AbstractContextManager[object]] = nullcontext


LOOPBACK = Network()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """Everything about a private pair. `state` is `starting` until `up` is through; passwords are in `secrets/ACCOUNT`; `kind` names the
    kind of servers (`kinds.py`), `name` is the topology's. One that was made like another pair knows that pair's name (`like`), and the
    folder beside that pair's store (`beside`).
    """

    directory: str
    state: str
    members: Mapping[str, Member]
    proxy: Proxy
    topology: str
    processes: tuple[Process, ...] = ()
    kind: str = "mariadb"
    name: str = "sandbox"
    like: str = ""
    beside: str = ""

    @property
    def store(self) -> str:
        """Where runs on it are recorded: in it, so that they are gone with it, and do not mingle with those of the next one."""
        return f"sqlite://{self.directory}/runs/interlock.db"

    def password(self, account: str) -> str:
        return self.password_file(account).read_text().rstrip("\n")

    def password_file(self, account: str) -> Path:
        return Path(self.directory) / "secrets" / account


def plan(
    directory: Path,
    network: Network = LOOPBACK,
    kind: str = "mariadb",
    *,
    sides: tuple[str, str] = SIDES,
    routes: Mapping[str, str] = MappingProxyType({}),
) -> Sandbox:
    """The addresses of a sandbox in `directory`; `routes` tell by their names which of the `sides` each leads to. UsageError if its path is
    too long, or a side can't be called so.
    """
    if taken := [name for name in sides if name in _TAKEN]:
        raise UsageError(f"a side of a sandbox can't be called {taken[0]!r}", hint="a file of the sandbox's own has that name")
    if len(os.fsencode(directory)) > LONGEST_FOLDER:
        raise UsageError(
            f"{directory}: the path has {len(os.fsencode(directory))} bytes, at most {LONGEST_FOLDER} leave room for socket names",
            hint="choose a folder with a shorter path",
        )
    hosts = network.hosts or _free_hosts(sides)
    ways = routes or {"writes": sides[0]}
    entrances = tuple(
        Entrance(route=route, port=3306 + number, backend="writers" if number == 0 else f"writers-{route}", leads_to=side)
        for number, (route, side) in enumerate(ways.items())
    )
    members = {
        name: Member(
            name=name,
            server_id=number,
            host=hosts[name],
            port=3306,
            socket=str(directory / f"{name}.sock"),
            options=str(directory / f"{name}.cnf"),
            data=str(directory / name),
            log=str(directory / f"{name}.log"),
        )
        for number, name in enumerate(sides, start=1)
    }
    proxy = Proxy(
        host=hosts["proxy"],
        port=3306,
        admin_socket=str(directory / "haproxy.sock"),
        admin_port=9999,
        config=str(directory / "haproxy.cfg"),
        log=str(directory / "haproxy.log"),
        entrances=entrances,
    )
    return Sandbox(
        directory=str(directory), state="starting", members=members, proxy=proxy, topology=str(directory / "topology.yaml"), kind=kind
    )


def _free_hosts(sides: tuple[str, str]) -> Mapping[str, str]:
    random = Random(os.urandom(16))  # noqa: S311 - to spread, not to hide
    for _ in range(100):
        network = f"127.{random.randrange(16, 250)}.{random.randrange(1, 250)}"
        wanted = ((f"{network}.1", 3306), (f"{network}.2", 3306), (f"{network}.3", 3306), (f"{network}.3", 9999))
        if all(_is_free(address) for address in wanted):
            return {sides[0]: f"{network}.1", sides[1]: f"{network}.2", "proxy": f"{network}.3"}
    raise UsageError("no free loopback network after 100 tries", hint="is 127.0.0.0/8 on the loopback interface? see: ip address show lo")


def _is_free(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(address)
        except OSError:
            return False
    return True


def write(sandbox: Sandbox) -> None:
    """Whole or not at all: a reader never sees half a record."""
    path = Path(sandbox.directory) / RECORD
    new = path.with_suffix(".new")
    new.write_text(json.dumps(to_plain(sandbox), indent=2) + "\n")
    new.replace(path)


def read(directory: Path) -> Sandbox:
    """UsageError if there is none, or its record can't be read."""
    path = directory / RECORD
    try:
        return from_plain(json.loads(path.read_text()), Sandbox)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"no sandbox in {directory}", hint="interlock sandbox up; of one in a folder of its own: --dir DIR") from error
    except ValueError as error:
        raise UsageError(f"{path} can't be read: {error}", hint="interlock sandbox down, then up") from error
