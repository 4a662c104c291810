"""A session as a client of the pair has it: log in through a route, run short statements, be cut off.

Routes do not know the drivers of servers; they get a `Connect` and see no more of MySQL than this.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import field
from typing import Protocol

import pymysql

from interlock.dataclass import dataclass
from interlock.errors import DriverError, NotPermitted, RefusedButAlive, StatementFailed, Unreachable, WriteRefused
from interlock.model.topology import Tls

Rows = Sequence[Sequence[object]]

_FENCED = {1290, 1792, 1836, 3100}
_FENCED_IN_WORDS = re.compile(r"read[- _]?only", re.IGNORECASE)
"""Xpand has a number of its own, 1, for most errors (docs/servers/xpand.md)."""
_LETS_NOBODY_IN = {1040, 1045, 1129, 1130, 1203}
_NOT_PERMITTED = {1044, 1142, 1143, 1227}
_GONE = {2003, 2006, 2013, 1053, 1317, 1927, 3169, 4031}


class ClientSession(Protocol):
    """Autocommit is on."""

    def query(self, statement: str, args: Sequence[object] = (), /) -> Rows:
        """The rows, none for a write. A DriverError, in the peer's words; after any but WriteRefused the session is of no more use."""
        ...

    def abort(self) -> None:
        """Cut the connection, from any thread: a `query` under way ends with Unreachable."""
        ...

    def close(self) -> None: ...


class Connect(Protocol):
    """Logs in within `within_s` seconds, and gives each statement as long. `only_canary`: the account has no right to pass `read_only`."""

    @property
    def only_canary(self) -> bool: ...
    def __call__(self, host: str, port: int, within_s: float, /) -> ClientSession: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLogin:
    """The Connect that pymysql makes. `only_canary` says that the account has no right to pass `read_only`."""

    user: str
    password: str = field(repr=False)
    tls: Tls | None
    only_canary: bool
    _context: list[ssl.SSLContext] = field(default_factory=list, init=False, repr=False, compare=False)

    def __call__(self, host: str, port: int, within_s: float, /) -> ClientSession:
        address = f"{host}:{port}"
        try:
            connection: pymysql.connections.Connection[pymysql.cursors.Cursor] = pymysql.connections.Connection(
                host=host,
                port=port,
                user=self.user,
                password=self.password,
                autocommit=True,
                read_timeout=within_s,
                write_timeout=within_s,
                program_name="interlock",
                defer_connect=True,
                # Without this pymysql loads the system's authorities, 45 ms of CPU, even for a connection in the clear.
                **({"ssl_disabled": True} if self.tls is None else {"ssl": self._ssl(self.tls)}),
            )
            # A socket of our own: pymysql's connect_timeout does not cover the greeting, and `abort` needs the socket.
            sock = socket.create_connection((host, port), timeout=within_s)
        except OSError as error:
            raise Unreachable(f"{address} can't be reached: {error.strerror or error}") from error
        handle = sock.dup()
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.connect(sock)
        except (pymysql.MySQLError, OSError) as error:
            handle.close()
            sock.close()
            raise translated(error, address) from error
        # Under TLS pymysql takes the socket's descriptor away: a second one can still shut the connection.
        return _Session(connection, handle, address)

    def _ssl(self, tls: Tls) -> ssl.SSLContext:
        """One context for all connections: to read the authorities takes tens of milliseconds."""
        if not self._context:
            context = ssl.create_default_context(cafile=tls.ca)
            context.check_hostname = tls.verify_name
            if tls.cert is not None:
                context.load_cert_chain(tls.cert, tls.key)
            self._context.append(context)
        return self._context[0]


class _Session:
    def __init__(self, connection: pymysql.connections.Connection[pymysql.cursors.Cursor], handle: socket.socket, address: str) -> None:
        self._connection = connection
        self._handle = handle
        self._address = address

    def query(self, statement: str, args: Sequence[object] = (), /) -> Rows:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement, tuple(args) or None)
                return cursor.fetchall()
        except (pymysql.MySQLError, OSError) as error:
            raise translated(error, self._address) from error

    def abort(self) -> None:
        with contextlib.suppress(OSError):  # it is gone already
            self._handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(pymysql.MySQLError):  # it is closed already
            self._connection.close()
        self._handle.close()


def translated(error: Exception, address: str) -> DriverError:
    """By what it means to a client. Codes: MySQL error reference; 2xxx are the client's own."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    words = f"{address}: {error.args[1] if len(error.args) > 1 else error} ({code})"
    if code in _FENCED or (code == 1 and _FENCED_IN_WORDS.search(words)):
        return WriteRefused(words)
    if code in _LETS_NOBODY_IN:
        return RefusedButAlive(words, hint="see the account's password and the server's max_connections")
    if code in _NOT_PERMITTED:
        return NotPermitted(words, hint="`interlock grants` prints what the canary account needs")
    if code in _GONE or isinstance(error, OSError | pymysql.InterfaceError) or code == 0:
        return Unreachable(words)
    return StatementFailed(words)
