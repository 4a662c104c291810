"""`interlock grants`: the least privileges, as SQL."""

from __future__ import annotations

from collections.abc import Iterable

from interlock.cli.context import Answer, Context
from interlock.model.topology import Topology
from interlock.servers.flavors import dialect_of, flavor_named
from interlock.servers.grants import audit_grants_sql, grants_sql
from interlock.servers.greeting import greeted_version

_USER, _CANARY = "interlock", "interlock_canary"
_USUAL = "mariadb"

Kind = tuple[str, str]
"""A flavor and a version; an empty one is the newest."""


def grants(context: Context) -> Answer:
    """For the accounts and the servers that the topology names, or for the usual ones without a topology."""
    options = context.options
    path, accounts, pair = context.topology_path(), [(_USER, _CANARY)], None
    if path is not None:
        from interlock.bootstrap import read_topology  # noqa: PLC0415 - loads every driver

        pair = read_topology(path)
        named = [(m.access.account.user, m.access.canary.user if m.access.canary else None) for m in pair.masters()]
        accounts = [(own, other or _CANARY) for own, other in dict.fromkeys(named)]
    found = _kinds_of(pair) if pair is not None else ((_USUAL, ""),)
    kinds = [kind for kind in found if options.flavor in {None, kind[0]}] or [(options.flavor, "")]
    return _answer([(flavor, options.for_version or version) for flavor, version in kinds], accounts, options.host, audit=options.audit)


def _kinds_of(pair: Topology) -> tuple[Kind, ...]:
    """By their greetings, for there may be no account yet. Of a server that does not greet: what is pinned, or the other one's."""
    found: dict[Kind, None] = {}
    for master in pair.masters():
        version = next(filter(None, (greeted_version(host, port) for host, port in master.places)), None)
        if version is not None:
            spoken = dialect_of(master.name, version, pinned=master.flavor)
            found[spoken.flavor, version.removeprefix("5.5.5-")] = None  # how MariaDB greets old replicas
        elif master.flavor is not None:
            found.setdefault((flavor_named(master.flavor).name, ""))
    return tuple(found) or ((_USUAL, ""),)


def _answer(kinds: Iterable[Kind], accounts: list[tuple[str, str]], host: str, *, audit: bool) -> Answer:
    blocks: dict[str, Kind] = {}
    for flavor, version in kinds:  # versions with the same words are printed once
        sql = "\n".join(
            audit_grants_sql(flavor, own, host=host) if audit else grants_sql(flavor, own, other, host=host, version=version)
            for own, other in accounts
        )
        blocks.setdefault(sql, (flavor, version))
    named = dict.fromkeys(name for pair in accounts for name in (pair[:1] if audit else pair))
    names = ", ".join(f"'{name}'@'{host}'" for name in named)
    head = (
        f"-- Make the accounts first, each with a password of its own: {names}\n"
        "--   CREATE USER … IDENTIFIED BY …\n"
        "-- then run this once on the writer, which fails for an account that is not there.\n"
    )
    texts = [f"-- for {flavor}{f' {version}' if version else ', the newest'}\n{sql}" for sql, (flavor, version) in blocks.items()]
    plain = {
        "flavor": next(iter(blocks.values()))[0],
        "accounts": [{"user": own, "canary": None if audit else other} for own, other in accounts],
        "sql": "\n".join(blocks),
        "flavors": [{"flavor": flavor, "version": version or None, "sql": sql} for sql, (flavor, version) in blocks.items()],
    }
    return Answer(plain=plain, text=lambda _: head + "\n".join(texts))
