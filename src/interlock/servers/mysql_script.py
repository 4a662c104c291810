"""The words of each effect for MySQL: pure, and the same that `apply` sends, behind its mark.

What was tried on 9.7.4. SET GLOBAL super_read_only=1 waits for running statements that write and for LOCK TABLES … WRITE;
`lock_wait_timeout` ends it (1205, whole seconds), and then neither variable has changed and nothing was persisted. It does not wait for an
idle open transaction, whose COMMIT is then refused (1290), nor for LOCK TABLES … READ. `max_execution_time` bounds reads only.

`read_only=1` leaves `super_read_only` as it is, and `super_read_only=0` leaves `read_only`.

From 8.0 on a fence is persisted: a server that restarts is still fenced. An opening takes that back first; the option file's word stands.
"""

from __future__ import annotations

import math

from interlock.model.effects import Fence, KillSessions, Open, RunSql, ServerEffect, SetEventScheduler
from interlock.servers.mysql_words import Words
from interlock.servers.session import READ_BOUND_S, Setup

SETUP = Setup(
    first=f"SET SESSION max_execution_time={READ_BOUND_S * 1000:.0f}, lock_wait_timeout=2, innodb_lock_wait_timeout=2, "
    "wait_timeout=604800, sql_mode='STRICT_ALL_TABLES', time_zone='+00:00'",
    processlist="(SELECT id AS id, user AS user, host AS host, command AS command, time AS time, info AS info "
    "FROM information_schema.processlist)",
)
"""`processlist`: 8.0 and newer name its columns in capitals."""

PERSISTED = "persisted"
_PERSISTED = (
    ", (SELECT GROUP_CONCAT(variable_name ORDER BY variable_name) FROM performance_schema.persisted_variables "
    "WHERE variable_name IN ('read_only', 'super_read_only') AND variable_value = 'ON') AS persisted"
)
_WRITE_STATE = (
    "SELECT @@GLOBAL.read_only AS read_only, @@GLOBAL.super_read_only AS super_read_only, @@GLOBAL.gtid_executed AS executed, "
    "@@GLOBAL.event_scheduler AS event_scheduler"
)
_FORGET = ("RESET PERSIST IF EXISTS super_read_only", "RESET PERSIST IF EXISTS read_only")


def write_state(words: Words) -> str:
    return _WRITE_STATE + (_PERSISTED if words.persists else "")


def script(effect: ServerEffect, words: Words, look: tuple[str, ...]) -> tuple[str, ...]:
    """The statements of an effect, in order; those of Fence and Open go out in one round trip with the look at what came of them."""
    match effect:
        case Fence(within_s=within_s, as_was=as_was):
            return (_bound(within_s), *_fencing(as_was, words), *look)
        case Open(within_s=within_s, as_was=as_was):
            forget = _FORGET if words.persists and PERSISTED not in as_was else ()
            return (_bound(within_s), *forget, "SET GLOBAL read_only=0", *look)
        case SetEventScheduler(on=on):
            return (f"SET GLOBAL event_scheduler={'ON' if on else 'OFF'}",)
        case KillSessions(ids=ids):
            return tuple(f"KILL {one:d}" for one in ids)
        case RunSql(statements=statements):
            return statements


def _fencing(as_was: str, words: Words) -> tuple[str, ...]:
    """The closest fence there is, or the one that was seen before: it stands before what is closer or persisted is taken back."""
    if not as_was:
        return ("SET PERSIST super_read_only=1" if words.persists else "SET GLOBAL super_read_only=1",)
    seen = as_was.split("+")
    keeps, is_super = PERSISTED in seen and words.persists, "super_read_only" in seen
    fence = f"SET {'PERSIST' if keeps else 'GLOBAL'} {'super_read_only' if is_super else 'read_only'}=1"
    forget = _FORGET if words.persists and not keeps else _FORGET[:1] if keeps and not is_super else ()
    return (fence, *forget, *(() if is_super else ("SET GLOBAL super_read_only=0",)))


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
