"""What a route of type `proxysql` may say in the topology file, and what it comes to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import cast

from interlock.dataclass import dataclass
from interlock.documents.fields import Field, Kind
from interlock.errors import UsageError
from interlock.model.topology import ClusterName, RouteSpec, SecretRef, Topology

_NODE = (
    Field(name="host", kind=Kind.TEXT, required=True, doc="a name or an address"),
    Field(name="port", kind=Kind.INTEGER, default=6032, doc="the port of the admin interface"),
)

ADMIN_FIELDS = (
    Field(name="admin", kind=Kind.FIELDS, fields=_NODE, doc="The admin interface, where there is one ProxySQL: {host, port}."),
    Field(name="nodes", kind=Kind.LIST, fields=_NODE, doc="The admin interfaces, where there are several; each is written and confirmed."),
    Field(name="user", kind=Kind.TEXT, default="admin", doc="An account of admin-admin_credentials. `admin` itself may only come locally."),
    Field(name="password", kind=Kind.SECRET, doc="Where its password is to be had: {env: NAME}, {file: PATH} or {command: [word, …]}."),
    Field(
        name="lost_after",
        kind=Kind.DURATION,
        default=5.0,
        doc="A node of several that has not answered for so long in the middle of a run is left out, and named.",
    ),
    Field(name="timeout", kind=Kind.DURATION, default=2.0, doc="How long the admin interface may take to answer."),
)
"""How every type of route reaches the nodes."""

SERVERS_FIELD = Field(
    name="servers",
    kind=Kind.CLUSTER_MAP,
    doc="Each cluster's server as ProxySQL knows it, host:port; the masters' own addresses if it is left out.",
)
SAVE_FIELD = Field(name="save", kind=Kind.FLAG, default=True, doc="false: a flip is not saved to disk, and lost when ProxySQL restarts.")

FIELDS = (
    *ADMIN_FIELDS,
    Field(name="writer_hostgroup", kind=Kind.INTEGER, required=True, doc="The hostgroup that takes the writes."),
    Field(
        name="reader_hostgroup",
        kind=Kind.INTEGER,
        doc="Where ProxySQL's monitor puts what is read-only, if mysql_replication_hostgroups names the writer hostgroup.",
    ),
    SERVERS_FIELD,
    Field(
        name="park",
        kind=Kind.TEXT,
        default="OFFLINE_HARD",
        choices=("OFFLINE_HARD", "OFFLINE_SOFT"),
        doc="The status of the server that takes no clients. OFFLINE_SOFT leaves sessions that can't be multiplexed on it.",
    ),
    Field(name="drain", kind=Kind.DURATION, default=0.5, doc="How long a hold waits for what is in flight; clients wait too."),
    SAVE_FIELD,
)

# A host's name or address. Nothing else can stand in a statement, so none can end one and begin another.
_HOST = re.compile(r"[A-Za-z0-9_.:-]{1,255}")


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port, as ProxySQL's tables write them."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSettings:
    """The nodes' admin interfaces, and who logs in there. A node of several is lost once it has been silent for `lost_after_s`."""

    nodes: tuple[Address, ...]
    user: str
    password: SecretRef | None
    lost_after_s: float
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySQLSettings:
    """Checked: every host can stand in a statement. `reader` is the hostgroup to which ProxySQL's monitor moves what is read-only; None if
    it moves nothing.
    """

    admin: AdminSettings
    hostgroup: int
    reader: int | None
    servers: Mapping[ClusterName, Address]
    park: str
    drain_s: float
    save: bool

    @property
    def hostgroups(self) -> tuple[int, ...]:
        """Those in which the pair's servers may stand."""
        return (self.hostgroup,) if self.reader is None else (self.hostgroup, self.reader)

    def cluster_of(self, server: Address) -> ClusterName | None:
        return next((cluster for cluster, address in self.servers.items() if address == server), None)


def read_settings(spec: RouteSpec, topology: Topology) -> ProxySQLSettings:
    """UsageError if no node is named, one is named twice, an address is none, or both clusters have the same."""
    said = spec.settings
    hostgroup = int(str(said["writer_hostgroup"]))
    if hostgroup < 0:
        raise UsageError(f"route {spec.name}: writer_hostgroup is {hostgroup}", hint="a hostgroup is 0 or more")
    reader = None if said.get("reader_hostgroup") is None else int(str(said["reader_hostgroup"]))
    if reader is not None and (reader < 0 or reader == hostgroup):
        raise UsageError(f"route {spec.name}: reader_hostgroup is {reader}", hint="a hostgroup is 0 or more, and not the writers' own")
    return ProxySQLSettings(
        admin=read_admin(spec),
        hostgroup=hostgroup,
        reader=reader,
        servers=read_servers(spec, topology),
        park=str(said.get("park") or "OFFLINE_HARD"),
        drain_s=_seconds(said.get("drain"), 0.5),
        save=said.get("save") is not False,
    )


def read_admin(spec: RouteSpec) -> AdminSettings:
    """UsageError if no node is named, one is named twice, or an address is none."""
    said = spec.settings
    return AdminSettings(
        nodes=_nodes(spec),
        user=str(said.get("user") or "admin"),
        password=cast("SecretRef | None", said.get("password")),
        lost_after_s=_seconds(said.get("lost_after"), 5.0),
        timeout_s=_seconds(said.get("timeout"), 2.0),
    )


def read_servers(spec: RouteSpec, topology: Topology) -> dict[ClusterName, Address]:
    """Each cluster's server as ProxySQL knows it. UsageError if an address is none, or both clusters have the same."""
    servers = {name: Address(cluster.master.host, cluster.master.port) for name, cluster in topology.clusters.items()}
    for cluster, text in cast("Mapping[ClusterName, str]", spec.settings.get("servers") or {}).items():
        servers[cluster] = _address(spec, text)
    _check_addresses(spec, servers.values())
    if len(set(servers.values())) != len(servers):
        raise UsageError(f"route {spec.name}: two clusters have the same address, {next(iter(servers.values()))}")
    return servers


def _nodes(spec: RouteSpec) -> tuple[Address, ...]:
    said = spec.settings
    if (said.get("admin") is None) == (not said.get("nodes")):
        raise UsageError(f"route {spec.name}: one of `admin` and `nodes` must be there", hint="admin: {host: 10.0.0.5, port: 6032}")
    listed = cast("tuple[Mapping[str, object], ...]", said.get("nodes") or (said["admin"],))
    nodes = tuple(Address(str(node["host"]), int(str(node.get("port") or 6032))) for node in listed)
    if len(set(nodes)) != len(nodes):
        raise UsageError(f"route {spec.name}: a node is named twice: {', '.join(map(str, nodes))}")
    _check_addresses(spec, nodes)
    return nodes


def _check_addresses(spec: RouteSpec, addresses: Iterable[Address]) -> None:
    for address in addresses:
        if not _HOST.fullmatch(address.host) or not 0 < address.port < 65536:
            raise UsageError(f"route {spec.name}: {str(address)!r} is no address", hint="write a host's name or address, and a port")


def _address(spec: RouteSpec, text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()):
        raise UsageError(f"route {spec.name}: {text!r} in `servers` is not host:port", hint="write it as mysql_servers has it")
    return Address(host, int(port))


def _seconds(said: object, default: float) -> float:
    return default if said is None else float(str(said))
