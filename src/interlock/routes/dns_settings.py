"""What a route of type `dns` may say in the topology file, and what it comes to."""

from __future__ import annotations

import binascii
import ipaddress
import re
from base64 import b64decode
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, cast

from interlock.dataclass import dataclass
from interlock.documents.fields import Field, Kind
from interlock.documents.values import address as host_and_port
from interlock.errors import UsageError
from interlock.model.topology import ClusterName, RouteSpec, SecretRef, Topology

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_LONGEST_NAME = 253
LONGEST_TTL_S = 86400
LONGEST_WAIT_S = 15
"""How long old answers are waited out. Nothing renews the run's lease meanwhile, of which 20 s are left at the least."""


class RecordKind(StrEnum):
    A = "A"
    AAAA = "AAAA"
    CNAME = "CNAME"


def kind_of(value: str) -> RecordKind | None:
    """The kind of record that holds this value; None for what no record of these can hold. Pure text: nothing is looked up."""
    try:
        return RecordKind.A if ipaddress.ip_address(value).version == 4 else RecordKind.AAAA
    except ValueError:
        looks_like_an_address = all(label.isdigit() for label in value.rstrip(".").split("."))
        return RecordKind.CNAME if _is_name(value) and not looks_like_an_address else None


def _is_name(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None


def _name_rule(text: str) -> str:
    return "" if _is_name(text) else f"{text[:80]!r} is no name of DNS"


def _record_rule(text: str) -> str:
    return "" if text == "@" or _is_name(text) else f"{text[:80]!r} is no name of DNS"


def _address_rule(text: str) -> str:
    return "" if _is_address(text) else f"{text[:80]!r} is no address of a DNS server: it can't be asked for by name"


def _resolvers_rule(texts: tuple[str, ...]) -> str:
    wrong = next((text for text in texts if _place(text) is None), None)
    return "" if wrong is None else f"{wrong[:80]!r} is no address of a resolver"


def _values_rule(values: Mapping[Any, str]) -> str:
    wrong = next((value for value in values.values() if kind_of(value) is None), None)
    if wrong is not None:
        return f"{wrong[:80]!r} is neither an address nor a name"
    if len({kind_of(value) for value in values.values()}) > 1:
        return "an address of each version, or an address and a name: they can't take each other's place in one record"
    if len({_canonical(value) for value in values.values()}) < len(values):
        return "two clusters have the same value"
    return ""


def _port_rule(port: int) -> str:
    return "" if 1 <= port <= 65535 else f"{port} is not between 1 and 65535"


def _ttl_rule(seconds: int) -> str:
    return "" if 0 <= seconds <= LONGEST_TTL_S else f"{seconds} is not between 0 and {LONGEST_TTL_S}"


ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1")

TSIG_FIELDS = (
    Field(name="name", kind=Kind.TEXT, required=True, rule=_name_rule, doc="The key's name, as the DNS server has it."),
    Field(name="algorithm", kind=Kind.TEXT, default="hmac-sha256", choices=ALGORITHMS, doc="How it signs."),
    Field(name="secret", kind=Kind.SECRET, required=True, doc="Where the key itself is to be had, in base64."),
)

FIELDS = (
    Field(name="server", kind=Kind.TEXT, required=True, rule=_address_rule, doc="The zone's primary: an address."),
    Field(name="port", kind=Kind.INTEGER, default=53, rule=_port_rule, doc="Its port."),
    Field(name="zone", kind=Kind.TEXT, required=True, rule=_name_rule, doc="The zone that takes the update."),
    Field(
        name="record",
        kind=Kind.TEXT,
        required=True,
        rule=_record_rule,
        doc="The name that clients ask for, in the zone; @ is the zone's own.",
    ),
    Field(name="ttl", kind=Kind.INTEGER, default=5, rule=_ttl_rule, doc="How many seconds an answer may be kept, written with each flip."),
    Field(name="tsig", kind=Kind.FIELDS, required=True, fields=TSIG_FIELDS, doc="The key that signs the updates."),
    Field(
        name="values",
        kind=Kind.CLUSTER_MAP,
        rule=_values_rule,
        doc="What the record holds for each cluster: an IPv4 address, an IPv6 address or a name; its master's host if left out.",
    ),
    Field(
        name="resolvers",
        kind=Kind.TEXTS,
        default=(),
        rule=_resolvers_rule,
        doc="Secondaries and caches that clients ask: an address, or address:port. Each must give the new answer.",
    ),
    Field(
        name="wait_for_old_answers",
        kind=Kind.FLAG,
        default=False,
        doc="Wait after a flip until every answer given before has expired.",
    ),
    Field(name="timeout", kind=Kind.DURATION, default=2.0, doc="How long a DNS server may take to answer."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a DNS server listens; `host` is an address."""

    host: str
    port: int = 53

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tsig:
    name: str
    algorithm: str
    secret: SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsSettings:
    """Checked: every text can stand in a message. Names are absolute, with their dot, in small letters."""

    primary: Place
    zone: str
    name: str
    kind: RecordKind
    values: Mapping[ClusterName, str]
    ttl_s: int
    tsig: Tsig
    resolvers: tuple[Place, ...]
    wait_for_old_answers: bool
    timeout_s: float

    def cluster_of(self, value: str) -> ClusterName | None:
        return next((cluster for cluster, own in self.values.items() if own == value), None)


def read_settings(spec: RouteSpec, topology: Topology) -> DnsSettings:
    """UsageError for what single keys could not tell: values that don't fit each other or the record."""
    said = spec.settings
    given = cast("Mapping[ClusterName, str] | None", said.get("values"))
    values = given or {name: cluster.master.host for name, cluster in topology.clusters.items()}
    wrong = _values_rule(values)
    if wrong:
        raise UsageError(f"route {spec.name}: values: {wrong}", hint="say `values` for each cluster")
    zone = _absolute(str(said["zone"]))
    name = _in_zone(spec, str(said["record"]), zone)
    kind = kind_of(next(iter(values.values())))
    if kind is None or (kind is RecordKind.CNAME and name == zone):
        raise UsageError(f"route {spec.name}: the zone's own name can't be an alias (RFC 1034, 3.6.2)", hint="use addresses as `values`")
    ttl_s = 5 if said.get("ttl") is None else int(str(said["ttl"]))
    if ttl_s > LONGEST_WAIT_S and (said.get("resolvers") or said.get("wait_for_old_answers")):
        raise UsageError(f"route {spec.name}: a ttl of {ttl_s}s can't be waited out, {LONGEST_WAIT_S}s can", hint="the usual one is 5")
    tsig = cast("Mapping[str, object]", said["tsig"])
    return DnsSettings(
        primary=Place(host=str(said["server"]), port=int(str(said.get("port") or 53))),
        zone=zone,
        name=name,
        kind=kind,
        values={cluster: _canonical(value) for cluster, value in values.items()},
        ttl_s=ttl_s,
        tsig=Tsig(
            name=_absolute(str(tsig["name"])),
            algorithm=str(tsig.get("algorithm") or "hmac-sha256"),
            secret=cast("SecretRef", tsig["secret"]),
        ),
        resolvers=tuple(place for text in cast("tuple[str, ...]", said.get("resolvers") or ()) if (place := _place(text)) is not None),
        wait_for_old_answers=said.get("wait_for_old_answers") is True,
        timeout_s=float(str(said.get("timeout") or 2.0)),
    )


def key_bytes(text: str, key: str) -> bytes:
    """The key out of its base64. UsageError, which does not quote it, if it is none."""
    try:
        found = b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise UsageError(f"the secret of TSIG key {key} is not base64", hint="as `tsig-keygen` or `keymgr -t` print it") from None
    return found


def _in_zone(spec: RouteSpec, record: str, zone: str) -> str:
    """`db`, `@`, or an absolute name with its dot."""
    if record == "@":
        return zone
    name = _absolute(record) if record.endswith(".") else _absolute(f"{record}.{zone}")
    if name != zone and not name.endswith(f".{zone}"):
        raise UsageError(f"route {spec.name}: {name} is not in zone {zone}", hint="without a dot at its end a name is relative to the zone")
    if not _is_name(name):
        raise UsageError(f"route {spec.name}: {name[:80]}… is longer than a name may be: {_LONGEST_NAME}")
    return name


def _absolute(name: str) -> str:
    return f"{name.lower().rstrip('.')}."


def _canonical(value: str) -> str:
    """As it is printed when it is read back."""
    return _absolute(value) if kind_of(value) is RecordKind.CNAME else str(ipaddress.ip_address(value))


def _place(text: str) -> Place | None:
    if _is_address(text):
        return Place(host=text)
    found = host_and_port(text)
    return Place(host=found[0], port=found[1]) if found is not None and _is_address(found[0]) else None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
