"""Nodes of the stand-in for ProxySQL in front of a pair, and the route that Interlock has to them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from interlock.bootstrap import read_topology
from interlock.clock import SystemClock
from interlock.hosts.local import Here
from interlock.hosts.secrets import Secrets
from interlock.model.topology import RouteName, ServerName
from interlock.ports import Route
from interlock.routes.client import ClientLogin
from interlock.routes.parts import RouteParts
from interlock.routes.registry import make_route
from interlock.sandbox import sql
from interlock.sandbox.child import Child
from interlock.sandbox.places import Sandbox
from interlock.sandbox.proxysql import node as nodes
from interlock.sandbox.proxysql.monitor import ALSO_READER, DEFAULTS, INTERVAL
from interlock.sandbox.proxysql.node import Node

CLOCK = SystemClock()
ROUTE = RouteName("writes")
READERS = 20
RULES: dict[str, str] = {"type": "proxysql_rules", "writer_hostgroup": "", "hostgroups": "{east: 10, west: 20}"}
"""Settings that make the route one by ProxySQL's rules."""
KEPT = {"weight": 7, "max_connections": 40, "use_ssl": 0, "max_latency_ms": 900, "comment": 'it\'s \\ "x"; 100%'}
"""Attributes that a flip must not lose, and a comment that quoting must not spoil."""


