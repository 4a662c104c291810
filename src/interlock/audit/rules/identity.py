"""Beside the questions: who the two servers are, what they are made of, and how they start."""

from __future__ import annotations

from collections.abc import Iterator

from interlock.audit.facts import PairSeen, ServerSeen
from interlock.audit.rule import Fault, Rule, command, here_only, option, quoted, set_global, sql
from interlock.model.audit import BESIDE, AuditVerdict
from interlock.model.versions import version_of
from interlock.servers.quoting import name

_UNFIT, _ATTENTION = AuditVerdict.UNFIT, AuditVerdict.NEEDS_ATTENTION
_TRANSACTIONAL = frozenset({"InnoDB", "RocksDB", "TokuDB", ""})


def _server_ids(pair: PairSeen) -> Iterator[Fault]:
    taken: dict[int, ServerSeen] = {}
    for server in pair.servers:
        other = taken.setdefault(server.facts.server_id, server)
        if other is not server:
            free = max(one.facts.server_id for one in pair.servers) + 1
            yield Fault(
                says=f"{other.name} and {server.name} have the server id {server.facts.server_id}",
                server=server.name,
                object="server_id",
                seen={other.name: str(other.facts.server_id), server.name: str(server.facts.server_id)},
                fix=set_global(server, "server_id", str(free)),
            )


def _domains(pair: PairSeen) -> Iterator[Fault]:
    first, second = pair.masters
    domain = first.facts.gtid_domain_id
    if domain is not None and domain == second.facts.gtid_domain_id:
        yield Fault(
            says=f"{first.name} and {second.name} share the GTID domain {domain}",
            object="gtid_domain_id",
            seen={one.name: str(domain) for one in pair.masters},
            fix=set_global(pair.standby, "gtid_domain_id", str(domain + 1)),
        )


def _log_updates(pair: PairSeen) -> Iterator[Fault]:
    for server in pair.masters:
        for on, setting in ((server.facts.log_bin, "log_bin"), (server.facts.log_slave_updates, "log_slave_updates")):
            if not on:
                yield Fault(
                    says=f"{setting} is off on {server.name}",
                    server=server.name,
                    object=setting,
                    fix=option(server, setting, "1"),
                )


def _lower_case(pair: PairSeen) -> Iterator[Fault]:
    first, second = (one.settings.get("lower_case_table_names", "") for one in pair.masters)
    if first != second:
        yield Fault(
            says=f"lower_case_table_names differs: {first} on {pair.masters[0].name}, {second} on {pair.masters[1].name}",
            object="lower_case_table_names",
            seen={one.name: one.settings.get("lower_case_table_names", "") for one in pair.masters},
            fix=option(pair.standby, "lower_case_table_names", pair.writer.settings.get("lower_case_table_names", "")),
        )


def _no_key(pair: PairSeen) -> Iterator[Fault]:
    for table, its in pair.writer.tables.items():
        if not its.has_key:
            counting = next((one.column for one in pair.writer.auto_columns if one.table == table), None)
            added = (
                f"ADD PRIMARY KEY ({name(counting)})"
                if counting
                else "ADD COLUMN row_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY"
            )
            yield Fault(
                says=f"{table} has no primary key",
                object=table,
                seen={pair.writer.name: "no primary key, and no unique one without NULLs"},
                fix=sql(pair.writer, f"ALTER TABLE {quoted(table)} {added}"),
            )


def _engines(pair: PairSeen) -> Iterator[Fault]:
    for table, its in pair.writer.tables.items():
        if its.engine not in _TRANSACTIONAL:
            yield Fault(
                says=f"{table} is a table of {its.engine}",
                object=table,
                seen={one.name: one.tables[table].engine for one in pair.masters if table in one.tables},
                fix=sql(pair.writer, f"ALTER TABLE {quoted(table)} ENGINE=InnoDB"),
            )


def _plugins(pair: PairSeen) -> Iterator[Fault]:
    first, second = pair.masters
    if first.facts.flavor != second.facts.flavor or not pair.saw("plugins"):
        return
    for has, lacks in ((first, second), (second, first)):
        for plugin in sorted(has.plugins.keys() - lacks.plugins.keys()):
            library = has.plugins[plugin]
            yield Fault(
                says=f"the plugin {plugin} is active on {has.name} and not on {lacks.name}",
                server=lacks.name,
                object=plugin,
                seen={has.name: library, lacks.name: ""},
                fix=here_only(lacks, f"INSTALL PLUGIN {name(plugin)} SONAME '{library}'"),
            )


def _engines_there(pair: PairSeen) -> Iterator[Fault]:
    if not pair.saw("engines"):
        return
    used = {its.engine for one in pair.masters for its in one.tables.values()}
    for server in pair.masters:
        for engine in sorted(used - server.engines - {""}):
            yield Fault(
                says=f"the engine {engine}, which tables of the pair use, is not there on {server.name}",
                server=server.name,
                object=engine,
                fix=option(server, "plugin_load_add", f"ha_{engine.lower()}"),
            )


