"""Which MariaDB accounts pass `read_only`, from the privilege tables.

Sources: MariaDB KB "mysql.global_priv Table" (`access` is a bit mask), "READ ONLY ADMIN" (part of SUPER until 10.11.0).
The bits were read off a 10.11 server, GRANT by GRANT.
"""

from __future__ import annotations

from interlock.errors import NotPermitted
from interlock.servers.accounts import AccountName, Accounts, reaching
from interlock.servers.session import Session, text_of
from interlock.servers.versions import Version

SUPER_BIT = 1 << 15
READ_ONLY_ADMIN_BIT = 1 << 33
_ACCOUNTS = "SELECT User AS user, Host AS host, JSON_VALUE(Priv, '$.access') AS access FROM mysql.global_priv"
_ROLES = "SELECT User AS user, Host AS host, Role AS role FROM mysql.roles_mapping"


def accounts(session: Session, version: Version) -> Accounts:
    """Read them. Without the privilege: `readable=False`."""
    try:
        rows, grants = session.rows(_ACCOUNTS), session.rows(_ROLES)
    except NotPermitted:
        return Accounts(readable=False)
    bits = READ_ONLY_ADMIN_BIT | (SUPER_BIT if version < (10, 11, 0) else 0)
    granted: dict[AccountName, set[AccountName]] = {}
    for row in grants:
        granted.setdefault((text_of(row["user"]), text_of(row["host"])), set()).add((text_of(row["role"]), ""))
    direct = {(text_of(row["user"]), text_of(row["host"])) for row in rows if int(text_of(row["access"]) or 0) & bits}
    every = frozenset((text_of(row["user"]), text_of(row["host"])) for row in rows)
    return Accounts(known=every, passing=reaching(every, granted, direct))
