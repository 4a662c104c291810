"""The commands for each effect on a virtual address. Pure: what `plan` shows is what is run, on which host, in this order.

One rule: the address is taken from every other host, and seen to be gone there, before one gets it. Two holders would both answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect, RunCommand
from interlock.model.facts import EndpointState
from interlock.model.topology import ClusterName
from interlock.routes.vip_settings import VipSettings

_FAILED = 2
"""What `ip` ends with when the kernel says no (ip(8), exit status), so also when there is nothing to do. A look tells."""


def take(settings: VipSettings, cluster: ClusterName) -> RunCommand:
    return _command(settings, cluster, "ip", "addr", "del", str(settings.address), "dev", settings.interface, exits=(0, _FAILED))


def give(settings: VipSettings, cluster: ClusterName, more: Iterable[str] = ()) -> RunCommand:
    """`more` are words of ip-address(8) for what the address had besides."""
    return _command(settings, cluster, "ip", "addr", "add", str(settings.address), "dev", settings.interface, *more, exits=(0, _FAILED))


def announce(settings: VipSettings, cluster: ClusterName) -> RunCommand:
    """Gratuitous ARP, broadcast (RFC 5227, 3): whoever knows the address by its old station forgets that one.

    The first frame is sent at once; more, because one can be lost. arping(8) waits a second after each, and is waited for: left behind,
    it would go on to announce a host that has lost the address again.
    """
    words = ("arping", "-q", "-U", "-c", str(settings.announce), "-I", settings.interface, str(settings.address.ip))
    order = _command(settings, cluster, *words)
    return replace(order, within_s=order.within_s + settings.announce)


def look(settings: VipSettings, cluster: ClusterName) -> RunCommand:
    """Every address of the host: the one that moves might be on another interface, too."""
    return RunCommand(argv=("ip", "-o", "addr", "show"), within_s=settings.within_s, host=cluster)


def rights(settings: VipSettings, cluster: ClusterName) -> tuple[RunCommand, ...]:
    """What shows that the others will work, and changes nothing: the interface, the programs and, with sudo, the right to run them."""
    device = RunCommand(argv=("ip", "-o", "link", "show", "dev", settings.interface, "up"), within_s=settings.within_s, host=cluster)
    if settings.sudo:
        orders = (take(settings, cluster), give(settings, cluster), announce(settings, cluster))
        asked = (RunCommand(argv=("sudo", "-n", "-l", *order.argv[2:]), within_s=order.within_s, host=cluster) for order in orders)
        return (device, *asked)
    return (device, RunCommand(argv=("arping", "-V"), within_s=settings.within_s, host=cluster))


def move(settings: VipSettings, effect: RouteEffect) -> tuple[tuple[ClusterName, ...], ClusterName | None, tuple[str, ...]]:
    """Who must not have it, then who gets it (None: nobody), and with which words more.

    Nothing for an address that two hosts were seen to have: no run begins so, and it is never put back so.
    """
    everyone = settings.clusters
    match effect:
        case Hold() | Release():
            return (), None, ()
        case PointTo(cluster=cluster):
            return tuple(name for name in everyone if name != cluster), cluster, ()
        case RestoreRoute(seen=seen):
            holders = [e for e in seen.endpoints if e.state is EndpointState.READY and e.cluster in everyone]
            if len(holders) > 1:
                return (), None, ()
            if not holders:
                return everyone, None, ()
            return tuple(name for name in everyone if name != holders[0].cluster), holders[0].cluster, _words(settings, holders[0].raw)


def script(settings: VipSettings, effect: RouteEffect) -> tuple[RunCommand, ...]:
    losers, winner, more = move(settings, effect)
    takes = [order for name in losers for order in (take(settings, name), look(settings, name))]
    gives = [] if winner is None else [give(settings, winner, more), announce(settings, winner)]
    return (*takes, *gives)


def _words(settings: VipSettings, raw: Mapping[str, str]) -> tuple[str, ...]:
    """What differs from an address that was added without a word."""
    words: list[str] = []
    if raw.get("broadcast"):
        words += ["broadcast", raw["broadcast"]]
    if raw.get("label", settings.interface) != settings.interface:
        words += ["label", raw["label"]]
    return tuple(words)


def _command(settings: VipSettings, cluster: ClusterName, *words: str, exits: tuple[int, ...] = (0,)) -> RunCommand:
    argv = ("sudo", "-n", *words) if settings.sudo else words
    return RunCommand(argv=argv, within_s=settings.within_s, exits=exits, host=cluster)
