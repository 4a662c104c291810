"""One node's admin interface: SQLite's SQL over MySQL's protocol, every exchange bounded, the connection kept for the next.

ProxySQL answers whatever is wrong with a statement by error 1045, the number of a refused login, with `ProxySQL Admin Error` in its words
(lib/ProxySQL_Admin.cpp, send_error_msg_to_client). An account of admin-stats_credentials sees no tables but its own.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Mapping

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from interlock.clock import Clock, Deadline
from interlock.errors import DriverError, NotPermitted, OutcomeUnknown, RefusedButAlive, StatementFailed, Unreachable
from interlock.routes.proxysql_facts import Row
from interlock.routes.proxysql_script import Statements
from interlock.routes.proxysql_settings import Address

_IDLE_BEFORE_A_LOOK_S = 5.0
_LETS_NOBODY_IN = {1040, 1044, 1045, 1129, 1130}
_READ_ONLY = "readonly database"


class AdminInterface:
    """Threads may share it; one exchange is under way at a time. A connection that failed is never used again."""

    def __init__(self, node: Address, *, user: str, password: str, timeout_s: float, clock: Clock) -> None:
        self.node = node
        self._user = user
        self._password = password
        self._timeout_s = timeout_s
        self._clock = clock
        self._connection: Connection[Cursor] | None = None
        self._used_at_s = 0.0
        self._turn = threading.Lock()

    def __repr__(self) -> str:
        return f"AdminInterface({self.node})"

    def ask(self, questions: Mapping[str, str]) -> dict[str, tuple[Row, ...]]:
        """The rows of each statement, by its name. Unreachable if no answer came in time: a question leaves nothing behind."""
        with self._turn:
            deadline = Deadline.after(self._clock, self._timeout_s)
            fresh = self._connection is None
            try:
                return {name: self._rows(statement, deadline) for name, statement in questions.items()}
            except Unreachable:
                if fresh or deadline.is_over():
                    raise
            # ProxySQL was restarted since: the connection was an old one
            return {name: self._rows(statement, deadline) for name, statement in questions.items()}

    def order(self, statements: Statements) -> None:
        """Have them carried out, in order. Unreachable before the first was sent, OutcomeUnknown once one may still land."""
        with self._turn:
            deadline = Deadline.after(self._clock, self._timeout_s)
            self._see_it_lives(deadline)
            for statement in statements:
                try:
                    self._rows(statement, deadline)
                except Unreachable as error:
                    raise OutcomeUnknown(error.message, hint=error.hint) from error

    def close(self) -> None:
        with self._turn:
            self._drop()

    def _see_it_lives(self, deadline: Deadline) -> None:
        """After a pause an order first asks: the one that finds the connection broken must not be the order."""
        if self._connection is not None and self._clock.monotonic_s() - self._used_at_s > _IDLE_BEFORE_A_LOOK_S:
            try:
                self._rows("SELECT 1", deadline)
            except Unreachable:
                if deadline.is_over():
                    raise
        self._connected(deadline)

    def _rows(self, statement: str, deadline: Deadline) -> tuple[Row, ...]:
        connection = self._connected(deadline)
        try:
            connection._read_timeout = max(deadline.left_s(), 0.001)  # type: ignore[attr-defined]  # noqa: SLF001 - no public way to bound one
            with connection.cursor() as cursor:
                cursor.execute(statement)
                names = [str(column[0]) for column in cursor.description or ()]
                rows = tuple({name: _text(value) for name, value in zip(names, row, strict=True)} for row in cursor.fetchall())
        except (pymysql.MySQLError, OSError) as error:
            failure = self._translated(error, statement)
            if isinstance(failure, Unreachable):
                self._drop()
            raise failure from error
        self._used_at_s = self._clock.monotonic_s()
        return rows

    def _connected(self, deadline: Deadline) -> Connection[Cursor]:
        if self._connection is None:
            left_s = max(deadline.left_s(), 0.001)
            try:
                # A socket of our own: pymysql's connect_timeout does not cover the greeting. No autocommit: a statement more, to no end.
                sock = socket.create_connection((self.node.host, self.node.port), timeout=left_s)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection: Connection[Cursor] = Connection(
                    host=self.node.host,
                    port=self.node.port,
                    user=self._user,
                    password=self._password,
                    autocommit=None,
                    read_timeout=left_s,
                    write_timeout=left_s,
                    defer_connect=True,
                    ssl_disabled=True,
                )
            except OSError as error:
                raise Unreachable(
                    f"ProxySQL at {self.node} can't be reached: {error.strerror or error}",
                    hint="see that it runs, and that admin-mysql_ifaces has an address that can be reached from here",
                ) from error
            try:
                connection.connect(sock)
            except (pymysql.MySQLError, OSError) as error:
                sock.close()
                raise self._translated(error, f"log in as {self._user}") from error
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(pymysql.MySQLError, OSError):  # it is gone already
                connection.close()

    def _translated(self, error: Exception, doing: str) -> DriverError:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        words = str(error.args[1] if len(error.args) > 1 else error)
        subject = f"ProxySQL at {self.node}"
        if isinstance(error.__context__ or error, TimeoutError):
            return Unreachable(f"{subject} did not answer within {self._timeout_s:g}s: {doing}", hint="see whether it is stopped")
        if isinstance(error, OSError | pymysql.InterfaceError) or code in {0, 2003, 2006, 2013}:
            return Unreachable(f"{subject} ended the connection: {words} ({doing})", hint="see that it runs")
        if _READ_ONLY in words:
            return NotPermitted(f"{subject}: {words} ({doing})", hint="the account must be one of admin-admin_credentials")
        if code in _LETS_NOBODY_IN and "ProxySQL Admin Error" not in words:
            return RefusedButAlive(
                f"{subject}: {words} ({doing})",
                hint="see user and password of the route; ProxySQL lets `admin` in from its own host only: add another account to "
                "admin-admin_credentials",
            )
        return StatementFailed(
            f"{subject}: {words} ({code}) ({doing})",
            hint="an account of admin-stats_credentials sees no such table" if "no such table" in words else "",
        )


def _text(value: object) -> str:
    return "" if value is None else value.decode() if isinstance(value, bytes) else str(value)
