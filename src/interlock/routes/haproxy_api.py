"""A route of HAProxy proxies that are reached by their Data Plane API, where the runtime socket is not.

The API sets a server's administrative state and reads it back; it can neither end established sessions nor keep clients waiting. So the
sessions on the old side are ended by the server (`sessions.kill` of the playbook), and there is no hold: where you can, use the socket.

Sources: Data Plane API specification, "Server" under "runtime" (version 2: `/services/haproxy/runtime/servers/NAME?backend=B`, version 3:
`/services/haproxy/runtime/backends/B/servers/NAME`), and handlers/runtime_server.go: PUT leaves out what the body leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

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

# What HAProxy itself allows in a name (configuration manual, 2.2) that can also stand in an address.
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_IS_NAME = no_name(_NAME, "HAProxy's")

FIELDS = (
    URL,
    USER,
    PASSWORD,
    Field(name="version", kind=Kind.TEXT, default="v3", choices=("v2", "v3"), doc="The API's version."),
    Field(name="backend", kind=Kind.TEXT, required=True, doc="The backend that holds the pair's servers.", rule=_IS_NAME),
    Field(name="servers", kind=Kind.CLUSTER_MAP, required=True, doc="Each cluster's server in the backend.", rule=_IS_NAME),
    Field(name="park", kind=Kind.TEXT, default="maint", choices=("maint", "drain"), doc="The state of a server that takes no clients."),
    TIMEOUT,
    CA,
)

_STATES = {"ready": EndpointState.READY, "drain": EndpointState.DRAIN, "maint": EndpointState.MAINTENANCE}


@dataclass(frozen=True, slots=True, kw_only=True)
class HAProxyApiRoute:
    """Every proxy is set and every one is read back, all at the same time."""

    spec: RouteSpec
    parts: RouteParts
    nodes: Nodes
    version: str
    backend: str
    servers: Mapping[ClusterName, str]
    park: str

    @property
    def name(self) -> RouteName:
        return self.spec.name

    def facts(self) -> RouteFacts:
        endpoints = self.nodes.endpoints(self._read)
        leads = {e.cluster for e in endpoints if e.state is EndpointState.READY and e.healthy is not False}
        return RouteFacts(
            route=self.name,
            leads_to=tuple(cluster for cluster in self.servers if cluster in leads),
            holding=False,
            hold_s=None,
            provable=True,
            endpoints=endpoints,
        )

    def script(self, effect: RouteEffect, /) -> tuple[str, ...]:
        return self.nodes.script(partial(self._calls, effect))

    def apply(self, effect: RouteEffect, /) -> None:
        self.nodes.order(partial(self._calls, effect))

    def canary(self, token: str, /) -> CanaryFacts:
        return send_canary(self.spec, self.parts.connect, self.parts.server_ids, token)

    def warm_up(self) -> None:
        """An API that is not there is found out before the fence, not after it."""
        self.facts()

    def close(self) -> None:
        """Nothing is kept open."""

    def _calls(self, effect: RouteEffect, url: str) -> tuple[CallHttp, ...]:
        """What takes clients first: with no server usable, a new client is accepted and closed at once."""
        match effect:
            case Hold() | Release():
                return ()
            case PointTo(cluster=cluster):
                others = (server for each, server in self.servers.items() if each != cluster)
                return (self._set(url, self.servers[cluster], "ready"), *(self._set(url, server, self.park) for server in others))
            case RestoreRoute(seen=seen):
                ours = [endpoint for endpoint in seen.endpoints if endpoint.proxy == url and endpoint.cluster in self.servers]
                ready_first = sorted(ours, key=lambda endpoint: endpoint.raw["state"] != "ready")
                return tuple(self._set(url, endpoint.endpoint, endpoint.raw["state"]) for endpoint in ready_first)

    def _set(self, url: str, server: str, state: str) -> CallHttp:
        return self.nodes.api.call("PUT", self._path(server), {"admin_state": state}, url=url)

    def _path(self, server: str = "") -> str:
        name = f"/{server}" if server else ""
        if self.version == "v2":
            return f"/v2/services/haproxy/runtime/servers{name}?backend={self.backend}"
        return f"/v3/services/haproxy/runtime/backends/{self.backend}/servers{name}"

    def _read(self, url: str) -> tuple[EndpointFacts, ...]:
        answer = self.nodes.api.read(self.nodes.api.call("GET", self._path(), url=url))
        found = json_of(answer)
        rows = {str(row.get("name")): row for row in found if isinstance(row, dict)} if isinstance(found, list) else {}
        missing = [server for server in self.servers.values() if server not in rows]
        if missing:
            raise StatementFailed(
                f"HAProxy at {url} has no server {', '.join(f'{self.backend}/{name}' for name in missing)}",
                hint=f"compare `backend` and `servers` of the route with haproxy.cfg; servers seen: {', '.join(rows) or 'none'}",
            )
        return tuple(self._endpoint(url, row) for row in rows.values())

    def _endpoint(self, url: str, row: Mapping[str, Any]) -> EndpointFacts:
        """The API tells no sessions here, and no health in maintenance, where HAProxy does not check."""
        name, state = str(row.get("name")), str(row.get("admin_state"))
        operational = row.get("operational_state")
        return EndpointFacts(
            proxy=url,
            endpoint=name,
            cluster=next((cluster for cluster, server in self.servers.items() if server == name), None),
            state=_STATES.get(state, EndpointState.UNKNOWN),
            healthy=None if state == "maint" or operational is None else operational != "down",
            sessions=0,
            queued=0,
            raw={"state": state},
        )


def _make(spec: RouteSpec, parts: RouteParts) -> Route:
    said = spec.settings
    servers, backend = cast("Mapping[ClusterName, str]", said["servers"]), str(said["backend"])
    if len(set(servers.values())) != len(servers):
        raise UsageError(f"route {spec.name}: two clusters have the same server in `servers`")
    return HAProxyApiRoute(
        spec=spec,
        parts=parts,
        nodes=Nodes(api=api_of(spec, parts, basic(account_of(spec, parts)))),
        version=str(said.get("version") or "v3"),
        backend=backend,
        servers=servers,
        park=str(said.get("park") or "maint"),
    )


HAPROXY_API = RouteType(name="haproxy_api", summary="Proxies of HAProxy, by their Data Plane API.", fields=FIELDS, make=_make)
