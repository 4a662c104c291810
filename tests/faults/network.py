"""A network of the tests' own: each place is a network namespace with one address, and a router between them loses what it is told to.

A cut link is silent, as a pulled cable or a firewall that drops is: no reset, no ICMP, connections stay open on both sides. It is a rule
of the router that discards (ip-rule(8), `blackhole`); each pair of places is cut by itself. Needs root and `ip` of iproute2.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from interlock.sandbox.places import Network

PLACES: Mapping[str, str] = {"east": "10.77.0.1", "west": "10.77.0.2", "proxy": "10.77.0.3", "tool": "10.77.0.4"}
_ROUTER = "router"
_GATEWAY = "169.254.1.1"
_NETWORK_NAMESPACE = 0x40000000  # CLONE_NEWNET, of setns(2)
_LIBC = ctypes.CDLL(None, use_errno=True)
_NUMBERS = count()


@dataclass(slots=True, kw_only=True)
class Cables:
    """The places and the links between them. `lost` are the pairs of places whose packets the router discards."""

    prefix: str
    lost: set[frozenset[str]] = field(default_factory=set)

    def network(self) -> Network:
        return Network(hosts=PLACES, inside=self.inside)

    @contextmanager
    def inside(self, place: str) -> Iterator[None]:
        """This thread, and what it starts, is in `place`."""
        with Path("/proc/thread-self/ns/net").open() as home, Path(f"/run/netns/{self.prefix}{place}").open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    def cut(self, one: str, other: str) -> None:
        """Lose every packet between the two from now on, in both directions."""
        self._rules("add", one, other)
        self.lost.add(frozenset((one, other)))

    def mend(self) -> None:
        """Every link is whole again."""
        for pair in list(self.lost):
            one, other = sorted(pair)
            self._rules("del", one, other)
            self.lost.remove(pair)

    def _rules(self, verb: str, one: str, other: str) -> None:
        lines = [f"rule {verb} from {PLACES[a]} to {PLACES[b]} blackhole" for a, b in ((one, other), (other, one))]
        _ip(lines, namespace=f"{self.prefix}{_ROUTER}")


@contextmanager
def cables() -> Iterator[Cables]:
    """A network for one pair of servers, their proxy and the tool; removed afterwards. End what runs in it before."""
    prefix = f"il{os.getpid()}-{next(_NUMBERS)}-"
    made = Cables(prefix=prefix)
    try:
        _build(prefix)
        yield made
    finally:
        for place in (*PLACES, _ROUTER):
            if Path(f"/run/netns/{prefix}{place}").exists():
                _ip([f"netns del {prefix}{place}"])


def _build(prefix: str) -> None:
    router = f"{prefix}{_ROUTER}"
    _ip([f"netns add {prefix}{place}" for place in (*PLACES, _ROUTER)])
    for place in PLACES:
        _ip([f"link add wire netns {prefix}{place} type veth peer name {place} netns {router}"])
        own = ["link set lo up", f"address add {PLACES[place]}/32 dev wire", "link set wire up", f"route add {_GATEWAY} dev wire"]
        _ip([*own, f"route add default via {_GATEWAY}"], namespace=f"{prefix}{place}")
    ends = [
        line
        for place, address in PLACES.items()
        for line in (f"address add {_GATEWAY}/32 dev {place}", f"link set {place} up", f"route add {address}/32 dev {place}")
    ]
    _ip(ends, namespace=router)
    with Cables(prefix=prefix).inside(_ROUTER):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _ip(lines: list[str], *, namespace: str | None = None) -> None:
    where = ["-n", namespace] if namespace else []
    subprocess.run(["ip", *where, "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True, timeout=60)


def _enter(namespace: int) -> None:
    if _LIBC.setns(namespace, _NETWORK_NAMESPACE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
