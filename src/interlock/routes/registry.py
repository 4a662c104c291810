"""The types of routes there are: those that ship, and others' by entry points in the group `interlock.routes`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.metadata import entry_points

from interlock.documents.fields import Field
from interlock.errors import UsageError
from interlock.model.topology import RouteSpec
from interlock.ports import Route
from interlock.routes.command import COMMAND
from interlock.routes.consul import CONSUL
from interlock.routes.dns import DNS
from interlock.routes.etcd_key import ETCD_KEY
from interlock.routes.haproxy import HAPROXY
from interlock.routes.haproxy_api import HAPROXY_API
from interlock.routes.maxscale import MAXSCALE
from interlock.routes.parts import RouteParts, RouteType
from interlock.routes.proxysql import PROXYSQL
from interlock.routes.vip import VIP
from interlock.routes.webhook import WEBHOOK

_OWN = (
    HAPROXY,
    COMMAND,
    PROXYSQL,
    DNS,
    VIP,
    HAPROXY_API,
    MAXSCALE,
    CONSUL,
    ETCD_KEY,
    WEBHOOK,
)

ROUTE_TYPES: Mapping[str, RouteType] = {kind.name: kind for kind in _OWN}

GROUP = "interlock.routes"


def route_fields() -> dict[str, tuple[Field, ...]]:
    """What the topology file may say of a route of each type."""
    return {name: _route_type(name).fields for name in (*ROUTE_TYPES, *(entry.name for entry in entry_points(group=GROUP)))}


def make_route(spec: RouteSpec, parts: RouteParts) -> Route:
    """The driver of a route. UsageError for a type that nobody has, or settings that its fields could not judge."""
    return _route_type(spec.kind).make(spec, parts)


def _route_type(name: str) -> RouteType:
    """One that ships goes first: no package can take its name. Others' are imported when they are asked for."""
    if name in ROUTE_TYPES:
        return ROUTE_TYPES[name]
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        known = sorted({*ROUTE_TYPES, *found})
        near = difflib.get_close_matches(name, known, n=1)
        raise UsageError(f"no type of route is called {name!r}", hint=f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}")
    try:
        loaded = found[name].load()
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"the type of route {name} can't be loaded from {found[name].value}: {error}", hint="mend or remove its package"
        ) from error
    if not isinstance(loaded, RouteType):
        raise UsageError(f"the entry point {name} of {GROUP} is no RouteType: {loaded!r}")
    return loaded
