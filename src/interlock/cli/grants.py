"""`interlock grants`: the least privileges, as SQL."""

from __future__ import annotations

from interlock.cli.context import Answer, Context
from interlock.servers.grants import grants_sql

_USER, _CANARY = "interlock", "interlock_canary"


def grants(context: Context) -> Answer:
    """For the accounts that the topology names, or for the usual ones without a topology."""
    flavor, user, canary = context.options.flavor, _USER, _CANARY
    path = context.topology_path()
    accounts = [(user, canary)]
    if path is not None:
        from interlock.bootstrap import read_topology  # noqa: PLC0415 - loads every driver

        named = [(m.access.account.user, m.access.canary.user if m.access.canary else None) for m in read_topology(path).masters()]
        accounts = [(own, other or canary) for own, other in dict.fromkeys(named)]
    host = context.options.host
    sql = "\n".join(grants_sql(flavor, own, other, host=host) for own, other in accounts)
    names = ", ".join(f"'{name}'@'{host}'" for name in dict.fromkeys(name for pair in accounts for name in pair))
    head = (
        f"-- Make the accounts first, each with a password of its own: {names}\n"
        "--   CREATE USER … IDENTIFIED BY …\n"
        "-- then run this once on the writer, which fails for an account that is not there.\n"
    )
    plain = {"flavor": flavor, "accounts": [{"user": own, "canary": other} for own, other in accounts], "sql": sql}
    return Answer(plain=plain, text=lambda _: head + sql)
