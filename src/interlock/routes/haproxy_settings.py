"""What a route of type `haproxy` may say in the topology file, and what it comes to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import cast

from interlock.dataclass import dataclass
from interlock.documents.fields import Field, Kind
from interlock.errors import UsageError
from interlock.model.topology import ClusterName, RouteSpec
from interlock.routes.haproxy_socket import ProxyAddress, parse_address

FIELDS = (
    Field(name="socket", kind=Kind.TEXTS, required=True, doc="Runtime socket of each proxy: unix:/path or tcp:host:port, `level admin`."),
    Field(name="backend", kind=Kind.TEXT, required=True, doc="The backend that holds the pair's servers."),
    Field(name="servers", kind=Kind.CLUSTER_MAP, required=True, doc="Each cluster's server in the backend."),
    Field(
        name="hold",
        kind=Kind.TEXT,
        default="none",
        choices=("lua", "queue", "none"),
        doc="How new clients are kept waiting: `lua` sets proc.hold for an action of haproxy.cfg; `queue` lowers maxconn to 1.",
    ),
    Field(name="hold_limit", kind=Kind.DURATION, doc="How long a client can wait: lua's inspect-delay (30s), or `timeout queue`."),
    Field(
        name="maxconn",
        kind=Kind.INTEGER,
        default=0,
        doc="With `hold: queue`: the servers' maxconn in haproxy.cfg, put back at release; 0 if none.",
    ),
    Field(
        name="park",
        kind=Kind.TEXT,
        default="maint",
        choices=("maint", "drain"),
        doc="The state of a server that takes no clients. `drain` keeps its health checks, but lets clients of a stick table through.",
    ),
    Field(name="timeout", kind=Kind.DURATION, default=2.0, doc="How long a proxy may take to answer."),
)

# What HAProxy itself allows in a name (configuration manual, 2.2): nothing that could end a command and begin another.
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")

LUA_HOLD_S = 30.0


class HoldBy(StrEnum):
    LUA = "lua"
    QUEUE = "queue"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class HAProxySettings:
    """Checked: every name can stand in a command. `hold_s` is None when the route can't hold."""

    proxies: tuple[ProxyAddress, ...]
    backend: str
    servers: Mapping[ClusterName, str]
    hold: HoldBy
    hold_s: float | None
    maxconn: int
    park: str
    timeout_s: float

    def cluster_of(self, server: str) -> ClusterName | None:
        return next((cluster for cluster, name in self.servers.items() if name == server), None)


def read_settings(spec: RouteSpec) -> HAProxySettings:
    """UsageError if a name can't be HAProxy's, an address is none, or the kind of hold lacks what it needs."""
    said = spec.settings
    servers = cast("Mapping[ClusterName, str]", said["servers"])
    hold = HoldBy(str(said.get("hold") or "none"))
    backend = str(said["backend"])
    for name in (backend, *servers.values()):
        if not _NAME.fullmatch(name):
            raise UsageError(f"route {spec.name}: {name!r} is no name of HAProxy's", hint="letters, digits and _ . : - only")
    if len(set(servers.values())) != len(servers):
        raise UsageError(f"route {spec.name}: two clusters have the same server in `servers`")
    try:
        proxies = tuple(parse_address(text) for text in cast("tuple[str, ...]", said["socket"]))
    except ValueError as error:
        raise UsageError(f"route {spec.name}: socket {error}") from error
    settings = HAProxySettings(
        proxies=proxies,
        backend=backend,
        servers=servers,
        hold=hold,
        hold_s=_hold_s(hold, said.get("hold_limit")),
        maxconn=int(str(said.get("maxconn") or 0)),
        park=str(said.get("park") or "maint"),
        timeout_s=float(str(said.get("timeout") or 2.0)),
    )
    _check_queue(spec, settings)
    return settings


def _hold_s(hold: HoldBy, said: object) -> float | None:
    if hold is HoldBy.NONE:
        return None
    if said is not None:
        return float(str(said))
    return LUA_HOLD_S if hold is HoldBy.LUA else None


def _check_queue(spec: RouteSpec, settings: HAProxySettings) -> None:
    """A queue is held by a session of our own through the proxy, so there must be one proxy, and its address known."""
    if settings.hold is not HoldBy.QUEUE:
        return
    if settings.hold_s is None:
        raise UsageError(f"route {spec.name}: `hold: queue` without hold_limit", hint="say `timeout queue` of haproxy.cfg")
    if len(settings.proxies) != 1 or spec.clients is None:
        raise UsageError(
            f"route {spec.name}: `hold: queue` needs one proxy and its `clients` address", hint="with several proxies use `hold: lua`"
        )
    if settings.maxconn == 1 or settings.maxconn < 0:
        raise UsageError(f"route {spec.name}: maxconn {settings.maxconn} can't be told from a hold", hint="0, or 2 and more")
