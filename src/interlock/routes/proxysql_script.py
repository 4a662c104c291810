"""The statements for each effect on a route of ProxySQL. Pure: the same words are shown by `plan` and sent by the driver.

Four rules.

1. Rows are changed in place, never replaced by fewer columns: weight, max_connections, use_ssl and the rest stay as they are. Where the
   writer hostgroup has a row for each server, the statuses change; where it has one row, which the writer's address is written into, the
   address does; where ProxySQL's monitor moves rows, they are moved as it would (`proxysql_moved.py`). A row that a statement does not fit
   is not touched, so that each statement may be repeated.
2. Nothing of it works before `LOAD MYSQL SERVERS TO RUNTIME`, which takes over the whole table at once: there is no moment with two
   writers, nor one with none but a hold's.
3. A hold is written into the row's comment. So it is known who held it, a release opens what the hold closed and nothing else, and another
   process, or a person, can do it. A hold is not saved to disk: a ProxySQL that restarts in it leads to the old writer, which is fenced.
4. The admin interface is SQLite's SQL behind MySQL's protocol: a quote in a text is doubled, a backslash is a backslash, and a comment
   before a statement hides it from ProxySQL's own commands.

Sources: ProxySQL documentation, "Main (runtime)" (mysql_servers; OFFLINE_SOFT keeps what is in flight, OFFLINE_HARD drops idle connections
at once and used ones when their client comes to use them) and "Admin Commands"; issues 2139 and 4891.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.facts import EndpointFacts, EndpointState
from interlock.model.topology import ClusterName
from interlock.routes import proxysql_moved
from interlock.routes.proxysql_settings import Address, ProxySQLSettings
from interlock.routes.proxysql_words import HELD, is_server, text

Statements = tuple[str, ...]

NO_COLUMN = "(held)"
"""What `EndpointFacts.raw` has besides the columns of a row: whether ProxySQL, at run time, holds it (1 or 0)."""

LOAD = "LOAD MYSQL SERVERS TO RUNTIME"
SAVE = "SAVE MYSQL SERVERS TO DISK"


def statements(settings: ProxySQLSettings, effect: RouteEffect) -> dict[str, Statements]:
    """What each node is told, by its name, in order. Empty where there is nothing to say."""
    nodes = tuple(str(node) for node in settings.admin.nodes)
    match effect:
        case Hold():
            return dict.fromkeys(nodes, (_hold(settings), LOAD))
        case Release():
            return dict.fromkeys(nodes, (_release(settings), LOAD))
        case PointTo(cluster=cluster):
            return dict.fromkeys(nodes, _kept(settings, _point_to(settings, cluster)))
        case RestoreRoute(seen=seen):
            known = tuple(e for e in seen.endpoints if e.cluster in settings.servers and e.state is not EndpointState.UNKNOWN)
            rows = {node: tuple(e for e in known if e.proxy == node) for node in nodes}
            return {node: _restored(settings, seen_rows) for node, seen_rows in rows.items() if seen_rows}


def _kept(settings: ProxySQLSettings, edits: Statements) -> Statements:
    return (*edits, LOAD, SAVE) if settings.save else (*edits, LOAD)


def _hold(settings: ProxySQLSettings) -> str:
    """`SHUNNED` in the table is what `SAVE MYSQL SERVERS TO MEMORY` makes of an ONLINE server in trouble."""
    return (
        f"UPDATE mysql_servers SET status='OFFLINE_SOFT', comment=comment||{text(HELD)} "
        f"WHERE {_of(settings, settings.servers.values())} AND UPPER(status) IN ('ONLINE','SHUNNED')"
    )


def _release(settings: ProxySQLSettings) -> str:
    return (
        f"UPDATE mysql_servers SET status='ONLINE', comment=replace(comment,{text(HELD)},'') "
        f"WHERE hostgroup_id IN ({', '.join(map(str, settings.hostgroups))}) AND instr(comment,{text(HELD)})>0"
    )


def _point_to(settings: ProxySQLSettings, cluster: ClusterName) -> Statements:
    """The address first, where there is no row for the new server; then the statuses of all rows in one statement."""
    new = settings.servers[cluster]
    if settings.reader is not None:
        return proxysql_moved.point_to(settings, new, settings.reader)
    others = tuple(address for address in settings.servers.values() if address != new)
    move = (
        f"UPDATE mysql_servers SET hostname={text(new.host)}, port={new.port} WHERE {_of(settings, others)} "
        f"AND NOT EXISTS (SELECT 1 FROM mysql_servers WHERE {_of(settings, (new,))})"
    )
    switch = (
        f"UPDATE mysql_servers SET status=CASE WHEN {is_server(new)} THEN 'ONLINE' ELSE {text(settings.park)} END, "
        f"comment=replace(comment,{text(HELD)},'') WHERE {_of(settings, settings.servers.values())}"
    )
    return move, switch


def _restored(settings: ProxySQLSettings, seen: tuple[EndpointFacts, ...]) -> Statements:
    """A flip's way back may lead into the hold before it, which is not saved: first what the disk is to have, then what is to run."""
    edits, unheld = _restore(settings, seen), tuple(_unheld(endpoint) for endpoint in seen)
    if not settings.save or unheld == seen:
        return _kept(settings, edits)
    return (*_restore(settings, unheld), SAVE, *edits, LOAD)


def _unheld(endpoint: EndpointFacts) -> EndpointFacts:
    comment = endpoint.raw.get("comment", "")
    if HELD not in comment:
        return endpoint
    return replace(endpoint, raw={**endpoint.raw, "status": "ONLINE", "comment": comment.replace(HELD, "")})


def _restore(settings: ProxySQLSettings, seen: tuple[EndpointFacts, ...]) -> Statements:
    """Every column of every row as it was seen. A row that was not there goes."""
    rows = [(e.cluster, {column: text(value) for column, value in e.raw.items() if _is_column(column)}) for e in seen]
    gone = tuple(settings.servers[cluster] for cluster, row in rows if cluster is not None and not row)
    delete = (f"DELETE FROM mysql_servers WHERE {_of(settings, gone)}",) if gone else ()
    readers = () if settings.reader is None else tuple(proxysql_moved.restore_reader(settings, e, settings.reader) for e in seen)
    put = tuple(f"REPLACE INTO mysql_servers ({','.join(row)}) VALUES ({','.join(row.values())})" for _, row in rows if row)
    return (*delete, *put, *readers)


def _is_column(name: str) -> bool:
    return name != NO_COLUMN and not name.startswith(proxysql_moved.READER)


def _of(settings: ProxySQLSettings, servers: Iterable[Address]) -> str:
    return f"hostgroup_id={settings.hostgroup} AND ({' OR '.join(is_server(server) for server in servers)})"
