"""Plain SQL on the demo's servers and through its proxy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from interlock.clock import Deadline

PAUSE_S = 0.1


@contextmanager
def connected(host: str, account: str, password: Path) -> Iterator[Connection[DictCursor]]:
    """Autocommit is on. pymysql's own errors."""
    with closing(
        pymysql.connect(
            host=host,
            user=account,
            password=password.read_text().rstrip("\n"),
            autocommit=True,
            ssl_disabled=True,
            connect_timeout=5,
            read_timeout=20,
            cursorclass=DictCursor,
        )
    ) as connection:
        yield connection


def await_server(host: str, account: str, password: Path, deadline: Deadline) -> None:
    """Until it lets the account in. What the last attempt met is raised once the deadline is over."""
    while True:
        try:
            with connected(host, account, password):
                return
        except pymysql.err.OperationalError:
            if deadline.is_over():
                raise
            deadline.clock.sleep(PAUSE_S)


def rows(connection: Connection[DictCursor], statement: str, *values: object) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return list(cursor.fetchall())


def value(connection: Connection[DictCursor], statement: str, *values: object) -> Any:
    """The first column of the first row."""
    return next(iter(rows(connection, statement, *values)[0].values()))
