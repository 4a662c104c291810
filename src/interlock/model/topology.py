"""What a pair is made of, as its topology file says. Nothing here was looked at on a server.

A master's server name is its cluster's name; replicas have names of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import NewType

from interlock.dataclass import dataclass
from interlock.model.audit import AuditNotes

ServerName = NewType("ServerName", str)
ClusterName = NewType("ClusterName", str)
RouteName = NewType("RouteName", str)


class Follow(StrEnum):
    """Whom a replica follows: the master of its cluster (so that it is behind a standby after a switchover), or whoever is the writer."""

    MASTER = "master"
    WRITER = "writer"


class SecretSource(StrEnum):
    ENV = "env"
    FILE = "file"
    COMMAND = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """Where a secret is to be had; never the secret. `place` is a variable's name, an absolute path, or the words of a command."""

    source: SecretSource
    place: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """`ca` is an absolute path, or None for the system's own authorities. The server's name is checked unless `verify_name` is off."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    verify_name: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    user: str
    password: SecretRef | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to log in. `tls` None means that the topology says `tls: off`. `canary` is an account without any right to pass `read_only`."""

    account: Account
    tls: Tls | None
    canary: Account | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpec:
    """`others` are more addresses of the same cluster, `binlog` the one of its binlogs that the pair replicates by (Xpand). `fence`
    is a fence that it is to have beside `read_only`, in its dialect's word.
    """

    name: ServerName
    cluster: ClusterName
    host: str
    port: int
    access: Access
    flavor: str | None = None
    follow: Follow = Follow.MASTER
    is_master: bool = True
    others: tuple[tuple[str, int], ...] = ()
    binlog: str | None = None
    fence: str | None = None

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """Every address at which it may answer, in the order to try them."""
        return ((self.host, self.port), *self.others)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The same, as `host:port`: by these its replicas may know it."""
        return tuple(f"{host}:{port}" for host, port in self.places)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSpec:
    host: str
    user: str
    port: int = 22
    key: str | None = None
    known_hosts: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSpec:
    """Tungsten Replicator in place of native replication: the `service` that it applies, and the words of its command."""

    kind: str
    service: str
    trepctl: tuple[str, ...] = ("trepctl",)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsSpec:
    """Where a master's binary log is on its host, and how its files' names begin (empty: as the other side's channel names them)."""

    folder: str
    base: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """`fencing` holds the settings of each way to fence from outside, in the order to try them. `channel` says what replicates into its
    master, None for the server's own replication.
    """

    name: ClusterName
    master: ServerSpec
    replicas: tuple[ServerSpec, ...] = ()
    ssh: SshSpec | None = None
    fencing: tuple[Mapping[str, object], ...] = ()
    channel: ChannelSpec | None = None
    logs: LogsSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSpec:
    """`kind` picks the driver; `settings` were checked against the fields that the driver declares. `clients` is where clients connect.

    `unproved`: the operator takes the route at its word, though nothing tells where it leads.
    """

    name: RouteName
    kind: str
    settings: Mapping[str, object]
    clients: tuple[str, int] | None = None
    unproved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenants:
    """The rows of `tables` (`schema.table`) whose `column` has one of these values."""

    column: str
    values: tuple[str, ...]
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSpec:
    """Schemas and the accounts that write them; or `tenants` of tables that other segments share, without either. `trusted` are further
    accounts that could write its schemas and that a person answers for: administrators'.
    """

    name: str
    schemas: tuple[str, ...]
    accounts: tuple[str, ...]
    owner: ClusterName
    route: RouteName | None
    trusted: tuple[str, ...] = ()
    tenants: Tenants | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """One pair. `path` is the file it was read from; `digest` the SHA-256 of its text, in hex."""

    name: str
    clusters: Mapping[ClusterName, ClusterSpec]
    routes: Mapping[RouteName, RouteSpec] = field(default_factory=dict)
    segments: Mapping[str, SegmentSpec] = field(default_factory=dict)
    audit: AuditNotes = AuditNotes()
    path: str = ""
    digest: str = ""

    def masters(self) -> tuple[ServerSpec, ...]:
        return tuple(cluster.master for cluster in self.clusters.values())

    def servers(self) -> tuple[ServerSpec, ...]:
        return tuple(server for cluster in self.clusters.values() for server in (cluster.master, *cluster.replicas))

    def replicas(self) -> tuple[ServerSpec, ...]:
        return tuple(server for server in self.servers() if not server.is_master)

    def server(self, name: str) -> ServerSpec:
        """A server by its name, or the master of the cluster of that name. KeyError if there is neither."""
        for server in self.servers():
            if server.name == name:
                return server
        raise KeyError(name)

    def other_masters(self, name: ServerName) -> tuple[ServerName, ...]:
        return tuple(master.name for master in self.masters() if master.name != name)
