"""What an account may write, read off its SHOW GRANTS: pure. A segment's rights are taken away and given back word for word.

Rights that only read stay: SELECT and SHOW VIEW (and REFERENCES, which writes nothing). Everything else on a segment's schemas is taken,
GRANT OPTION with it. ALL PRIVILEGES is one right, so reading goes with it.

In a GRANT on a schema its name is a pattern: `_` and `%` stand for any letter or letters, unless a backslash precedes them (MySQL manual,
"GRANT Statement"; so on MariaDB 10.11 and MySQL 9.7, tried).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from interlock.dataclass import dataclass
from interlock.model.segments import Right
from interlock.servers.accounts import AccountName

_READS = frozenset({"SELECT", "SHOW VIEW", "REFERENCES", "USAGE"})
_WRITES_EVERYWHERE = frozenset(
    {
        "ALL PRIVILEGES", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "TRIGGER", "EXECUTE", "EVENT", "CREATE ROUTINE",
        "ALTER ROUTINE", "CREATE VIEW", "DELETE HISTORY", "SUPER", "CREATE USER", "ROLE_ADMIN", "BINLOG REPLAY", "BINLOG_ADMIN",
        "REPLICATION_APPLIER", "SET USER", "SET_USER_ID", "SET_ANY_DEFINER",
    }
)  # fmt: skip
"""On everything: what writes a row of any schema, or lets its holder give itself such a right."""
_NAME = r"`(?:[^`]|``)*`"
_LINE = re.compile(
    rf"GRANT (?P<rights>(?:{_NAME}|[^`])+?) ON (?P<kind>(?:TABLE |FUNCTION |PROCEDURE |PACKAGE |PACKAGE BODY )?)(?P<on>[`*].*)", re.DOTALL
)
_ON = re.compile(rf"(?P<schema>{_NAME}|\*)\.(?P<object>{_NAME}|\*) TO (?P<rest>.*)", re.DOTALL)
_ROLE = re.compile(rf"GRANT (?P<roles>{_NAME}(?:@{_NAME})?(?:, ?{_NAME}(?:@{_NAME})?)*) TO ", re.DOTALL)
_ROLE_NAME = re.compile(rf"(?P<user>{_NAME})(?:@(?P<host>{_NAME}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """Of one account or role: `rights` with the schema pattern that each is for (`*` for everything), the `roles` that it has been given,
    and the `unread` lines that are neither.
    """

    rights: tuple[tuple[str, Right], ...] = ()
    roles: tuple[AccountName, ...] = ()
    unread: tuple[str, ...] = ()


def parse(lines: Iterable[str]) -> Grants:
    """The lines of SHOW GRANTS FOR one account. Passwords and other options behind its name are not kept."""
    rights: list[tuple[str, Right]] = []
    roles: list[AccountName] = []
    unread: list[str] = []
    for line in lines:
        granted = _granted(line)
        if granted is not None:
            rights.append(granted)
        elif role := _ROLE.match(line):
            roles += [(_bare(each["user"]), _bare(each["host"] or "")) for each in _ROLE_NAME.finditer(role["roles"])]
        elif not line.startswith(("SET DEFAULT ROLE", "GRANT PROXY")):
            unread.append(line.partition(" IDENTIFIED ")[0])
    return Grants(rights=tuple(rights), roles=tuple(roles), unread=tuple(unread))


def rights_on(grants: Grants, schemas: Collection[str]) -> tuple[Right, ...]:
    """What it may do beside reading on these schemas and parts of them, in one order; not what it may do on everything."""
    found = (
        writing
        for pattern, right in grants.rights
        if pattern != "*" and _covers(pattern, schemas) and (writing := _writing(right)) is not None
    )
    return tuple(sorted(found, key=lambda right: (right.on, right.privileges)))


def writes_everywhere(grants: Grants) -> tuple[str, ...]:
    """Its rights on everything that would let it write any schema."""
    given = [name for pattern, right in grants.rights if pattern == "*" for name in right.privileges]
    return tuple(name for name in given if name.upper() in _WRITES_EVERYWHERE)


def unclear(
    account: str, grants: Grants, schemas: Collection[str], others: Collection[str], roles: Mapping[AccountName, Grants]
) -> list[str]:
    """Why its rights on `schemas` can't be taken away and given back exactly, a sentence each. `others` are the schemas beside them."""
    found = [f"{account} has {' and '.join(everywhere)} on everything" for everywhere in [writes_everywhere(grants)] if everywhere]
    for pattern, right in grants.rights:
        beside = [each for each in others if pattern != "*" and _covers(pattern, [each])]
        if beside and _covers(pattern, schemas) and _writing(right) is not None:
            found.append(f"the grant of {account} on {right.on} is also for {beside[0]}")
    for role in reached(grants.roles, roles):
        given = roles.get(role, Grants())
        if rights_on(given, schemas) or writes_everywhere(given):
            found.append(f"{account} can write by the role {role[0]}")
    return found + [f"{account} has a right that is not understood: {line}" for line in grants.unread]


def reached(roles: Sequence[AccountName], known: Mapping[AccountName, Grants]) -> Iterator[AccountName]:
    """These roles, and those that they have been given, however far."""
    seen: set[AccountName] = set()
    waiting = list(roles)
    while waiting:
        role = waiting.pop()
        if role not in seen:
            seen.add(role)
            yield role
            waiting += known.get(role, Grants()).roles


def _granted(line: str) -> tuple[str, Right] | None:
    matched = _LINE.fullmatch(line)
    place = _ON.fullmatch(matched["on"]) if matched else None
    if matched is None or place is None:
        return None
    right = Right(
        privileges=tuple(_privileges(matched["rights"])),
        on=f"{matched['kind']}{place['schema']}.{place['object']}",
        grant_option=place["rest"].endswith("WITH GRANT OPTION"),
    )
    # below a schema its name is no pattern
    schema = _bare(place["schema"])
    return schema if place["object"] == "*" or schema == "*" else _escaped(schema), right


def _privileges(text: str) -> Iterator[str]:
    """``SELECT (`b`, `a`), INSERT`` one by one, the columns in one order."""
    for each in re.findall(rf"(?:{_NAME}|\((?:{_NAME}|[^)])*\)|[^,(])+", text):
        name, _, columns = each.strip().partition(" (")
        if name:
            yield f"{name} ({', '.join(sorted(re.findall(_NAME, columns)))})" if columns else name


def _writing(right: Right) -> Right | None:
    """The part of it that does more than read."""
    writes = tuple(name for name in right.privileges if name.partition(" (")[0].upper() not in _READS)
    return Right(privileges=writes, on=right.on, grant_option=right.grant_option) if writes else None


def _covers(pattern: str, schemas: Iterable[str]) -> bool:
    """Whether a GRANT's schema is one of these. Case is not told apart: some servers don't."""
    expression = ""
    letters = iter(pattern)
    for letter in letters:
        match letter:
            case "\\":
                expression += re.escape(next(letters, "\\"))
            case "%":
                expression += ".*"
            case "_":
                expression += "."
            case _:
                expression += re.escape(letter)
    return any(re.fullmatch(expression, schema, re.IGNORECASE | re.DOTALL) for schema in schemas)


def _escaped(schema: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", schema)


def _bare(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name
