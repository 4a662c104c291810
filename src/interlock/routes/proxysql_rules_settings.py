"""What a route of type `proxysql_rules` may say in the topology file, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from interlock.dataclass import dataclass
from interlock.documents.fields import Field, Kind
from interlock.errors import UsageError
from interlock.model.topology import ClusterName, RouteSpec, SegmentSpec, Topology
from interlock.routes.proxysql_settings import (
    ADMIN_FIELDS,
    SAVE_FIELD,
    SERVERS_FIELD,
    Address,
    AdminSettings,
    read_admin,
    read_servers,
)

RULES_FIELDS = (
    *ADMIN_FIELDS,
    Field(name="hostgroups", kind=Kind.CLUSTER_MAP, required=True, doc="The hostgroup in which each cluster's server takes the writes."),
    Field(
        name="reader_hostgroups",
        kind=Kind.CLUSTER_MAP,
        doc="Where each cluster's reads go, if rules send a part of the segment's statements there: they move along.",
    ),
    Field(
        name="accounts",
        kind=Kind.TEXTS,
        doc="Whose statements are moved: users of mysql_users. Those of the segment, if neither they nor `schemas` are said.",
    ),
    Field(name="schemas", kind=Kind.TEXTS, doc="The statements of which schemas are moved; with `accounts`, those of both."),
    SERVERS_FIELD,
    SAVE_FIELD,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesSettings:
    """Checked. Moved are the statements of `accounts` (of anybody, if there are none) in `schemas` (in any, if there are none).
    `other_accounts` and `other_schemas` are those of the pair's other segments: they have no part in it; no rule of theirs is changed.
    """

    admin: AdminSettings
    hostgroups: Mapping[ClusterName, int]
    readers: Mapping[ClusterName, int]
    accounts: tuple[str, ...]
    schemas: tuple[str, ...]
    other_accounts: tuple[str, ...]
    other_schemas: tuple[str, ...]
    servers: Mapping[ClusterName, Address]
    save: bool

    @property
    def of_the_pair(self) -> Mapping[int, ClusterName]:
        """Whose each hostgroup is, for writes or for reads."""
        return {number: cluster for groups in (self.hostgroups, self.readers) for cluster, number in groups.items()}


def read_rules_settings(spec: RouteSpec, topology: Topology) -> RulesSettings:
    """UsageError if nothing says what is moved, it is another segment's, or a hostgroup is none or stands there twice."""
    said = spec.settings
    hostgroups, readers = _hostgroups(spec, "hostgroups"), _hostgroups(spec, "reader_hostgroups")
    numbers = (*hostgroups.values(), *readers.values())
    if len(set(numbers)) != len(numbers):
        raise UsageError(f"route {spec.name}: a hostgroup stands there twice: {', '.join(map(str, numbers))}")
    own = tuple(segment for segment in topology.segments.values() if segment.route == spec.name)
    others = tuple(segment for segment in topology.segments.values() if segment.route != spec.name)
    accounts, schemas = (tuple(cast("tuple[str, ...]", said.get(name) or ())) for name in ("accounts", "schemas"))
    if not accounts and not schemas:
        accounts = _users(own)
    if not accounts and not schemas:
        raise UsageError(
            f"route {spec.name} does not say whose statements it moves",
            hint="name `accounts` or `schemas`, or make it the `route` of a segment that has accounts",
        )
    _check_others(spec, others, accounts, schemas)
    return RulesSettings(
        admin=read_admin(spec),
        hostgroups=hostgroups,
        readers=readers,
        accounts=accounts,
        schemas=schemas,
        other_accounts=_users(others),
        other_schemas=tuple(schema for segment in others for schema in segment.schemas),
        servers=read_servers(spec, topology),
        save=said.get("save") is not False,
    )


def _hostgroups(spec: RouteSpec, name: str) -> dict[ClusterName, int]:
    said = cast("Mapping[ClusterName, object]", spec.settings.get(name) or {})
    for cluster, number in said.items():
        if not (str(number).isascii() and str(number).isdigit()):
            raise UsageError(f"route {spec.name}: {name} of {cluster} is {number!r}", hint="a hostgroup is a number, 0 or more")
    return {cluster: int(str(number)) for cluster, number in said.items()}


def _users(segments: tuple[SegmentSpec, ...]) -> tuple[str, ...]:
    """ProxySQL knows its clients by their users alone: the host of an account is of no account to it."""
    return tuple(dict.fromkeys(account.rpartition("@")[0] or account for segment in segments for account in segment.accounts))


def _check_others(spec: RouteSpec, others: tuple[SegmentSpec, ...], accounts: tuple[str, ...], schemas: tuple[str, ...]) -> None:
    for segment in others:
        for what, found in (("account", set(accounts) & {*_users((segment,))}), ("schema", set(schemas) & {*segment.schemas})):
            if found:
                raise UsageError(
                    f"route {spec.name}: {what} {min(found)} is one of segment {segment.name}, whose route is {segment.route or 'none'}",
                    hint="a route moves the statements of its own segment and of no other",
                )
