"""Where a server or a host is and how one gets in: addresses, `access`, `tls` and `ssh` of the topology file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from interlock.documents.check import Checking, a_kind_of, check_fields
from interlock.documents.problems import Problems, shown
from interlock.documents.topology_fields import ACCESS_FIELDS, TLS_FIELDS
from interlock.documents.values import absolute
from interlock.documents.yaml import MapNode, Node, Scalar
from interlock.model.topology import Access, Account, SecretRef, SshSpec, Tls

HOST = re.compile(r"[A-Za-z0-9_.:%-]{1,253}")


def is_place(node: MapNode, values: Mapping[str, object], problems: Problems) -> bool:
    """Whether host and port can be connected to."""
    host, port = values.get("host"), values.get("port")
    good = True
    if isinstance(host, str) and not HOST.fullmatch(host):
        problems.add(node.get("host") or node, f"host {shown(host)} is neither a name nor an address")
        good = False
    if isinstance(port, int) and not 1 <= port <= 65535:
        problems.add(node.get("port") or node, f"port {shown(port)} is not between 1 and 65535")
        good = False
    return good


def given_access(node: Node | None, values: object, checking: Checking) -> dict[str, object]:
    """The keys of `access` that really stand in this mapping: `tls` as `Tls` or None, `canary` as an account."""
    if not isinstance(node, MapNode) or not isinstance(values, dict):
        return {}
    given = {field.name: values.get(field.name) for field in ACCESS_FIELDS if node.get(field.name) is not None}
    tls = node.get("tls")
    if tls is not None:
        given["tls"] = _tls(tls, checking)
    return given


def access_of(values: Mapping[str, object], name: str, node: MapNode, checking: Checking) -> Access | None:
    user, canary = values.get("user"), values.get("canary")
    if "user" not in values:
        checking.problems.add(node, f"server {name} has no user", "set `user` under `access`, or here")
    if not isinstance(user, str):
        return None
    return Access(
        account=Account(user=user, password=cast("SecretRef | None", values.get("password"))),
        tls=cast("Tls | None", values.get("tls", Tls())),
        canary=_canary(canary) if isinstance(canary, dict) else None,
    )


def _canary(values: Mapping[str, object]) -> Account | None:
    user = values.get("user")
    return Account(user=user, password=cast("SecretRef | None", values.get("password"))) if isinstance(user, str) else None


def _tls(node: Node, checking: Checking) -> Tls | None:
    """None for `off`, which must be said; `on` is `Tls()`."""
    if isinstance(node, Scalar):
        if node.value not in ("on", "off"):
            checking.problems.add(node, f"tls is {a_kind_of(node)}, not a mapping", "write tls: {ca: PATH}, or tls: off to go without")
        return None if node.value == "off" else Tls()
    values = check_fields(node, TLS_FIELDS, "tls", checking)
    place = {key: absolute(path, checking.folder) for key in ("ca", "cert", "key") if isinstance(path := values.get(key), str)}
    if place.keys() >= {"key"} and "cert" not in place:
        checking.problems.add(node, "tls has a key and no cert", "set both, or neither")
    return Tls(ca=place.get("ca"), cert=place.get("cert"), key=place.get("key"), verify_name=values.get("verify_name") is not False)


def ssh_of(node: Node | None, values: dict[str, object] | None, checking: Checking) -> SshSpec | None:
    if not isinstance(node, MapNode) or not values or not is_place(node, values, checking.problems):
        return None
    host, user, port = values.get("host"), values.get("user"), values.get("port")
    if not isinstance(host, str) or not isinstance(user, str) or not isinstance(port, int):
        return None
    place = {key: absolute(path, checking.folder) for key in ("key", "known_hosts") if isinstance(path := values.get(key), str)}
    return SshSpec(host=host, user=user, port=port, key=place.get("key"), known_hosts=place.get("known_hosts"))
