"""What ProxySQL's rules do with a segment's statements. Pure: rows in, facts out.

Where they lead is told by what is at run time, and so is what an undo brings back. Only a row of the route's own that leads to a hostgroup
of the pair, in which that cluster's server alone takes clients, leads to a cluster. Whatever else decides stands there by its name, where a
cluster's would, and every check of where the route leads refuses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.model.facts import EndpointFacts, EndpointState
from interlock.model.topology import ClusterName
from interlock.routes.proxysql_destinations import MAY_BE_SKIPPED, Tables, Traffic, Way, ways
from interlock.routes.proxysql_facts import Row, address_of, state_of
from interlock.routes.proxysql_rules_script import FAST, FAST_KEY, LOAD, RULES, SAVE, ours_in, rule_key
from interlock.routes.proxysql_rules_settings import RulesSettings
from interlock.routes.proxysql_words import text

_USERS = "username, default_hostgroup, fast_forward"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One node at run time, all in one look: its rules, what concerns the route of fast routing, its users, the servers of the pair's
    hostgroups, how many sessions of the route's accounts use each of them, the writer hostgroups that its monitor fills, and how often
    the rules are asked anew.
    """

    rules: tuple[Row, ...]
    fast: tuple[Row, ...]
    users: tuple[Row, ...]
    servers: tuple[Row, ...]
    sessions: tuple[Row, ...]
    filled: tuple[Row, ...]
    again: tuple[Row, ...]


def reading(settings: RulesSettings) -> dict[str, str]:
    """A statement for each field of `Seen`."""
    accounts = ", ".join(text(name) for name in settings.accounts)
    schemas = ", ".join(text(name) for name in settings.schemas)
    fast = [f"username IN ('', {accounts})"] if accounts else []
    fast += [f"schemaname IN ({schemas})"] if schemas else []
    busy = f" AND user IN ({accounts})" if accounts else ""
    return {
        "rules": f"SELECT * FROM runtime_{RULES} ORDER BY rule_id",
        "fast": f"SELECT * FROM runtime_{FAST} WHERE {' AND '.join(fast)} ORDER BY username, schemaname, flagIN",
        "users": f"SELECT {_USERS} FROM runtime_mysql_users WHERE frontend=1" + (f" AND username IN ({accounts})" if accounts else ""),
        "servers": f"SELECT * FROM runtime_mysql_servers WHERE hostgroup_id IN ({', '.join(map(str, settings.hostgroups.values()))})",
        "sessions": "SELECT hostgroup, COUNT(*) AS sessions FROM stats_mysql_processlist "
        f"WHERE srv_host IS NOT NULL AND srv_host<>''{busy} GROUP BY hostgroup",
        "filled": "SELECT writer_hostgroup FROM runtime_mysql_replication_hostgroups",
        "again": "SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-query_processor_iterations'",
    }


def read_endpoints(settings: RulesSettings, node: str, seen: Seen) -> tuple[EndpointFacts, ...]:
    """A hostgroup of each cluster, whether statements go there or not; then whatever else decides about some of them."""
    taken = tuple(dict.fromkeys(_judged(settings, seen, way) for way in _ways(settings, seen)))
    clusters = {cluster for cluster, _ in taken if cluster is not None}
    leading = [
        (settings.of_the_pair[int(row["destination_hostgroup"])], row) for row in (*seen.rules, *seen.fast) if is_ours(settings, row)
    ]
    return (
        *(
            EndpointFacts(
                proxy=node,
                endpoint=f"hostgroup {hostgroup}",
                cluster=cluster,
                state=EndpointState.READY if cluster in clusters else EndpointState.MAINTENANCE,
                healthy=_healthy(settings, seen, cluster),
                sessions=sum(int(row["sessions"]) for row in seen.sessions if row["hostgroup"] == str(hostgroup)),
                queued=0,
                raw={rule_key(row): row["destination_hostgroup"] for owner, row in leading if owner == cluster},
            )
            for cluster, hostgroup in settings.hostgroups.items()
        ),
        *(
            EndpointFacts(proxy=node, endpoint=what, cluster=None, state=EndpointState.READY, healthy=None, sessions=0, queued=0)
            for cluster, what in taken
            if cluster is None
        ),
    )


