"""Conflicts on the rows that a client writes, made as another client of the same database makes them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from interlock.servers.quoting import name

DEADLOCK, TIMEOUT, KILLED, CUT, MOVED = "deadlock", "lock time-out", "query killed", "connection killed", "switchover"
KINDS = (DEADLOCK, TIMEOUT, KILLED, CUT, MOVED)
MAKE_WEIGHT = "CREATE TABLE IF NOT EXISTS app.drill_weight (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB"
_HEAVY = f"INSERT INTO app.drill_weight (id) VALUES {', '.join(['(NULL)'] * 400)}"  # noqa: S608 - nothing of anybody's is in it
"""Of two transactions in a deadlock InnoDB rolls back the one that changed fewer rows (MySQL manual, "Deadlock Detection")."""
_WITHIN_S = 10.0
_PAUSE_S = 0.15
"""InnoDB answers INNODB_TRX from a copy, and makes a new one only if nobody asked for 0.1 s (CACHE_MIN_IDLE_TIME in trx0i_s.cc)."""
_TRIES = 5
_LOST_THE_RACE = frozenset({1020, 1205, 1213})
"""The client had its rows first: the row changed, the lock was not to be had, the deadlock was ours."""
_EVENTS = 4000
_TABLE = re.compile(r"table_id: \d+ \((.+)\)")
_BEGINS = frozenset({"Gtid", "Anonymous_Gtid"})
_MORE = "SELECT COUNT AS n FROM information_schema.INNODB_METRICS WHERE NAME=%s AND COUNT > %s"
_WAITING = (
    "SELECT trx_mysql_thread_id AS id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' "
    "AND trx_mysql_thread_id <> CONNECTION_ID() AND trx_mysql_thread_id > 0"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The tables that the client's usual transaction writes, in its order. `second` is None if it is only one."""

    first: str
    second: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlace:
    file: str
    position: int


def log_end(sandbox: Sandbox, server: str) -> LogPlace:
    last = sql.query(sandbox, server, "SHOW BINARY LOGS")[-1]
    return LogPlace(file=last["Log_name"], position=last["File_size"])


def written_since(sandbox: Sandbox, server: str, place: LogPlace) -> Rows | None:
    """What transactions wrote most, by the tables that their row events name; None if they wrote nothing yet."""
    events = sql.query(sandbox, server, f"SHOW BINLOG EVENTS IN '{place.file}' FROM {place.position:d} LIMIT {_EVENTS:d}")
    shapes: Counter[tuple[str, ...]] = Counter()
    shape: dict[str, None] = {}
    for event in [*events, {"Event_type": "Gtid"}]:
        if event["Event_type"] in _BEGINS:
            shapes[tuple(shape)] += bool(shape)
            shape = {}
        elif (found := _TABLE.match(event.get("Info") or "")) is not None and not found[1].startswith("interlock."):
            shape[found[1]] = None
    if not shapes.total():
        return None
    several = Counter({key: count for key, count in shapes.items() if len(key) > 1 and count})
    ((usual, _),) = (several or shapes).most_common(1)
    return Rows(first=usual[0], second=usual[1] if len(usual) > 1 else None)


def disturb(kind: str, sandbox: Sandbox, server: str, rows: Rows, clock: Clock) -> int:
    """How many of these conflicts were made: 0 if nobody came into the way in time. StatementFailed: the server would not have it."""
    for _ in range(_TRIES):
        try:
            made = _made(kind, sandbox, server, rows, clock)
        except pymysql.err.OperationalError as error:
            if error.args[0] not in _LOST_THE_RACE:
                raise StatementFailed(f"{server}: a {kind} could not be made: {error.args[-1]}", hint="interlock status") from error
            made = 0
        if made:
            return made
    return 0


def _made(kind: str, sandbox: Sandbox, server: str, rows: Rows, clock: Clock) -> int:
    if kind == DEADLOCK:
        return _deadlocks(sandbox, server, rows.first, rows.second, clock) if rows.second is not None else 0
    if kind == TIMEOUT:
        return _timeouts(sandbox, server, rows, clock)
    return _kills(sandbox, server, rows, clock, "KILL QUERY" if kind == KILLED else "KILL")


def _deadlocks(sandbox: Sandbox, server: str, first: str, second: str, clock: Clock) -> int:
    """Lock what the client comes to last, wait until it waits there, then lock what it came to first. None is made if it gave up waiting
    in between.
    """
    with closing(sql.connect(sandbox, server)) as watching:
        before = _counter(watching, "lock_deadlocks")
        with _locked(sandbox, server, second, heavy=True) as holding:
            if not _await(lambda: sql.rows(watching, _WAITING), clock):
                return 0
            sql.rows(holding, _lock(first))
        return _counter(watching, "lock_deadlocks") - before


def _timeouts(sandbox: Sandbox, server: str, rows: Rows, clock: Clock) -> int:
    with closing(sql.connect(sandbox, server)) as watching:
        before = _counter(watching, "lock_timeouts")
        with _locked(sandbox, server, rows.first):
            _await(lambda: sql.rows(watching, _MORE, "lock_timeouts", before), clock)
        return _counter(watching, "lock_timeouts") - before


def _kills(sandbox: Sandbox, server: str, rows: Rows, clock: Clock, word: str) -> int:
    """Of everybody who waits for a row now, once."""
    killed = 0
    with closing(sql.connect(sandbox, server)) as watching, _locked(sandbox, server, rows.first):
        for row in _await(lambda: sql.rows(watching, _WAITING), clock):
            with suppress(pymysql.err.OperationalError, pymysql.err.InternalError):  # it has just ended
                sql.rows(watching, f"{word} {row['id']:d}")
                killed += 1
    return killed


@contextmanager
def _locked(sandbox: Sandbox, server: str, table: str, *, heavy: bool = False) -> Iterator[Connection[DictCursor]]:
    """Every row of a table, until the end of the block; then all is rolled back."""
    with closing(sql.connect(sandbox, server, read_timeout_s=60)) as holding:
        sql.rows(holding, "SET SESSION innodb_lock_wait_timeout=10")
        sql.rows(holding, "BEGIN")
        if heavy:
            sql.rows(holding, _HEAVY)
        sql.rows(holding, _lock(table))
        yield holding


def _lock(table: str) -> str:
    schema, _, own = table.partition(".")
    return f"SELECT 1 FROM {name(schema, own)} FOR UPDATE"  # noqa: S608 - quoted there


def _counter(connection: Connection[DictCursor], which: str) -> int:
    return int(sql.rows(connection, _MORE, which, -1)[0]["n"])


def _await(look: Callable[[], sql.Rows], clock: Clock) -> sql.Rows:
    """The rows, once there are any; none if there were none in time. The pause comes first: somebody else may have asked just now."""
    deadline = Deadline.after(clock, _WITHIN_S)
    while True:
        clock.sleep(_PAUSE_S)
        if (found := look()) or deadline.is_over():
            return found
