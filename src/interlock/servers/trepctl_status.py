"""What `trepctl status -json` prints, as facts.

Sources: Continuent's documentation, "trepctl status", "Generated Field Reference", and the replicator's own scripts, which take it for
caught up once `currentEventId` of the extractor is `appliedLastEventId` without the part behind the semicolon. Never seen of a real one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.model.position import LogPoint

STATUS_WITHIN_S = 10.0

_EVENT = re.compile(r"([^:;\s]+\.\d+):(\d+)(?:;.*)?")
_NONE = {"", "NONE", "UNKNOWN"}


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
