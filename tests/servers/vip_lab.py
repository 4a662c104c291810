"""Hosts on one switch, each a network namespace with a real sshd: `east` and `west`, and `tool`, where Interlock and the clients are.

Needs root, iproute2, iputils-arping and openssh-server. Addresses are the namespaces' own; their names are this process's.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from interlock.clock import Deadline, SystemClock
from interlock.model.topology import SshSpec
from servers.named_server import named_server

CLOCK = SystemClock()
ADDRESS, INTERFACE = "10.88.0.100", "eth0"
HOSTS: Mapping[str, str] = {"east": "10.88.0.1", "west": "10.88.0.2", "tool": "10.88.0.3"}
_NETWORK_NAMESPACE = 0x40000000  # CLONE_NEWNET, of setns(2)
_LIBC = ctypes.CDLL(None, use_errno=True)
_NUMBERS = count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """`prefix` begins the namespaces' names; keys and known_hosts are in `folder`."""

    prefix: str
    folder: Path

    @contextmanager
    def inside(self, host: str) -> Iterator[None]:
        """This thread, and what it starts, is on that host; any other name than a host's is `tool`."""
        name = host if host in HOSTS else "tool"
        with Path("/proc/thread-self/ns/net").open() as home, Path(f"/run/netns/{self.prefix}{name}").open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    def ssh(self, host: str) -> SshSpec:
        return SshSpec(host=HOSTS[host], user="root", key=str(self.folder / "user"), known_hosts=str(self.folder / "known_hosts"))

    def run(self, host: str, *words: str) -> str:
        """What a command there prints; it must end with 0."""
        with self.inside(host):
            return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout

    def holders(self) -> list[str]:
        return [host for host in ("east", "west") if f" {ADDRESS}/" in self.run(host, "ip", "-o", "addr", "show")]

    def give(self, *hosts: str, words: tuple[str, ...] = ()) -> None:
        """By an operator's hand: these hosts have the address, and no other; a flushed cache of neighbours on `tool`."""
        for host in ("east", "west"):
            self.run(host, "sh", "-c", f"ip addr flush dev {INTERFACE} to {ADDRESS}")
            if host in hosts:
                self.run(host, "ip", "addr", "add", f"{ADDRESS}/24", "dev", INTERFACE, *words)
        self.run("tool", "ip", "neigh", "flush", "all")

    def lets_in(self, host: str) -> bool:
        with self.inside("tool"):
            return _listens((HOSTS[host], 22))

    def start_sshd(self, host: str) -> None:
        config = self.folder / f"sshd-{host}"
        config.write_text(
            f"ListenAddress {HOSTS[host]}\nHostKey {self.folder}/host\nAuthorizedKeysFile {self.folder}/authorized_keys\nStrictModes no\n"
            "PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nPidFile none\n"
            "UseDNS no\nPrintMotd no\nMaxStartups 100\n"
        )
        # bash reads its user's settings for a command by SSH, too; on a developer's machine they can take half a second
        quiet = "[ ! -e ~/.bashrc ] || mount --bind /dev/null ~/.bashrc"
        words = f"{quiet}; exec /usr/sbin/sshd -f {config} -E {self.folder}/log-{host}"
        with self.inside(host):
            subprocess.run(["unshare", "--mount", "sh", "-c", words], check=True, timeout=60)
        deadline = Deadline.after(CLOCK, 60)
        while not self.lets_in(host):
            assert not deadline.is_over(), (self.folder / f"log-{host}").read_text()
            CLOCK.sleep(0.02)

    def kill_sshd(self, host: str) -> None:
        """The daemon and every session of it, as a host that went off; its addresses stay."""
        self._kill(host, "sshd")
        deadline = Deadline.after(CLOCK, 60)
        while self._pids(host, "sshd"):
            assert not deadline.is_over()
            CLOCK.sleep(0.01)

    def end(self, host: str) -> None:
        self._kill(host, "")

    def _kill(self, host: str, name: str) -> None:
        for pid in self._pids(host, name):
            with suppress(ProcessLookupError):  # a session ends with its daemon
                os.kill(pid, signal.SIGKILL)

    def _pids(self, host: str, name: str) -> list[int]:
        """Of the programs on that host, which the tests started; not this process. Zombies have no network any more."""
        listed = subprocess.run(
            ["ip", "netns", "pids", f"{self.prefix}{host}"], check=True, capture_output=True, text=True, timeout=10
        ).stdout
        pids = [int(word) for word in listed.split() if int(word) != os.getpid()]
        return [pid for pid in pids if not name or _name_of(pid) == name]


@contextmanager
def hosts(folder: Path) -> Iterator[Hosts]:
    """Two hosts and the tool's; the address is on none of them yet."""
    made = Hosts(prefix=f"vip{os.getpid()}-{next(_NUMBERS)}-", folder=folder)
    _keys(folder)
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own, hard-wired, and made by the system's service otherwise
    with ExitStack() as stack:
        _build(made.prefix, stack)
        for host in ("east", "west"):
            stack.callback(made.end, host)
            made.start_sshd(host)
        yield made


@contextmanager
def named_servers(made: Hosts, port: int) -> Iterator[None]:
    """On each host a server that greets with the host's name and then answers what it hears."""
    with ExitStack() as stack:
        for host in ("east", "west"):
            with made.inside(host):
                stack.enter_context(named_server(("0.0.0.0", port), host))  # noqa: S104 - the namespace's
        yield


def _keys(folder: Path) -> None:
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", str(folder / key)], check=True)
    shutil.copy(folder / "user.pub", folder / "authorized_keys")
    kind, public, _ = (folder / "host.pub").read_text().split()
    folder.joinpath("known_hosts").write_text("".join(f"{address} {kind} {public}\n" for address in HOSTS.values()))


def _build(prefix: str, stack: ExitStack) -> None:
    for name in (*HOSTS, "switch"):
        _ip([f"netns add {prefix}{name}"])
        stack.callback(_ip, [f"netns del {prefix}{name}"])
    switch = f"{prefix}switch"
    _ip(["link add br0 type bridge", "link set br0 up"], namespace=switch)
    for name, address in HOSTS.items():
        _ip([f"link add {INTERFACE} netns {prefix}{name} type veth peer name {name} netns {switch}"])
        _ip([f"link set {name} master br0", f"link set {name} up"], namespace=switch)
        own = ["link set lo up", f"address add {address}/24 dev {INTERFACE}", f"link set {INTERFACE} up"]
        _ip(own, namespace=f"{prefix}{name}")


def _ip(lines: list[str], *, namespace: str | None = None) -> None:
    where = ["-n", namespace] if namespace else []
    subprocess.run(["ip", *where, "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True, timeout=60)


def _enter(namespace: int) -> None:
    if _LIBC.setns(namespace, _NETWORK_NAMESPACE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
