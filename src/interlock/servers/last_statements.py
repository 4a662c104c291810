"""What each session ran last: only performance_schema knows, which MariaDB starts without."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.servers.pool import Pool, Purpose
from interlock.servers.session import READ_BOUND_S, text_of

_LAST = (
    "SELECT t.processlist_id AS id, LEFT(s.sql_text, 200) AS statement FROM performance_schema.threads t "
    "JOIN performance_schema.events_statements_current s ON s.thread_id = t.thread_id WHERE t.processlist_id IS NOT NULL"
)
_NO_PERFORMANCE_SCHEMA = frozenset({1142, 1146, 1683})
"""Not readable, not there, or built without it: then the last statement is not known, which stops nothing."""


def last_statements(pool: Pool) -> Mapping[int, str]:
    results = pool.session(Purpose.WITNESS).run((_LAST,), bound_s=READ_BOUND_S, harmless=_NO_PERFORMANCE_SCHEMA)
    return {int(text_of(row["id"])): text_of(row["statement"]) for result in results for row in result.rows}
