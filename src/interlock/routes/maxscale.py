"""A route of MaxScale nodes, by their REST API: the service's list of servers is made to hold one server of the pair.

Why the list, and neither the servers' states nor a switchover of MaxScale's own: what the monitor thinks of a server it says again every
`monitor_interval`, so a state that is set by hand does not last, and a monitor that opens and fences servers by itself would be a second
hand on the pair. The list is configuration: no monitor changes it. A `readconnroute` service with `router_options=running` follows it at
once, whatever the monitor calls the servers; one that asks for a `Master` (as `readwritesplit` does) follows when the monitor has seen that
the new writer is open, and `settle` is how long that is waited for. Never let the monitor fail over by itself (`auto_failover=false`).

Sources: MaxScale REST API, "Service Resource" (PATCH /v1/services/NAME/relationships/servers replaces the list), "Server Resource"
(`attributes.state`), "Listener Resource" (a stopped listener queues new connections until it is started again; `force=yes` closes those
that came through it); "Readconnroute" (`router_options`; a connection keeps its server until it ends).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from interlock.clock import Deadline
from interlock.dataclass import dataclass
from interlock.documents.fields import Field, Kind
from interlock.errors import StatementFailed, UsageError
from interlock.model.effects import CallHttp, Hold, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.facts import CanaryFacts, EndpointFacts, EndpointState, RouteFacts
from interlock.model.topology import ClusterName, RouteName, RouteSpec
from interlock.ports import Route
from interlock.routes.canary import send_canary
from interlock.routes.http_api import CA, PASSWORD, TIMEOUT, URL, USER, account_of, api_of, basic, json_of, no_name
from interlock.routes.nodes import Nodes
from interlock.routes.parts import RouteParts, RouteType

_NAME = re.compile(r"[A-Za-z0-9_.~-]{1,128}")
_IS_NAME = no_name(_NAME, "MaxScale's")

FIELDS = (
    URL,
    USER,
    PASSWORD,
    Field(name="service", kind=Kind.TEXT, required=True, doc="The service that the clients use.", rule=_IS_NAME),
    Field(name="servers", kind=Kind.CLUSTER_MAP, required=True, doc="What MaxScale calls each cluster's master.", rule=_IS_NAME),
    Field(
        name="listener",
        kind=Kind.TEXT,
        doc="The service's listener: it is stopped to hold clients, and to end sessions at a flip.",
        rule=_IS_NAME,
    ),
    Field(name="hold_limit", kind=Kind.DURATION, doc="With `listener`: how long clients wait for a connection; without it nobody is held."),
    Field(name="settle", kind=Kind.DURATION, default=4.0, doc="How long MaxScale's monitor may take to see the new writer."),
    TIMEOUT,
    CA,
)

_AWAY = ("Maintenance", "Drain", "Down")
_PAUSE_S = 0.02
_OK = (200, 204)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxScaleRoute:
    """Every node is set and every one is read back, all at the same time."""

    spec: RouteSpec
    parts: RouteParts
    nodes: Nodes
    service: str
    servers: Mapping[ClusterName, str]
    listener: str | None
    hold_s: float | None
    settle_s: float

    @property
    def name(self) -> RouteName:
        return self.spec.name

    def facts(self) -> RouteFacts:
        endpoints = self.nodes.endpoints(self._read)
        leads = {endpoint.cluster for endpoint in endpoints if endpoint.state is EndpointState.READY}
        return RouteFacts(
            route=self.name,
            leads_to=tuple(cluster for cluster in self.servers if cluster in leads),
            holding=self.hold_s is not None and all(endpoint.raw.get("listener") == "Stopped" for endpoint in endpoints),
            hold_s=self.hold_s,
            provable=True,
            endpoints=endpoints,
        )

    def script(self, effect: RouteEffect, /) -> tuple[str, ...]:
        return self.nodes.script(partial(self._calls, effect))

    def apply(self, effect: RouteEffect, /) -> None:
        self.nodes.order(partial(self._calls, effect))
        if isinstance(effect, PointTo):
            self._let_settle(effect.cluster)

    def canary(self, token: str, /) -> CanaryFacts:
        return send_canary(self.spec, self.parts.connect, self.parts.server_ids, token)

    def warm_up(self) -> None:
        """A node that is not there is found out before the fence, not after it."""
        self.facts()

    def close(self) -> None:
        """Nothing is kept open."""

    def _let_settle(self, cluster: ClusterName) -> None:
        """Until the monitors see what the service asks of its server; whether they did is what the next look tells."""
        deadline = Deadline.after(self.parts.clock, self.settle_s)
        while self.facts().leads_to != (cluster,) and not deadline.is_over():
            self.parts.clock.sleep(_PAUSE_S)

    def _calls(self, effect: RouteEffect, url: str) -> tuple[CallHttp, ...]:
        match effect:
            case Hold():
                return self._listener(url, "stop") if self.hold_s is not None else ()
            case Release():
                return self._listener(url, "start") if self.hold_s is not None else ()
            case PointTo(cluster=cluster):
                # A connection keeps its server until it ends: those there are, are closed while the list changes.
                return (
                    *self._listener(url, "stop?force=yes"),
                    self._list(url, (self.servers[cluster],)),
                    *self._listener(url, "start"),
                )
            case RestoreRoute(seen=seen):
                raw: Mapping[str, str] = next((endpoint.raw for endpoint in seen.endpoints if endpoint.proxy == url), {})
                if not raw:
                    return ()
                listed = tuple(name for name in raw["servers"].split(",") if name)
                was = "stop" if raw.get("listener") == "Stopped" else "start"
                return (self._list(url, listed), *self._listener(url, was))

    def _listener(self, url: str, what: str) -> tuple[CallHttp, ...]:
        return (
            () if self.listener is None else (self.nodes.api.call("PUT", f"/v1/listeners/{self.listener}/{what}", url=url, statuses=_OK),)
        )

    def _list(self, url: str, servers: tuple[str, ...]) -> CallHttp:
        body = {"data": [{"id": server, "type": "servers"} for server in servers]}
        return self.nodes.api.call("PATCH", f"/v1/services/{self.service}/relationships/servers", body, url=url, statuses=_OK)

    def _read(self, url: str) -> tuple[EndpointFacts, ...]:
        service = self._get(url, f"/v1/services/{self.service}")
        states = {str(each["id"]): str(each["attributes"]["state"]) for each in self._get(url, "/v1/servers")}
        raw = {"servers": ",".join(_listed(service))}
        if self.listener is not None:
            raw["listener"] = str(self._get(url, f"/v1/listeners/{self.listener}")["attributes"]["state"])
        self._check_names(url, states, _listed(service), str(service["attributes"]["router"]))
        needs = _needs(service)
        sessions = int(service["attributes"].get("connections") or 0)
        return tuple(
            EndpointFacts(
                proxy=url,
                endpoint=server,
                cluster=cluster,
                state=_state(server in _listed(service), states[server], needs),
                healthy=not any(word in states[server] for word in _AWAY),
                sessions=sessions if server in _listed(service) else 0,
                queued=0,
                raw=raw,
            )
            for cluster, server in self.servers.items()
        )

    def _get(self, url: str, path: str) -> Any:
        answer = self.nodes.api.read(self.nodes.api.call("GET", path, url=url))
        try:
            return json_of(answer)["data"]
        except (KeyError, TypeError) as error:
            raise StatementFailed(f"{url}{path} answered no resource of MaxScale's", hint="is `url` MaxScale's admin port?") from error

    def _check_names(self, url: str, states: Mapping[str, str], listed: tuple[str, ...], router: str) -> None:
        missing = [server for server in self.servers.values() if server not in states]
        if missing:
            raise StatementFailed(
                f"MaxScale at {url} has no server {', '.join(missing)}", hint=f"compare `servers` of the route; seen: {', '.join(states)}"
            )
        others = [server for server in listed if server not in self.servers.values()]
        if others and router != "readwritesplit":
            raise StatementFailed(
                f"service {self.service} of MaxScale at {url} also uses {', '.join(others)}, which is no master of this pair",
                hint="give the writes a service of their own",
            )


def _listed(service: Mapping[str, Any]) -> tuple[str, ...]:
    relation = service.get("relationships", {}).get("servers", {})
    return tuple(str(each["id"]) for each in relation.get("data", ()))


def _needs(service: Mapping[str, Any]) -> tuple[str, ...]:
    """The states of which a server must have one, to get the service's writes."""
    attributes = service["attributes"]
    if attributes["router"] == "readwritesplit":
        return ("Master",)
    said = attributes.get("parameters", {}).get("router_options") or "running"
    words = said if isinstance(said, list) else str(said).replace("|", ",").split(",")
    return tuple(str(word).strip().capitalize() for word in words)


