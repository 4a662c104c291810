"""Question 11: who else manages this pair, and would fight with a run?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from interlock.audit.facts import PairSeen
from interlock.audit.rule import Chapter, Fault, Rule, command, here_only, quoted, sql
from interlock.model.audit import AuditVerdict

_UNFIT, _ATTENTION = AuditVerdict.UNFIT, AuditVerdict.NEEDS_ATTENTION
_TRACES = (
    ("orchestrator", re.compile(r"orchestrator|orc_client", re.IGNORECASE)),
    ("MaxScale", re.compile(r"maxscale|mariadbmon", re.IGNORECASE)),
    ("replication-manager", re.compile(r"repl(?:ication)?[-_]?man", re.IGNORECASE)),
    ("Tungsten", re.compile(r"tungsten", re.IGNORECASE)),
    ("MHA", re.compile(r"\bmha(?:4mysql)?\b|^mha_", re.IGNORECASE)),
    ("ProxySQL", re.compile(r"proxysql", re.IGNORECASE)),
    ("MMM", re.compile(r"mmm_(?:agent|monitor)", re.IGNORECASE)),
    ("Pacemaker", re.compile(r"pacemaker|corosync|hacluster", re.IGNORECASE)),
)
"""By the names that their guides give to accounts, schemas and programs. A monitor of one of the pair's own routes is known."""
_SETS_READ_ONLY = re.compile(r"\b(?:super_)?read_only\s*=", re.IGNORECASE)
_OF_ROUTES = {"ProxySQL": {"proxysql", "proxysql_rules"}, "MaxScale": {"maxscale"}}


def _managers(pair: PairSeen, name: str) -> Iterator[str]:
    """The managers whose traces a name bears, except those that the topology itself names as a route or a channel."""
    kinds = {route.kind for route in pair.topology.routes.values()}
    replicated = any(cluster.channel is not None for cluster in pair.topology.clusters.values())
    for manager, pattern in _TRACES:
        known = not kinds.isdisjoint(_OF_ROUTES.get(manager, ())) or (manager == "Tungsten" and replicated)
        if pattern.search(name) and not known:
            yield manager


def _accounts(pair: PairSeen) -> Iterator[Fault]:
    for account in pair.writer.accounts:
        for manager in _managers(pair, account.user) if not account.locked else ():
            yield Fault(
                says=f"the account {account.name} looks like {manager}'s",
                object=account.name,
                seen={pair.writer.name: "may log in"},
                fix=sql(pair.writer, f"ALTER USER {account.name} ACCOUNT LOCK"),
            )


def _sessions(pair: PairSeen) -> Iterator[Fault]:
    for server in pair.masters:
        found: dict[tuple[str, str], list[int]] = {}
        for one in server.sessions:
            for manager in dict.fromkeys([*_managers(pair, one.program), *_managers(pair, one.user)]):
                found.setdefault((manager, one.user), []).append(one.id)
        for (manager, user), ids in sorted(found.items()):
            yield Fault(
                says=f"{manager} is connected to {server.name}, as {user}",
                server=server.name,
                object=f"{manager} as {user}",
                seen={server.name: f"{len(ids)} session{'s' * (len(ids) > 1)}"},
                fix=sql(server, f"-- stop {manager} on its host first, or take this pair out of it", *(f"KILL {one}" for one in ids)),
            )


def _schemas(pair: PairSeen) -> Iterator[Fault]:
    for schema in pair.writer.schemas:
        for manager in _managers(pair, schema):
            yield Fault(
                says=f"the schema {schema} looks like {manager}'s",
                object=schema,
                seen={pair.writer.name: f"{sum(table.startswith(f'{schema}.') for table in pair.writer.tables)} tables"},
            )


def _events(pair: PairSeen) -> Iterator[Fault]:
    for server in pair.masters:
        for one in server.stored:
            if one.kind == "event" and one.enabled and _SETS_READ_ONLY.search(one.body):
                yield Fault(
                    says=f"the event {one.name} on {server.name} sets read_only",
                    server=server.name,
                    object=one.name,
                    seen={server.name: one.body[:200]},
                    fix=here_only(server, f"ALTER EVENT {quoted(one.name)} DISABLE"),
                )


def _jobs(pair: PairSeen) -> Iterator[Fault]:
    for host in pair.hosts:
        for line in host.jobs:
            place, _, said = line.partition(":")
            number, _, text = said.partition(":")
            yield Fault(
                says=f"a job on the host of {host.cluster} sets read_only: {place}, line {number}",
                object=f"{host.cluster} {place}",
                seen={host.cluster: text.strip()[:200]},
                fix=command(f"sed -i '{number}s/^/# /' {place}   # on the host of {host.cluster}; tell whoever wrote it"),
            )


def _synchronous(pair: PairSeen) -> Iterator[Fault]:
    for server in pair.masters:
        if server.settings.get("wsrep_on", "OFF").upper() == "ON":
            yield Fault(says=f"{server.name} is a node of a Galera cluster", server=server.name, object="wsrep_on")
        if "group_replication" in server.plugins:
            yield Fault(says=f"{server.name} runs Group Replication", server=server.name, object="group_replication")


def _tells(pair: PairSeen) -> Iterator[str]:
    yield f"looked for traces of {', '.join(name for name, _ in _TRACES)} among accounts, schemas, sessions and events"
    hosts = ", ".join(one.cluster for one in pair.hosts if not one.error)
    yield f"hosts whose jobs were looked at: {hosts or 'none, the topology has no ssh'}"
    for server in pair.masters:
        programs = sorted({one.program for one in server.sessions if one.program})
        users = sorted({one.user for one in server.sessions if one.user not in {"system user", "event_scheduler"}})
        yield f"connected to {server.name}: {', '.join(users) or 'nobody'}" + (f" (programs: {', '.join(programs)})" if programs else "")


CHAPTER = Chapter(
    question=11,
    title="Other managers of the pair",
    tells=_tells,
    rules=(
        Rule(
            id="managers.accounts",
            question=11,
            title="No other manager has an account",
            verdict=_ATTENTION,
            why="two managers that each bring the pair into the state that they think right open both sides",
            source="docs/audit.md",
            look=_accounts,
        ),
        Rule(
            id="managers.sessions",
            question=11,
            title="No other manager is connected",
            verdict=_UNFIT,
            why="it may open the old writer again, or promote a replica, in the middle of a run",
            source="docs/audit.md",
            look=_sessions,
        ),
        Rule(
            id="managers.schemas",
            question=11,
            title="No other manager keeps its state here",
            verdict=_ATTENTION,
            why="a manager that was forgotten may come back with its host",
            source="docs/audit.md",
            look=_schemas,
        ),
        Rule(
            id="managers.events",
            question=11,
            title="No event sets read_only",
            verdict=_UNFIT,
            why="it opens a fenced server, or closes the writer, at a time of its own",
            source="docs/audit.md",
            look=_events,
        ),
        Rule(
            id="managers.jobs",
            question=11,
            title="No job on a host sets read_only",
            verdict=_UNFIT,
            why="it opens a fenced server, or closes the writer, at a time of its own",
            source="docs/audit.md",
            look=_jobs,
        ),
        Rule(
            id="managers.synchronous",
            question=11,
            title="No synchronous cluster is at work",
            verdict=_UNFIT,
            why="its members are writers by their own agreement, which a fence of one side does not end",
            source='MariaDB KB, "What is MariaDB Galera Cluster?"; MySQL manual, "Group Replication"',
            look=_synchronous,
        ),
    ),
)
