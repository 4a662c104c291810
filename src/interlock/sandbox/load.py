"""Clients that write unique keys through the proxy and keep a ledger of what they were told.

Two kinds: `pooled` keeps its connection and makes a new one after an error; `fresh` makes one for each transaction. A key is never tried
twice. Run by `child` as `python -m interlock.sandbox.load`.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from interlock.clock import Clock, SystemClock
from interlock.dataclass import dataclass
from interlock.model.codec import fields_of
from interlock.sandbox.child import Child, child, say_ready, serve
from interlock.sandbox.ledger import Entry, Told
from interlock.sandbox.places import Sandbox

POOLED, FRESH = "pooled", "fresh"
_INSERT = "INSERT INTO app.ledger (k, server_id) VALUES (%s, @@server_id)"
_REFUSED = {1290, 1792, 1836}  # read-only: the server said that it did not do it. Any other error may have come after the commit
_AFTER_ERROR_S = 0.002
_CLIENT_TIMEOUT_S = 45  # longer than the proxy holds anyone


class Load:
    """Writers at work; `stop` ends them and reads their ledger."""

    def __init__(self, program: Child, folder: Path, prefix: str) -> None:
        self._program = program
        self._folder = folder
        self.prefix = prefix

    def stop(self) -> tuple[Entry, ...]:
        self._program.stop()
        return read_ledger(self._folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """What the program is told: how many of each kind, where they write, and the folder that takes a ledger of each. `returning`: MariaDB
    tells by `INSERT … RETURNING` which server took a row. `counting`: MySQL's ids tell it, for they are counted as a sandbox's are.
    """

    host: str
    port: int
    user: str
    password_file: str
    pooled: int
    fresh: int
    pause_s: float
    prefix: str
    folder: str
    returning: bool = True
    counting: bool = True

    def start(self) -> AbstractContextManager[Child]:
        """They write already on entry."""
        return child("interlock.sandbox.load", fields_of(self))


@contextmanager
def load(sandbox: Sandbox, *, pooled: int, fresh: int, pause_s: float = 0.005) -> Iterator[Load]:
    """Start writers through the sandbox's proxy; they write already on entry. Keys start with `prefix`, a new one each time."""
    prefix = secrets.token_hex(4)
    folder = Path(sandbox.directory) / "ledgers" / prefix
    folder.mkdir(parents=True)
    clients = Clients(
        host=sandbox.proxy.host,
        port=sandbox.proxy.port,
        user="app",
        password_file=str(sandbox.password_file("app")),
        pooled=pooled,
        fresh=fresh,
        pause_s=pause_s,
        prefix=prefix,
        folder=str(folder),
        returning=sandbox.kind != "mixed",
        counting=not sandbox.like,
    )
    with clients.start() as program:
        yield Load(program, folder, prefix)


def read_ledger(folder: Path) -> tuple[Entry, ...]:
    return tuple(Entry.from_line(line) for file in sorted(folder.iterdir()) for line in file.read_text().splitlines())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """One client. The monotonic clock is the machine's, so its times compare with those of the process that switches."""

    clients: Clients
    password: str
    kind: str
    number: int
    stop: Event
    clock: Clock

    def run(self, started: Barrier) -> int:
        connection: Connection[Cursor] | None = None
        name = f"{self.kind}-{self.number}"
        with Path(self.clients.folder, name).open("w") as ledger:
            for turn in count():
                entry, connection = self._write(f"{self.clients.prefix}-{name}-{turn}", name, connection)
                ledger.write(entry.to_line())
                if turn == 0:
                    started.wait(_CLIENT_TIMEOUT_S)
                if self.stop.is_set():
                    break
                self.clock.sleep(self.clients.pause_s if entry.told is Told.OK else _AFTER_ERROR_S)
        if connection is not None:
            connection.close()
        return turn + 1

    def _write(self, key: str, name: str, connection: Connection[Cursor] | None) -> tuple[Entry, Connection[Cursor] | None]:
        """One key. Returns the connection to go on with, None if a new one is needed."""
        begun = self.clock.monotonic_s()
        server, error, told = None, "", Told.OK
        sent = False
        try:
            connection = connection or self._connect()
            sent = True
            server = _insert(connection, key, self.clients)
        except (pymysql.err.Error, OSError) as cause:
            code = cause.args[0] if cause.args else type(cause).__name__
            error = f"{code}" if sent else f"{code} on connecting"
            told = Told.UNKNOWN if sent and code not in _REFUSED else Told.FAILED
        ended = self.clock.monotonic_s()
        entry = Entry(key=key, worker=name, kind=self.kind, told=told, begun_s=begun, ended_s=ended, server=server, error=error)
        if connection is not None and (error or self.kind == FRESH):
            if connection.open:
                connection.close()
            connection = None
        return entry, connection

    def _connect(self) -> Connection[Cursor]:
        return pymysql.connect(
            host=self.clients.host,
            port=self.clients.port,
            user=self.clients.user,
            password=self.password,
            autocommit=True,
            ssl_disabled=True,
            connect_timeout=_CLIENT_TIMEOUT_S,
            read_timeout=_CLIENT_TIMEOUT_S,
            write_timeout=_CLIENT_TIMEOUT_S,
        )


def _insert(connection: Connection[Cursor], key: str, clients: Clients) -> int | None:
    """The id of the server that took the row: MariaDB returns it; of MySQL the row's id tells, by auto_increment_offset (settings.py), and
    of a pair with MySQL on its other side, which may have to apply the statement itself. A server that counts otherwise is asked.
    """
    with connection.cursor() as cursor:
        if clients.returning and "MariaDB" in str(connection.get_server_info()):  # type: ignore[no-untyped-call]
            cursor.execute(f"{_INSERT} RETURNING server_id", (key,))
            (server,) = cursor.fetchone() or (None,)
            return int(server) if server is not None else None
        cursor.execute(_INSERT, (key,))
        if clients.counting:
            return 2 - cursor.lastrowid % 2 if cursor.lastrowid else None
        cursor.execute("SELECT @@server_id")
        (asked,) = cursor.fetchone() or (None,)
        return int(asked) if asked is not None else None


def _work(config: dict[str, Any], stop: Event) -> object:
    sys.setswitchinterval(0.0005)  # a reply that has come is stamped soon
    told = Clients(**config)
    password = Path(told.password_file).read_text().rstrip("\n")
    clients = [(kind, number) for kind, many in ((POOLED, told.pooled), (FRESH, told.fresh)) for number in range(many)]
    started = Barrier(len(clients) + 1)
    with ThreadPoolExecutor(len(clients)) as pool:
        writers = [
            _Writer(clients=told, password=password, kind=kind, number=number, stop=stop, clock=SystemClock()) for kind, number in clients
        ]
        running = [pool.submit(writer.run, started) for writer in writers]
        started.wait(_CLIENT_TIMEOUT_S)
        say_ready()
        return {"writes": sum(each.result() for each in running)}


if __name__ == "__main__":
    serve(_work)
