"""Plain SQL on a sandbox's servers, for the sandbox itself, its load and the tests. Interlock's own driver is elsewhere."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CR
from pymysql.cursors import DictCursor

from interlock.sandbox.accounts import ADMIN
from interlock.sandbox.places import Sandbox

Rows = list[dict[str, Any]]

_CONNECT_S = 5.0


def connect(sandbox: Sandbox, server: str, account: str = ADMIN, *, read_timeout_s: float = 20.0) -> Connection[DictCursor]:
    """A connection over the server's unix socket, autocommit on. pymysql's own errors."""
    connection = pymysql.connect(
        user=account,
        password=sandbox.password(account),
        autocommit=True,
        ssl_disabled=True,
        read_timeout=read_timeout_s,
        write_timeout=read_timeout_s,
        cursorclass=DictCursor,
        defer_connect=True,
    )
    connection._secure = True  # type: ignore[attr-defined]  # noqa: SLF001 - passwords may go over this socket as they are
    connection.connect(_opened(sandbox.members[server].socket))
    return connection


def _opened(path: str) -> socket.socket:
    """OperationalError 2002 if nobody listens. (pymysql 1.1 then leaves its own socket open: connections.py.)"""
    opened = socket.socket(socket.AF_UNIX)
    try:
        opened.settimeout(_CONNECT_S)
        opened.connect(path)
    except OSError as error:
        opened.close()
        raise pymysql.err.OperationalError(CR.CR_CONNECTION_ERROR, f"can't connect through {path}: {error}") from error
    return opened


def connect_as_client(sandbox: Sandbox, account: str = "app", *, read_timeout_s: float = 20.0) -> Connection[DictCursor]:
    """A connection through the proxy, as the application makes it."""
    return pymysql.connect(
        host=sandbox.proxy.host,
        port=sandbox.proxy.port,
        user=account,
        password=sandbox.password(account),
        autocommit=True,
        ssl_disabled=True,
        connect_timeout=_CONNECT_S,
        read_timeout=read_timeout_s,
        write_timeout=read_timeout_s,
        cursorclass=DictCursor,
    )


def rows(connection: Connection[DictCursor], statement: str, *values: object) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return list(cursor.fetchall())


def value(connection: Connection[DictCursor], statement: str, *values: object) -> Any:
    """The first column of the first row, None if there is no row."""
    found = rows(connection, statement, *values)
    return next(iter(found[0].values())) if found else None


def query(sandbox: Sandbox, server: str, statement: str, *values: object) -> Rows:
    """The rows of one statement, as admin, on a connection of its own."""
    with closing(connect(sandbox, server)) as connection:
        return rows(connection, statement, *values)
