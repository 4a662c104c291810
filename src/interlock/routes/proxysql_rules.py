"""A route by ProxySQL's rules: the statements of some accounts or schemas go to a hostgroup of the cluster, on every node.

So segments share a ProxySQL, its hostgroups and its servers, and each is moved by its own rules: for each statement anew, in the sessions
that are there. What a session of ProxySQL's keeps on a server (a transaction) stays there until the segment's fence ends it.
"""

from __future__ import annotations

from functools import partial

from interlock.errors import StatementFailed
from interlock.model.effects import PointTo, RouteEffect
from interlock.model.facts import CanaryFacts, RouteFacts
from interlock.model.topology import RouteName, RouteSpec
from interlock.ports import Route
from interlock.routes.canary import send_canary
from interlock.routes.parts import RouteParts, RouteType
from interlock.routes.proxysql_admin import AdminInterface
from interlock.routes.proxysql_facts import leads_to
from interlock.routes.proxysql_nodes import AdminNodes, endpoints_of, lost_nodes
from interlock.routes.proxysql_rules_facts import (
    Seen,
    check_that_it_can_be_moved,
    differing_fast,
    differing_rules,
    lost_endpoints,
    read_endpoints,
    reading,
    unset,
)
from interlock.routes.proxysql_rules_script import FAST, LOAD, RULES, SAVE, rules_statements
from interlock.routes.proxysql_rules_settings import RULES_FIELDS, RulesSettings, read_rules_settings


class ProxySQLRulesRoute:
    """One route. A connection to each node's admin interface is kept open."""

    def __init__(self, spec: RouteSpec, settings: RulesSettings, parts: RouteParts) -> None:
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
            leads_to=leads_to(endpoints, settings.hostgroups),
            holding=False,
            hold_s=None,
            provable=True,
            endpoints=endpoints,
            lost=lost_nodes(seen),
        )

    def script(self, effect: RouteEffect, /) -> tuple[str, ...]:
        """A line for each node: its name, then the statements of one connection."""
        return tuple(f"proxysql {node}: {'; '.join(lines)}" for node, lines in rules_statements(self._settings, effect).items())

    def apply(self, effect: RouteEffect, /) -> None:
        """A node that is lost is told nothing. Before a flip all are looked at once more: `warm_up` may be long ago, if the run was killed
        since. The way back puts its own rules back whatever else has changed.
        """
        orders = rules_statements(self._settings, effect)
        if isinstance(effect, PointTo):
            self._nodes.of_each(self._check_own_changes, only=orders.keys())
        self._nodes.of_each(lambda node: node.order(orders[str(node.node)]), only=orders.keys())

    def canary(self, token: str, /) -> CanaryFacts:
        """By whatever rules there are for the canary's own account."""
        return send_canary(self._spec, self._parts.connect, self._parts.server_ids, token)

    def warm_up(self) -> None:
        """Connect to every node, and see that its rules can be moved, and that a flip would load and save its own changes only."""
        self._nodes.of_all(self._check)

    def close(self) -> None:
        self._nodes.close()

    def _read(self, node: AdminInterface) -> Seen:
        rows = node.ask(reading(self._settings))
        return Seen(**{**rows, "rules": tuple(unset(row) for row in rows["rules"])})

    def _check(self, node: AdminInterface) -> None:
        check_that_it_can_be_moved(self._settings, str(node.node), self._read(node))
        self._check_own_changes(node)

    def _check_own_changes(self, node: AdminInterface) -> None:
        self._check_tables(node, "runtime_", "load", LOAD)
        if self._settings.save:
            self._check_tables(node, "disk.", "save", SAVE)

    def _check_tables(self, node: AdminInterface, place: str, does: str, command: str) -> None:
        rows = node.ask(
            {
                "memory": f"SELECT * FROM {RULES}",
                "other": f"SELECT * FROM {place}{RULES}",
                "fast": differing_fast(self._settings, f"{place}{FAST}"),
            }
        )
        memory, other = (tuple(unset(row) for row in rows[name]) for name in ("memory", "other"))
        fast = tuple(f"fast routing of {row['username'] or 'everybody'} in {row['schemaname']}" for row in rows["fast"])
        differing = (*differing_rules(self._settings, memory, other), *fast)
        if differing:
            raise StatementFailed(
                f"ProxySQL at {node.node}: its rules are not what {place}{RULES} has, and a flip would {does} them: {', '.join(differing)}",
                hint=f"{command}, or take it back" + ("" if place == "runtime_" else "; `save: false` leaves the disk alone"),
            )


def _make(spec: RouteSpec, parts: RouteParts) -> Route:
    return ProxySQLRulesRoute(spec, read_rules_settings(spec, parts.topology), parts)


PROXYSQL_RULES = RouteType(
    name="proxysql_rules", summary="ProxySQL's rules by account or schema, on every node.", fields=RULES_FIELDS, make=_make
)
