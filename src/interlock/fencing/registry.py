"""The ways of fencing there are, and those that a cluster has, in the topology's order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from interlock.clock import Clock
from interlock.fencing.command import COMMAND
from interlock.fencing.parts import FencingParts, FencingType
from interlock.fencing.port import PORT
from interlock.fencing.routing import ADDRESS, PROXY
from interlock.fencing.service import SERVICE
from interlock.model.topology import ClusterSpec, Topology
from interlock.ports import FenceAgent, Outside, Route

FENCING: Mapping[str, FencingType] = {kind.name: kind for kind in (SERVICE, PORT, ADDRESS, PROXY, COMMAND)}


def make_agents(
    cluster: ClusterSpec, *, topology: Topology, outside: Outside, clock: Clock, route: Callable[[str], Route]
) -> tuple[FenceAgent, ...]:
    """The topology's checks let no unknown type through. UsageError for settings that its fields could not judge."""
    routes = {name: route.kind for name, route in topology.routes.items()}
    return tuple(
        FENCING[str(settings["type"])].make(
            FencingParts(name=name, settings=settings, cluster=cluster, outside=outside, clock=clock, route=route, routes=routes)
        )
        for name, settings in zip(names_of(cluster.fencing), cluster.fencing, strict=True)
    )


def names_of(fencing: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """Each by its `name`, else by its type; the second one of a word is `command-2`."""
    seen: Counter[str] = Counter()
    names = []
    for settings in fencing:
        word = str(settings.get("name") or settings["type"])
        seen[word] += 1
        names.append(word if seen[word] == 1 else f"{word}-{seen[word]}")
    return tuple(names)
