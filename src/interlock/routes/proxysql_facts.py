"""What ProxySQL's tables say. Pure: rows in, facts out.

`mysql_servers` is what was asked for and what an undo must bring back; `runtime_mysql_servers` is what ProxySQL does. A server that was
taken out, or set OFFLINE_HARD, is missing from the second once its last connection is gone.

Sources: ProxySQL documentation, "Main (runtime)" and "Stats"; lib/MySQL_HostGroups_Manager.cpp (status words, purge) and
lib/MySQL_Thread.cpp (SQL3_Processlist: a session that waits for its client is in `Sleep`, and has a `srv_host` only while it keeps a
server's connection).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.model.facts import EndpointFacts, EndpointState
from interlock.model.topology import ClusterName
from interlock.routes.proxysql_moved import READER
from interlock.routes.proxysql_script import NO_COLUMN
from interlock.routes.proxysql_settings import Address, ProxySQLSettings
from interlock.routes.proxysql_words import HELD

Row = Mapping[str, str]
"""Column by name, in the order of the table; everything as text, NULL as an empty one."""

_FOUR = "writer_hostgroup, backup_writer_hostgroup, reader_hostgroup, offline_hostgroup"
_MONITORED = "mysql_replication_hostgroups"
_MOVERS = {
    _MONITORED: "{hostgroup} IN (writer_hostgroup, reader_hostgroup)",
    "mysql_group_replication_hostgroups": f"{{hostgroup}} IN ({_FOUR}) AND active=1",
    "mysql_galera_hostgroups": f"{{hostgroup}} IN ({_FOUR}) AND active=1",
    "mysql_aws_aurora_hostgroups": "{hostgroup} IN (writer_hostgroup, reader_hostgroup) AND active=1",
}
# A session that is in a transaction sleeps between its statements; one that sleeps for longer keeps its connection for good.
_PINNED_AFTER_MS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One node, all in one look: rows of the writer hostgroup (and the readers', where the monitor moves servers between the two), its
    connections, its sessions that sleep on a connection, and the wait.
    """

    memory: tuple[Row, ...]
    runtime: tuple[Row, ...]
    pool: tuple[Row, ...]
    sleepers: tuple[Row, ...]
    hold_ms: int
    movers: tuple[Row, ...] = ()


def reading(settings: ProxySQLSettings) -> dict[str, str]:
    """A statement for each field of `Seen`."""
    hostgroup = settings.hostgroup
    rows = f"WHERE hostgroup_id IN ({', '.join(map(str, settings.hostgroups))}) ORDER BY hostname, port"
    return {
        "memory": f"SELECT * FROM mysql_servers {rows}",
        "runtime": f"SELECT * FROM runtime_mysql_servers {rows}",
        "movers": " UNION ALL ".join(
            f"SELECT '{prefix}{table}' AS mover, writer_hostgroup AS writer, reader_hostgroup AS reader "
            f"FROM {prefix}{table} WHERE {where.format(hostgroup=hostgroup)}"
            for table, where in _MOVERS.items()
            for prefix in ("", "runtime_")
        ),
        "hold_ms": "SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-connect_timeout_server_max'",
        **in_flight(settings),
    }


def in_flight(settings: ProxySQLSettings) -> dict[str, str]:
    """The two statements of `reading` that tell whether a hold has drained."""
    hostgroup = settings.hostgroup
    return {
        "pool": f"SELECT srv_host, srv_port, ConnUsed FROM stats_mysql_connection_pool WHERE hostgroup={hostgroup}",
        "sleepers": "SELECT SessionID, user, cli_host, cli_port, srv_host, srv_port, time_ms FROM stats_mysql_processlist "
        f"WHERE hostgroup={hostgroup} AND command='Sleep' AND srv_host IS NOT NULL AND srv_host<>'' ORDER BY SessionID",
    }


