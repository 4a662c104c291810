"""One server, looked at for an audit: on a connection of its own, with reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from interlock.audit import accounts, logs, objects
from interlock.audit.facts import LogSeen, Origin, ServerSeen
from interlock.audit.reader import Reader, reading
from interlock.clock import Clock
from interlock.errors import StatementFailed
from interlock.servers.server import SqlServer
from interlock.servers.session import text_of

LOOK_S = 60.0
AUDITED = ("mariadb", "mysql")
_COUNTERS = ("Uptime", "Slave_retried_transactions", "Replica_retried_transactions")
_ORIGINS = {
    "mariadb": "SELECT LOWER(VARIABLE_NAME) AS n, GLOBAL_VALUE_ORIGIN AS word, GLOBAL_VALUE_PATH AS path "
    "FROM information_schema.SYSTEM_VARIABLES WHERE VARIABLE_NAME = 'READ_ONLY'",
    "mysql": "SELECT LOWER(VARIABLE_NAME) AS n, VARIABLE_SOURCE AS word, VARIABLE_PATH AS path "
    "FROM performance_schema.variables_info WHERE VARIABLE_NAME IN ('read_only', 'super_read_only')",
}


def look(server: SqlServer, clock: Clock) -> ServerSeen:
    """DriverError if it does not answer, or is of a flavor that is not audited."""
    facts, writes, channels = server.facts(), server.write_facts(), server.channels()
    if facts.flavor not in AUDITED:
        known = f"audited are {', '.join(AUDITED)}"
        raise StatementFailed(f"{server.name} is {facts.flavor}, which is not audited", hint=known, server=server.name)
    with reading(server, clock, LOOK_S) as reader:
        reader.missing += accounts.unseen(reader)
        there = objects.kinds(reader)
        counting, moving = objects.columns_of_note(reader)
        settings = _pairs(reader, "settings", "SHOW GLOBAL VARIABLES")
        return ServerSeen(
            spec=server.spec,
            facts=facts,
            writes=writes,
            channels=channels,
            links=accounts.links(reader),
            settings=settings,
            origins=_origins(reader),
            schemas=objects.schemas(reader),
            tables=objects.tables(reader, there),
            auto_columns=counting,
            moving_columns=moving,
            foreign_keys=objects.foreign_keys(reader),
            stored=objects.stored(reader, there),
            sequences=objects.sequences(reader, there),
            accounts=accounts.accounts(reader),
            sessions=accounts.sessions(reader),
            plugins=_plugins(reader),
            engines=frozenset(
                text_of(row["ENGINE"])
                for row in reader.rows("engines", "SELECT ENGINE FROM information_schema.ENGINES WHERE SUPPORT IN ('YES', 'DEFAULT')")
            ),
            counters=_counters(reader),
            log=logs.read_log(server, reader, facts, counting, clock) if server.spec.is_master and facts.log_bin else LogSeen(),
            zones=sum(int(text_of(row["n"])) for row in reader.rows("time zones", "SELECT COUNT(*) AS n FROM mysql.time_zone_name")),
            missing=tuple(dict.fromkeys(reader.missing)),
        )


def definitions(server: SqlServer, clock: Clock, wanted: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
    """SHOW CREATE of each of these objects (kind and name) that is there."""
    with reading(server, clock) as reader:
        return {one: told for one in wanted if (told := objects.definition(reader, *one))}


def _pairs(reader: Reader, what: str, statement: str) -> dict[str, str]:
    return {text_of(row["Variable_name"]).lower(): text_of(row["Value"]) for row in reader.rows(what, statement)}


def _origins(reader: Reader) -> Mapping[str, Origin]:
    rows = reader.rows("where settings come from", _ORIGINS[reader.flavor])
    return {text_of(row["n"]): Origin(word=text_of(row["word"]), path=text_of(row["path"])) for row in rows}


def _plugins(reader: Reader) -> Mapping[str, str]:
    """Those that were installed besides what is built in: by their name, the library."""
    rows = reader.rows(
        "plugins",
        "SELECT PLUGIN_NAME AS n, PLUGIN_LIBRARY AS l FROM information_schema.PLUGINS "
        "WHERE PLUGIN_STATUS='ACTIVE' AND PLUGIN_LIBRARY IS NOT NULL",
    )
    return {text_of(row["n"]): text_of(row["l"]) for row in rows}


def _counters(reader: Reader) -> Mapping[str, int]:
    names = ", ".join(f"'{one}'" for one in _COUNTERS)
    found = _pairs(reader, "counters of the server", f"SHOW GLOBAL STATUS WHERE Variable_name IN ({names})")
    rows = reader.rows(
        "counters of InnoDB",
        "SELECT NAME AS n, COUNT AS c FROM information_schema.INNODB_METRICS WHERE NAME IN ('lock_deadlocks', 'lock_timeouts')",
    )
    numbers = found | {text_of(row["n"]): text_of(row["c"]) for row in rows}
    return {key: int(value) for key, value in numbers.items() if value.isdigit()}
