"""A writer hostgroup whose servers ProxySQL's own monitor moves by `read_only`: what a flip says there. Pure.

The monitor looks at `read_only` of each server of the two hostgroups every `mysql-monitor_read_only_interval` (1.5 s). What is writable and
not in the writer hostgroup is copied there, and taken out of the reader hostgroup unless `mysql-monitor_writer_is_also_reader`; what is
read-only and in the writer hostgroup goes to the reader hostgroup. It changes what is at run time, from 2.5 on not `mysql_servers`.

So a flip writes what the monitor will find right: the new writer in the writer hostgroup, the old one among the readers. It comes when the
old one is fenced and the new one is open, so the monitor has nothing to change; it may have been there first. A hold stays one while the
monitor takes the fenced writer away, for a statement waits as well in a hostgroup that is empty.

Sources: ProxySQL, lib/MySQL_HostGroups_Manager.cpp, read_only_action_v2 (3.0.9); issue 641 (a server that is OFFLINE_SOFT in the writer
hostgroup is left there while it can be written).
"""

from __future__ import annotations

from collections.abc import Mapping

from interlock.model.facts import EndpointFacts
from interlock.routes.proxysql_settings import Address, ProxySQLSettings
from interlock.routes.proxysql_words import HELD, is_server, text

READER = "reader."
"""Before the columns of a server's row in the reader hostgroup, in `EndpointFacts.raw`."""

_OTHERS = "gtid_port, weight, compression, max_connections, max_replication_lag, use_ssl, max_latency_ms"
_ALSO_READER = "(SELECT variable_value FROM global_variables WHERE variable_name='mysql-monitor_writer_is_also_reader') IN ('true','1')"


def point_to(settings: ProxySQLSettings, new: Address, reader: int) -> tuple[str, ...]:
    """A row is copied with all that it has before it goes, and goes only if the new writer has one."""
    writer = settings.hostgroup
    old = next(address for address in settings.servers.values() if address != new)
    unheld = f"comment=replace(comment,{text(HELD)},'')"
    there = f"EXISTS (SELECT 1 FROM mysql_servers WHERE hostgroup_id={writer} AND {is_server(new)})"
    return (
        _copied(reader, writer, new),
        f"UPDATE mysql_servers SET status='ONLINE', {unheld} WHERE hostgroup_id={writer} AND {is_server(new)}",
        f"{_copied(writer, reader, old)} AND {there}",
        f"UPDATE mysql_servers SET status='ONLINE', {unheld} WHERE hostgroup_id={reader} AND {is_server(old)} AND {there}",
        f"DELETE FROM mysql_servers WHERE hostgroup_id={writer} AND {is_server(old)} AND {there}",
        f"DELETE FROM mysql_servers WHERE hostgroup_id={reader} AND {is_server(new)} AND {there} AND NOT {_ALSO_READER}",
    )


def restore_reader(settings: ProxySQLSettings, endpoint: EndpointFacts, reader: int) -> str:
    """A server's row in the reader hostgroup as it was seen; none, if there was none."""
    row = reader_row(endpoint.raw)
    if not row:
        server = next(server for cluster, server in settings.servers.items() if cluster == endpoint.cluster)
        return f"DELETE FROM mysql_servers WHERE hostgroup_id={reader} AND {is_server(server)}"
    return f"REPLACE INTO mysql_servers ({','.join(row)}) VALUES ({','.join(text(value) for value in row.values())})"


def reader_row(raw: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(READER): value for name, value in raw.items() if name.startswith(READER)}


def _copied(source: int, target: int, server: Address) -> str:
    return (
        f"INSERT OR IGNORE INTO mysql_servers (hostgroup_id, hostname, port, status, comment, {_OTHERS}) "
        f"SELECT {target}, hostname, port, 'ONLINE', replace(comment,{text(HELD)},''), {_OTHERS} "
        f"FROM mysql_servers WHERE hostgroup_id={source} AND {is_server(server)}"
    )
