"""A route of ProxySQL: the writer hostgroup on every node of it, each written and each read back, all at the same time.

A hold sets the writer's row OFFLINE_SOFT. What is in flight ends, and a statement that comes meanwhile waits in ProxySQL, up to
`mysql-connect_timeout_server_max`: pooled clients and new ones see no error. A session that keeps its server connection (a transaction, a
user variable, a lock, a temporary table) can't be held. It is named, and not waited for longer than `drain`.

Where ProxySQL moves the servers of the writer hostgroup by `read_only` (`mysql_replication_hostgroups`), the route says so by
`reader_hostgroup`, and rows are moved as its monitor does (`proxysql_moved.py`). A row that the route does not know of is refused, and so
are the tables for group replication, Galera and Aurora, whose monitors follow other signs than `read_only`.
"""

from __future__ import annotations

from functools import partial

from interlock.clock import Deadline
from interlock.errors import StatementFailed
from interlock.model.effects import Hold, RouteEffect
from interlock.model.facts import CanaryFacts, RouteFacts
from interlock.model.topology import RouteName, RouteSpec
from interlock.ports import Route
from interlock.routes.canary import send_canary
from interlock.routes.parts import RouteParts, RouteType
from interlock.routes.proxysql_admin import AdminInterface
from interlock.routes.proxysql_facts import (
    Seen,
    in_flight,
    is_held_in_part,
    is_holding,
    leads_to,
    lost_endpoints,
    not_loaded,
    read_endpoints,
    reading,
    still_in_flight,
)
from interlock.routes.proxysql_nodes import AdminNodes, endpoints_of, lost_nodes
from interlock.routes.proxysql_script import Statements, statements
from interlock.routes.proxysql_settings import FIELDS, ProxySQLSettings, read_settings
from interlock.routes.proxysql_words import HELD

_PAUSE_S = 0.002
_TABLE = "SELECT * FROM {} ORDER BY hostgroup_id, hostname, port"


class ProxySQLRoute:
    """One route. A connection to each node's admin interface is kept open."""

    def __init__(self, spec: RouteSpec, settings: ProxySQLSettings, parts: RouteParts) -> None:
        self._spec = spec
        self._settings = settings
        self._parts = parts
        self._nodes = AdminNodes(settings.admin, parts)

    @property
    def name(self) -> RouteName:
        return self._spec.name

    def facts(self) -> RouteFacts:
        settings = self._settings
        seen = self._nodes.of_each(self._read)
        endpoints = endpoints_of(seen, read=partial(read_endpoints, settings), lost=partial(lost_endpoints, settings))
        return RouteFacts(
            route=self.name,
            leads_to=leads_to(endpoints, settings.servers),
            holding=is_holding(endpoints),
            hold_s=min(rows.hold_ms for rows in seen.values() if rows is not None) / 1000,
            provable=True,
            endpoints=endpoints,
            held_in_part=is_held_in_part(endpoints),
            lost=lost_nodes(seen),
        )

    def script(self, effect: RouteEffect, /) -> tuple[str, ...]:
        """A line for each node: its name, then the statements of one connection."""
        return tuple(f"proxysql {node}: {'; '.join(lines)}" for node, lines in statements(self._settings, effect).items())

    def apply(self, effect: RouteEffect, /) -> None:
        """A hold is done once nothing is in flight on any node, or `drain` after it began. A node that is lost is told nothing."""
        orders = statements(self._settings, effect)
        drains = isinstance(effect, Hold)
        self._nodes.of_each(lambda node: self._order(node, orders[str(node.node)], drains=drains), only=orders.keys())

    def canary(self, token: str, /) -> CanaryFacts:
        return send_canary(self._spec, self._parts.connect, self._parts.server_ids, token)

    def warm_up(self) -> None:
        """Connect to every node, and see that a flip would load and save its own changes only, not what somebody else left half done."""
        self._nodes.of_all(self._check_tables)

    def close(self) -> None:
        self._nodes.close()

    def _read(self, node: AdminInterface) -> Seen:
        rows = node.ask(reading(self._settings))
        waits = [int(row["variable_value"]) for row in rows.pop("hold_ms")]
        return Seen(**rows, hold_ms=min(waits, default=0))

    def _order(self, node: AdminInterface, lines: Statements, *, drains: bool) -> None:
        node.order(lines)
        deadline = Deadline.after(self._parts.clock, self._settings.drain_s)
        while drains and not deadline.is_over():
            rows = node.ask(in_flight(self._settings))
            if still_in_flight(self._settings, rows["pool"], rows["sleepers"]) == 0:
                return
            self._parts.clock.sleep(_PAUSE_S)

    def _check_tables(self, node: AdminInterface) -> None:
        places = {"runtime": "runtime_mysql_servers", **({"disk": "disk.mysql_servers"} if self._settings.save else {})}
        rows = node.ask({name: _TABLE.format(table) for name, table in {"memory": "mysql_servers", **places}.items()})
        if any(HELD in row["comment"] for row in rows["memory"]):
            # a run that is taken up in a hold: that is not on the disk, and a monitor moves who is fenced meanwhile
            ours = {str(hostgroup) for hostgroup in self._settings.hostgroups}
            rows = {place: tuple(row for row in each if row["hostgroup_id"] not in ours) for place, each in rows.items()}
        for place, table in places.items():
            differing = not_loaded(rows["memory"], rows[place])
            if differing:
                does, command = ("load", "LOAD MYSQL SERVERS TO RUNTIME") if place == "runtime" else ("save", "SAVE MYSQL SERVERS TO DISK")
                if place == "runtime" and self._settings.reader is not None:
                    command = "SAVE MYSQL SERVERS FROM RUNTIME; SAVE MYSQL SERVERS TO DISK (the monitor moved them since the last load)"
                raise StatementFailed(
                    f"ProxySQL at {node.node}: mysql_servers is not what {table} has, and a flip would {does} it: {', '.join(differing)}",
                    hint=f"{command}, or take it back; `save: false` leaves the disk alone"
                    if place == "disk"
                    else f"{command}, or take it back",
                )


def _make(spec: RouteSpec, parts: RouteParts) -> Route:
    return ProxySQLRoute(spec, read_settings(spec, parts.topology), parts)


PROXYSQL = RouteType(name="proxysql", summary="Nodes of ProxySQL, by their admin interfaces.", fields=FIELDS, make=_make)
