"""An account that replicates from a server that turns its clients out (`fence: offline_mode`), let in as it must be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from scenarios.pair_state import open_sides
from waiting import eventually


@contextmanager
def let_in(sandbox: Sandbox) -> Iterator[None]:
    """It has the right on both servers, and both receivers logged in after that: a session has the rights of its login. At the end it has
    the right no more, and both servers let everybody in.
    """
    sql.query(sandbox, open_sides(sandbox)[0], "GRANT CONNECTION_ADMIN ON *.* TO repl")
    try:
        for name in sandbox.members:
            assert eventually(lambda name=name: _is_let_in(sandbox, name))  # type: ignore[misc]
        log_in_again(sandbox)
        yield
    finally:
        for name in sandbox.members:
            sql.query(sandbox, name, "SET GLOBAL offline_mode=0")
        sql.query(sandbox, open_sides(sandbox)[0], "REVOKE CONNECTION_ADMIN ON *.* FROM repl")
        assert eventually(lambda: not any(_is_let_in(sandbox, name) for name in sandbox.members))


def log_in_again(sandbox: Sandbox) -> None:
    """Both receivers, with the rights that their account has now. A server shows the session that ended for a moment more."""
    for name in sandbox.members:
        sql.query(sandbox, name, "STOP REPLICA IO_THREAD")
        sql.query(sandbox, name, "START REPLICA IO_THREAD")
    for name in sandbox.members:
        assert eventually(lambda name=name: receives(sandbox, name) and len(dumps(sandbox, name)) == 1)  # type: ignore[misc]


def receives(sandbox: Sandbox, name: str) -> bool:
    return bool(sql.query(sandbox, name, "SHOW REPLICA STATUS")[0]["Replica_IO_Running"] == "Yes")


def dumps(sandbox: Sandbox, name: str) -> list[int]:
    """The numbers of the sessions that replicate from a server."""
    statement = "SELECT id AS id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'"
    return sorted(int(row["id"]) for row in sql.query(sandbox, name, statement))


def _is_let_in(sandbox: Sandbox, name: str) -> bool:
    return "CONNECTION_ADMIN" in str(sql.query(sandbox, name, "SHOW GRANTS FOR repl"))
