"""What the accounts may do, as SQL: what Interlock uses, and nothing else.

`SELECT ON *.*` is the broad one. It is how locks on tables are seen (SHOW OPEN TABLES lists only readable tables), definers and
accounts that pass read_only (mysql.event, mysql.global_priv), and how the two sides' data is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interlock.errors import UsageError
from interlock.servers import canary
from interlock.servers.flavors import MARIADB
from interlock.servers.quoting import text


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """`privilege` on everything. Asked for on every version, also where SUPER still implies it (before 10.11 or 11.0.1, by the MariaDB KB
    page "SUPER"): what is printed is what is checked, and an upgrade takes nothing away.
    """

    privilege: str
    what_for: str


NEEDS = (
    Need(privilege="READ_ONLY ADMIN", what_for="to fence and to open"),
    Need(privilege="CONNECTION ADMIN", what_for="to end sessions, and to get in when all connections are taken"),
    Need(privilege="PROCESS", what_for="to see sessions and transactions"),
    Need(privilege="SLAVE MONITOR", what_for="to see the channels"),
    Need(privilege="BINLOG MONITOR", what_for="to see positions and the binary log"),
    Need(privilege="SUPER", what_for="to start and stop the event scheduler"),
    Need(privilege="SELECT", what_for="to see locks, events, accounts and data"),
)
CANARY_PRIVILEGES = ("INSERT", "UPDATE", "DELETE", "CREATE")
CANARY_ACCOUNT_PRIVILEGES = ("SELECT", "INSERT", "UPDATE")
_ALIASES = {"READ ONLY ADMIN": "READ_ONLY ADMIN", "REPLICA MONITOR": "SLAVE MONITOR", "REPLICATION CLIENT": "BINLOG MONITOR"}


def grants_sql(flavor: str, user: str, canary_user: str | None = None, *, host: str = "%") -> str:
    """The statements for an administrator to run once on the writer, for one flavor. Passwords stay for the administrator to set.

    The canary account has no right to pass read_only, which is the point of it. UsageError for a flavor that is not driven.
    """
    if flavor.lower() != MARIADB:
        raise UsageError(f"no grants are known for {flavor}", hint=f"known: {MARIADB}")
    account = f"{text(user)}@{text(host)}"
    lines = [
        *(f"GRANT {need.privilege} ON *.* TO {account}; -- {need.what_for}" for need in NEEDS),
        f"{canary.SCHEMA};",
        f"{canary.TABLE};",
        f"GRANT {', '.join(CANARY_PRIVILEGES)} ON `interlock`.* TO {account};",
    ]
    if canary_user is not None:
        other = f"{text(canary_user)}@{text(host)}"
        lines += [
            f"GRANT {', '.join(CANARY_ACCOUNT_PRIVILEGES)} ON `interlock`.`canary` TO {other};",
        ]
    return "\n".join(lines) + "\n"


def missing(grants: Iterable[str], *, account: str) -> tuple[str, ...]:
    """What the lines of SHOW GRANTS lack, each as the GRANT that gives it; `account` is as SQL names it."""
    everywhere: set[str] = set()
    in_schema: set[str] = set()
    for line in grants:
        privileges, scope = _parsed(line)
        if scope == "*.*":
            everywhere |= privileges
        elif scope in {"`interlock`.*", "`interlock`.`canary`"}:
            in_schema |= privileges
    if "ALL PRIVILEGES" in everywhere:
        return ()
    lines = [f"GRANT {need.privilege} ON *.* TO {account}" for need in NEEDS if need.privilege not in everywhere]
    lines += _missing_in_schema(everywhere | in_schema, account)
    return tuple(lines)


def missing_of_canary(grants: Iterable[str], *, account: str) -> tuple[str, ...]:
    """The same for the canary account: without them a fence can't be proved by a refused write."""
    has = frozenset[str]()
    for line in grants:
        privileges, scope = _parsed(line)
        if scope in {"*.*", "`interlock`.*", "`interlock`.`canary`"}:
            has |= privileges
    lacks = [privilege for privilege in CANARY_ACCOUNT_PRIVILEGES if privilege not in has]
    return (f"GRANT {', '.join(lacks)} ON `interlock`.`canary` TO {account}",) if lacks and "ALL PRIVILEGES" not in has else ()


def _missing_in_schema(has: set[str], account: str) -> Sequence[str]:
    if "ALL PRIVILEGES" in has:
        return ()
    lacks = [privilege for privilege in CANARY_PRIVILEGES if privilege not in has]
    return [f"GRANT {', '.join(lacks)} ON `interlock`.* TO {account}"] if lacks else []


def _parsed(line: str) -> tuple[set[str], str]:
    """`GRANT A, B ON scope TO …` as privileges and scope; a role's line gives none."""
    body = line.removeprefix("GRANT ")
    privileges, found, rest = body.partition(" ON ")
    if not found:
        return set(), ""
    names = {part.strip().upper() for part in privileges.split(",")}
    return {_ALIASES.get(one, one) for one in names}, rest.partition(" TO ")[0].strip()
