"""Who may have the lease of a pair. Pure: the store says who holds it and whether that process was seen, this says what follows.

Three rules. A holder that lives keeps its lease, however late it is. A holder *proved* gone loses it at once. One that can't be looked at
(another machine, another container, a machine that was booted since) loses it when its time is over. Whatever this says, the epoch
decides in the end: the one who lost the lease learns it before its next effect.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from interlock.dataclass import dataclass
from interlock.model.verdict import Act, Refuse
from interlock.ports import Holder

LEASE_TTL = timedelta(seconds=30)
"""How long a lease stands without being renewed, for those who can't look at its holder."""

RENEW_AFTER = timedelta(seconds=10)
"""A lease renewed more recently than this is not written again: a check before each effect is then a read."""


class Liveness(StrEnum):
    """What could be found out about a process. UNKNOWN is not gone."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLease:
    """A lease as the store has it. Times are wall times."""

    topology: str
    epoch: int
    holder: Holder
    taken_at: datetime
    expires_at: datetime


def may_be_taken(held: HeldLease, seen: Liveness, now: datetime) -> Act | Refuse:
    """Whether another run may have this lease now; the refusal names the holder and says when it ends."""
    holder = held.holder
    match seen:
        case Liveness.GONE:
            return Act(f"the process of run {holder.run} is gone")
        case Liveness.ALIVE:
            return Refuse(_held_by(held), hint=f"wait for it, or look at it: interlock show {holder.run}")
        case Liveness.UNKNOWN if now >= held.expires_at:
            return Act(f"the lease of run {holder.run} was not renewed")
        case Liveness.UNKNOWN:
            return Refuse(
                _held_by(held),
                hint=f"that process can't be looked at from here: its lease ends at {utc(held.expires_at)} if it is not renewed. "
                f"See what it does: interlock show {holder.run}",
            )


def needs_renewal(expires_at: datetime, now: datetime) -> bool:
    return now >= expires_at - LEASE_TTL + RENEW_AFTER


def utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _held_by(held: HeldLease) -> str:
    who = held.holder
    return f"{held.topology} is held by {who.user}@{who.host}, pid {who.pid}, run {who.run}, since {utc(held.taken_at)}"
