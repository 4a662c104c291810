"""Which MariaDB accounts pass `read_only`, from the privilege tables. None where they can't be read: not known.

Sources: MariaDB KB "mysql.global_priv Table" (`access` is a bit mask), "READ ONLY ADMIN" (part of SUPER until 10.11.0).
The bits were read off a 10.11 server, GRANT by GRANT.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from interlock.errors import NotPermitted
from interlock.servers.flavors import version_of
from interlock.servers.mariadb_facts import text_of
from interlock.servers.session import Session

SUPER_BIT = 1 << 15
READ_ONLY_ADMIN_BIT = 1 << 33
_ACCOUNTS = "SELECT User AS user, Host AS host, JSON_VALUE(Priv, '$.access') AS access FROM mysql.global_priv"
_ROLES = "SELECT User AS user, Host AS host, Role AS role FROM mysql.roles_mapping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """`passing` holds user and host pattern of each account with the right, by itself or through any role it may take on."""

    known: frozenset[tuple[str, str]] = frozenset()
    passing: frozenset[tuple[str, str]] = frozenset()
    readable: bool = True

    def passes(self, user: str, host: str) -> bool | None:
        """Whether a session of `user` from `host` may pass. A session does not say which account it logged in as: any that fits counts.
        None if the tables can't be read, or no account fits.
        """
        if not self.readable:
            return None
        fitting = [one for one in self.known if one[0] in {user, ""} and _fits(one[1], host)]
        return any(one in self.passing for one in fitting) if fitting else None

    def definer_passes(self, definer: str) -> bool | None:
        """Of `user@host` as events name their definer: exactly that account."""
        user, _, host = definer.rpartition("@")
        if not self.readable or (user, host) not in self.known:
            return None
        return (user, host) in self.passing


def accounts(session: Session) -> Accounts:
    """Read them. Without the privilege: `readable=False`."""
    try:
        rows, grants = session.rows(_ACCOUNTS), session.rows(_ROLES)
    except NotPermitted:
        return Accounts(readable=False)
    bits = READ_ONLY_ADMIN_BIT | (SUPER_BIT if version_of(session.version) < (10, 11, 0) else 0)
    granted: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for row in grants:
        granted.setdefault((text_of(row["user"]), text_of(row["host"])), set()).add((text_of(row["role"]), ""))
    direct = {(text_of(row["user"]), text_of(row["host"])) for row in rows if int(text_of(row["access"]) or 0) & bits}
    every = frozenset((text_of(row["user"]), text_of(row["host"])) for row in rows)
    return Accounts(known=every, passing=frozenset(one for one in every if _reaches(one, granted, direct)))


def _reaches(start: tuple[str, str], granted: Mapping[tuple[str, str], set[tuple[str, str]]], goals: set[tuple[str, str]]) -> bool:
    seen, waiting = set(), [start]
    while waiting:
        one = waiting.pop()
        if one in goals:
            return True
        if one not in seen:
            seen.add(one)
            waiting.extend(granted.get(one, ()))
    return False


def _fits(pattern: str, host: str) -> bool:
    """Whether a session's `host` (maybe with `:port`) fits an account's host pattern. A netmask may fit: it is taken to."""
    if pattern in {"", "%"} or "/" in pattern:
        return True
    address = host.rsplit(":", 1)[0] if host.count(":") == 1 else host
    expression = "".join(".*" if letter == "%" else "." if letter == "_" else re.escape(letter) for letter in pattern)
    return re.fullmatch(expression, address, re.IGNORECASE) is not None