def lost_endpoints(settings: RulesSettings, node: str) -> tuple[EndpointFacts, ...]:
    """Of a node that does not answer. An undo passes over them."""
    return tuple(
        EndpointFacts(
            proxy=node,
            endpoint=f"hostgroup {hostgroup}",
            cluster=cluster,
            state=EndpointState.UNKNOWN,
            healthy=None,
            sessions=0,
            queued=0,
        )
        for cluster, hostgroup in settings.hostgroups.items()
    )


def unset(row: Row) -> Row:
    """What was not said is -1 in some versions at run time, and NULL in the tables (lib/Query_Processor.cpp, QP_rule_text)."""
    return {name: "" if value == "-1" else value for name, value in row.items()}


def is_ours(settings: RulesSettings, row: Row) -> bool:
    """Whether a flip changes it: it names what the route moves, and leads to a hostgroup of the pair."""
    if settings.accounts and row["username"] not in settings.accounts:
        return False
    if settings.schemas and row["schemaname"] not in settings.schemas:
        return False
    if not settings.accounts and row["username"] in settings.other_accounts:
        return False
    return row["destination_hostgroup"] != "" and int(row["destination_hostgroup"]) in settings.of_the_pair


def check_that_it_can_be_moved(settings: RulesSettings, node: str, seen: Seen) -> None:
    """Before the first effect: StatementFailed names what a flip could not move, and says what to do about it."""
    subject = f"ProxySQL at {node}"
    if any(row["flagOUT"] for row in seen.rules) and any(row["variable_value"] not in {"", "0"} for row in seen.again):
        raise StatementFailed(
            f"{subject}: mysql-query_processor_iterations is {seen.again[0]['variable_value']}, and rules have a flagOUT",
            hint="set it to 0 (the default): what rules do that are asked anew is not judged",
        )
    for way in _ways(settings, seen):
        cluster, what = _judged(settings, seen, way)
        if cluster is None:
            raise StatementFailed(f"{subject}: some statements of {_moved(settings)} go to {what}", hint=_remedy(settings, way))
    for cluster, hostgroup in settings.hostgroups.items():
        where = _where(settings, seen, cluster)
        empty_for_now = where == "" and any(row["writer_hostgroup"] == str(hostgroup) for row in seen.filled)
        if where != cluster and not empty_for_now:
            raise StatementFailed(
                f"{subject}: hostgroup {hostgroup} leads to {where or 'no server that takes clients'}, not to {cluster} alone",
                hint=f"compare `hostgroups` and `servers` with runtime_mysql_servers: {settings.servers[cluster]} is to be ONLINE there",
            )


def differing_rules(settings: RulesSettings, memory: Iterable[Row], other: Iterable[Row]) -> tuple[str, ...]:
    """The active rules that differ, but for where the route's own lead: a flip says that, and one may have been cut short."""
    left, right = ({row["rule_id"]: _compared(settings, row) for row in rows if row["active"] == "1"} for rows in (memory, other))
    return tuple(f"rule {name}" for name in sorted(left.keys() | right.keys(), key=int) if left.get(name) != right.get(name))


def differing_fast(settings: RulesSettings, place: str) -> str:
    """Asks for rows of fast routing that differ between memory and `place`, as above: a few of them, for there may be millions."""
    ours = f"{ours_in(settings, FAST)} AND destination_hostgroup IN ({', '.join(map(str, settings.of_the_pair))})"
    key = ", ".join(FAST_KEY)
    here, there = (f"SELECT {key}, CASE WHEN {ours} THEN -1 ELSE destination_hostgroup END FROM {table}" for table in (FAST, place))
    differing = f"SELECT * FROM ({here} EXCEPT {there}) UNION SELECT * FROM ({there} EXCEPT {here})"
    return f"SELECT DISTINCT {key} FROM ({differing}) ORDER BY {key} LIMIT 5"


