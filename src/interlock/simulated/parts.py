"""What a server in memory is made of beside its rows: clients' sessions, the faults it is given, and the segments at it."""

from __future__ import annotations

from dataclasses import field

from interlock.dataclass import dataclass
from interlock.model.effects import Effect
from interlock.model.segments import AccountState, SegmentNote


@dataclass(slots=True, kw_only=True)
class Session:
    """A client's session. `began_s` is when its open transaction began; a table lock or a running statement holds a fence up."""

    id: int
    user: str = "app"
    statement: str = ""
    began_s: float | None = None
    rows_modified: int = 0
    passes_read_only: bool = False
    holds_fence_up: bool = False


@dataclass(slots=True, kw_only=True)
class Faults:
    """What is wrong with a server. `lose_reply` and `land_late` name kinds of effects, once each: the effect takes place at once, or after
    so many seconds, and its reply never comes. `refuses` lets no connection of Interlock's in (too many of them); `slow_s` is added to
    each of its calls.
    """

    down: bool = False
    hung: bool = False
    fence_stuck: bool = False
    refuses: bool = False
    slow_s: float = 0.0
    lose_reply: set[type[Effect]] = field(default_factory=set)
    land_late: dict[type[Effect], float] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class SegmentHere:
    """A segment of an active/active pair at one server: its accounts, the rights they have, and the note of its owner. A session that is
    there goes on writing whatever becomes of its account: only its end ends that. `writers` are others who can write it, `unguarded` tables
    of tenants without a guard.
    """

    accounts: tuple[AccountState, ...]
    note: SegmentNote | None = None
    writers: tuple[str, ...] = ()
    unguarded: tuple[str, ...] = ()
