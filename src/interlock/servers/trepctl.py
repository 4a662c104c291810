"""`trepctl`, the command of Tungsten Replicator, on the host of a replicator or here: what it is told, and what is made of its answers.

Sources: Continuent's documentation, "trepctl status", "trepctl heartbeat", "trepctl wait", "trepctl offline", "trepctl online", "Generated
Field Reference",
and the replicator's own scripts, which take it for caught up once `currentEventId` of the extractor is `appliedLastEventId` without the
part behind the semicolon. Never run against a real replicator.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.errors import BoundReached, StatementFailed
from interlock.model.effects import RunCommand, SendHeartbeat, StartApplier, StartReceiver, StopApplier, StopReceiver
from interlock.model.facts import ChannelFacts, CommandResult
from interlock.model.position import FilePosition, LogPoint
from interlock.model.topology import ChannelSpec, ClusterName, ServerName
from interlock.ports import Outside

STATUS_WITHIN_S = 10.0
ReplicatorEffect = StopReceiver | StartReceiver | StopApplier | StartApplier | SendHeartbeat
HEARTBEAT = "interlock"
"""The name of each heartbeat that Interlock sends, by which a person finds it in the replicator's log."""
GOOD_FOR_S = 60.0
"""How long a status is good enough for a position that nobody waits for: it only grows, so an older one says too little, never too much."""

_EVENT = re.compile(r"([^:;\s]+\.\d+):(\d+)(?:;.*)?")
_NONE = {"", "NONE", "UNKNOWN"}
_NUMBER = "SEQNO"
_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`applied` is how far the source's binary log is applied, None if nothing was; `lag_s` None if it is not known. `seqno` is the last
    one applied, `stored` the last one received, by the replicator's own numbers; -1 while that is not told.
    """

    state: str
    role: str
    source_address: str
    seqno: int
    stored: int
    applied: LogPoint | None
    lag_s: int | None
    error: str

    @property
    def has_applied_all(self) -> bool:
        """All that it received. Not while it does not tell one of them."""
        return -1 < self.stored <= self.seqno

    @property
    def is_online(self) -> bool:
        """`ONLINE` alone: GOING-ONLINE, ONLINE:DEGRADED, OFFLINE:NORMAL and OFFLINE:ERROR are other states."""
        return self.state == "ONLINE"


def read_status(text: str, *, service: str) -> Status:
    """From what `status -json` prints. StatementFailed if it is no status of this service."""
    try:
        told = json.loads(text)
    except ValueError as error:
        raise StatementFailed(
            f"trepctl printed no JSON: {text.strip()[:200]!r}", hint="is the replicator up? see trepctl services"
        ) from error
    if not isinstance(told, Mapping) or not isinstance(told.get("state"), str):
        raise StatementFailed("trepctl printed no status", hint=f"see trepctl -service {service} status -json")
    if told.get("serviceName", service) != service:
        raise StatementFailed(f"trepctl tells of service {told['serviceName']}, not of {service}", hint="see trepctl services")
    said = [str(told[key]) for key in ("pendingError", "pendingExceptionMessage") if str(told.get(key, "")) not in _NONE]
    latency = _number(told.get("appliedLatency"))
    return Status(
        state=told["state"],
        role=str(told.get("role", "")),
        source_address=str(told.get("pipelineSource", "")),
        seqno=_seqno(told.get("appliedLastSeqno")),
        stored=_seqno(told.get("maximumStoredSeqNo")),
        applied=event_point(str(told.get("appliedLastEventId", ""))),
        lag_s=None if latency is None or latency < 0 else int(latency),
        error="; ".join(dict.fromkeys(said)),
    )


def event_point(event: str) -> LogPoint | None:
    """The point in the source's binary log of an event such as `mysql-bin.000018:0000000000070227;140`: file, offset of its end, thread.

    None for `NONE`. StatementFailed for an event that is no such point, as with GTIDs for extraction.
    """
    if event in _NONE:
        return None
    matched = _EVENT.fullmatch(event)
    if matched is None:
        raise StatementFailed(f"trepctl tells the event {event!r}, which is no point in a binary log", hint="extract by file and offset")
    return LogPoint.of(matched[1], int(matched[2]))


def _seqno(value: object) -> int:
    number = _number(value)
    return -1 if number is None else int(number)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the source's own replicator is asked: its `trepctl`, on the host of the source's cluster, None for here."""

    trepctl: tuple[str, ...]
    host: ClusterName | None


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
        whole_s = max(1, math.ceil(effect.within_s))
        match effect:
            case StopReceiver():
                waiting = self._order("wait", "-applied", last, "-limit", str(whole_s), within_s=whole_s + STATUS_WITHIN_S)
                return (waiting, self._order("offline"))
            case StopApplier():
                return (self._order("offline"),)
            case StartReceiver() | StartApplier():
                return (self._order("online"),)
            case SendHeartbeat():
                waiting = self._order("wait", "-applied", last, "-limit", str(whole_s), within_s=whole_s + STATUS_WITHIN_S)
                return (self._at_source("heartbeat", "-name", HEARTBEAT), self._at_source("status", "-json"), waiting)

    def _heartbeat(self, effect: SendHeartbeat) -> None:
        """As "trepctl heartbeat" in the documentation shows that events arrive: the source's number grows by it, and is applied here. Under
        load it may be the number of another event of this moment, which shows the same.
        """
        deadline = Deadline.after(self._clock, effect.within_s)
        beat, ask, _ = self._orders(effect, _NUMBER)
        before = self._read_at_source(ask)
        self._outside.run(beat)
        while (last := self._read_at_source(ask)) <= before:
            if deadline.is_over():
                raise BoundReached(
                    f"{self.source}: its replicator read no heartbeat within {effect.within_s:g}s",
                    hint=f"trepctl -service {self._spec.service} status on its host tells how far it has read",
                    server=self.source,
                )
            self._clock.sleep(_PAUSE_S)
        *_, waiting = self._orders(replace(effect, within_s=deadline.left_s()), str(last))
        self._run(waiting, f"number {last}, a heartbeat of {self.source}")
        self.status()

    def _read_at_source(self, ask: RunCommand) -> int:
        """The last number that the source's replicator gave to an event of its binary log. StatementFailed if it reads none."""
        result = self._outside.run(ask)
        seen = read_status(result.stdout if isinstance(result, CommandResult) else "", service=self._spec.service)
        if not seen.is_online or seen.role == "slave":
            raise StatementFailed(
                f"{self.source}: service {self._spec.service} of its replicator is {seen.role} and {seen.state}",
                hint="the source's replicator must be a master of that service, and ONLINE",
                server=self.source,
            )
        return seen.seqno

    def _at_source(self, *words: str) -> RunCommand:
        if self._origin is None:
            raise StatementFailed(
                f"nobody knows how the replicator of {self.source} is asked",
                hint=f"say `channel: {{type: tungsten, …}}` of the cluster of {self.source} too",
                server=self.source,
            )
        argv = (*self._origin.trepctl, "-service", self._spec.service, *words)
        return RunCommand(argv=argv, within_s=STATUS_WITHIN_S, host=self._origin.host)

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
