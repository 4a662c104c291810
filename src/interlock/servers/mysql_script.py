"""The words of each effect for MySQL: pure, and the same that `apply` sends, behind its mark.

What was tried on 9.7.4. SET GLOBAL super_read_only=1 waits for running statements that write and for LOCK TABLES … WRITE;
`lock_wait_timeout` ends it (1205, whole seconds), and then neither variable has changed and nothing was persisted. It does not wait for an
idle open transaction, whose COMMIT is then refused (1290), nor for LOCK TABLES … READ. `max_execution_time` bounds reads only.

`read_only=1` leaves `super_read_only` as it is, and `super_read_only=0` leaves `read_only`.

From 8.0 on a fence is persisted: a server that restarts is still fenced. An opening takes that back first; the option file's word stands.
What was persisted of the two variables (ON, OFF or nothing, each for itself) is put back as it was seen. `SET PERSIST read_only=0` opens
a server that is to stay fenced: there SET PERSIST_ONLY puts an OFF back, which wants PERSIST_RO_VARIABLES_ADMIN (3630 without it).

`offline_mode`, where the topology wants it, comes after the fence: first nothing more is written, then the clients go. Who has no
CONNECTION_ADMIN is turned out, whoever replicates from here among them: 2013 at the next statement, 3032 at a login.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Self

from interlock.dataclass import dataclass
from interlock.model.effects import EraseNote, Fence, KillSessions, Open, RunSql, ServerEffect, SetEventScheduler, WriteNote
from interlock.servers import notes
from interlock.servers.mysql_words import Words
from interlock.servers.session import READ_BOUND_S, Setup

SETUP = Setup(
    first=f"SET SESSION max_execution_time={READ_BOUND_S * 1000:.0f}, lock_wait_timeout=2, innodb_lock_wait_timeout=2, "
    "wait_timeout=604800, sql_mode='STRICT_ALL_TABLES', time_zone='+00:00', sql_quote_show_create=1",
    processlist="(SELECT id AS id, user AS user, host AS host, command AS command, time AS time, info AS info "
    "FROM information_schema.processlist)",
)
"""`processlist`: 8.0 and newer name its columns in capitals."""

PERSISTED, OFFLINE = "persisted", "offline_mode"
_BOTH = ("super_read_only", "read_only")
_PERSISTED = (
    ", (SELECT GROUP_CONCAT(CONCAT(variable_name, '=', variable_value) ORDER BY variable_name DESC) "
    "FROM performance_schema.persisted_variables WHERE variable_name IN ('read_only', 'super_read_only')) AS persisted"
)
_WRITE_STATE = (
    "SELECT @@GLOBAL.read_only AS read_only, @@GLOBAL.super_read_only AS super_read_only, @@GLOBAL.gtid_executed AS executed, "
    "@@GLOBAL.event_scheduler AS event_scheduler, @@GLOBAL.offline_mode AS offline_mode"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How a server was fenced: the closer of the two variables that is on, and what is persisted of each (True for ON). As text it is a
    `WriteFacts.fence`: `super_read_only+persisted:super_read_only=ON`.
    """

    closed: str
    offline: bool = False
    persisted: Mapping[str, bool]

    @classmethod
    def parse(cls, text: str) -> Self:
        words = text.split("+")
        closed = next((one for one in _BOTH if one in words), "")
        kept = [one.removeprefix(f"{PERSISTED}:").partition("=") for one in words if one.startswith(f"{PERSISTED}:")]
        return cls(closed=closed, offline=OFFLINE in words, persisted={name: value == "ON" for name, _, value in kept})

    def __str__(self) -> str:
        kept = [f"{PERSISTED}:{name}={'ON' if self.persisted[name] else 'OFF'}" for name in _BOTH if name in self.persisted]
        return "+".join(filter(None, [self.closed, OFFLINE if self.offline else "", *kept]))


def write_state(words: Words) -> str:
    return _WRITE_STATE + (_PERSISTED if words.persists else "")


def script(effect: ServerEffect, words: Words, look: tuple[str, ...], *, offline: bool = False) -> tuple[str, ...]:
    """The statements of an effect, in order; those of Fence and Open go out in one round trip with the look at what came of them.

    With `offline` a fence turns the clients out; without it nobody's `offline_mode` is touched.
    """
    match effect:
        case Fence(within_s=within_s, as_was=as_was):
            return (_bound(within_s), *_fencing(as_was, words), *(_turning_out(as_was, OFFLINE) if offline else ()), *look)
        case Open(within_s=within_s, as_was=as_was):
            return (_bound(within_s), *_opening(as_was, words), *(_turning_out(as_was, "") if offline else ()), *look)
        case SetEventScheduler(on=on):
            return (f"SET GLOBAL event_scheduler={'ON' if on else 'OFF'}",)
        case KillSessions(ids=ids):
            return tuple(f"KILL {one:d}" for one in ids)
        case RunSql(statements=statements):
            return statements
        case WriteNote() | EraseNote():
            return notes.script(effect)


def _fencing(as_was: str, words: Words) -> tuple[str, ...]:
    """The closest fence there is, or the one that was seen before: it stands before what is closer or persisted is taken back."""
    if not as_was:
        return ("SET PERSIST super_read_only=1" if words.persists else "SET GLOBAL super_read_only=1",)
    seen = Seen.parse(as_was)
    closed = seen.closed or "read_only"
    loosened = () if closed == "super_read_only" else ("SET GLOBAL super_read_only=0",)
    if not words.persists:
        return (f"SET GLOBAL {closed}=1", *loosened)
    kept = [_persist(name, seen.persisted.get(name), only=True) for name in (closed, *(one for one in _BOTH if one != closed))]
    fence = () if seen.persisted.get(closed) else (f"SET GLOBAL {closed}=1",)
    return (*fence, *kept, *loosened)


def _opening(as_was: str, words: Words) -> tuple[str, ...]:
    """Nothing is left persisted, or what was seen before: nothing of that is ON that a fence of ours did not put there."""
    if not words.persists:
        return ("SET GLOBAL read_only=0",)
    kept = Seen.parse(as_was).persisted
    forget = [_persist(name, None) for name in _BOTH if name not in kept]
    return (*forget, "SET GLOBAL read_only=0", *(_persist(name, False) for name in _BOTH if kept.get(name) is False))


def _turning_out(as_was: str, wanted: str) -> tuple[str, ...]:
    return (f"SET GLOBAL offline_mode={Seen.parse(as_was or wanted).offline:d}",)


def _persist(name: str, value: bool | None, *, only: bool = False) -> str:  # noqa: FBT001 - what is persisted; None is nothing
    """With `only` an OFF is kept for the next start alone."""
    if value is None:
        return f"RESET PERSIST IF EXISTS {name}"
    return f"SET PERSIST{'_ONLY' if only and not value else ''} {name}={value:d}"


def whole_seconds(within_s: float) -> int:
    """`lock_wait_timeout` counts in whole seconds, from 1 on."""
    return max(1, math.ceil(within_s))


def session_bounds(within_s: float) -> str:
    """Reads end at `max_execution_time`, to the millisecond; what waits for a lock, at the next whole second; no other write is bounded."""
    whole_s = whole_seconds(within_s)
    milliseconds = max(1, math.ceil(within_s * 1000))
    return f"SET SESSION max_execution_time={milliseconds}, lock_wait_timeout={whole_s}, innodb_lock_wait_timeout={whole_s}"


def _bound(within_s: float) -> str:
    return f"SET SESSION lock_wait_timeout={whole_seconds(within_s)}"
