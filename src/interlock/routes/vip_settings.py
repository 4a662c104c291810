"""What a route of type `vip` may say in the topology file, and what it comes to."""

from __future__ import annotations

import re
from ipaddress import IPv4Interface, ip_interface

from interlock.dataclass import dataclass
from interlock.documents.fields import Field, Kind
from interlock.errors import UsageError
from interlock.model.topology import ClusterName, RouteSpec, Topology

# As the kernel allows it, and nothing that an option or a shell could take for something else (IFNAMSIZ is 16 with its end).
_INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")


def _address_rule(text: str) -> str:
    try:
        found = ip_interface(text)
    except ValueError:
        return f"{text[:80]!r} is no address"
    if not isinstance(found, IPv4Interface):
        return f"{text[:80]!r} is of IPv6, which is not announced by ARP: use a route of another type"
    if "/" not in text or found.network.prefixlen == 0:
        return f"{text[:80]!r} does not say how long its network's prefix is"
    if found.ip.is_loopback or found.ip.is_multicast or found.ip.is_unspecified:
        return f"{text[:80]!r} can't be an address that clients connect to"
    return ""


def _interface_rule(text: str) -> str:
    return "" if _INTERFACE.fullmatch(text) else f"{text[:80]!r} is no name of an interface"


def _announce_rule(times: int) -> str:
    return "" if 1 <= times <= 10 else f"{times} is not between 1 and 10"


FIELDS = (
    Field(
        name="address",
        kind=Kind.TEXT,
        required=True,
        rule=_address_rule,
        doc="The address that moves, with its prefix: 10.0.0.100/24, or /32 on its own.",
    ),
    Field(name="interface", kind=Kind.TEXT, required=True, rule=_interface_rule, doc="The interface that holds it, on both hosts."),
    Field(name="sudo", kind=Kind.FLAG, default=False, doc="Whether `ip` and `arping` are run by `sudo -n` on the hosts."),
    Field(
        name="announce",
        kind=Kind.INTEGER,
        default=2,
        rule=_announce_rule,
        doc="How many times neighbours are told who has the address now, a second apart.",
    ),
    Field(name="timeout", kind=Kind.DURATION, default=5.0, doc="How long one command on a host may take."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VipSettings:
    """Checked: every text can stand in a command. `clusters` are in the topology's order."""

    address: IPv4Interface
    interface: str
    sudo: bool
    announce: int
    within_s: float
    clusters: tuple[ClusterName, ...]


def read_settings(spec: RouteSpec, topology: Topology) -> VipSettings:
    """UsageError for what single keys could not tell: a cluster whose host can't be reached, or has the address for itself."""
    address = IPv4Interface(str(spec.settings["address"]))
    for name, cluster in topology.clusters.items():
        if cluster.ssh is None:
            raise UsageError(
                f"route {spec.name} moves an address, and cluster {name} has no host to log in to", hint=f"add `ssh` to {name}"
            )
        if str(address.ip) in {cluster.master.host, cluster.ssh.host}:
            raise UsageError(f"route {spec.name} would move the address by which cluster {name} itself is reached: {address.ip}")
    return VipSettings(
        address=address,
        interface=str(spec.settings["interface"]),
        sudo=spec.settings.get("sudo") is True,
        announce=int(str(spec.settings.get("announce") or 2)),
        within_s=float(str(spec.settings.get("timeout") or 5.0)),
        clusters=tuple(topology.clusters),
    )
