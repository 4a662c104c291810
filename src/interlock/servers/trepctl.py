"""`trepctl`, the command of Tungsten Replicator, on the host of a replicator or here: what it is asked, and what is made of its answers.

Sources: Continuent's documentation, "trepctl status", "trepctl wait", "Generated Field Reference", and the replicator's own scripts, which
take it for caught up once `currentEventId` of the extractor is `appliedLastEventId` without the part behind the semicolon. Never run
against a real replicator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from interlock.clock import Clock
from interlock.errors import StatementFailed
from interlock.model.effects import RunCommand
from interlock.model.facts import ChannelFacts, CommandResult
from interlock.model.position import LogPoint
from interlock.model.topology import ChannelSpec, ClusterName, ServerName
from interlock.ports import Outside

STATUS_WITHIN_S = 10.0
GOOD_FOR_S = 60.0
"""How long a status is good enough for a position that nobody waits for: it only grows, so an older one says too little, never too much."""

_EVENT = re.compile(r"([^:;\s]+\.\d+):(\d+)(?:;.*)?")
_NONE = {"", "NONE", "UNKNOWN"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`applied` is how far the source's binary log is applied, None if nothing was; `lag_s` None if it is not known."""

    state: str
    role: str
    source_address: str
    seqno: int
    applied: LogPoint | None
    lag_s: int | None
    error: str

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
        seqno=int(_number(told.get("appliedLastSeqno")) or 0),
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


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


class Replicator:
    """The replicator that applies a source's service to one master."""

    def __init__(
        self, spec: ChannelSpec, *, server: ServerName, source: ServerName, host: ClusterName | None, outside: Outside, clock: Clock
    ) -> None:
        """`host` is the cluster on whose host `trepctl` runs, None for here."""
        self.source = source
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
        return ChannelFacts(
            server=self._server,
            name=self._spec.service,
            source=self.source,
            source_address=seen.source_address,
            receiver="Yes" if seen.is_online else seen.state,
            applier=seen.is_online,
            lag_s=seen.lag_s if seen.is_online else None,
            error=seen.error or (seen.state if "ERROR" in seen.state else ""),
            using="tungsten",
            applied=seen.applied,
        )
