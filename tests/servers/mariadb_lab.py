"""What the driver's tests share: accounts with exactly the grants that `interlock grants` prints, drivers for them, and plain clients."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from interlock.clock import SystemClock
from interlock.model.topology import Access, Account, ClusterName, SecretRef, SecretSource, ServerName, ServerSpec, Tls
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from interlock.servers.grants import grants_sql
from interlock.servers.registry import make_server
from interlock.servers.server import SqlServer
from waiting import eventually

TOOL, CANARY, PASSWORD = "tool", "tool_canary", "pass'word-\\é"


ALL_WITH_GRANT_OPTION = 549755813887


def make_accounts(sandbox: Sandbox) -> None:
    """On east, and so by replication on west. The sandbox's admin may grant nothing, so the tables are told that it may."""
    sql.query(sandbox, "east", f"UPDATE mysql.global_priv SET Priv=JSON_SET(Priv, '$.access', {ALL_WITH_GRANT_OPTION}) WHERE User='admin'")
    sql.query(sandbox, "east", "FLUSH PRIVILEGES")
    for user in (TOOL, CANARY):
        sql.query(sandbox, "east", f"CREATE USER {user}@'%%' IDENTIFIED BY %s", PASSWORD)
    for line in grants_sql("mariadb", TOOL, CANARY).splitlines():
        if not line.startswith("--"):
            sql.query(sandbox, "east", line.partition("; -- ")[0].rstrip(";"))
    position = str(sql.query(sandbox, "east", "SELECT @@gtid_binlog_pos AS p")[0]["p"])
    assert sql.query(sandbox, "west", "SELECT MASTER_GTID_WAIT(%s, 10) AS w", position)[0]["w"] == 0


def secret(reference: SecretRef) -> str:
    return reference.place[0]


def spec(
    sandbox: Sandbox, name: str, *, user: str = TOOL, password: str = PASSWORD, canary: str | None = CANARY, tls: Tls | None = None
) -> ServerSpec:
    member = sandbox.members[name]
    accounts = [
        Account(user=one, password=SecretRef(source=SecretSource.ENV, place=(password,))) if one is not None else None
        for one in (user, canary)
    ]
    assert accounts[0] is not None
    return ServerSpec(
        name=ServerName(name),
        cluster=ClusterName(name),
        host=member.host,
        port=member.port,
        access=Access(account=accounts[0], tls=tls, canary=accounts[1]),
    )


@contextmanager
def driver(
    sandbox: Sandbox, name: str, *, user: str = TOOL, password: str = PASSWORD, canary: str | None = CANARY, tls: Tls | None = None
) -> Iterator[SqlServer]:
    pair = tuple(spec(sandbox, one) for one in sandbox.members)
    server = make_server(
        spec(sandbox, name, user=user, password=password, canary=canary, tls=tls), secrets=secret, clock=SystemClock(), pair=pair
    )
    try:
        yield server
    finally:
        server.close()


@contextmanager
def client(sandbox: Sandbox, name: str, account: str = "app") -> Iterator[Connection[DictCursor]]:
    connection = sql.connect(sandbox, name, account)
    try:
        yield connection
    finally:
        if connection.open:
            connection.close()


@contextmanager
def fenced(sandbox: Sandbox, name: str) -> Iterator[None]:
    """Fenced by an administrator, and as it was before afterwards."""
    before = sql.query(sandbox, name, "SELECT @@GLOBAL.read_only AS r")[0]["r"]
    sql.query(sandbox, name, "SET GLOBAL read_only=1")
    try:
        yield
    finally:
        sql.query(sandbox, name, f"SET GLOBAL read_only={before}")


def server_pid(sandbox: Sandbox, name: str) -> int:
    return int(Path(sandbox.members[name].data, "mariadbd.pid").read_text())


@contextmanager
def running(sandbox: Sandbox, name: str, statement: str) -> Iterator[None]:
    """A client's statement that sleeps for longer than any test: the server is seen running it, and it is ended at the end."""
    with client(sandbox, name) as connection:
        number = connection.thread_id()  # type: ignore[no-untyped-call]

        def run() -> None:
            with suppress(pymysql.Error):  # it was ended
                sql.rows(connection, statement)

        background = threading.Thread(target=run)
        background.start()
        assert eventually(
            lambda: bool(sql.query(sandbox, name, f"SELECT 1 FROM information_schema.processlist WHERE id={number} AND info IS NOT NULL"))
        )
        try:
            yield
        finally:
            sql.query(sandbox, name, f"KILL QUERY {number}")
            background.join(60)
