"""The types of routes there are: those that ship, and others' by entry points in the group `interlock.routes`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from interlock.documents.fields import Field
from interlock.errors import UsageError
from interlock.extras import added, part
from interlock.model.topology import RouteSpec
from interlock.ports import Route
from interlock.routes.parts import RouteParts, RouteType

_OWN = {
    "haproxy": "interlock.routes.haproxy:HAPROXY",
    "command": "interlock.routes.command:COMMAND",
    "proxysql": "interlock.routes.proxysql:PROXYSQL",
    "proxysql_rules": "interlock.routes.proxysql_rules:PROXYSQL_RULES",
    "dns": "interlock.routes.dns:DNS",
    "vip": "interlock.routes.vip:VIP",
    "haproxy_api": "interlock.routes.haproxy_api:HAPROXY_API",
    "maxscale": "interlock.routes.maxscale:MAXSCALE",
    "consul": "interlock.routes.consul:CONSUL",
    "etcd": "interlock.routes.etcd_key:ETCD_KEY",
    "webhook": "interlock.routes.webhook:WEBHOOK",
}

ROUTE_TYPES = tuple(_OWN)

GROUP = "interlock.routes"


class _Fields(Mapping[str, tuple[Field, ...]]):
    """A type is imported when its fields are asked for, and others' are looked for when it is none that ships."""

    def __getitem__(self, name: str, /) -> tuple[Field, ...]:
        if name not in self:
            raise KeyError(name)
        return _route_type(name).fields

    def __contains__(self, name: object, /) -> bool:
        return name in _OWN or any(entry.name == name for entry in added(GROUP))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*_OWN, *(entry.name for entry in added(GROUP)))))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def route_fields() -> Mapping[str, tuple[Field, ...]]:
    """What the topology file may say of a route of each type."""
    return _Fields()


def make_route(spec: RouteSpec, parts: RouteParts) -> Route:
    """The driver of a route. UsageError for a type that nobody has, or settings that its fields could not judge."""
    return _route_type(spec.kind).make(spec, parts)


def _route_type(name: str) -> RouteType:
    """One that ships goes first: no package can take its name. Others' are imported when they are asked for."""
    if name in _OWN:
        own: RouteType = part(_OWN[name])
        return own
    found = {entry.name: entry for entry in added(GROUP)}
    if name not in found:
        known = sorted({*_OWN, *found})
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
