"""A client's connection from this machine, made anew: what the server, its host and the way between them make of it.

The greeting is the server's first word (MySQL internals, "Connection Phase"): whoever takes a connection and sends none hangs.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable

import pymysql

from interlock.clock import Clock, Deadline
from interlock.model.liveness import View
from interlock.model.topology import SecretRef, ServerSpec
from interlock.servers.session import PROGRAM_NAME, tls_context
from interlock.servers.translate import GONE_CODES, code_of, is_client_timeout, words_of
from interlock.vantages.point import Sight

_NO_WAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ETIMEDOUT})
_SHORTEST_S = 0.05
_OPEN = frozenset({"0", "OFF"})


def knock(spec: ServerSpec, secrets: Callable[[SecretRef], str], clock: Clock) -> Callable[[float], Sight]:
    """How to look at the server at `spec`'s host and port. UsageError of `secrets` if the password can't be had."""

    def see(within_s: float) -> Sight:
        deadline = Deadline.after(clock, within_s)
        sight = _see(spec, secrets, deadline)
        if sight.view is View.STALE:  # it may have died while we were at its door: who listens now?
            sight = _see(spec, secrets, deadline)
        return sight

    return see


def _see(spec: ServerSpec, secrets: Callable[[SecretRef], str], deadline: Deadline) -> Sight:
    try:
        sock = socket.create_connection((spec.host, spec.port), timeout=_left_s(deadline))
    except ConnectionRefusedError as error:
        return Sight(View.CLOSED, _words(error))
    except TimeoutError:
        return Sight(View.SILENT, "no answer to the connection")
    except OSError as error:
        return Sight(View.SILENT if error.errno in _NO_WAY else View.UNKNOWN, _words(error))
    with sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _log_in(sock, spec, secrets, deadline)


def _log_in(sock: socket.socket, spec: ServerSpec, secrets: Callable[[SecretRef], str], deadline: Deadline) -> Sight:
    account, tls = spec.access.account, spec.access.tls
    connection: pymysql.connections.Connection[pymysql.cursors.Cursor] = pymysql.connections.Connection(
        host=spec.host,
        port=spec.port,
        user=account.user,
        password=b"" if account.password is None else secrets(account.password).encode(),
        autocommit=True,
        read_timeout=_left_s(deadline),
        write_timeout=_left_s(deadline),
        program_name=PROGRAM_NAME,
        defer_connect=True,
        **({"ssl_disabled": True} if tls is None else {"ssl": tls_context(tls, server=spec.name)}),
    )
    let_in = False
    try:
        connection.connect(sock)
        let_in = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@GLOBAL.read_only")
            row = cursor.fetchone()
    except pymysql.Error as error:
        return _judged(error, greeted=hasattr(connection, "server_version"), let_in=let_in)
    finally:
        connection._force_close()  # type: ignore[attr-defined]  # noqa: SLF001 - a farewell could wait for a server that hangs
    return Sight(View.ANSWERS, "takes writes" if row and str(row[0]).upper() in _OPEN else "read-only")


def _judged(error: pymysql.Error, *, greeted: bool, let_in: bool) -> Sight:
    """Whoever says a word of the protocol lives, whatever it says. A connection that ended may be one that was under way when it died."""
    cause = getattr(error, "original_exception", None)
    if is_client_timeout(error) or isinstance(cause, TimeoutError):
        return Sight(View.HANGS, "no answer to a query" if let_in else "no answer to the login" if greeted else "no greeting")
    if code_of(error) in GONE_CODES - {1053} or (isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError)):
        return Sight(View.STALE, "it ended the connection without a word")
    if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Sight(View.STALE, "it ended the connection in the TLS handshake")
    number = f"{code_of(error)} " if code_of(error) else ""
    return Sight(View.ANSWERS if let_in else View.REFUSES, f"{number}{words_of(error)}")


def _left_s(deadline: Deadline) -> float:
    return max(_SHORTEST_S, deadline.left_s())


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
