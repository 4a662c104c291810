"""What a server's error means to a client of a route: by its number, and where numbers are a server's own, by its words."""

from __future__ import annotations

import pymysql
import pytest

from interlock.errors import DriverError, NotPermitted, RefusedButAlive, StatementFailed, Unreachable, WriteRefused
from interlock.routes.client import translated


@pytest.mark.parametrize(
    ("number", "words", "expected"),
    [
        (1290, "The MariaDB server is running with the --read-only option", WriteRefused),
        (1, "[30720] Database is in read-only mode", WriteRefused),
        (1, "[13313] Relation not found: app.t", StatementFailed),
        (1064, "near 'read only'", StatementFailed),
        (1045, "Access denied", RefusedButAlive),
        (1142, "INSERT command denied", NotPermitted),
        (2013, "Lost connection", Unreachable),
    ],
    ids=["fenced", "fenced in Xpand's words", "Xpand's other errors", "words alone are not enough", "login", "privilege", "lost"],
)
def test_an_error_means_what_the_client_can_do_next(number: int, words: str, expected: type[DriverError]) -> None:
    found = translated(pymysql.err.OperationalError(number, words), "10.0.0.1:3306")
    assert type(found) is expected
    assert found.message == f"10.0.0.1:3306: {words} ({number})"