def read_endpoints(settings: ProxySQLSettings, node: str, seen: Seen) -> tuple[EndpointFacts, ...]:
    """A cluster's server, whether it has a row or not, then every other row of the hostgroup.

    StatementFailed if neither has a row, or if ProxySQL moves the servers of the hostgroup by itself.
    """
    _check_movers(settings, node, seen)
    own = str(settings.hostgroup)
    rows = {address_of(row): row for row in seen.memory if row["hostgroup_id"] == own}
    readers = {address_of(row): row for row in seen.memory if row["hostgroup_id"] != own}
    if not rows.keys() & set(settings.servers.values()):
        raise StatementFailed(
            f"ProxySQL at {node} has none of {', '.join(map(str, settings.servers.values()))} in hostgroup {settings.hostgroup}",
            hint=f"compare `writer_hostgroup` and `servers` with mysql_servers; there are: {', '.join(map(str, rows)) or 'none'}",
        )
    runtime = {address_of(row): row for row in seen.runtime if row["hostgroup_id"] == own}
    others = tuple(dict.fromkeys((*rows, *runtime)))
    addresses = (*settings.servers.values(), *(address for address in others if address not in settings.servers.values()))
    return tuple(
        _endpoint(
            settings,
            seen,
            address,
            node=node,
            row=rows.get(address, {}),
            reading=readers.get(address, {}),
            running=runtime.get(address, {}),
        )
        for address in addresses
    )


def lost_endpoints(settings: ProxySQLSettings, node: str) -> tuple[EndpointFacts, ...]:
    """Of a node that does not answer. An undo passes over them."""
    return tuple(
        EndpointFacts(proxy=node, endpoint=str(address), cluster=cluster, state=EndpointState.UNKNOWN, healthy=None, sessions=0, queued=0)
        for cluster, address in settings.servers.items()
    )


def leads_to(endpoints: Iterable[EndpointFacts], order: Iterable[ClusterName]) -> tuple[ClusterName, ...]:
    """The clusters that some node sends clients to, or will once it lets them go. A server that is none of the pair's stands there by its
    address: clients may be sent to it, which no cluster's name could say.
    """
    seen = tuple(e for e in endpoints if e.state is EndpointState.READY or _is_held(e))
    foreign = dict.fromkeys(ClusterName(e.endpoint) for e in seen if e.cluster is None)
    return (*(cluster for cluster in order if cluster in {e.cluster for e in seen}), *foreign)


def is_holding(endpoints: Sequence[EndpointFacts]) -> bool:
    """Whether every node that answers holds: one that does not lets its clients through to a fenced server."""
    by_node: dict[str, list[EndpointFacts]] = {}
    for endpoint in endpoints:
        if endpoint.state is not EndpointState.UNKNOWN:
            by_node.setdefault(endpoint.proxy, []).append(endpoint)
    return bool(by_node) and all(
        any(_is_held(e) for e in rows) and not any(e.state is EndpointState.READY for e in rows) for rows in by_node.values()
    )


def is_held_in_part(endpoints: Sequence[EndpointFacts]) -> bool:
    """Whether some node keeps clients waiting, but not all do."""
    return any(_is_held(endpoint) for endpoint in endpoints) and not is_holding(endpoints)


def still_in_flight(settings: ProxySQLSettings, pool: Iterable[Row], sleepers: Sequence[Row]) -> int:
    """How many connections to the pair's servers are in use, but for those of sessions that keep theirs for good."""
    return sum(
        max(0, int(row["ConnUsed"]) - len(_pinned(address, sleepers)))
        for row in pool
        if settings.cluster_of(address := Address(row["srv_host"], int(row["srv_port"]))) is not None
    )


def not_loaded(memory: Iterable[Row], other: Iterable[Row]) -> tuple[str, ...]:
    """The servers (hostgroup and address) whose rows differ, but for what ProxySQL changes by itself: a server in trouble is SHUNNED."""
    left, right = ({(row["hostgroup_id"], str(address_of(row))): _asked_for(row) for row in rows} for rows in (memory, other))
    differing = sorted(key for key in left.keys() | right.keys() if left.get(key) != right.get(key))
    hard = {key for key in differing if {*(side[key]["status"] for side in (left, right) if key in side)} == {"OFFLINE_HARD"}}
    return tuple(f"{address} in hostgroup {hostgroup}" for hostgroup, address in differing if (hostgroup, address) not in hard)


