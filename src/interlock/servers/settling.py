"""The end of all that may still land on a server: whatever bears an effect's mark, and connections whose last answer never came."""

from __future__ import annotations

from interlock.errors import OutcomeUnknown
from interlock.servers.orphans import kill_and_prove_gone
from interlock.servers.pool import Pool, Purpose
from interlock.servers.quoting import MARK_PATTERN, text
from interlock.servers.session import text_of


def settle(pool: Pool) -> None:
    """The lock's connection stays, for the pair is still held. OutcomeUnknown names the connections that would not go."""
    fresh = pool.fresh(Purpose.ACT)
    try:
        rows = fresh.rows(
            f"SELECT id FROM {fresh.processlist} p WHERE user = SUBSTRING_INDEX(USER(), '@', 1) "
            f"AND id <> CONNECTION_ID() AND info LIKE {text(MARK_PATTERN)}"
        )
        ending = {int(text_of(row["id"])) for row in rows} | pool.suspects
        pool.drop(keep=frozenset({Purpose.LOCK}))
        left = kill_and_prove_gone(fresh, ending, clock=pool.clock)
    finally:
        fresh.close()
    pool.suspects = set(left)
    if left:
        raise OutcomeUnknown(
            f"{pool.spec.name}: connections {', '.join(map(str, left))} are still there after a KILL",
            hint="see SHOW PROCESSLIST",
            server=pool.spec.name,
        )
