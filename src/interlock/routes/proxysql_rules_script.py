"""The statements for each effect on a route by ProxySQL's rules. Pure: the same words are shown by `plan` and sent by the driver.

1. Of a rule, the destination is changed and nothing else, and only from one of the pair's hostgroups to the other. A rule is the route's
   if it names one of its accounts or schemas; any other is left alone, and so is one that is not active.
2. Nothing of it works before `LOAD MYSQL QUERY RULES TO RUNTIME`, which takes over both tables at once.
3. Nothing is held. A statement that waits has its hostgroup already, and its rule is not asked again: what would keep it waiting is the
   hostgroup, and that is the neighbours', too.

Sources: ProxySQL documentation, "Main (runtime)" (mysql_query_rules, mysql_query_rules_fast_routing) and "Admin Commands".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.topology import ClusterName
from interlock.routes.proxysql_facts import Row
from interlock.routes.proxysql_rules_settings import RulesSettings
from interlock.routes.proxysql_script import Statements
from interlock.routes.proxysql_words import text

RULES, FAST = "mysql_query_rules", "mysql_query_rules_fast_routing"
FAST_KEY = ("username", "schemaname", "flagIN")
LOAD = "LOAD MYSQL QUERY RULES TO RUNTIME"
SAVE = "SAVE MYSQL QUERY RULES TO DISK"


def rules_statements(settings: RulesSettings, effect: RouteEffect) -> dict[str, Statements]:
    """What each node is told, by its name, in order. Empty where there is nothing to say."""
    nodes = tuple(str(node) for node in settings.admin.nodes)
    match effect:
        case Hold() | Release():
            return {}
        case PointTo(cluster=cluster):
            return dict.fromkeys(nodes, _kept(settings, _point_to(settings, cluster)))
        case RestoreRoute(seen=seen):
            known = {node: dict(pair for e in seen.endpoints if e.proxy == node for pair in e.raw.items()) for node in nodes}
            return {node: _kept(settings, _restored(settings, raw)) for node, raw in known.items() if raw}


def rule_key(row: Row) -> str:
    """What a row is called in `EndpointFacts.raw`, where its value is the hostgroup that it led to."""
    return f"rule {row['rule_id']}" if "rule_id" in row else f"fast {json.dumps([row[column] for column in FAST_KEY])}"


def _kept(settings: RulesSettings, edits: Statements) -> Statements:
    return (*edits, LOAD, SAVE) if settings.save else (*edits, LOAD)


def _point_to(settings: RulesSettings, to: ClusterName) -> Statements:
    return tuple(
        f"UPDATE {table} SET destination_hostgroup={groups[to]} "
        f"WHERE {ours_in(settings, table)} AND destination_hostgroup IN ({_numbers(n for c, n in groups.items() if c != to)})"
        for table in (RULES, FAST)
        for groups in (settings.hostgroups, settings.readers)
        if groups
    )


def _restored(settings: RulesSettings, raw: Mapping[str, str]) -> Statements:
    """A row that is gone, or is another's by now, is not brought back."""
    wanted: dict[tuple[str, int], list[str]] = {}
    for key, hostgroup in raw.items():
        kind, _, name = key.partition(" ")
        if kind == "rule":
            wanted.setdefault((RULES, int(hostgroup)), []).append(f"rule_id={int(name)}")
        else:
            values = zip(FAST_KEY, json.loads(name), strict=True)
            row = " AND ".join(f"{column}={int(value) if column == 'flagIN' else text(value)}" for column, value in values)
            wanted.setdefault((FAST, int(hostgroup)), []).append(f"({row})")
    return tuple(
        f"UPDATE {table} SET destination_hostgroup={hostgroup} WHERE {ours_in(settings, table)} AND ({' OR '.join(rows)})"
        for (table, hostgroup), rows in wanted.items()
    )


def ours_in(settings: RulesSettings, table: str) -> str:
    """Which rows a flip may change, as `proxysql_rules_facts.is_ours` judges them, but for where they lead."""
    named = {"username": settings.accounts, "schemaname": settings.schemas}
    wanted = [f"{column} IN ({_texts(names)})" for column, names in named.items() if names]
    if not settings.accounts and settings.other_accounts:
        wanted.append(f"IFNULL(username,'') NOT IN ({_texts(settings.other_accounts)})")
    return " AND ".join([*wanted, "active=1"] if table == RULES else wanted)


def _texts(values: Iterable[str]) -> str:
    return ", ".join(text(value) for value in values)


def _numbers(values: Iterable[int]) -> str:
    return ", ".join(map(str, values))
