r"""What `ip -o addr show` says of a host: one line for each address (ip-address(8)).

Seen with iproute2 6.1: `2: eth0    inet 10.0.0.100/24 brd 10.0.0.255 scope global secondary eth0:vip\       valid_lft forever …`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Interface
from itertools import pairwise

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.model.topology import ClusterName
from interlock.routes.vip_settings import VipSettings

_LINE = re.compile(r"\d+: +([^\s@]+)(?:@\S+)? +inet +([0-9.]+)(?: +peer +[0-9.]+)?/(\d+) +([^\\]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAddress:
    """One IPv4 address of a host. `words` are the attributes by name, such as brd; `label` is the last word of the line."""

    interface: str
    address: IPv4Interface
    secondary: bool
    label: str
    words: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Whether a host has the address that moves; `raw` is what it takes to give it back as it was, empty if it has not.

    `takes_others`: to remove it would remove the other addresses of its network too, unless the kernel promotes them.
    """

    cluster: ClusterName
    held: bool
    raw: Mapping[str, str]
    takes_others: bool = False


def read_addresses(text: str) -> tuple[HostAddress, ...]:
    return tuple(_address(matched) for line in text.splitlines() if (matched := _LINE.match(line)) is not None)


def read_held(settings: VipSettings, cluster: ClusterName, text: str) -> Held:
    """StatementFailed if the host has it otherwise than the topology says: it could not be taken from there."""
    addresses = read_addresses(text)
    if not addresses:
        raise StatementFailed(
            f"host of {cluster}: `ip -o addr show` told no address, not even loopback's", hint="is `ip` iproute2's there?"
        )
    ours = [one for one in addresses if one.address.ip == settings.address.ip]
    for one in ours:
        if (one.interface, one.address) != (settings.interface, settings.address):
            raise StatementFailed(
                f"host of {cluster} has {one.address} on {one.interface}, the topology says {settings.address} on {settings.interface}",
                hint="correct the topology, or move it there by hand",
            )
    if not ours:
        return Held(cluster=cluster, held=False, raw={})
    (own,) = ours
    neighbours = [
        one for one in addresses if one.interface == own.interface and one.address.network == own.address.network and one is not own
    ]
    raw = {"label": own.label, "broadcast": own.words.get("brd", "")}
    return Held(cluster=cluster, held=True, raw=raw, takes_others=not own.secondary and any(one.secondary for one in neighbours))


def _address(matched: re.Match[str]) -> HostAddress:
    words = matched[4].split()
    return HostAddress(
        interface=matched[1],
        address=IPv4Interface(f"{matched[2]}/{matched[3]}"),
        secondary="secondary" in words,
        label=words[-1] if words else "",
        words=dict(pairwise(words)),
    )
