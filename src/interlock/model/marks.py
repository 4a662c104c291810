"""What people and runs note on a pair in the store, for every later command to respect."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from interlock.dataclass import dataclass


class MarkKind(StrEnum):
    """Stored words, never renamed."""

    HOLD = "hold"  # somebody works on it: no run may begin
    FAILED = "failed"  # a failover took the writes from it: it is no writer before it has rejoined
    QUIESCED = "quiesced"  # all load was moved away from it: a hold that ends when it rejoins


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One of a kind for each `subject`: a cluster's name, or empty for the whole pair. `until` None: until it is taken away.

    A hold that has expired reminds, and still holds: expiry opens nothing by itself. `run` is the run that set it, empty if a person did.
    """

    topology: str
    kind: MarkKind
    subject: str
    by: str
    at: datetime
    reason: str
    until: datetime | None = None
    run: str = ""
