"""Two clusters of the stand-in with two nodes each, that replicate to each other, and an HAProxy in front; for tests and rehearsals."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pymysql

from interlock.clock import Clock, Deadline
from interlock.errors import StatementFailed
from interlock.sandbox import accounts, places, processes, settings, sql
from interlock.sandbox.child import Child, child
from interlock.sandbox.places import Member, Sandbox
from interlock.servers import canary

BINLOG = "pair"
_WITHIN_S = 10.0


def second_node(member: Member) -> str:
    """The address of a cluster's other node, on the same port."""
    return str(ipaddress.ip_address(member.host) + 10)


@contextmanager
def pair(directory: Path, *, clock: Clock) -> Iterator[tuple[Sandbox, dict[str, Child]]]:
    """While this lasts: the sandbox, east open and west fenced, and each cluster's process. `directory` must not exist."""
    directory.mkdir(parents=True)
    sandbox = places.plan(directory, kind="xpand")
    accounts.write_passwords(directory / "secrets")
    with ExitStack() as stack:
        stack.callback(processes.end, directory)
        clusters = {name: stack.enter_context(cluster(sandbox, member)) for name, member in sandbox.members.items()}
        for name in sandbox.members:
            _replicate(sandbox, name)
        _fill(sandbox, clock)
        start_proxy(sandbox, topology(sandbox), clock=clock)
        sandbox = replace(sandbox, state="running", processes=processes.running(directory))
        places.write(sandbox)
        yield sandbox, clusters


@contextmanager
def cluster(sandbox: Sandbox, member: Member, *, version: str | None = None) -> Iterator[Child]:
    """One cluster as a process, with nothing in it."""
    config: dict[str, object] = {
        "name": member.name,
        "server_id": member.server_id,
        "nodes": [(member.host, member.port), (second_node(member), member.port)],
        "socket": member.socket,
        "accounts": {user: str(sandbox.password_file(user)) for user in accounts.ACCOUNTS},
        "binlog": BINLOG,
        **({"version": version} if version else {}),
    }
    with child("interlock.sandbox.xpand", config) as process:
        yield process


def topology(sandbox: Sandbox) -> str:
    """As other sandboxes', with the second node of each cluster."""
    text = settings.topology(sandbox)
    for member in sandbox.members.values():
        place = f"{{host: {member.host}, port: {member.port}"
        text = text.replace(f"{place}}}", f"{place}, others: [{json.dumps(second_node(member))}]}}")
    return text


def _replicate(sandbox: Sandbox, name: str) -> None:
    source = next(member for member in sandbox.members.values() if member.name != name)
    where = f"MASTER_LOG_FILE='{BINLOG}.000001', MASTER_LOG_POS=4, MASTER_HOST='{source.host}', MASTER_PORT={source.port:d}"
    who = f"MASTER_USER='repl', MASTER_PASSWORD='{sandbox.password('repl')}'"
    sql.query(sandbox, name, f"CREATE SLAVE 'from_{source.name}' {where}, {who}")
    sql.query(sandbox, name, f"START SLAVE 'from_{source.name}'")


def _fill(sandbox: Sandbox, clock: Clock) -> None:
    """East is open, and what it has arrives at west: replication is proved."""
    for statement in ("SET GLOBAL read_only=false", "CREATE DATABASE app", accounts.LEDGER, canary.SCHEMA, canary.TABLE):
        sql.query(sandbox, "east", statement)
    deadline = Deadline.after(clock, _WITHIN_S)
    while not _has_canary_table(sandbox, "west"):
        if deadline.is_over():
            raise StatementFailed(f"west does not replicate: {sql.query(sandbox, 'west', 'SHOW SLAVE STATUS')}", server="west")
        clock.sleep(0.01)


def _has_canary_table(sandbox: Sandbox, name: str) -> bool:
    try:
        sql.query(sandbox, name, canary.seen(""))
    except pymysql.err.MySQLError:
        return False
    return True


def start_proxy(sandbox: Sandbox, topology_text: str, *, clock: Clock) -> None:
    """The HAProxy of a sandbox whose servers were started by other means, and its topology file. It lets a client through on return."""
    directory = Path(sandbox.directory)
    lua = directory / "hold.lua"
    lua.write_text(settings.hold_lua(settings.gate_of(sandbox)))
    Path(sandbox.proxy.config).write_text(settings.haproxy_config(sandbox, str(lua)))
    Path(sandbox.topology).write_text(topology_text)
    program = processes.programs(["haproxy"])["haproxy"]
    processes.spawn([program, "-f", sandbox.proxy.config, "-db"], Path(sandbox.proxy.log))
    deadline = Deadline.after(clock, _WITHIN_S)
    while True:
        try:
            with closing(sql.connect_as_client(sandbox)):
                return
        except pymysql.err.OperationalError as error:
            if deadline.is_over():
                raise StatementFailed(f"the proxy lets nobody in: {error}", hint=f"see {sandbox.proxy.log}") from error
            clock.sleep(0.01)
