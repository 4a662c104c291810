"""A sandbox made like another pair: started with its settings, then each side told what that side declares."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pymysql

from interlock.clock import Clock
from interlock.model.codec import fields_of
from interlock.model.topology import Follow
from interlock.sandbox import pair, places, replicas, sql
from interlock.sandbox.accounts import ADMIN, TOOL, write_private
from interlock.sandbox.kinds import Kind
from interlock.sandbox.likeness import settings
from interlock.sandbox.likeness.original import Original, Side
from interlock.sandbox.likeness.schema import Declared, declare, unlike
from interlock.sandbox.places import Member, Sandbox
from interlock.sandbox.replicas import Behind
from interlock.servers.quoting import text
from interlock.servers.segment_words import NEEDS, account_of, schema_need, sql_of

_TRUSTED = (f"{ADMIN}@%", "root@localhost")
_LEDGER = "app.ledger"
"""The sandbox's own table, for the load."""
_ONLY_ROUTE = "writes"


def build(
    directory: Path, original: Original, *, kind: Kind, name: str, beside: Path, clock: Clock, more_replicas: int = 0
) -> tuple[Sandbox, tuple[str, ...]]:
    """The sandbox, and a sentence for each statement that did not go through. `beside` is the folder beside the other pair's store.
    `more_replicas` are those of each side, if there are to be more than the pair has.

    The segments are named in its topology; that each is closed where its owner is not is left to a run of `adopt-segment`.
    """
    topology = original.topology
    first, second = original.sides
    routes = {str(route): _led_to(original, str(route)) for route in topology.routes} or {_ONLY_ROUTE: str(first.name)}
    sandbox = pair.up(
        directory,
        clock=clock,
        kind=kind.name,
        name=name,
        only={str(side.name): settings.at_start(side.settings) for side in original.sides},
        sides=(str(first.name), str(second.name)),
        routes=routes,
    )
    with ExitStack() as on_failure:
        on_failure.callback(pair.down, directory)
        sandbox = replace(sandbox, like=topology.name, beside=str(beside))
        places.write(sandbox)
        behind = _replicas(sandbox, original, more_replicas, clock)
        passwords = _passwords(sandbox, original)
        failed: list[str] = []
        for side in original.sides:
            for member in (sandbox.members[str(side.name)], *(one.member for one in behind if one.side == side.name)):
                failed += _tell(sandbox, kind, member, side, _accounts(original, passwords))
        if topology.segments:
            _open_to_segments(sandbox, kind, original)
        on_failure.pop_all()
    return sandbox, tuple(failed)


def _replicas(sandbox: Sandbox, original: Original, more: int, clock: Clock) -> tuple[Behind, ...]:
    topology = original.topology
    each = max(more, *(len(cluster.replicas) for cluster in topology.clusters.values()))
    if not each:
        return ()
    options = settings.at_start(original.sides[0].settings)
    options.pop("loose_gtid_domain_id", None)
    follow = next((one.follow for one in topology.replicas()), Follow.WRITER)
    return tuple(replicas.add(sandbox, each, clock=clock, follow=follow, options=options).values())


def not_alike(original: Original, copy: Original) -> Iterator[str]:
    """A sentence for each thing that is otherwise in the sandbox, by what was read from both."""
    yield from _of_the_topology(original)
    for there, here in sides_of(original, copy):
        if there.release != here.release:
            yield f"{there.name}: {here.flavor} {here.release} here, {there.flavor} {there.release} there"
        for one in settings.differences(there.settings, here.settings):
            yield f"{there.name}: {one.name} is {_said(one.here)} here, {_said(one.there)} there"
        for said in (*there.missing, *unlike(there.declared, here.declared, same_release=is_same_release(there, here))):
            yield f"{there.name}: {said}"


def sides_of(original: Original, copy: Original) -> Iterator[tuple[Side, Side]]:
    """Each with the one that was made like it."""
    for there in original.sides:
        yield there, next(side for side in copy.sides if side.name == there.name)


def is_same_release(there: Side, here: Side) -> bool:
    """But for the patch."""
    return there.flavor == here.flavor and there.release.rpartition(".")[0] == here.release.rpartition(".")[0]


def _said(value: str | None) -> str:
    return "not known" if value is None else value or "empty"


