"""The topology file → `Topology`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import cast

from interlock.dataclass import dataclass
from interlock.documents.audit_fields import check_audit
from interlock.documents.check import Checking, a_kind_of, check_fields, check_name
from interlock.documents.fencing_fields import FENCING_FIELDS, FENCING_TYPES, check_fencing
from interlock.documents.fields import Field
from interlock.documents.problems import At, Problems, nearest, shown
from interlock.documents.topology_access import HOST, access_of, given_access, is_place, ssh_of
from interlock.documents.topology_fields import (
    CLUSTER_FIELDS,
    ROUTE_FIELDS,
    SEGMENT_FIELDS,
    TOPOLOGY_FIELDS,
    RouteTypes,
)
from interlock.documents.yaml import ListNode, MapNode, Node, Scalar, read_file, read_tree
from interlock.model.topology import (
    ChannelSpec,
    ClusterName,
    ClusterSpec,
    Follow,
    LogsSpec,
    RouteName,
    RouteSpec,
    SegmentSpec,
    ServerName,
    ServerSpec,
    Tenants,
    Topology,
)

RESERVED = ("writer", "standby", "all", "none")


def load_topology(path: Path, route_types: RouteTypes) -> Topology:
    """Reads and checks the file. InvalidFile with every problem of it."""
    return parse_topology(read_file(path), file=str(path), route_types=route_types)


def parse_topology(text: str, *, file: str, route_types: RouteTypes) -> Topology:
    """`route_types` holds the fields of each type of route, by its word. InvalidFile with every problem of the text."""
    problems = Problems(file)
    root = read_tree(text, problems)
    path = Path(file).absolute()
    topology = None if root is None else _topology(root, Checking(problems=problems, folder=path.parent), route_types)
    problems.raise_any()
    if topology is None:
        raise AssertionError("a topology without problems was not built")
    return Topology(
        name=topology.name,
        clusters=topology.clusters,
        routes=topology.routes,
        segments=topology.segments,
        audit=topology.audit,
        path=str(path),
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def _topology(root: Node, checking: Checking, route_types: RouteTypes) -> Topology | None:
    values = check_fields(root, TOPOLOGY_FIELDS, "the topology", checking)
    if not isinstance(root, MapNode):
        return None
    cluster_nodes = _named(root, "clusters", "cluster", checking)
    if root.get("clusters") is not None and len(cluster_nodes) != 2:
        count = len(cluster_nodes)
        checking.problems.add(root.place("clusters"), f"there are {count} clusters, not two", "a pair has exactly two sides")
    names = tuple(cluster_nodes)
    checking = Checking(problems=checking.problems, folder=checking.folder, clusters=names)
    default = given_access(root.get("access"), values.get("access"), checking)
    if checking.problems.found:
        default.setdefault("user", None)  # whatever is wrong with it was said: not once more for each server
    servers = _Servers(checking=checking, default=default)
    clusters = {ClusterName(name): _cluster(name, node, servers) for name, node in cluster_nodes.items()}
    routes = {
        RouteName(name): _route(name, node, route_types, checking) for name, node in _named(root, "routes", "route", checking).items()
    }
    check_fencing(cluster_nodes, {str(name): route.kind for name, route in routes.items() if route is not None}, checking)
    audit = check_audit(root, checking, servers.names)
    segments = _segments(_named(root, "segments", "segment", checking), tuple(routes), checking)
    if checking.problems.found:
        return None
    return Topology(
        name=cast("str", values["topology"]),
        clusters={name: cluster for name, cluster in clusters.items() if cluster is not None},
        routes={name: route for name, route in routes.items() if route is not None},
        segments=segments,
        audit=audit,
    )


def _named(root: MapNode, key: str, what: str, checking: Checking) -> dict[str, MapNode]:
    """The mappings under `key`, by their names; what is none, or is named as it may not be, is a problem."""
    node = root.get(key)
    if node is None or (isinstance(node, Scalar) and node.value is None and key != "clusters"):
        return {}
    if not isinstance(node, MapNode):
        checking.problems.add(node, f"{key} is {a_kind_of(node)}, not a mapping of names")
        return {}
    found: dict[str, MapNode] = {}
    for name, child in node.entries.items():
        place = node.keys[name]
        if name in RESERVED:
            checking.problems.add(place, f"{what} name {name!r} has a meaning of its own", "choose another name")
        if not isinstance(child, MapNode):
            checking.problems.add(child, f"{what} {shown(name)} is {a_kind_of(child)}, not a mapping")
            continue
        check_name(place, what, checking.problems)
        found[name] = child
    return found


@dataclass(slots=True)
class _Servers:
    """The servers so far: names and addresses may not occur twice."""

    checking: Checking
    default: Mapping[str, object]
    names: dict[str, At] = field(default_factory=dict)
    addresses: dict[tuple[str, int], str] = field(default_factory=dict)


def _cluster(name: str, node: MapNode, servers: _Servers) -> ClusterSpec | None:
    checking = servers.checking
    values = check_fields(node, CLUSTER_FIELDS, f"cluster {shown(name)}", checking)
    master_node, replicas_node = node.get("master"), node.get("replicas")
    if not isinstance(master_node, MapNode):
        return None
    master = _server(name, name, master_node, cast("dict[str, object]", values.get("master") or {}), servers)
    replicas: list[ServerSpec | None] = []
    if isinstance(replicas_node, ListNode):
        settings = cast("tuple[dict[str, object], ...]", values.get("replicas") or ())
        for child, its in zip(replicas_node.items, settings, strict=False):
            if isinstance(child, MapNode) and isinstance(its.get("name"), str):
                replicas.append(_server(cast("str", its["name"]), name, child, its, servers))
    ssh = ssh_of(node.get("ssh"), cast("dict[str, object] | None", values.get("ssh")), checking)
    channel = _channel(cast("dict[str, object] | None", values.get("channel")))
    fencing = _fencing(node.get("fencing"), checking)
    if master is None:
        return None
    return ClusterSpec(
        name=ClusterName(name),
        master=master,
        replicas=tuple(replica for replica in replicas if replica),
        ssh=ssh,
        fencing=fencing,
        channel=channel,
        logs=_logs(node.get("logs"), cast("dict[str, object] | None", values.get("logs")), checking),
    )


def _logs(node: Node | None, values: dict[str, object] | None, checking: Checking) -> LogsSpec | None:
    folder = (values or {}).get("dir")
    if not isinstance(node, MapNode) or not isinstance(folder, str):
        return None
    if not folder.startswith("/"):
        checking.problems.add(node.place("dir"), f"{shown(folder)} is no absolute path", "see @@log_bin_basename on the server")
    return LogsSpec(folder=folder, base=cast("str", (values or {}).get("base") or ""))


def _channel(values: dict[str, object] | None) -> ChannelSpec | None:
    kind, service = (values or {}).get("type"), (values or {}).get("service")
    if values is None or not isinstance(kind, str) or not isinstance(service, str):
        return None
    return ChannelSpec(kind=kind, service=service, trepctl=cast("tuple[str, ...]", values.get("trepctl") or ("trepctl",)))


def _server(name: str, cluster: str, node: MapNode, values: dict[str, object], servers: _Servers) -> ServerSpec | None:
    problems = servers.checking.problems
    host, port = values.get("host"), values.get("port")
    if not is_place(node, values, problems) or not isinstance(host, str) or not isinstance(port, int):
        return None
    if name in servers.names:
        problems.add(node, f"there are two servers called {shown(name)}", f"the other stands in line {servers.names[name].line}")
    servers.names.setdefault(name, At(node.line, node.column))
    other = servers.addresses.setdefault((host, port), name)
    if other != name:
        problems.add(node.place("host"), f"{name} has the address of {other}: {host}:{port}", "two servers can't share an address")
    if values.get("fence") is not None and values.get("flavor") not in {None, "mysql"}:
        problems.add(node.get("fence") or node, f"{name} is {values['flavor']}, which has no offline_mode", "it is MySQL's: leave it out")
    own = given_access(node, values, servers.checking) | given_access(node.get("access"), values.get("access"), servers.checking)
    access = access_of({**servers.default, **own}, name, node, servers.checking)
    if access is None:
        return None
    return ServerSpec(
        name=ServerName(name),
        cluster=ClusterName(cluster),
        host=host,
        port=port,
        access=access,
        flavor=cast("str | None", values.get("flavor")),
        follow=Follow(str(values.get("follow") or "master")),
        is_master=name == cluster,
        others=_others(node, values, port, servers, name),
        binlog=cast("str | None", values.get("binlog")),
        fence=cast("str | None", values.get("fence")),
    )


def _others(node: MapNode, values: Mapping[str, object], port: int, servers: _Servers, name: str) -> tuple[tuple[str, int], ...]:
    """More addresses of one server; without a port of their own they have the server's."""
    found = []
    for text in cast("tuple[str, ...]", values.get("others") or ()):
        host, colon, number = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
        its_port = int(number) if number.isascii() and number.isdigit() else port if not colon else 0
        if not HOST.fullmatch(host) or not 1 <= its_port <= 65535:
            servers.checking.problems.add(node.get("others") or node, f"{shown(text)} is no address", "write a host, or host:port")
            continue
        other = servers.addresses.setdefault((host, its_port), f"{name} (others)")
        if other != f"{name} (others)":
            servers.checking.problems.add(node.get("others") or node, f"{name} has the address of {other}: {host}:{its_port}")
        found.append((host, its_port))
    return tuple(found)


