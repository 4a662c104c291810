"""Which cluster takes the writes now, and which one is the standby: as the masters say it, asked at once."""

from __future__ import annotations

from collections.abc import Callable, Collection

from interlock.dataclass import dataclass
from interlock.decisions.writes import writers
from interlock.errors import DriverError
from interlock.model.facts import WriteFacts
from interlock.model.topology import ClusterName, ServerName
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRoles:
    """Who has which role, None where the pair does not say; and what kept a server from being looked at."""

    writer: ClusterName | None
    standby: ClusterName | None
    unseen: tuple[DriverError, ...] = ()

    @property
    def silent(self) -> set[ServerName]:
        """The servers that kept us from looking at them."""
        return {ServerName(error.server) for error in self.unseen if error.server}


def pair_roles(world: World, silent: Collection[ServerName] = ()) -> PairRoles:
    """A server that does not answer is neither, and those of `silent` are not asked."""
    asked = [master.name for master in world.topology.masters() if master.name not in silent]
    found = world.gather([_writes_of(world, name) for name in asked])
    seen = [each for each in found if isinstance(each, WriteFacts)]
    unseen = [each for each in found if isinstance(each, DriverError)]
    open_now = writers(seen)
    writer = world.topology.server(open_now[0]).cluster if len(open_now) == 1 else None
    others = [name for name in world.topology.clusters if name != writer] if writer else []
    return PairRoles(writer=writer, standby=others[0] if len(others) == 1 else None, unseen=tuple(unseen))


def _writes_of(world: World, name: ServerName) -> Callable[[], WriteFacts | DriverError]:
    """All are asked at once: each that is silent costs its time-out."""

    def look() -> WriteFacts | DriverError:
        try:
            return world.server(name).write_facts()
        except DriverError as error:
            return error

    return look