def _compared(settings: RulesSettings, row: Row) -> Row:
    """As it is at run time, where a digest is written anew and an empty text is none (lib/Query_Processor.cpp, new_query_rule)."""
    leads_to = "the pair's" if is_ours(settings, row) else row["destination_hostgroup"]
    return {
        **row,
        "digest": row["digest"].lower().removeprefix("0x").lstrip("0"),
        "re_modifiers": row["re_modifiers"].upper(),
        "destination_hostgroup": leads_to,
    }


def _ways(settings: RulesSettings, seen: Seen) -> Iterator[Way]:
    tables = Tables(rules=seen.rules, fast=seen.fast, users={row["username"]: row for row in seen.users})
    others, elsewhere = frozenset(settings.other_accounts), frozenset(settings.other_schemas)
    for account, schema in product(settings.accounts or (None,), settings.schemas or (None,)):
        yield from ways(tables, Traffic(account=account, schema=schema, not_of=others, not_in=elsewhere))


def _judged(settings: RulesSettings, seen: Seen, way: Way) -> tuple[ClusterName | None, str]:
    """The cluster that it leads to; without one, what it is."""
    what = f"hostgroup {'?' if way.hostgroup is None else way.hostgroup} ({way.why})"
    if way.row is None or not is_ours(settings, way.row) or way.hostgroup is None:
        return None, what
    cluster = settings.of_the_pair[way.hostgroup]
    if way.hostgroup in settings.hostgroups.values():
        where = _where(settings, seen, cluster)
        if where != cluster:
            return None, f"{what}, which leads to {where or 'no server that takes clients'}"
    return cluster, ""


def _where(settings: RulesSettings, seen: Seen, cluster: ClusterName) -> str:
    """Whom the cluster's hostgroup leads to: clusters, or addresses that are none of the pair's; empty if no server takes clients."""
    by_address = {address: name for name, address in settings.servers.items()}
    ready = [row for row in _servers(settings, seen, cluster) if state_of(row) is EndpointState.READY]
    return " and ".join(dict.fromkeys(str(by_address.get(address_of(row), address_of(row))) for row in ready))


def _healthy(settings: RulesSettings, seen: Seen, cluster: ClusterName) -> bool | None:
    rows = [row for row in _servers(settings, seen, cluster) if address_of(row) == settings.servers[cluster]]
    return {"ONLINE": True, "SHUNNED": False}.get(rows[0]["status"].upper()) if rows else None


def _servers(settings: RulesSettings, seen: Seen, cluster: ClusterName) -> list[Row]:
    return [row for row in seen.servers if row["hostgroup_id"] == str(settings.hostgroups[cluster])]


def _moved(settings: RulesSettings) -> str:
    accounts, schemas = ", ".join(settings.accounts), ", ".join(settings.schemas)
    return " in ".join(filter(None, (accounts or "anybody", schemas)))


def _remedy(settings: RulesSettings, way: Way) -> str:
    if MAY_BE_SKIPPED in way.why:
        return "put a last rule with apply=0 behind the others, or use mysql_query_rules instead of fast routing"
    if way.row is None:
        column, value = ("username", settings.accounts[0]) if settings.accounts else ("schemaname", settings.schemas[0])
        hostgroup = way.hostgroup if way.hostgroup in settings.of_the_pair else "HOSTGROUP"
        return (
            "give them a rule: a session keeps the default_hostgroup that it began with, and rules are asked for each statement; "
            f"INSERT INTO {RULES} (active, {column}, destination_hostgroup, apply) "
            f"VALUES (1, {text(value)}, {hostgroup}, 1); {LOAD}; {SAVE}"
        )
    if is_ours(settings, way.row):
        return "see runtime_mysql_servers"
    if way.hostgroup is not None and way.hostgroup not in settings.of_the_pair:
        return "if reads go there, write `reader_hostgroups` with one of each cluster; else put a rule of the route's own before it"
    return "that row is for others, too: put one for the route's own accounts or schemas before it, with apply=1"
