"""The words of each effect for MariaDB: pure, and the same that `apply` sends, behind its mark.

`lock_wait_timeout` bounds the wait for a LOCK TABLES holder and for a running statement (1205), to whole seconds; `max_statement_time`
bounds the whole, to the millisecond (1969). Tried on 10.11 with SET GLOBAL read_only=1: whichever comes first ends it with no effect.
"""

from __future__ import annotations

import math

from interlock.model.effects import EraseNote, Fence, KillSessions, Open, RunSql, ServerEffect, SetEventScheduler, WriteNote
from interlock.servers import notes
from interlock.servers.quoting import seconds
from interlock.servers.session import READ_BOUND_S, Setup

SCHEDULER_BOUND_S = 5.0
SETUP = Setup(
    first=f"SET SESSION max_statement_time={seconds(READ_BOUND_S)}, lock_wait_timeout=2, innodb_lock_wait_timeout=2, "
    "wait_timeout=604800, sql_mode='STRICT_ALL_TABLES', time_zone='+00:00', sql_quote_show_create=1"
)
"""`wait_timeout`: a run may stand at a gate for days. `sql_mode`: what `quoting.py` relies on, whatever the server's own.
`sql_quote_show_create`: SHOW GRANTS and SHOW CREATE quote names by it, and are read so.
"""

WRITE_STATE = (
    "SELECT @@GLOBAL.read_only AS read_only, @@GLOBAL.gtid_binlog_pos AS logged, @@GLOBAL.gtid_slave_pos AS applied, "
    "@@GLOBAL.event_scheduler AS event_scheduler"
)


def script(effect: ServerEffect, look: tuple[str, ...]) -> tuple[str, ...]:
    """The statements of an effect, in order; those of Fence and Open go out in one round trip with the look at what came of them."""
    match effect:
        case Fence(within_s=within_s, as_was=as_was):
            return (bounded(f"SET GLOBAL read_only={as_was or 1}", within_s), *look)
        case Open(within_s=within_s):
            return (bounded("SET GLOBAL read_only=0", within_s), *look)
        case SetEventScheduler(on=on):
            return (bounded(f"SET GLOBAL event_scheduler={'ON' if on else 'OFF'}", SCHEDULER_BOUND_S),)
        case KillSessions(ids=ids):
            return tuple(f"KILL {one:d}" for one in ids)
        case RunSql(statements=statements):
            return statements
        case WriteNote() | EraseNote():
            return notes.script(effect)


def bounded(statement: str, within_s: float) -> str:
    """The statement with the server's own bound. Not for RunSql: SET STATEMENT takes no CALL that commits, so its session is bounded."""
    return f"SET STATEMENT max_statement_time={seconds(within_s)}, lock_wait_timeout={max(1, math.ceil(within_s))} FOR {statement}"


def session_bounds(within_s: float) -> str:
    """The first SET of a session whose statements are each bounded by `within_s`."""
    whole_s = max(1, math.ceil(within_s))
    return f"SET SESSION max_statement_time={seconds(within_s)}, lock_wait_timeout={whole_s}, innodb_lock_wait_timeout={whole_s}"
