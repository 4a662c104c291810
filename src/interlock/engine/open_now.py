"""Which masters are seen to take writes, at this moment. Nobody is proved fenced by it: that is the interlock's to do."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from interlock.decisions.writes import writers
from interlock.errors import DriverError, StepFailed
from interlock.model.facts import WriteFacts
from interlock.model.topology import ServerName
from interlock.ports import World


def seen_masters(world: World, besides: Collection[ServerName] = ()) -> list[WriteFacts]:
    """What those say that answer; those of `besides` are not asked."""
    seen: list[WriteFacts] = []
    for master in (each for each in world.topology.masters() if each.name not in besides):
        with suppress(DriverError):  # it is not seen to take writes; whoever must know that it does not, proves it
            seen.append(world.server(master.name).write_facts())
    return seen


def open_masters(world: World, besides: Collection[ServerName] = ()) -> tuple[ServerName, ...]:
    """The masters that are seen to take writes. One that does not answer is not among them."""
    return writers(seen_masters(world, besides))


def no_second_writer(world: World) -> None:
    """StepFailed if two masters take writes, and not each of its own segments."""
    if world.topology.segments:
        return
    open_now = open_masters(world)
    if len(open_now) > 1:
        raise StepFailed(f"{' and '.join(open_now)} take writes at the same time", hint="only server.open may let a server take writes")
