"""The ways of fencing there are, and those that a cluster has, in the topology's order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from interlock.clock import Clock
from interlock.extras import part
from interlock.fencing.parts import FencingParts, FencingType
from interlock.model.topology import ClusterSpec, Topology
from interlock.ports import FenceAgent, Outside, Route

FENCING = {
    "service": "interlock.fencing.service:SERVICE",
    "port": "interlock.fencing.port:PORT",
    "address": "interlock.fencing.routing:ADDRESS",
    "proxy": "interlock.fencing.routing:PROXY",
    "command": "interlock.fencing.command:COMMAND",
}


def make_agents(
    cluster: ClusterSpec, *, topology: Topology, outside: Outside, clock: Clock, route: Callable[[str], Route]
) -> tuple[FenceAgent, ...]:
    """The topology's checks let no unknown type through. UsageError for settings that its fields could not judge."""
    routes = {name: route.kind for name, route in topology.routes.items()}
    return tuple(
        _fencing_type(settings).make(
            FencingParts(name=name, settings=settings, cluster=cluster, outside=outside, clock=clock, route=route, routes=routes)
        )
        for name, settings in zip(names_of(cluster.fencing), cluster.fencing, strict=True)
    )


def _fencing_type(settings: Mapping[str, object]) -> FencingType:
    kind: FencingType = part(FENCING[str(settings["type"])])
    return kind


def names_of(fencing: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """Each by its `name`, else by its type; the second one of a word is `command-2`."""
    seen: Counter[str] = Counter()
    names = []
    for settings in fencing:
        word = str(settings.get("name") or settings["type"])
        seen[word] += 1
        names.append(word if seen[word] == 1 else f"{word}-{seen[word]}")
    return tuple(names)