def _state(listed: bool, state: str, needs: tuple[str, ...]) -> EndpointState:  # noqa: FBT001 - one judgement of three things
    words = [word.strip() for word in state.split(",")]
    if not listed or "Running" not in words or any(word.startswith(_AWAY) for word in words):
        return EndpointState.MAINTENANCE
    return EndpointState.READY if any(need in words for need in needs) else EndpointState.DRAIN


def _make(spec: RouteSpec, parts: RouteParts) -> Route:
    said = spec.settings
    servers = cast("Mapping[ClusterName, str]", said["servers"])
    service, listener = str(said["service"]), cast("str | None", said.get("listener"))
    if len(set(servers.values())) != len(servers):
        raise UsageError(f"route {spec.name}: two clusters have the same server in `servers`")
    if said.get("hold_limit") is not None and listener is None:
        raise UsageError(f"route {spec.name}: `hold_limit` without `listener`", hint="clients are held by stopping the listener")
    return MaxScaleRoute(
        spec=spec,
        parts=parts,
        nodes=Nodes(api=api_of(spec, parts, basic(account_of(spec, parts)))),
        service=service,
        servers=servers,
        listener=listener,
        hold_s=cast("float | None", said.get("hold_limit")),
        settle_s=float(str(said.get("settle") or 4.0)),
    )


MAXSCALE = RouteType(name="maxscale", summary="Nodes of MaxScale, by their REST API.", fields=FIELDS, make=_make)
