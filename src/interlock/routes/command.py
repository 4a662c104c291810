"""A route that a team's own programs set and show.

Contract: `flip` ends with 0 once new clients are sent to the cluster in its `{to}`; `show` prints that cluster's name, nothing else, and
ends with 0. `hold` and `release` likewise end with 0. Any other exit is a failure. Without `show` the route can't be proved.
"""

from __future__ import annotations

from typing import cast

from interlock.documents.fields import Field, Kind
from interlock.errors import StatementFailed, UsageError
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect, RunCommand
from interlock.model.facts import CanaryFacts, CommandResult, EndpointFacts, EndpointState, RouteFacts
from interlock.model.topology import ClusterName, RouteName, RouteSpec
from interlock.ports import Route
from interlock.routes.canary import send_canary
from interlock.routes.parts import RouteParts, RouteType

FIELDS = (
    Field(name="flip", kind=Kind.ARGV, required=True, doc="Sends clients to the cluster `{to}`; ends with 0 when it is done."),
    Field(name="show", kind=Kind.ARGV, doc="Prints the name of the cluster that gets the clients."),
    Field(name="hold", kind=Kind.ARGV, doc="Keeps new clients waiting."),
    Field(name="release", kind=Kind.ARGV, doc="Lets them go."),
    Field(name="within", kind=Kind.DURATION, default=10.0, doc="How long each of them may take."),
    Field(name="hold_limit", kind=Kind.DURATION, doc="How long clients can be kept waiting."),
)

Argv = tuple[str, ...]


class CommandRoute:
    """Whether it holds is what this process last asked for: a hook has no way to tell."""

    def __init__(self, spec: RouteSpec, parts: RouteParts) -> None:
        said = spec.settings
        self._spec = spec
        self._parts = parts
        self._flip = cast("Argv", said["flip"])
        self._show = cast("Argv | None", said.get("show"))
        self._hold = cast("Argv | None", said.get("hold"))
        self._release = cast("Argv | None", said.get("release"))
        self._within_s = float(str(said.get("within") or 10.0))
        self._hold_s = None if said.get("hold_limit") is None or self._hold is None else float(str(said["hold_limit"]))
        self._holding = False
        self._check()

    @property
    def name(self) -> RouteName:
        return self._spec.name

    def facts(self) -> RouteFacts:
        leads = () if self._show is None else (self._shown(self._show),)
        endpoints = tuple(
            EndpointFacts(
                proxy=self._flip[0],
                endpoint=cluster,
                cluster=cluster,
                state=_state(cluster, leads),
                healthy=None,
                sessions=0,
                queued=0,
            )
            for cluster in self._parts.topology.clusters
        )
        return RouteFacts(
            route=self.name,
            leads_to=leads,
            holding=self._holding,
            hold_s=self._hold_s,
            provable=self._show is not None,
            endpoints=endpoints,
        )

    def script(self, effect: RouteEffect, /) -> tuple[str, ...]:
        return tuple(line for command in self._commands(effect) for line in self._parts.outside.script(command))

    def apply(self, effect: RouteEffect, /) -> None:
        for command in self._commands(effect):
            self._parts.outside.run(command)
        self._holding = isinstance(effect, Hold) or (isinstance(effect, RestoreRoute) and effect.seen.holding)

    def canary(self, token: str, /) -> CanaryFacts:
        return send_canary(self._spec, self._parts.connect, self._parts.server_ids, token)

    def warm_up(self) -> None: ...
    def close(self) -> None: ...

    def _commands(self, effect: RouteEffect) -> tuple[RunCommand, ...]:
        wanted: tuple[Argv | None, ...]
        match effect:
            case Hold():
                wanted = (self._hold,)
            case Release():
                wanted = (self._release,)
            case PointTo(cluster=cluster):
                wanted = (self._flip_to(cluster), self._release)
            case RestoreRoute(seen=seen):
                back = self._flip_to(seen.leads_to[0]) if len(seen.leads_to) == 1 else None
                wanted = (back, self._hold if seen.holding else self._release)
        return tuple(RunCommand(argv=argv, within_s=self._within_s) for argv in wanted if argv)

    def _flip_to(self, cluster: ClusterName) -> Argv:
        return tuple(word.replace("{to}", cluster) for word in self._flip)

    def _shown(self, show: Argv) -> ClusterName:
        result = self._parts.outside.run(RunCommand(argv=show, within_s=self._within_s))
        printed = result.stdout.strip() if isinstance(result, CommandResult) else ""
        if printed not in self._parts.topology.clusters:
            raise StatementFailed(
                f"route {self.name}: {show[0]} printed {printed[:100]!r}, which is no cluster",
                hint=f"it must print one of: {', '.join(self._parts.topology.clusters)}",
            )
        return ClusterName(printed)

    def _check(self) -> None:
        if not any("{to}" in word for word in self._flip):
            raise UsageError(f"route {self.name}: `flip` has no {{to}}: it could not know the cluster", hint='flip: [./hooks/flip, "{to}"]')
        if (self._hold is None) != (self._release is None):
            raise UsageError(f"route {self.name}: `hold` and `release` come together")


def _state(cluster: ClusterName, leads: tuple[ClusterName, ...]) -> EndpointState:
    if not leads:
        return EndpointState.UNKNOWN
    return EndpointState.READY if cluster in leads else EndpointState.MAINTENANCE


def _make(spec: RouteSpec, parts: RouteParts) -> Route:
    return CommandRoute(spec, parts)


COMMAND = RouteType(name="command", summary="A team's own programs.", fields=FIELDS, make=_make)
