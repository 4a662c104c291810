"""Plain SQL on a sandbox's servers, for the sandbox itself, its load and the tests. Interlock's own driver is elsewhere."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from interlock.sandbox.accounts import ADMIN
from interlock.sandbox.places import Sandbox

Rows = list[dict[str, Any]]


def connect(sandbox: Sandbox, server: str, account: str = ADMIN, *, read_timeout_s: float = 20.0) -> Connection[DictCursor]:
    """A connection over the server's unix socket, autocommit on. pymysql's own errors."""
    return pymysql.connect(
        unix_socket=sandbox.members[server].socket,
        user=account,
        password=sandbox.password(account),
        autocommit=True,
        ssl_disabled=True,
        connect_timeout=5,
        read_timeout=read_timeout_s,
        write_timeout=read_timeout_s,
        cursorclass=DictCursor,
    )


def connect_as_client(sandbox: Sandbox, account: str = "app", *, read_timeout_s: float = 20.0) -> Connection[DictCursor]:
    """A connection through the proxy, as the application makes it."""
    return pymysql.connect(
        host=sandbox.proxy.host,
        port=sandbox.proxy.port,
        user=account,
        password=sandbox.password(account),
        autocommit=True,
        ssl_disabled=True,
        connect_timeout=5,
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