def _versions(pair: PairSeen) -> Iterator[Fault]:
    first, second = (version_of(one.facts.version)[:2] for one in pair.masters)
    if first != second or pair.masters[0].facts.flavor != pair.masters[1].facts.flavor:
        yield Fault(
            says=f"{pair.masters[0].name} runs {pair.masters[0].facts.flavor} {pair.masters[0].facts.version}, "
            f"{pair.masters[1].name} {pair.masters[1].facts.flavor} {pair.masters[1].facts.version}",
            object="version",
            seen={one.name: one.facts.version for one in pair.masters},
        )


def _not_seen(pair: PairSeen) -> Iterator[Fault]:
    for server in pair.servers:
        for what in server.missing:
            yield Fault(
                says=f"on {server.name} was not looked at: {what}",
                server=server.name,
                object=what.partition(":")[0],
                fix=command("interlock grants --audit") if " lacks " in what else None,
            )
    for host in pair.hosts:
        if host.error:
            yield Fault(says=f"the host of {host.cluster} could not be looked at: {host.error}", object=f"host of {host.cluster}")
        for place in host.unread:
            yield Fault(says=f"on the host of {host.cluster} {place} may not be read", object=f"host of {host.cluster}")
    for follower, error in pair.unreached.items():
        yield Fault(says=f"the replica {follower} could not be looked at: {error}", server=follower, object="replica")


RULES = (
    Rule(
        id="identity.server_ids",
        question=BESIDE,
        title="Each server has an id of its own",
        verdict=_UNFIT,
        why="a server skips events that carry its own id: writes of the other one are lost without an error",
        source='MySQL manual, "server_id"',
        look=_server_ids,
    ),
    Rule(
        id="identity.gtid_domains",
        question=BESIDE,
        title="Each master has a GTID domain of its own",
        verdict=_UNFIT,
        why="with one domain, what each master wrote can't be told apart, and one write on the wrong side stops replication",
        source='MariaDB KB, "Global Transaction ID", "Use With Multi-Source Replication and Other Multi-Primary Setups"',
        look=_domains,
    ),
    Rule(
        id="log.updates",
        question=BESIDE,
        title="Each master logs what it writes and what it applies",
        verdict=_UNFIT,
        why="without it the way back after a switchover can't be proved, and replicas behind a master get half of the data",
        source='MySQL manual, "log_replica_updates"',
        look=_log_updates,
    ),
    Rule(
        id="settings.lower_case_table_names",
        question=BESIDE,
        title="Names of tables are compared alike on both",
        verdict=_UNFIT,
        why="a statement that the writer took names no table, or another one, on the other side",
        source='MySQL manual, "lower_case_table_names"',
        look=_lower_case,
    ),
    Rule(
        id="tables.have_a_key",
        question=BESIDE,
        title="Every table has a primary key",
        verdict=_ATTENTION,
        why="the applier looks for each row of such a table by a scan of all, and rows that are equal can't be told apart",
        source='MySQL manual, "Replication and Row-Based Logging"; MariaDB KB, "Row-based Replication With No Primary Key"',
        look=_no_key,
    ),
    Rule(
        id="tables.are_transactional",
        question=BESIDE,
        title="Every table is transactional",
        verdict=_ATTENTION,
        why="after a crash such a table and the log disagree, and no fence stops a write that is half done",
        source='MySQL manual, "Replication and Transactions"',
        look=_engines,
    ),
    Rule(
        id="identity.plugins",
        question=BESIDE,
        title="The same plugins on both",
        verdict=_ATTENTION,
        why="what the application or its accounts rely on (authentication, audit, engines) is not there after a switchover",
        source='MySQL manual, "Installing and Uninstalling Plugins"',
        look=_plugins,
    ),
    Rule(
        id="identity.engines",
        question=BESIDE,
        title="Both sides have the engines that tables use",
        verdict=_UNFIT,
        why="a table that is made with an engine that is not there is made with another one, or stops replication",
        source='MySQL manual, "Using Replication with Different Source and Replica Storage Engines"',
        look=_engines_there,
    ),
    Rule(
        id="identity.versions",
        question=BESIDE,
        title="The same release on both",
        verdict=_ATTENTION,
        why="replication from a newer release to an older one is not supported, and in a pair one direction is that",
        source='MySQL manual, "Replication Compatibility Between MySQL Versions"',
        look=_versions,
    ),
    Rule(
        id="audit.sees_all",
        question=BESIDE,
        title="All was looked at",
        verdict=_ATTENTION,
        why="what was not seen may be the one thing that does not fit",
        source="docs/audit.md",
        look=_not_seen,
    ),
)
