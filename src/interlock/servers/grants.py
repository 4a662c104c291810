"""What the accounts may do, as SQL: what Interlock uses, and nothing else.

`SELECT ON *.*` is the broad one. It is how locks on tables are seen (SHOW OPEN TABLES lists only readable tables), definers and
accounts that pass read_only (mysql.event, mysql.global_priv), and how the two sides' data is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from interlock.errors import StatementFailed, UsageError
from interlock.servers import canary, segment_words
from interlock.servers.dialect import Dialect, Flavor, Need
from interlock.servers.flavors import flavor_named
from interlock.servers.mysql import MySQL
from interlock.servers.quoting import name, text
from interlock.servers.versions import Version, version_of

_NEWEST = (99, 0, 0)
CANARY_PRIVILEGES = ("INSERT", "UPDATE", "DELETE", "CREATE")
CANARY_ACCOUNT_PRIVILEGES = ("SELECT", "INSERT", "UPDATE")
REPAIR_PRIVILEGES = ("INSERT", "UPDATE", "DELETE", "TRIGGER")
"""On a schema whose rows are put back or mended; TRIGGER to see, before that, whether one would fire."""
ALTER_PRIVILEGES = ("ALTER", "CREATE", "INSERT")
"""On a schema whose tables are changed (MySQL manual and MariaDB KB, "ALTER TABLE"; "GRANT")."""
_APART_FROM_SUPER = (11, 0, 1)
_UNLOGGED = {"mariadb": ("BINLOG ADMIN",)}
"""For sql_log_bin=0. Part of SUPER before 11.0.1 (MariaDB KB, "SUPER"), and of what MySQL's account has anyway."""
_RETURN = (
    *("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "REFERENCES", "LOCK TABLES", "CREATE VIEW", "SHOW VIEW"),
    *("CREATE ROUTINE", "ALTER ROUTINE", "EVENT", "TRIGGER", "RELOAD", "PROCESS"),
)
"""On everything, while `interlock rejoin` takes a server's rows back or replaces its data: the dump reads all, its client writes all."""

_AUDIT = (
    Need(privilege="PROCESS", what_for="to see sessions, and InnoDB's tables and counters"),
    Need(privilege="REPLICATION SLAVE", what_for="to see who wrote what, in a binary log"),
    Need(privilege="SELECT", what_for="to see tables, columns, accounts and settings"),
    Need(privilege="TRIGGER", what_for="to see triggers"),
    Need(privilege="EVENT", what_for="to see events"),
    Need(privilege="SHOW VIEW", what_for="to see views"),
)
AUDIT_NEEDS: Mapping[str, Sequence[Need]] = {
    "mariadb": (
        *_AUDIT,
        Need(privilege="SLAVE MONITOR", what_for="to see the channels"),
        Need(privilege="BINLOG MONITOR", what_for="to see positions and the binary log"),
    ),
    "mysql": (*_AUDIT, Need(privilege="REPLICATION CLIENT", what_for="to see the channels, positions and binary logs")),
}
# MariaDB answers with the newer of two names, and takes MySQL's for its own
_ALIASES = {"READ ONLY ADMIN": "READ_ONLY ADMIN", "REPLICA MONITOR": "SLAVE MONITOR", "REPLICATION CLIENT": "BINLOG MONITOR"}
_OWN_SCOPES = ("`interlock`.*", "`interlock`.`canary`")
_BUILDS = {"percona": "mysql", "percona-server": "mysql"}
"""Builds of a flavor that have its versions and words."""


def grants_sql(flavor: str, user: str, canary_user: str | None = None, *, host: str = "%", version: str = "") -> str:
    """The statements for an administrator to run once on the writer, for one flavor. Passwords stay for the administrator to set.

    `version` is as a server tells it, or its beginning (`8.4`); the newest if it is empty. The canary account has no right to pass
    read_only, which is the point of it. UsageError for a flavor or version that is not driven.
    """
    its = flavor_named(_BUILDS.get(flavor.lower(), flavor))
    spoken, channel_needs = _spoken(its, version), its.channel_needs
    if isinstance(spoken, MySQL) and not spoken.words.persists:
        channel_needs = ()  # SUPER stands for them, and their names are no privileges yet
    needs = (*spoken.needs, *channel_needs)
    account = f"{text(user)}@{text(host)}"
    lines = [
        *(f"GRANT {need.privilege} ON *.* TO {account}; -- {need.what_for}" for need in needs),
        f"{canary.SCHEMA};",
        f"{canary.TABLE};",
        f"GRANT {', '.join(CANARY_PRIVILEGES)} ON `interlock`.* TO {account};",
    ]
    if its.channels is not None:
        lines += ["-- only for `interlock repair`, on each schema whose rows it writes:", f"--   {repair_grant('…', account)};"]
        lines += [f"--   GRANT {one} ON *.* TO {account}; -- to write them unlogged" for one in _UNLOGGED.get(its.name, ())]
        lines += ["-- only for `interlock run rolling-ddl`, on each schema whose tables it changes:", f"--   {alter_grant('…', account)};"]
        lines += ["-- only for `interlock diff`, to compare triggers and views too:", f"--   GRANT TRIGGER, SHOW VIEW ON *.* TO {account};"]
        newest = version_of(version) if version_of(version) != (0, 0, 0) else _NEWEST
        lines += ["-- only for `interlock rejoin` of a server that holds more than the writer:"]
        lines += [f"--   {return_grant(its.name, newest, account)};"]
    if its.name in segment_words.NEEDS:
        lines += ["-- only for the segments of a pair of which both sides take writes, on each of their schemas:"]
        lines += [f"--   GRANT {', '.join(segment_words.NEEDS[its.name])} ON *.* TO {account};"]
        lines += [f"--   {segment_words.schema_need('…', account)};"]
    if its.name in AUDIT_NEEDS:
        more = ", ".join(need.privilege for need in AUDIT_NEEDS[its.name] if need.privilege not in {one.privilege for one in needs})
        lines += ["-- only for `interlock audit`:", f"--   GRANT {more} ON *.* TO {account};"]
    if canary_user is not None:
        other = f"{text(canary_user)}@{text(host)}"
        lines += [
            f"GRANT {', '.join(CANARY_ACCOUNT_PRIVILEGES)} ON `interlock`.`canary` TO {other};",
        ]
    return "\n".join(lines) + "\n"


def audit_grants_sql(flavor: str, user: str, *, host: str = "%") -> str:
    """All that `interlock audit` needs: an account with these and nothing else can look, and change nothing. UsageError as above."""
    its = flavor_named(_BUILDS.get(flavor.lower(), flavor))
    if its.name not in AUDIT_NEEDS:
        raise UsageError(f"{its.name} is not audited", hint=f"audited are {', '.join(AUDIT_NEEDS)}")
    account = f"{text(user)}@{text(host)}"
    return "".join(f"GRANT {need.privilege} ON *.* TO {account}; -- {need.what_for}\n" for need in AUDIT_NEEDS[its.name])


def repair_grant(schema: str, account: str) -> str:
    return f"GRANT {', '.join(REPAIR_PRIVILEGES)} ON {name(schema)}.* TO {account}"


def alter_grant(schema: str, account: str) -> str:
    return f"GRANT {', '.join(ALTER_PRIVILEGES)} ON {name(schema)}.* TO {account}"


def return_privileges(flavor: str, version: Version) -> tuple[str, ...]:
    """What `rejoin` needs for more than attaching, by MySQL's and MariaDB's own words for writing unlogged, and in others' names. (MySQL's
    release notes: SET_USER_ID is of 8.0, SET_ANY_DEFINER and ALLOW_NONEXISTENT_DEFINER of 8.2.)
    """
    if flavor == "mariadb":
        return (*_RETURN, "BINLOG ADMIN", "REPLICATION SLAVE ADMIN", "SET USER")
    if version < (8, 0, 0):
        return (*_RETURN, "SUPER")
    definers = ("SET_ANY_DEFINER", "ALLOW_NONEXISTENT_DEFINER") if version >= (8, 2, 0) else ("SET_USER_ID",)
    copies = ("BACKUP_ADMIN", "CLONE_ADMIN") if version >= (8, 0, 17) else ()
    return (*_RETURN, "SYSTEM_VARIABLES_ADMIN", "REPLICATION_SLAVE_ADMIN", *definers, *copies)


def return_grant(flavor: str, version: Version, account: str) -> str:
    return f"GRANT {', '.join(return_privileges(flavor, version))} ON *.* TO {account}"


def missing_for_return(grants: Sequence[str], flavor: str, version: str, *, account: str) -> tuple[str, ...]:
    """What the account lacks for it, as the GRANT that gives it."""
    lacks = _lacking(grants, return_privileges(flavor, version_of(version)))
    return (f"GRANT {', '.join(lacks)} ON *.* TO {account}",) if lacks else ()


def missing_for_repair(grants: Sequence[str], schemas: Iterable[str], *, account: str) -> tuple[str, ...]:
    """What the account lacks to put rows of these schemas back, each as the GRANT that gives it."""
    return tuple(repair_grant(one, account) for one in sorted(set(schemas)) if _lacking(grants, REPAIR_PRIVILEGES, f"{name(one)}.*"))


def missing_for_alter(grants: Sequence[str], flavor: str, version: str, table: tuple[str, str], *, account: str) -> tuple[str, ...]:
    """What the account lacks to change this table (schema and name) unlogged, each as the GRANT that gives it."""
    schema = table[0]
    lacks = [alter_grant(schema, account)] if _lacking(grants, ALTER_PRIVILEGES, f"{name(schema)}.*", name(*table)) else []
    by_super = "SUPER" in _held(grants) and version_of(version) < _APART_FROM_SUPER
    unlogged = () if by_super else _lacking(grants, _UNLOGGED.get(flavor, ()))
    return (*lacks, *(f"GRANT {one} ON *.* TO {account}" for one in unlogged))


def _spoken(its: Flavor, version: str) -> Dialect:
    if not version:
        return its.newest
    numbers = version if version_of(version) != (0, 0, 0) else f"{version}.999" if version.count(".") == 1 else f"{version}.999.999"
    if version_of(numbers) == (0, 0, 0):
        raise UsageError(f"{version!r} is no version", hint="such as 8.4, or 10.11.6-MariaDB")
    try:
        return its.speaks(its.name, numbers)
    except StatementFailed as old:
        raise UsageError(f"{its.name} {version} is not driven: {old.message}", hint=old.hint) from old


def missing(grants: Sequence[str], needs: Sequence[Need], *, account: str) -> tuple[str, ...]:
    """What the lines of SHOW GRANTS lack, each as the GRANT that gives it; `account` is as SQL names it."""
    lines = [f"GRANT {privilege} ON *.* TO {account}" for privilege in _lacking(grants, [need.privilege for need in needs])]
    in_schema = _lacking(grants, CANARY_PRIVILEGES, *_OWN_SCOPES)
    return (*lines, *((f"GRANT {', '.join(in_schema)} ON `interlock`.* TO {account}",) if in_schema else ()))


def missing_for_audit(grants: Sequence[str], flavor: str) -> tuple[str, ...]:
    """The privileges on everything that an audit lacks: without TRIGGER, say, it would see no triggers, and get no error."""
    return tuple(_lacking(grants, [need.privilege for need in AUDIT_NEEDS[flavor]]))


def missing_of_canary(grants: Sequence[str], *, account: str) -> tuple[str, ...]:
    """The same for the canary account: without them a fence can't be proved by a refused write."""
    lacks = _lacking(grants, CANARY_ACCOUNT_PRIVILEGES, *_OWN_SCOPES)
    return (f"GRANT {', '.join(lacks)} ON `interlock`.`canary` TO {account}",) if lacks else ()


def _lacking(grants: Sequence[str], wanted: Iterable[str], *scopes: str) -> list[str]:
    """Which of the wanted privileges are granted neither on everything nor on these scopes."""
    held = _held(grants, *scopes)
    return [] if "ALL PRIVILEGES" in held else [one for one in wanted if _ALIASES.get(one, one) not in held]


def _held(grants: Sequence[str], *scopes: str) -> set[str]:
    return set[str]().union(*(privileges for privileges, scope in map(_parsed, grants) if scope in {"*.*", *scopes}))


def _parsed(line: str) -> tuple[set[str], str]:
    """`GRANT A, B ON scope TO …` as privileges and scope; a role's line gives none."""
    body = line.removeprefix("GRANT ")
    privileges, found, rest = body.partition(" ON ")
    if not found:
        return set(), ""
    names = {part.strip().upper() for part in privileges.split(",")}
    return {_ALIASES.get(one, one) for one in names}, rest.partition(" TO ")[0].strip()
