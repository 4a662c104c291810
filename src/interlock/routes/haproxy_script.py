"""The commands for each effect on an HAProxy route. Pure: the same words are shown by `plan` and sent by the driver.

Three rules, tried on HAProxy 2.6.12:

1. The new server is made ready before the old one is parked: with no server usable, a new client is accepted and closed at once.
2. A hold in a queue ends with maxconn raised *before* the server becomes ready, and by way of a high number: `set maxconn server … 0` lets
   nobody out of the queue.
3. `set maxconn frontend` is never used: raising it with a client waiting aborts 2.6.12 (upstream issue 2726).
"""

from __future__ import annotations

from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.facts import EndpointFacts, EndpointState
from interlock.model.topology import ClusterName
from interlock.routes.haproxy_settings import HAProxySettings, HoldBy

Commands = tuple[str, ...]

_AS_MANY_AS_WAIT = 100_000


def commands(settings: HAProxySettings, effect: RouteEffect) -> dict[str, Commands]:
    """What each proxy is told, by its name, in order. Empty where there is nothing to say."""
    match effect:
        case Hold():
            return dict.fromkeys((proxy.text for proxy in settings.proxies), _hold(settings))
        case Release():
            return dict.fromkeys((proxy.text for proxy in settings.proxies), _release(settings, tuple(settings.servers.values())))
        case PointTo(cluster=cluster):
            return dict.fromkeys((proxy.text for proxy in settings.proxies), _point_to(settings, cluster))
        case RestoreRoute(seen=seen):
            known = {proxy.text for proxy in settings.proxies}
            proxies = dict.fromkeys(endpoint.proxy for endpoint in seen.endpoints if endpoint.proxy in known)
            return {proxy: _restore(settings, tuple(e for e in seen.endpoints if e.proxy == proxy)) for proxy in proxies}


def reading(settings: HAProxySettings) -> Commands:
    """One line that tells all. `experimental-mode on` changes nothing but this connection, and is refused below `level admin`.

    The servers of every proxy are asked for: by name, `show stat` would answer for a frontend of the backend's name (seen on 2.6).
    """
    read = ("experimental-mode on", f"show servers state {settings.backend}", "show stat -1 4 -1")
    return (*read, "get var proc.hold") if settings.hold is HoldBy.LUA else read


def _hold(settings: HAProxySettings) -> Commands:
    match settings.hold:
        case HoldBy.LUA:
            return _lua(on=True)
        case HoldBy.QUEUE:
            return tuple(f"set maxconn server {settings.backend}/{server} 1" for server in settings.servers.values())
        case HoldBy.NONE:
            return ()


def _release(settings: HAProxySettings, servers: tuple[str, ...]) -> Commands:
    match settings.hold:
        case HoldBy.LUA:
            return _lua(on=False)
        case HoldBy.QUEUE:
            return tuple(line for server in servers for line in _maxconn(settings, server, settings.maxconn))
        case HoldBy.NONE:
            return ()


def _point_to(settings: HAProxySettings, cluster: ClusterName) -> Commands:
    new = settings.servers[cluster]
    others = tuple(server for server in settings.servers.values() if server != new)
    at = settings.backend
    room = _release(settings, (new,)) if settings.hold is HoldBy.QUEUE else ()
    return (
        *room,
        f"set server {at}/{new} state ready",
        *(f"set server {at}/{old} state {settings.park}" for old in others),
        *(f"shutdown sessions server {at}/{old}" for old in others),
        *_release(settings, others),
    )


def _restore(settings: HAProxySettings, endpoints: tuple[EndpointFacts, ...]) -> Commands:
    """What takes clients first, then what does not. Sessions that came to a server which had none are ended: they came after."""
    ours = tuple(endpoint for endpoint in endpoints if endpoint.cluster in settings.servers)
    ready_first = sorted(ours, key=lambda endpoint: endpoint.raw["state"] != "ready")
    lines: list[str] = []
    for endpoint in ready_first:
        at = f"{settings.backend}/{endpoint.endpoint}"
        if settings.hold is HoldBy.QUEUE:
            lines += _maxconn(settings, endpoint.endpoint, int(endpoint.raw["maxconn"]))
        lines.append(f"set weight {at} {_weight(endpoint)}")
        lines.append(f"set server {at} state {endpoint.raw['state']}")
    for endpoint in ready_first:
        if endpoint.state is not EndpointState.READY and endpoint.sessions == 0:
            lines.append(f"shutdown sessions server {settings.backend}/{endpoint.endpoint}")
    if settings.hold is HoldBy.LUA:
        lines += _lua(on=any(endpoint.raw.get("hold") == "1" for endpoint in ours))
    return tuple(lines)


def _lua(*, on: bool) -> Commands:
    return ("experimental-mode on", f"set var proc.hold int({int(on)})")


def _maxconn(settings: HAProxySettings, server: str, value: int) -> Commands:
    """Rule 2. A value other than 0 lets that many out by itself."""
    at = f"set maxconn server {settings.backend}/{server}"
    return (f"{at} {value}",) if value else (f"{at} {_AS_MANY_AS_WAIT}", f"{at} 0")


def _weight(endpoint: EndpointFacts) -> str:
    """As a share where it is all or none of the configured weight: a static algorithm (`source`, `static-rr`) takes no other."""
    weight, configured = endpoint.raw["weight"], endpoint.raw["configured_weight"]
    if weight == "0":
        return "0%"
    return "100%" if weight == configured else weight
