"""`trepctl`, the command of Tungsten Replicator, on the host of a replicator or here: what it is told, and the channel that it is.

Sources: Continuent's documentation, "trepctl wait", "trepctl offline", "trepctl online". Never run against a real replicator.
"""

from __future__ import annotations

import math
from dataclasses import replace

from interlock.clock import Clock, Deadline
from interlock.errors import BoundReached, StatementFailed
from interlock.model.effects import RunCommand, SendHeartbeat, StartApplier, StartReceiver, StopApplier, StopReceiver
from interlock.model.facts import ChannelFacts, CommandResult
from interlock.model.position import FilePosition, LogPoint
from interlock.model.topology import ChannelSpec, ClusterName, ServerName
from interlock.ports import Outside
from interlock.servers.trepctl_heartbeat import Origin, send
from interlock.servers.trepctl_status import STATUS_WITHIN_S, Status, read_status

ReplicatorEffect = StopReceiver | StartReceiver | StopApplier | StartApplier | SendHeartbeat
GOOD_FOR_S = 60.0
"""How long a status is good enough for a position that nobody waits for: it only grows, so an older one says too little, never too much."""

_NUMBER = "SEQNO"


class Replicator:
    """The replicator that applies a source's service to one master."""

    def __init__(
        self,
        spec: ChannelSpec,
        *,
        server: ServerName,
        source: ServerName,
        host: ClusterName | None,
        outside: Outside,
        clock: Clock,
        origin: Origin | None = None,
    ) -> None:
        """`host` is the cluster on whose host `trepctl` runs, None for here. Without an `origin` no heartbeat can be sent."""
        self.source = source
        self._origin = origin
        self._spec = spec
        self._server = server
        self._host = host
        self._outside = outside
        self._clock = clock
        self._seen: tuple[Status, float] | None = None

    def status(self) -> Status:
        """As it is now: this starts a program, which takes about a second."""
        effect = RunCommand(argv=self.command("status", "-json"), within_s=STATUS_WITHIN_S, host=self._host)
        result = self._outside.run(effect)
        if not isinstance(result, CommandResult):
            raise StatementFailed(f"trepctl gave no output: {result}", server=self._server)
        seen = read_status(result.stdout, service=self._spec.service)
        if seen.applied is None and self._seen is not None:  # offline it may tell no numbers; nothing moves meanwhile
            last = self._seen[0]
            seen = replace(seen, applied=last.applied, seqno=last.seqno, stored=last.stored)
        self._seen = seen, self._clock.monotonic_s()
        return seen

    def recent(self) -> Status:
        """A status not older than GOOD_FOR_S."""
        if self._seen is not None and self._clock.monotonic_s() - self._seen[1] <= GOOD_FOR_S:
            return self._seen[0]
        return self.status()

    def command(self, *words: str) -> tuple[str, ...]:
        return (*self._spec.trepctl, "-service", self._spec.service, *words)

    def channel(self) -> ChannelFacts:
        """The replicator as the channel that it is. What is not online applies nothing, whatever it calls that."""
        seen = self.status()
        stopped = "No" if seen.state.startswith("OFFLINE") else seen.state
        return ChannelFacts(
            server=self._server,
            name=self._spec.service,
            source=self.source,
            source_address=seen.source_address,
            receiver="Yes" if seen.is_online else stopped,
            applier=seen.is_online,
            lag_s=seen.lag_s if seen.is_online else None,
            error=seen.error or (seen.state if "ERROR" in seen.state else ""),
            using="tungsten",
            applied=seen.applied,
            received=self._received(seen),
        )

    def script(self, effect: ReplicatorEffect, /) -> tuple[str, ...]:
        """The commands of an effect, as a plan shows them; which number is waited for is known when it is sent."""
        return tuple(line for each in self._orders(effect, _NUMBER) for line in self._outside.script(each))

    def apply(self, effect: ReplicatorEffect, /) -> None:
        """BoundReached if what was received, or a heartbeat, is not applied in time: then it is still online, and nothing has changed."""
        if isinstance(effect, SendHeartbeat):
            self._heartbeat(effect)
            return
        before = self.status()
        for order in self._orders(effect, str(before.stored)):
            if "wait" in order.argv and (not before.is_online or before.has_applied_all):
                continue
            self._run(order, "all that it received")
        self.status()

    def _orders(self, effect: ReplicatorEffect, last: str) -> tuple[RunCommand, ...]:
        """A replicator has one switch for both of its ends. So what was received is applied before it is taken off line, as a stopped
        receiver's would be after.
        """
        match effect:
            case StopReceiver():
                return (self._waiting(last, effect.within_s), self._order("offline"))
            case StopApplier():
                return (self._order("offline"),)
            case StartReceiver() | StartApplier():
                return (self._order("online"),)
            case SendHeartbeat():
                origin = self._known_origin()
                return (origin.beat, origin.ask, self._waiting(last, effect.within_s))

    def _heartbeat(self, effect: SendHeartbeat) -> None:
        deadline = Deadline.after(self._clock, effect.within_s)
        number = send(self._known_origin(), self._outside, self._clock, effect.within_s)
        self._run(self._waiting(str(number), deadline.left_s()), f"number {number}, a heartbeat of {self.source}")
        self.status()

    def _known_origin(self) -> Origin:
        if self._origin is None:
            raise StatementFailed(
                f"nobody knows how the replicator of {self.source} is asked",
                hint=f"say `channel: {{type: tungsten, …}}` of the cluster of {self.source} too",
                server=self.source,
            )
        return self._origin

    def _waiting(self, last: str, within_s: float) -> RunCommand:
        """Its own bound is in whole seconds, one at the least."""
        whole_s = max(1, math.ceil(within_s))
        return self._order("wait", "-applied", last, "-limit", str(whole_s), within_s=whole_s + STATUS_WITHIN_S)

    def _order(self, *words: str, within_s: float = STATUS_WITHIN_S) -> RunCommand:
        return RunCommand(argv=self.command(*words), within_s=within_s, host=self._host)

    def _run(self, order: RunCommand, what: str) -> None:
        try:
            self._outside.run(order)
        except StatementFailed as failed:
            if "wait" not in order.argv:
                raise
            raise BoundReached(
                f"{self._server}: {self._spec.service} has not applied {what}: {failed.message}",
                hint="it is still on line: wait until trepctl status shows appliedLastSeqno at maximumStoredSeqNo, then try again",
                server=self._server,
            ) from failed

    def _received(self, seen: Status) -> FilePosition | None:
        """It numbers what it received, and does not say where that is in the source's log: past what it applied, if its number is. None
        where it tells no numbers.
        """
        if seen.applied is None or seen.stored < 0:
            return None
        past = 0 if seen.has_applied_all else 1
        return FilePosition.of({str(self.source): LogPoint.of(seen.applied.file, seen.applied.offset + past)})