def _asked_for(row: Row) -> dict[str, str]:
    status = row["status"].upper()
    return {**row, "status": "ONLINE" if status == "SHUNNED" else status}


def _endpoint(
    settings: ProxySQLSettings, seen: Seen, address: Address, *, node: str, row: Row, reading: Row, running: Row
) -> EndpointFacts:
    """A held server that is fenced is taken out by the monitor, where there is one: it is held no less, with nobody ONLINE in its place."""
    status = running.get("status", "").upper()
    moved = settings.reader is not None and not running and HELD in row.get("comment", "") + reading.get("comment", "")
    return EndpointFacts(
        proxy=node,
        endpoint=str(address),
        cluster=settings.cluster_of(address),
        state=EndpointState.DRAIN if moved else state_of(running),
        healthy={"ONLINE": True, "SHUNNED": False}.get(status),
        sessions=sum(int(each["ConnUsed"]) for each in seen.pool if Address(each["srv_host"], int(each["srv_port"])) == address),
        queued=0,
        raw={
            **row,
            NO_COLUMN: str(int(moved or HELD in running.get("comment", ""))),
            **{f"{READER}{name}": value for name, value in reading.items()},
        },
        pinned=_pinned(address, seen.sleepers),
    )


def state_of(running: Row) -> EndpointState:
    """A server in trouble (SHUNNED) gets clients again by itself: it counts as one that takes them. One of weight 0 gets none."""
    status = running.get("status", "").upper()
    if status in {"ONLINE", "SHUNNED"}:
        return EndpointState.DRAIN if "0" in {running["weight"], running["max_connections"]} else EndpointState.READY
    return EndpointState.DRAIN if status == "OFFLINE_SOFT" else EndpointState.MAINTENANCE


def _is_held(endpoint: EndpointFacts) -> bool:
    return endpoint.state is EndpointState.DRAIN and endpoint.raw[NO_COLUMN] == "1"


def _pinned(address: Address, sleepers: Iterable[Row]) -> tuple[str, ...]:
    return tuple(
        f"session {row['SessionID']} of {row['user']}@{row['cli_host']}:{row['cli_port']}, idle for {int(row['time_ms']) / 1000:.1f}s"
        for row in sleepers
        if Address(row["srv_host"], int(row["srv_port"])) == address and int(row["time_ms"]) >= _PINNED_AFTER_MS
    )


def address_of(row: Row) -> Address:
    return Address(row["hostname"], int(row["port"]))


def _check_movers(settings: ProxySQLSettings, node: str, seen: Seen) -> None:
    """What the route says of ProxySQL's monitor must be what its tables say."""
    subject = f"ProxySQL at {node} moves the servers of hostgroup {settings.hostgroup} by itself"
    ours = (str(settings.hostgroup), str(settings.reader))
    others = [row for row in seen.movers if not (row["mover"].endswith(_MONITORED) and (row["writer"], row["reader"]) == ours)]
    tables = " and ".join(dict.fromkeys(row["mover"] for row in others))
    if others and all(row["mover"].endswith(_MONITORED) and row["writer"] == ours[0] for row in others):
        said = others[0]["reader"]
        raise StatementFailed(
            f"{subject}: {tables} names it, with hostgroup {said} for readers",
            hint=f"write `reader_hostgroup: {said}` in the route: then a flip moves rows as its monitor does",
        )
    if others:
        raise StatementFailed(
            f"{subject}: {tables} names it",
            hint="its monitor would undo a hold, race a flip, and make two writers of two writable servers: delete that row, and load it",
        )
    if settings.reader is not None and not seen.movers:
        raise StatementFailed(
            f"ProxySQL at {node} moves no servers to hostgroup {settings.reader}: {_MONITORED} does not name {settings.hostgroup}",
            hint="leave `reader_hostgroup` out of the route",
        )
