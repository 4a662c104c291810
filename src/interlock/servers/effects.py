"""How KillSessions and RunSql are carried out, and the mark that each statement of an effect bears."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

from interlock.errors import StatementFailed
from interlock.servers.client_sessions import is_client
from interlock.servers.orphans import kill_and_prove_gone
from interlock.servers.pool import Pool, Purpose
from interlock.servers.quoting import marked
from interlock.servers.session import text_of

ROWS_AT_MOST = 1000


def all_marked(statements: Sequence[str], mark: str) -> tuple[str, ...]:
    return tuple(marked(statement, mark) for statement in statements)


def kill_sessions(pool: Pool, wanted: Collection[int], mark: str) -> Mapping[str, object]:
    """Replication's and the server's own threads are never killed, whatever was asked."""
    if not wanted:
        return {"killed": 0}
    session = pool.session(Purpose.ACT)
    numbers = ",".join(str(int(one)) for one in wanted)
    rows = session.rows(f"SELECT id, user, command FROM {session.processlist} p WHERE id IN ({numbers})")
    ids = [int(text_of(row["id"])) for row in rows if is_client(row, ours=pool.ids(), our_users=())]
    left = kill_and_prove_gone(session, ids, clock=pool.clock, mark=mark)
    if left:
        raise StatementFailed(
            f"{pool.spec.name}: sessions {', '.join(map(str, left))} are still there after a KILL",
            hint="a large transaction may be rolling back; wait for it, then try again",
            server=pool.spec.name,
        )
    return {"killed": len(ids)}


def run_sql(pool: Pool, statements: Sequence[str], *, bounds: str, within_s: float) -> Mapping[str, object]:
    """On a connection of its own, which begins with `bounds`; with the server's sql_mode. `rows` of the last statement, `affected` rows of
    each.
    """
    session = pool.fresh(Purpose.ACT, settings=bounds, several=False)
    try:
        results = [pool.act((statement,), bound_s=within_s, doing="sql", session=session)[-1] for statement in statements]
    finally:
        session.close()
    rows = [{key: _plain(value) for key, value in row.items()} for row in results[-1].rows[:ROWS_AT_MOST]] if results else []
    return {"rows": rows, "affected": [result.affected for result in results]}


def _plain(value: object) -> object:
    """What a journal can hold: numbers, texts and times; any other kind as its text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value.isoformat() if isinstance(value, (datetime, date)) else text_of(value)