def _fencing(node: Node | None, checking: Checking) -> tuple[Mapping[str, object], ...]:
    if node is None:
        return ()
    if not isinstance(node, ListNode):
        checking.problems.add(node, f"fencing is {a_kind_of(node)}, not a list", "write one item for each way, in the order to try them")
        return ()
    return tuple(_typed(item, FENCING_TYPES, FENCING_FIELDS, "fencing", checking) for item in node.items)


def _typed(node: Node, types: RouteTypes, common: tuple[Field, ...], subject: str, checking: Checking) -> dict[str, object]:
    """A mapping whose `type` picks its fields. With an unknown type only the common ones can be checked."""
    kind = node.get("type") if isinstance(node, MapNode) else None
    if isinstance(kind, Scalar) and kind.text not in types:
        known = f"known: {', '.join(types)}"
        close = nearest(kind.text, types)
        checking.problems.add(
            kind, f"{subject} has an unknown type {shown(kind.text)}", f"did you mean {close!r}? {known}" if close else known
        )
        return {}
    own = types[kind.text] if isinstance(kind, Scalar) else ()
    return check_fields(node, (*common, *own), subject, checking)


def _route(name: str, node: MapNode, route_types: RouteTypes, checking: Checking) -> RouteSpec | None:
    values = _typed(node, route_types, ROUTE_FIELDS, f"route {shown(name)}", checking)
    kind = values.pop("type", None)
    clients = values.pop("clients", None)
    unproved = values.pop("unproved", False) is True
    if not isinstance(kind, str):
        return None
    return RouteSpec(name=RouteName(name), kind=kind, settings=values, clients=cast("tuple[str, int] | None", clients), unproved=unproved)


