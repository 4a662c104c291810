"""A client as an application should be: it tries again after each error after which that is safe. For a drill without another.

Each of its threads carries a transaction over two tables again and again, and says of each try what came of it (`told_client.py`). A key
that is written with it tells whether a transaction took effect whose COMMIT got no answer.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from secrets import token_hex
from threading import Event, Lock
from types import FrameType

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from interlock.clock import Clock, Deadline, SystemClock
from interlock.dataclass import dataclass

ROWS = 8
MAKE = (
    "CREATE TABLE IF NOT EXISTS app.drill_first (id INT PRIMARY KEY, n INT NOT NULL) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS app.drill_second (id INT PRIMARY KEY, n INT NOT NULL) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS app.drill_kept (k VARCHAR(64) PRIMARY KEY) ENGINE=InnoDB",
    *(
        f"REPLACE INTO app.{table} (id, n) VALUES {', '.join(f'({number}, 0)' for number in range(ROWS))}"  # noqa: S608 - names of ours
        for table in ("drill_first", "drill_second")
    ),
    "DELETE FROM app.drill_kept",
)
_THREADS = 4
_PATIENCE_S = 60.0
_PAUSE_S = 0.02
_TIMEOUT_S = 45


@dataclass(frozen=True, slots=True, kw_only=True)
class _Application:
    environ: Mapping[str, str]
    stop: Event
    clock: Clock
    turn: Lock

    def work(self, number: int) -> None:
        """Until it is told to end, a transaction after the other."""
        name, connection = f"{token_hex(4)}-{number}", None
        for turn in count():
            connection = self._carry(f"{name}-{turn}", (number + turn) % ROWS, connection)
            if self.stop.is_set():
                break
            self.clock.sleep(_PAUSE_S)
        if connection is not None:
            connection.close()

    def _carry(self, key: str, row: int, connection: Connection[Cursor] | None) -> Connection[Cursor] | None:
        deadline = Deadline.after(self.clock, _PATIENCE_S)
        while True:
            try:
                connection = connection or self._connect()
                _once(connection, key, row)
            except (pymysql.err.Error, OSError) as error:
                code = str(error.args[0]) if error.args else type(error).__name__
                self._say(f"error {code}")
                connection = _rolled_back(connection)
                if deadline.is_over():
                    self._say(f"gave_up {code}")
                    return connection
                self.clock.sleep(_PAUSE_S)
            else:
                self._say("done")
                return connection

    def _connect(self) -> Connection[Cursor]:
        return pymysql.connect(
            host=self.environ["INTERLOCK_DRILL_HOST"],
            port=int(self.environ["INTERLOCK_DRILL_PORT"]),
            user=self.environ["INTERLOCK_DRILL_USER"],
            password=Path(self.environ["INTERLOCK_DRILL_PASSWORD_FILE"]).read_text().rstrip("\n"),
            autocommit=False,
            ssl_disabled=True,
            connect_timeout=_TIMEOUT_S,
            read_timeout=_TIMEOUT_S,
            write_timeout=_TIMEOUT_S,
        )

    def _say(self, line: str) -> None:
        with self.turn:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


def _once(connection: Connection[Cursor], key: str, row: int) -> None:
    """The transaction, unless an earlier try of it took effect."""
    with connection.cursor() as cursor:
        if cursor.execute("SELECT k FROM app.drill_kept WHERE k=%s", (key,)):
            connection.rollback()
            return
        cursor.execute("UPDATE app.drill_first SET n=n+1 WHERE id=%s", (row,))
        cursor.execute("UPDATE app.drill_second SET n=n+1 WHERE id=%s", (row,))
        cursor.execute("INSERT INTO app.drill_kept (k) VALUES (%s)", (key,))
    connection.commit()


def _rolled_back(connection: Connection[Cursor] | None) -> Connection[Cursor] | None:
    """The connection to go on with; None if it is lost."""
    if connection is None or not connection.open:
        return None
    try:
        connection.rollback()
    except (pymysql.err.Error, OSError):
        if connection.open:
            connection.close()
        return None
    return connection


def main() -> None:
    """Until SIGTERM."""
    stop = Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    application = _Application(environ=os.environ, stop=stop, clock=SystemClock(), turn=Lock())
    with ThreadPoolExecutor(_THREADS) as pool:
        for each in [pool.submit(application.work, number) for number in range(_THREADS)]:
            each.result()


if __name__ == "__main__":
    main()