@dataclass(slots=True)
class Fleet:
    """The nodes that run. `stop` is a crash: what was not saved is lost."""

    sandbox: Sandbox
    nodes: tuple[Node, ...]
    rows: Sequence[Mapping[str, object]]
    _running: dict[str, tuple[ExitStack, Child]] = field(default_factory=dict)
    _routes: list[Route] = field(default_factory=list)

    def start(self, node: Node) -> None:
        stack = ExitStack()
        self._running[node.admin] = stack, stack.enter_context(nodes.running(node))

    def stop(self, node: Node) -> None:
        stack, _ = self._running.pop(node.admin)
        stack.close()

    def process(self, node: Node) -> subprocess.Popen[str]:
        return self._running[node.admin][1]._process

    def runs(self, node: Node) -> bool:
        known = self._running.get(node.admin)
        return known is not None and known[1]._process.poll() is None

    def stop_all(self) -> None:
        for made in self._routes:
            made.close()
        for node in self.nodes:
            if node.admin in self._running:
                self.stop(node)

    def reset(self) -> None:
        """All nodes running, with their tables, run time and disk as they were made."""
        for made in self._routes:
            made.close()
        self._routes.clear()
        for node in self.nodes:
            if node.admin not in self._running:
                self.start(node)
            rows = [f"({','.join(_literal(value) for value in row.values())})" for row in self.rows]
            self.tell(
                node,
                "PRAGMA query_only=0",
                "DELETE FROM mysql_replication_hostgroups",
                "DELETE FROM mysql_galera_hostgroups",
                "DELETE FROM mysql_hostgroup_attributes",
                "DELETE FROM mysql_query_rules",
                "DELETE FROM mysql_query_rules_fast_routing",
                "DELETE FROM mysql_servers",
                f"INSERT INTO mysql_servers ({','.join(self.rows[0])}) VALUES {','.join(rows)}",
                "SET mysql-connect_timeout_server_max='10000'",
                *(f"SET {name}='{value}'" for name, value in DEFAULTS.items()),
                "LOAD MYSQL VARIABLES TO RUNTIME",
                "LOAD MYSQL SERVERS TO RUNTIME",
                "SAVE MYSQL SERVERS TO DISK",
                "LOAD MYSQL QUERY RULES TO RUNTIME",
                "SAVE MYSQL QUERY RULES TO DISK",
            )

    def let_rules_lead(self, *rules: str) -> None:
        """The first server in hostgroup 10, the other one in 20, both ONLINE; `rules` as SQL."""
        for node in self.nodes:
            self.tell(
                node,
                "UPDATE mysql_servers SET hostgroup_id=20, status='ONLINE' WHERE status='OFFLINE_HARD'",
                "LOAD MYSQL SERVERS TO RUNTIME",
                "SAVE MYSQL SERVERS TO DISK",
                *rules,
                "LOAD MYSQL QUERY RULES TO RUNTIME",
                "SAVE MYSQL QUERY RULES TO DISK",
            )

    def let_the_monitor_move_servers(self, *, also_reader: bool = False) -> None:
        """The first server in the writer hostgroup, the other one among the readers; looked at ten times a second."""
        for node in self.nodes:
            self.tell(
                node,
                f"UPDATE mysql_servers SET hostgroup_id={READERS}, status='ONLINE' WHERE status='OFFLINE_HARD'",
                f"INSERT INTO mysql_replication_hostgroups (writer_hostgroup, reader_hostgroup) VALUES ({nodes.HOSTGROUP}, {READERS})",
                "INSERT INTO mysql_hostgroup_attributes (hostgroup_id, max_num_online_servers) VALUES (10, 1)",
                f"SET {INTERVAL}='100'",
                f"SET {ALSO_READER}='{str(also_reader).lower()}'",
                "LOAD MYSQL VARIABLES TO RUNTIME",
                "LOAD MYSQL SERVERS TO RUNTIME",
                "SAVE MYSQL SERVERS TO DISK",
            )

    def of(self, count: int) -> Fleet:
        """The first `count` of its nodes."""
        return Fleet(self.sandbox, self.nodes[:count], self.rows, self._running, self._routes)

    def topology(self, name: str = "proxysql.yaml", **settings: str) -> Path:
        """The sandbox's topology with this route in place of its own. `settings` as YAML; an empty one is left out."""
        text = Path(self.sandbox.topology).read_text()
        listed = ", ".join(f"{{host: {node.host}, port: {node.admin_port}}}" for node in self.nodes)
        said = {
            "type": "proxysql",
            "nodes": f"[{listed}]",
            "user": nodes.ADMIN,
            "password": f"{{file: {self.nodes[0].password_file}}}",
            "writer_hostgroup": str(nodes.HOSTGROUP),
            "timeout": "5s",
            "clients": f'"{self.nodes[0].host}:{self.nodes[0].port}"',
            **settings,
        }
        lines = "".join(f"    {key}: {value}\n" for key, value in said.items() if value)
        path = Path(self.sandbox.directory) / name
        path.write_text(text.partition("routes:\n")[0] + f"routes:\n  {ROUTE}:\n{lines}")
        return path

    def route(self, **settings: str) -> Route:
        topology = read_topology(self.topology(**settings))
        access = next(iter(topology.masters())).access
        assert access.canary is not None
        login = ClientLogin(user=access.canary.user, password=self.sandbox.password(access.canary.user), tls=None, only_canary=True)
        parts = RouteParts(
            topology=topology,
            outside=Here(CLOCK),
            clock=CLOCK,
            connect=login,
            server_ids=lambda: {member.server_id: ServerName(name) for name, member in self.sandbox.members.items()},
            secrets=Secrets(CLOCK).read,
        )
        self._routes.append(make_route(topology.routes[ROUTE], parts))
        return self._routes[-1]

    def tell(self, node: Node, *statements: str) -> list[dict[str, str]]:
        """As an administrator does, by hand; the rows of the last statement."""
        connection: Connection[DictCursor] = pymysql.connect(
            host=node.host,
            port=node.admin_port,
            user=nodes.ADMIN,
            password=self.sandbox.password("admin"),
            cursorclass=DictCursor,
            ssl_disabled=True,
        )
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return [dict(row) for row in cursor.fetchall()]

    def table(self, node: Node, table: str = "mysql_servers") -> list[dict[str, str]]:
        return self.tell(node, f"SELECT * FROM {table} ORDER BY hostgroup_id, hostname, port")

    def client(self, node: Node, *, read_timeout_s: float = 20.0) -> Connection[DictCursor]:
        return sql.connect_as_client(node.before(self.sandbox), read_timeout_s=read_timeout_s)


def _literal(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


@contextmanager
def fleet(sandbox: Sandbox, count: int = 2) -> Iterator[Fleet]:
    """Nodes beside a pair, on addresses of its own network, with new disks."""
    network = sandbox.proxy.host.rpartition(".")[0]
    rows = nodes.rows(sandbox, **KEPT)
    planned = tuple(nodes.plan(sandbox, f"proxysql-{number}", f"{network}.{10 + number}", servers=rows) for number in range(count))
    made = Fleet(sandbox, planned, rows)
    try:
        for node in planned:
            Path(str(node.config["disk"])).unlink(missing_ok=True)
            made.start(node)
        yield made
    finally:
        made.stop_all()