def _segments(nodes: Mapping[str, MapNode], routes: tuple[str, ...], checking: Checking) -> dict[str, SegmentSpec]:
    """A schema or an account belongs to one segment: two owners could both take its writes."""
    owners: dict[str, str] = {}
    segments: dict[str, SegmentSpec] = {}
    for name, node in nodes.items():
        values = check_fields(node, SEGMENT_FIELDS, f"segment {shown(name)}", checking)
        schemas = cast("tuple[str, ...]", values.get("schemas", ()))
        accounts = cast("tuple[str, ...]", values.get("accounts", ()))
        route, owner = values.get("route"), values.get("owner")
        tenants = _tenants(cast("dict[str, object] | None", values.get("tenants")))
        if not schemas and not accounts and "tenants" not in values:
            checking.problems.add(node, f"segment {shown(name)} holds nothing", "give it schemas and accounts, or tenants")
        for table in tenants.tables if tenants is not None else ():
            if not all(table.partition(".")):
                checking.problems.add(node, f"{shown(table)} is no table", "write schema.table")
        if tenants is not None and (schemas or accounts):
            checking.problems.add(node, f"segment {shown(name)} is tenants, and schemas or accounts too", "make two segments of it")
        for account in (*accounts, *cast("tuple[str, ...]", values.get("trusted", ()))):
            if not account.rpartition("@")[0]:
                checking.problems.add(node, f"{shown(account)} is no account", "write user@host, such as app@%")
        for part in (*schemas, *accounts, *_rows_of(tenants)):
            if owners.setdefault(part, name) != name:
                checking.problems.add(node, f"{shown(part)} is in two segments: {owners[part]} and {name}", "keep it in one")
        if isinstance(route, str) and route not in routes:
            checking.problems.add_unknown(node.get("route") or node, f"there is no route {shown(route)}", route, routes)
        if isinstance(owner, str):
            segments[name] = SegmentSpec(
                name=name,
                schemas=schemas,
                accounts=accounts,
                owner=ClusterName(owner),
                route=RouteName(route) if isinstance(route, str) else None,
                trusted=cast("tuple[str, ...]", values.get("trusted", ())),
                tenants=tenants,
            )
    return segments


def _tenants(values: dict[str, object] | None) -> Tenants | None:
    """None without any, and where a key is missing: that is told already."""
    if values is None or not {"column", "values", "tables"} <= values.keys():
        return None
    return Tenants(
        column=cast("str", values["column"]),
        values=cast("tuple[str, ...]", values["values"]),
        tables=cast("tuple[str, ...]", values["tables"]),
    )


def _rows_of(tenants: Tenants | None) -> tuple[str, ...]:
    """A name for what each tenant has in each table."""
    if tenants is None:
        return ()
    return tuple(f"{table} where {tenants.column} is {value}" for table in tenants.tables for value in tenants.values)
