"""The design's example of a topology, and route types that know its keys."""

from __future__ import annotations

from interlock.documents.fields import Field, Kind
from interlock.documents.topology_fields import RouteTypes

ROUTE_TYPES: RouteTypes = {
    "haproxy": (
        Field(name="socket", kind=Kind.TEXTS, doc="runtime sockets", required=True),
        Field(name="backend", kind=Kind.TEXT, doc="backend", required=True),
        Field(name="servers", kind=Kind.CLUSTER_MAP, doc="server names", required=True),
    ),
    "proxysql": (
        Field(
            name="admin",
            kind=Kind.FIELDS,
            doc="admin interface",
            fields=(Field(name="host", kind=Kind.TEXT, doc="host", required=True), Field(name="port", kind=Kind.INTEGER, doc="port")),
        ),
        Field(name="writer_hostgroup", kind=Kind.INTEGER, doc="hostgroup", required=True),
    ),
    "dns": (
        Field(name="server", kind=Kind.TEXT, doc="server", required=True),
        Field(name="zone", kind=Kind.TEXT, doc="zone", required=True),
        Field(name="record", kind=Kind.TEXT, doc="record", required=True),
        Field(name="ttl", kind=Kind.INTEGER, doc="ttl"),
        Field(
            name="tsig",
            kind=Kind.FIELDS,
            doc="key",
            fields=(Field(name="name", kind=Kind.TEXT, doc="name"), Field(name="secret", kind=Kind.SECRET, doc="secret")),
        ),
    ),
    "vip": (Field(name="address", kind=Kind.TEXT, doc="address"), Field(name="interface", kind=Kind.TEXT, doc="interface")),
    "command": (
        Field(name="flip", kind=Kind.ARGV, doc="flip", required=True),
        Field(name="show", kind=Kind.ARGV, doc="show", required=True),
    ),
}

SHOP = """\
topology: shop
access:                                  # default for every server, any of it can be set on one
  user: interlock
  password: {env: INTERLOCK_PASSWORD}
  tls: {ca: certificates/db-ca.pem}
clusters:
  east:
    master: {host: 10.1.0.10, port: 3306}
    replicas: [{name: east-r1, host: 10.1.0.11}]
    ssh: {host: 10.1.0.10, user: ops, key: keys/ops}
    fencing:
    - {type: service, unit: mariadb}
    - {type: command, fence: [./hooks/power, off, east], show: [./hooks/power, show, east], fenced: "off"}
  west:
    master: {host: 10.2.0.10, port: 3306}
routes:
  writes: {type: haproxy, socket: "tcp:127.0.0.1:9999", backend: mysql, servers: {east: a, west: b}}
  proxysql: {type: proxysql, admin: {host: 10.0.0.5, port: 6032}, writer_hostgroup: 10}
  name: {type: dns, server: 10.0.0.53, zone: example.com, record: db, ttl: 5, tsig: {name: k, secret: {env: TSIG}}}
  address: {type: vip, address: 10.0.0.100/24, interface: eth0}
  anything: {type: command, flip: [./hooks/flip, "{to}"], show: [./hooks/show], clients: "10.0.0.1:3306"}
segments:
  eu: {schemas: [shop_eu], accounts: ["app_eu@%"], owner: east, route: writes}
"""