def _of_the_topology(original: Original) -> Iterator[str]:
    topology = original.topology
    for name, route in topology.routes.items():
        if route.kind != "haproxy":
            yield f"route {name}: HAProxy here, {route.kind} there"
    if not topology.routes:
        yield f"route {_ONLY_ROUTE}: HAProxy here, none there"
    for account in (one for spec in topology.segments.values() for one in spec.accounts):
        if account_of(account)[1] not in {"%", "localhost"}:
            yield f"account {account}: nobody can log in as it here, where every client comes from 127.0.0.0/8"
    counts = {len(cluster.replicas) for cluster in topology.clusters.values()}
    if len(counts) > 1:
        yield f"replicas: {max(counts)} on each side here, fewer on one side there"
    for side, cluster in topology.clusters.items():
        if cluster.channel is not None:
            yield f"{side}: replicates by itself here, by {cluster.channel.kind} there"
        if cluster.fencing:
            ways = ", ".join(str(way.get("type")) for way in cluster.fencing)
            yield f"{side}: fenced from outside by the sandbox's own hook here, by {ways} there"
        if cluster.ssh is not None:
            yield f"{side}: no host to log in to here"
        if cluster.master.access.tls is not None:
            yield f"{side}: no TLS here"


def _led_to(original: Original, route: str) -> str:
    homes = (str(spec.owner) for spec in original.topology.segments.values() if spec.route == route)
    return next(homes, str(original.sides[0].name))


def _passwords(sandbox: Sandbox, original: Original) -> dict[str, str]:
    """A new one for each account of a segment, in a file of its own; nobody logs in as a definer."""
    found = {}
    for account in sorted({one for spec in original.topology.segments.values() for one in spec.accounts}):
        found[account] = secrets.token_urlsafe(18)
        write_private(password_file(sandbox, account), found[account] + "\n")
    return found


def password_file(sandbox: Sandbox, account: str) -> Path:
    """Of an account of a segment, `user@host`."""
    return sandbox.password_file(quote(account, safe="@%"))


def _accounts(original: Original, passwords: dict[str, str]) -> Iterator[Declared]:
    for account in sorted(original.granted.keys() | passwords.keys()):
        password = passwords.get(account) or secrets.token_urlsafe(18)
        locked = "" if account in passwords else " ACCOUNT LOCK"
        made = f"CREATE USER IF NOT EXISTS {sql_of(account)} IDENTIFIED BY {text(password)}{locked}"
        yield Declared(kind="account", name=account, statement=made)
        for line in original.granted.get(account, ()):
            yield Declared(kind="grant", name=account, statement=line)


def _tell(sandbox: Sandbox, kind: Kind, member: Member, side: Side, accounts: Iterator[Declared]) -> Iterator[str]:
    """One server, unlogged: each is told what its side declares."""
    with closing(sql.connect(replace(sandbox, members={member.name: member}), member.name, read_timeout_s=120)) as admin:
        fence = sql.value(admin, "SELECT @@GLOBAL.super_read_only") if kind.flavor == "mysql" else 0
        if fence:
            sql.rows(admin, "SET GLOBAL super_read_only=0")  # read_only stays, which the administrator passes
        sql.rows(admin, "SET SESSION sql_log_bin=0")
        for said in declare(admin, (*(one for one in side.declared if one.full_name != _LEDGER), *accounts)):
            yield f"{member.name}: {said}"
        here = {row["Variable_name"].lower(): row["Value"] for row in sql.rows(admin, "SHOW GLOBAL VARIABLES")}
        with Path(member.options).open("a") as options:
            for name, value in settings.while_it_runs(side.settings, here):
                try:
                    sql.rows(admin, f"SET GLOBAL {name} = {value if value.isdigit() else text(value)}")
                except (pymysql.err.OperationalError, pymysql.err.InternalError, pymysql.err.ProgrammingError) as error:
                    if not admin.open:
                        raise
                    yield f"{member.name}: {name} could not be set: {error.args[-1]}"
                else:
                    options.write(settings.option_line(name, value))
        if fence:
            sql.rows(admin, "SET GLOBAL super_read_only=1")


def _open_to_segments(sandbox: Sandbox, kind: Kind, original: Original) -> None:
    """Both sides take writes, the tool may move segments, and the topology names them."""
    segments = original.topology.segments
    tool = f"{text(TOOL)}@'%'"
    schemas = sorted({schema for spec in segments.values() for schema in spec.schemas})
    rights = [f"GRANT {', '.join(NEEDS[kind.flavor])} ON *.* TO {tool}", *(schema_need(schema, tool) for schema in schemas)]
    for name in sandbox.members:
        with closing(sql.connect(sandbox, name)) as admin:
            sql.rows(admin, "SET GLOBAL read_only=0")
            sql.rows(admin, "SET SESSION sql_log_bin=0")
            for line in rights:
                sql.rows(admin, line)
    lines = ["segments:"]
    for name, spec in segments.items():
        its = fields_of(spec.tenants) if spec.tenants is not None else None
        whose = {"tenants": its} if its else {"schemas": spec.schemas, "accounts": spec.accounts}
        words = {**whose, "owner": spec.owner, "trusted": sorted({*spec.trusted, *_TRUSTED})}
        if spec.route is not None:
            words["route"] = spec.route
        lines.append(f"  {name}: {json.dumps(words)}")
    topology = Path(sandbox.topology)
    topology.write_text(topology.read_text() + "\n".join(lines) + "\n")
