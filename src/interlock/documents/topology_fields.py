"""The keys of a topology file, declared once: the checker, the JSON Schema and the reference are made from them."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.documents.fields import Field, Kind

RouteTypes = Mapping[str, tuple[Field, ...]]
"""The word under `type:` and the keys that its driver declares."""

TLS_FIELDS = (
    Field(name="ca", kind=Kind.TEXT, doc="file with the authorities to trust; the system's own if it is left out"),
    Field(name="cert", kind=Kind.TEXT, doc="file with the client's certificate"),
    Field(name="key", kind=Kind.TEXT, doc="file with the client's key"),
    Field(name="verify_name", kind=Kind.FLAG, default=True, doc="whether the certificate must be for the server's name"),
)
CANARY_FIELDS = (
    Field(name="user", kind=Kind.TEXT, required=True, doc="an account without any right to pass read_only"),
    Field(name="password", kind=Kind.SECRET, doc="where its password is to be had"),
)
ACCESS_FIELDS = (
    Field(name="user", kind=Kind.TEXT, doc="Interlock's account on the servers"),
    Field(name="password", kind=Kind.SECRET, doc="where its password is to be had: {env: NAME}, {file: PATH} or {command: [word, …]}"),
    Field(name="tls", kind=Kind.ANY, doc="off, or a mapping with ca, cert, key, verify_name; the system's authorities if it is left out"),
    Field(name="canary", kind=Kind.FIELDS, fields=CANARY_FIELDS, doc="the account that tries a write where none may be taken"),
)
MASTER_FIELDS = (
    Field(name="host", kind=Kind.TEXT, required=True, doc="a name or an address"),
    Field(name="port", kind=Kind.INTEGER, default=3306, doc="the port, 1 to 65535"),
    Field(name="flavor", kind=Kind.TEXT, choices=("mariadb", "mysql", "xpand"), doc="detected if it is left out"),
    Field(name="others", kind=Kind.TEXTS, default=(), doc="more addresses of the same cluster (Xpand), host or host:port, tried next"),
    Field(name="binlog", kind=Kind.TEXT, doc="which of its binlogs the pair replicates by (Xpand), where it has several"),
    Field(name="fence", kind=Kind.TEXT, choices=("offline_mode",), doc="a harder fence beside read_only: MySQL's offline_mode"),
    Field(name="access", kind=Kind.FIELDS, fields=ACCESS_FIELDS, doc="what differs for this server from the topology's `access`"),
    *ACCESS_FIELDS,
)
REPLICA_FIELDS = (
    Field(name="name", kind=Kind.SERVER, required=True, doc="a name of its own"),
    Field(
        name="follow",
        kind=Kind.TEXT,
        default="master",
        choices=("master", "writer"),
        doc="stay behind this side's master, or follow the writer",
    ),
    *MASTER_FIELDS,
)
SSH_FIELDS = (
    Field(name="host", kind=Kind.TEXT, required=True, doc="a name or an address"),
    Field(name="user", kind=Kind.TEXT, required=True, doc="who logs in"),
    Field(name="port", kind=Kind.INTEGER, default=22, doc="the port, 1 to 65535"),
    Field(name="key", kind=Kind.TEXT, doc="file with the private key"),
    Field(name="known_hosts", kind=Kind.TEXT, doc="file with the hosts' keys; the user's own if it is left out"),
)
CHANNEL_FIELDS = (
    Field(name="type", kind=Kind.TEXT, required=True, choices=("tungsten",), doc="tungsten: Tungsten Replicator, by its trepctl"),
    Field(name="service", kind=Kind.TEXT, required=True, doc="the service that it applies here: the other side's"),
    Field(name="trepctl", kind=Kind.ARGV, default=("trepctl",), doc="its command, on the host of `ssh`, or here if there is none"),
)
LOGS_FIELDS = (
    Field(name="dir", kind=Kind.TEXT, required=True, doc="the folder of the master's binary log, on the host of `ssh`, or here"),
    Field(name="base", kind=Kind.TEXT, doc="how its files' names begin, such as `binlog.`; else as the other side knows them"),
)
CLUSTER_FIELDS = (
    Field(name="master", kind=Kind.FIELDS, required=True, fields=MASTER_FIELDS, doc="the server of the pair on this side"),
    Field(name="replicas", kind=Kind.LIST, default=(), fields=REPLICA_FIELDS, doc="servers that replicate from the master"),
    Field(name="ssh", kind=Kind.FIELDS, fields=SSH_FIELDS, doc="how to log in to the master's host"),
    Field(name="channel", kind=Kind.FIELDS, fields=CHANNEL_FIELDS, doc="what replicates into the master, if not the server itself"),
    Field(name="logs", kind=Kind.FIELDS, fields=LOGS_FIELDS, doc="where the master's binary log is copied from in an emergency"),
    Field(name="fencing", kind=Kind.ANY, doc="ways to fence the cluster from outside, in the order to try them"),
)
ROUTE_FIELDS = (
    Field(name="type", kind=Kind.TEXT, required=True, doc="which driver"),
    Field(name="clients", kind=Kind.ADDRESS, doc="host:port where clients connect"),
    Field(name="unproved", kind=Kind.FLAG, default=False, doc="true: use it though nothing can tell where it leads"),
)
TENANTS_FIELDS = (
    Field(name="column", kind=Kind.TEXT, required=True, doc="the column of each of the tables that says whose row it is"),
    Field(name="values", kind=Kind.TEXTS, required=True, doc="its values in the rows of this segment"),
    Field(name="tables", kind=Kind.TEXTS, required=True, doc="the tables, as schema.table, each with a guard trigger"),
)
SEGMENT_FIELDS = (
    Field(name="schemas", kind=Kind.TEXTS, default=(), doc="the schemas of the segment"),
    Field(name="accounts", kind=Kind.TEXTS, default=(), doc="the accounts that write it, user@host"),
    Field(name="tenants", kind=Kind.FIELDS, fields=TENANTS_FIELDS, doc="instead of both: rows of tables that segments share"),
    Field(name="owner", kind=Kind.CLUSTER, required=True, doc="the cluster that takes its writes"),
    Field(name="route", kind=Kind.SERVER, doc="the route of its clients"),
    Field(name="trusted", kind=Kind.TEXTS, default=(), doc="other accounts that can write it and that you answer for: administrators'"),
)
TOPOLOGY_FIELDS = (
    Field(name="topology", kind=Kind.SERVER, required=True, doc="the pair's name"),
    Field(name="access", kind=Kind.FIELDS, default={}, fields=ACCESS_FIELDS, doc="how to log in, the default for every server"),
    Field(name="clusters", kind=Kind.ANY, required=True, doc="the two sides of the pair, by name"),
    Field(name="routes", kind=Kind.ANY, doc="what sends clients to a server, by name"),
    Field(name="segments", kind=Kind.ANY, doc="slices of the data owned by one cluster, for active/active pairs"),
    Field(name="answers", kind=Kind.ANY, doc="what the audit cannot find out by itself, by question"),
    Field(name="accepted", kind=Kind.ANY, doc="audit rules whose findings the team lives with, by id, each until a day"),
    Field(name="audit", kind=Kind.ANY, doc="audit rules of the team's own, in SQL"),
)
