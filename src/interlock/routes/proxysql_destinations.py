"""Where ProxySQL sends a statement, by its rules. Pure: rows in, every way that a statement may take out.

`mysql_query_rules` are asked in the order of rule_id, those alone whose flagIN is the statement's flag (0 at first). One that matches sets
the hostgroup if it names one, and the flag if it has a flagOUT; with `apply` it is the last one asked. If none was, fast routing is asked
by account and schema, then by the schema alone, and goes before what a rule without `apply` said. What nothing decides goes to the
default hostgroup of its account, as that was when the session began.

What a rule asks of the text, of a client's or the proxy's address can't be judged here: such a rule takes a part of the statements. So
there may be several ways. All of them count.

Sources: ProxySQL documentation, "Main (runtime)" (mysql_query_rules, mysql_query_rules_fast_routing, mysql_users); lib/Query_Processor.cpp,
process_query (2.0 to 3.0.9); issues 5620 (a last rule with apply=1 that does not match keeps fast routing from being asked; mended later)
and 4214 (fast routing by the schema alone).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from enum import Enum, auto

from interlock.dataclass import dataclass
from interlock.routes.proxysql_facts import Row

_BY_OTHER_SIGNS = ("client_addr", "proxy_addr", "proxy_port", "digest", "match_digest", "match_pattern")
_ANSWERED_BY_PROXYSQL = ("error_msg", "OK_msg")

MAY_BE_SKIPPED = "a last rule with apply=1 keeps fast routing from being asked (issue 5620)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The statements of one account in one schema; None for any, but for the accounts `not_of` and the schemas `not_in`."""

    account: str | None
    schema: str | None
    not_of: frozenset[str] = frozenset()
    not_in: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A hostgroup (None if it is not known) and what decides for it: a row of one of the two tables, or, without one, `why`."""

    hostgroup: int | None
    why: str
    row: Row | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What ProxySQL does at run time: rules in the order of rule_id, rows of fast routing, and the users of its clients by name."""

    rules: Sequence[Row]
    fast: Sequence[Row]
    users: Mapping[str, Row]


class _Match(Enum):
    NONE = auto()
    PART = auto()
    ALL = auto()


def ways(tables: Tables, traffic: Traffic) -> tuple[Way, ...]:
    """Every way that one of these statements may take, each once."""
    user = tables.users.get(traffic.account or "")
    if user is not None and user["fast_forward"] == "1":
        return (Way(hostgroup=int(user["default_hostgroup"]), why=f"{traffic.account} is fast_forward: no rule is asked"),)
    default = _default(traffic, user)
    found: dict[Way, None] = {}
    pending: dict[tuple[str, Way | None], None] = {(flag, None): None for flag in _first_flags(tables)}
    for rule in tables.rules:
        asked, pending = pending, {}
        for flag, way in asked:
            match = _match(rule, flag, traffic)
            if match is not _Match.ALL:
                pending[flag, way] = None
            if match is _Match.NONE or any(rule.get(column) for column in _ANSWERED_BY_PROXYSQL):
                continue
            taken = _by_rule(rule) if rule["destination_hostgroup"] else way
            if rule["apply"] == "1":
                found[taken or default] = None
            else:
                pending[rule["flagOUT"] or flag, taken] = None
    for flag, way in pending:
        found.update(dict.fromkeys(_after_the_rules(tables, traffic, flag, way or default)))
    return tuple(found)


def _first_flags(tables: Tables) -> Iterator[str]:
    """A statement's flag is 0, unless the one before it met a rule that says otherwise of the next."""
    yield "0"
    yield from (rule["next_query_flagIN"] for rule in tables.rules if rule.get("next_query_flagIN"))


def _after_the_rules(tables: Tables, traffic: Traffic, flag: str, otherwise: Way) -> Iterator[Way]:
    """By fast routing, where it is asked and has a row; `otherwise`, where it has none."""
    here = [row for row in tables.fast if row["flagIN"] == flag and _in(traffic, row["schemaname"])]
    exact = [row for row in here if row["username"] and _of(traffic, row["username"])]
    by_schema = [row for row in here if not row["username"]]
    if traffic.schema is not None and traffic.account is not None and exact:
        by_schema = []
    yield from (_by_fast_routing(row) for row in (*exact, *by_schema))
    decided = traffic.schema is not None and bool(by_schema or (exact and traffic.account is not None))
    if (exact or by_schema) and tables.rules and tables.rules[-1]["apply"] == "1":
        yield Way(hostgroup=otherwise.hostgroup, why=f"{otherwise.why}: {MAY_BE_SKIPPED}")
    elif not decided:
        yield otherwise


def _match(rule: Row, flag: str, traffic: Traffic) -> _Match:
    account, schema = rule["username"], rule["schemaname"]
    wanted = rule["flagIN"] == flag and (not account or _of(traffic, account)) and (not schema or _in(traffic, schema))
    if not wanted:
        return _Match.NONE
    narrower = (account and traffic.account is None) or (schema and traffic.schema is None)
    return _Match.PART if narrower or any(rule.get(column) for column in _BY_OTHER_SIGNS) else _Match.ALL


def _of(traffic: Traffic, account: str) -> bool:
    """Whether some of them are this account's. Compared as bytes, as ProxySQL does."""
    return account not in traffic.not_of if traffic.account is None else account == traffic.account


def _in(traffic: Traffic, schema: str) -> bool:
    return schema not in traffic.not_in if traffic.schema is None else schema == traffic.schema


def _by_rule(rule: Row) -> Way:
    return Way(hostgroup=int(rule["destination_hostgroup"]), why=f"rule {rule['rule_id']}", row=rule)


def _by_fast_routing(row: Row) -> Way:
    why = f"fast routing of {row['username'] or 'everybody'} in {row['schemaname']}"
    return Way(hostgroup=int(row["destination_hostgroup"]), why=why, row=row)


def _default(traffic: Traffic, user: Row | None) -> Way:
    if traffic.account is None:
        return Way(hostgroup=None, why="no rule decides it")
    if user is None:
        return Way(hostgroup=None, why=f"no rule decides it, and ProxySQL has no user {traffic.account}")
    return Way(hostgroup=int(user["default_hostgroup"]), why=f"default_hostgroup of {traffic.account}: no rule decides it")
