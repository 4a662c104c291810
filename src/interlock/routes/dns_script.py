"""The updates for each effect on a DNS route. Pure: what `plan` shows is what is sent, as `nsupdate` would be told it.

An update is one message that the primary takes as a whole or not at all (RFC 2136, 3.2 and 3.7): its prerequisite is that the record holds
exactly the value that it is to be moved from, so that what somebody else wrote meanwhile is not overwritten. The first message moves it;
the second one, for a record that has the value already, puts its TTL right and changes nothing otherwise.
"""

from __future__ import annotations

import shlex

from interlock.dataclass import dataclass
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.facts import EndpointState, RouteFacts
from interlock.model.topology import ClusterName
from interlock.routes.dns_settings import DnsSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Replace the record by `value` if it holds exactly `was`."""

    was: str
    value: str
    ttl_s: int


def updates(settings: DnsSettings, effect: RouteEffect) -> tuple[Update, ...]:
    """In the order to try them: the first that is taken is the last one sent. Empty where there is nothing to say."""
    match effect:
        case Hold() | Release():
            return ()
        case PointTo(cluster=cluster):
            return _to(settings, cluster, settings.ttl_s)
        case RestoreRoute(seen=seen):
            found = record_of(settings, seen)
            return () if found is None else _to(settings, *found)


def wanted(settings: DnsSettings, effect: RouteEffect) -> str | None:
    """The value that the record has afterwards; None if the effect does not touch it."""
    return next((update.value for update in updates(settings, effect)), None)


def script(settings: DnsSettings, effect: RouteEffect) -> tuple[str, ...]:
    """Lines for a shell: the key is in a file of the operator's."""
    lines = [_nsupdate(settings, update) for update in updates(settings, effect)]
    if lines:
        value = wanted(settings, effect)
        lines += [f"# wait until {resolver} answers {value}" for resolver in settings.resolvers]
        lines += ["# wait as long as the TTL that the record had before"] if settings.wait_for_old_answers else []
    return tuple(lines)


def record_of(settings: DnsSettings, seen: RouteFacts) -> tuple[ClusterName, int] | None:
    """Where the primary's record led, and its TTL. None if it led nowhere or to both: no flip moves such a record, so none is put back."""
    ready = [e for e in seen.endpoints if e.proxy == str(settings.primary) and e.state is EndpointState.READY and e.cluster is not None]
    if len(ready) != 1 or ready[0].cluster is None:
        return None
    return ready[0].cluster, int(ready[0].raw["ttl"])


def _to(settings: DnsSettings, cluster: ClusterName, ttl_s: int) -> tuple[Update, ...]:
    value = settings.values[cluster]
    others = [other for name, other in settings.values.items() if name != cluster]
    return tuple(Update(was=was, value=value, ttl_s=ttl_s) for was in (*others, value))


def _nsupdate(settings: DnsSettings, update: Update) -> str:
    name, kind = settings.name, settings.kind
    words = (
        f"server {settings.primary.host} {settings.primary.port}",
        f"zone {settings.zone}",
        f"prereq yxrrset {name} IN {kind} {update.was}",
        f"update delete {name} IN {kind}",
        f"update add {name} {update.ttl_s} IN {kind} {update.value}",
        "send",
    )
    return f"printf '%s\\n' {shlex.join(words)} | nsupdate -k {settings.tsig.name.rstrip('.')}.key"
