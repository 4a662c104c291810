"""An applier that a quiesce stopped is led on to where the writer is, and no further: it stops there by itself, also if we are killed.

Without that a quiesced side would stay behind for good, and every row that was written since would be on its way for ever.
"""

from __future__ import annotations

from dataclasses import field
from threading import Event, Lock

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.model.effects import StartApplier, StopApplier
from interlock.model.position import Position
from interlock.servers.server import SqlServer

MARK = "diff"
_STEP_S = 0.2
_FOLLOW_EVERY_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """`channel` is the one from the writer. Threads share it."""

    writer: SqlServer
    other: SqlServer
    channel: str
    clock: Clock
    turn: Lock = field(default_factory=Lock, compare=False)

    def follow(self, stop: Event) -> None:
        """Until `stop` is set. Otherwise all that the writer writes while a range is read would differ in it, and be looked at again."""
        while not stop.is_set():
            self._go_on()
            self.clock.sleep(_FOLLOW_EVERY_S)

    def reaches(self, position: Position, within_s: float) -> bool:
        """As `wait_applied` of a server whose applier runs."""
        deadline = Deadline.after(self.clock, within_s)
        while True:
            self._go_on()
            if self.other.wait_applied(position, min(_STEP_S, deadline.left_s())):
                return True
            if deadline.is_over():
                return False

    def rest(self) -> None:
        """It stands again. MariaDB looks at where it shall stop only when the next event comes (tried on 10.11)."""
        with self.turn:
            (channel,) = (one for one in self.other.channels() if one.name == self.channel)
            if channel.applier:
                self.other.apply(StopApplier(server=self.other.name, channel=self.channel), MARK)

    def _go_on(self) -> None:
        """To the end of the writer's log as it is now; nothing while it is still on its way to an earlier one."""
        with self.turn:
            end = self.writer.end_of_log()
            (channel,) = (one for one in self.other.channels() if one.name == self.channel)
            if end is not None and not channel.applier:
                self.other.apply(StartApplier(server=self.other.name, channel=self.channel, until=end), MARK)


def lead_for(writer: SqlServer, other: SqlServer, clock: Clock) -> Lead | None:
    """None unless the other side's applier stands, without an error, and its receiver goes on; or was led on before."""
    for channel in other.channels():
        stands = not channel.applier or channel.until
        if channel.source == writer.name and stands and not channel.error and channel.receiver == "Yes":
            return Lead(writer=writer, other=other, channel=channel.name, clock=clock)
    return None
