"""Which MySQL accounts are administrators': they pass `read_only`, and `super_read_only` stops them like everybody.

Sources: MySQL manual, "Server System Variables" (read_only, super_read_only), "Grant Tables" (mysql.user, global_grants, role_edges).
"""

from __future__ import annotations

from interlock.errors import NotPermitted
from interlock.servers.accounts import AccountName, Accounts, reaching
from interlock.servers.mysql_words import Words
from interlock.servers.session import Row, Session, text_of

_USERS = "SELECT user AS user, host AS host, super_priv AS super FROM mysql.user"
_DYNAMIC = "SELECT user AS user, host AS host FROM mysql.global_grants WHERE priv = 'CONNECTION_ADMIN'"
_ROLES = "SELECT to_user AS user, to_host AS host, from_user AS role, from_host AS role_host FROM mysql.role_edges"


def accounts(session: Session, words: Words) -> Accounts:
    """Read them. Without the privilege: `readable=False`."""
    try:
        users = session.rows(_USERS)
        dynamic, roles = (session.rows(_DYNAMIC), session.rows(_ROLES)) if words.persists else ((), ())
    except NotPermitted:
        return Accounts(readable=False)
    direct = {_account(row) for row in (*dynamic, *(row for row in users if text_of(row["super"]) == "Y"))}
    granted: dict[AccountName, set[AccountName]] = {}
    for row in roles:
        granted.setdefault(_account(row), set()).add((text_of(row["role"]), text_of(row["role_host"])))
    every = frozenset(_account(row) for row in users)
    return Accounts(known=every, administrators=reaching(every, granted, direct))


def _account(row: Row) -> AccountName:
    return text_of(row["user"]), text_of(row["host"])
