"""What the segment actions and the status share: looking at a segment on all masters at once."""

from __future__ import annotations

from collections.abc import Callable

from interlock.model.segments import SegmentFacts
from interlock.model.topology import SegmentSpec, ServerName
from interlock.ports import World


def facts_on_masters(world: World, spec: SegmentSpec) -> list[SegmentFacts]:
    """In the topology's order."""
    return world.gather([_facts_of(world, master.name, spec) for master in world.topology.masters()])


def _facts_of(world: World, server: ServerName, spec: SegmentSpec) -> Callable[[], SegmentFacts]:
    return lambda: world.server(server).segments.facts(spec)
