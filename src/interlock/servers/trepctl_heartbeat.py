"""A heartbeat of Tungsten Replicator, by which "trepctl heartbeat" in Continuent's documentation shows that events arrive: the number of
the source's last event grows by it, and that number is applied on the other side. Under load it may be the number of another event of this
moment, which shows the same. Never run against a real replicator.
"""

from __future__ import annotations

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.errors import BoundReached, StatementFailed
from interlock.model.effects import RunCommand
from interlock.model.facts import CommandResult
from interlock.model.topology import ClusterName, ServerName
from interlock.ports import Outside
from interlock.servers.trepctl_status import STATUS_WITHIN_S, read_status

HEARTBEAT = "interlock"
"""The name of each heartbeat that Interlock sends, by which a person finds it in the replicator's log."""
_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The replicator that reads a source's binary log as `service`: its `trepctl`, on the host of the source's cluster, None for here."""

    source: ServerName
    service: str
    trepctl: tuple[str, ...]
    host: ClusterName | None

    @property
    def beat(self) -> RunCommand:
        return self._order("heartbeat", "-name", HEARTBEAT)

    @property
    def ask(self) -> RunCommand:
        return self._order("status", "-json")

    def _order(self, *words: str) -> RunCommand:
        return RunCommand(argv=(*self.trepctl, "-service", self.service, *words), within_s=STATUS_WITHIN_S, host=self.host)


def send(origin: Origin, outside: Outside, clock: Clock, within_s: float) -> int:
    """The number that waits to be applied. BoundReached if the source's replicator does not read the heartbeat in time."""
    deadline = Deadline.after(clock, within_s)
    before = _last_number(origin, outside)
    outside.run(origin.beat)
    while (last := _last_number(origin, outside)) <= before:
        if deadline.is_over():
            raise BoundReached(
                f"{origin.source}: its replicator read no heartbeat within {within_s:g}s",
                hint=f"trepctl -service {origin.service} status on its host tells how far it has read",
                server=origin.source,
            )
        clock.sleep(_PAUSE_S)
    return last


def _last_number(origin: Origin, outside: Outside) -> int:
    """What the source's replicator gave to the last event of its binary log. StatementFailed if it reads none."""
    result = outside.run(origin.ask)
    seen = read_status(result.stdout if isinstance(result, CommandResult) else "", service=origin.service)
    if not seen.is_online or seen.role == "slave":
        raise StatementFailed(
            f"{origin.source}: service {origin.service} of its replicator is {seen.role} and {seen.state}",
            hint="the source's replicator must be a master of that service, and ONLINE",
            server=origin.source,
        )
    return seen.seqno
