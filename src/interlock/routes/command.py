"""A route that a team's own programs set and show, on this machine or on a cluster's host.

Contract: `flip` ends with 0 once new clients are sent to the cluster in its `{to}`; `show` prints that cluster's name, nothing else, and
ends with 0. `hold` and `release` likewise end with 0. Any other exit is a failure.
"""

from __future__ import annotations

from typing import cast

from interlock.documents.fields import Field, Kind
from interlock.errors import UsageError
from interlock.model.effects import RunCommand
from interlock.model.facts import CommandResult, HttpResult
from interlock.model.topology import ClusterName, RouteSpec, Topology
from interlock.ports import Route
from interlock.routes.hooks import HookPlace
from interlock.routes.parts import RouteParts, RouteType
from interlock.routes.pointer import PointerRoute

FIELDS = (
    Field(name="flip", kind=Kind.ARGV, required=True, doc="Sends clients to the cluster `{to}`; ends with 0 when it is done."),
    Field(name="show", kind=Kind.ARGV, doc="Prints the name of the cluster that gets the clients."),
    Field(name="hold", kind=Kind.ARGV, doc="Keeps new clients waiting."),
    Field(name="release", kind=Kind.ARGV, doc="Lets them go."),
    Field(name="on", kind=Kind.CLUSTER, doc="The cluster on whose host they run, by its `ssh`; this machine if it is left out."),
    Field(name="within", kind=Kind.DURATION, default=10.0, doc="How long each of them may take."),
    Field(name="hold_limit", kind=Kind.DURATION, doc="How long clients can be kept waiting."),
)

Argv = tuple[str, ...]


def _make(spec: RouteSpec, parts: RouteParts) -> Route:
    said = spec.settings
    flip = cast("Argv", said["flip"])
    host = cast("ClusterName | None", said.get("on"))
    within_s = float(str(said.get("within") or 10.0))
    _check(spec, parts.topology, flip, host)

    def order(name: str) -> RunCommand | None:
        argv = cast("Argv | None", said.get(name))
        return None if argv is None else RunCommand(argv=argv, within_s=within_s, host=host)

    place = HookPlace(
        route=spec.name,
        name=flip[0] if host is None else f"{flip[0]} on {host}",
        outside=parts.outside,
        flip=lambda to: RunCommand(argv=tuple(word.replace("{to}", to) for word in flip), within_s=within_s, host=host),
        show=order("show"),
        hold=order("hold"),
        release=order("release"),
        said=_printed,
        named={str(cluster): cluster for cluster in parts.topology.clusters},
        hold_s=None if said.get("hold_limit") is None or said.get("hold") is None else float(str(said["hold_limit"])),
    )
    return PointerRoute(spec, parts, place)


def _printed(result: CommandResult | HttpResult) -> str:
    return result.stdout.strip() if isinstance(result, CommandResult) else ""


def _check(spec: RouteSpec, topology: Topology, flip: Argv, host: ClusterName | None) -> None:
    if not any("{to}" in word for word in flip):
        raise UsageError(f"route {spec.name}: `flip` has no {{to}}: it could not know the cluster", hint='flip: [./hooks/flip, "{to}"]')
    if (spec.settings.get("hold") is None) != (spec.settings.get("release") is None):
        raise UsageError(f"route {spec.name}: `hold` and `release` come together")
    if host is not None and (host not in topology.clusters or topology.clusters[host].ssh is None):
        raise UsageError(f"route {spec.name}: there is no way to run a command on {host}", hint=f"add `ssh` to clusters.{host}")


COMMAND = RouteType(name="command", summary="A team's own programs, here or on a cluster's host by SSH.", fields=FIELDS, make=_make)
