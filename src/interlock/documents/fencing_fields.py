"""What a topology file may say under `fencing`, and what of it single keys can't tell: its host, its route."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address

from interlock.documents.checking import Checking
from interlock.documents.fields import Field, Kind
from interlock.documents.problems import shown
from interlock.documents.yaml import ListNode, MapNode, Node, Scalar

_UNIT = re.compile(r"[A-Za-z0-9:_.@\\-]{1,200}")
_FILE = re.compile(r"/[A-Za-z0-9_./@+-]{1,200}\.cnf")

BY_SSH = ("service", "port")
ROUTES_OF: Mapping[str, tuple[str, ...]] = {"address": ("vip",), "proxy": ("haproxy", "proxysql")}
"""The types of routes that can take a cluster's clients away and end their sessions."""


def _unit_rule(text: str) -> str:
    return "" if _UNIT.fullmatch(text) and not text.startswith("-") else f"{text[:80]!r} is no name of a unit"


def _file_rule(text: str) -> str:
    return "" if _FILE.fullmatch(text) else f"{text[:80]!r} is no absolute path that ends with .cnf"


def _port_rule(number: int) -> str:
    return "" if 1 <= number <= 65535 else f"{number} is not between 1 and 65535"


def _allow_rule(addresses: tuple[str, ...]) -> str:
    for text in addresses:
        try:
            ip_address(text)
        except ValueError:
            return f"{text[:80]!r} is no address"
    return ""


_SUDO = Field(name="sudo", kind=Kind.FLAG, default=False, doc="whether its commands are run by `sudo -n` on the host")
_ROUTE = "a route of type {}, by its name"

FENCING_TYPES: Mapping[str, tuple[Field, ...]] = {
    "service": (
        Field(name="unit", kind=Kind.TEXT, required=True, rule=_unit_rule, doc="the systemd unit to kill and to bar from starting, by ssh"),
        Field(
            name="option_file",
            kind=Kind.TEXT,
            rule=_file_rule,
            doc="a file of the server's include folder, written there so that whatever starts the server starts it read-only",
        ),
        _SUDO,
    ),
    "port": (
        Field(name="port", kind=Kind.INTEGER, rule=_port_rule, doc="the port to close on the host, by ssh; the master's if it is left out"),
        Field(name="allow", kind=Kind.TEXTS, default=(), rule=_allow_rule, doc="addresses that still get in"),
        _SUDO,
    ),
    "address": (Field(name="route", kind=Kind.SERVER, required=True, doc=_ROUTE.format("vip")),),
    "proxy": (Field(name="route", kind=Kind.SERVER, required=True, doc=f"{_ROUTE.format('haproxy or proxysql')}, or all"),),
    "command": (
        Field(name="fence", kind=Kind.ARGV, required=True, doc="the command that fences the cluster"),
        Field(name="show", kind=Kind.ARGV, required=True, doc="the command that tells the state"),
        Field(name="fenced", kind=Kind.TEXT, required=True, doc="what `show` prints when it is fenced"),
        Field(name="release", kind=Kind.ARGV, doc="the command that takes it back"),
        Field(name="whole", kind=Kind.FLAG, default=True, doc="false: it closes one way to the server only, and does not prove it closed"),
    ),
}
FENCING_FIELDS = (
    Field(name="type", kind=Kind.TEXT, required=True, doc="which way to fence"),
    Field(name="name", kind=Kind.SERVER, doc="what it is called; its type if it is left out"),
    Field(name="within", kind=Kind.DURATION, default=5.0, doc="how long one command of it may take"),
)


def check_fencing(clusters: Mapping[str, MapNode], routes: Mapping[str, str], checking: Checking) -> None:
    """Once the whole file was read. `routes` has the type of each route, by its name."""
    for cluster, node in clusters.items():
        fencing = node.get("fencing")
        names: set[str] = set()
        for item in fencing.items if isinstance(fencing, ListNode) else ():
            if isinstance(item, MapNode):
                _check_way(item, cluster, has_ssh=node.get("ssh") is not None, routes=routes, checking=checking)
                name = _text(item.get("name"))
                if name is not None and name in names:
                    checking.problems.add(
                        item.place("name"), f"two ways of fencing {cluster} are called {shown(name)}", "choose another name"
                    )
                names.add(name or "")


def _check_way(item: MapNode, cluster: str, *, has_ssh: bool, routes: Mapping[str, str], checking: Checking) -> None:
    kind, route = _text(item.get("type")), _text(item.get("route"))
    if kind in BY_SSH and not has_ssh:
        checking.problems.add(
            item.place("type"),
            f"fencing {cluster} by {kind} needs its host, and there is no way to log in there",
            f"add `ssh` to {cluster}",
        )
    if kind is None or kind not in ROUTES_OF or route is None:
        return
    able = ROUTES_OF[kind]
    fit = [name for name, its in routes.items() if its in able]
    if route == "all" and kind == "proxy":
        if not fit:
            checking.problems.add(
                item.place("route"), "no route is of a type that can end the sessions to one cluster", _of_type(able, fit)
            )
    elif route not in routes:
        checking.problems.add_unknown(item.place("route"), f"there is no route {shown(route)}", route, tuple(routes))
    elif routes[route] not in able:
        checking.problems.add(
            item.place("route"), f"fencing by {kind} can't use route {shown(route)}, which is of type {routes[route]}", _of_type(able, fit)
        )


def _of_type(able: tuple[str, ...], fit: list[str]) -> str:
    return f"it takes a route of type {' or '.join(able)}" + (f": {', '.join(fit)}" if fit else ", and there is none")


def _text(node: Node | None) -> str | None:
    return node.text if isinstance(node, Scalar) else None
