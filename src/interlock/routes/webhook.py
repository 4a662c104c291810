"""A route that a service of the team's own sets and shows, by HTTP.

Contract: `flip` is answered with one of the statuses of its `expect` once new clients are sent to the cluster that `{to}` stands for, in
its address, its headers or its body; `show` is answered with that cluster's name (or its text in `values`), alone or where a JSON pointer
(RFC 6901) says. Any other status is a failure; an answer that does not come in time is looked after with `show`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from interlock.documents.fields import Field, Kind
from interlock.errors import UsageError
from interlock.model.effects import CallHttp
from interlock.model.facts import CommandResult, HttpResult
from interlock.model.topology import ClusterName, RouteSpec, SecretRef
from interlock.ports import Route
from interlock.routes.hooks import HookPlace
from interlock.routes.http_api import CA, PASSWORD, USER, account_of, basic, json_of
from interlock.routes.parts import RouteParts, RouteType
from interlock.routes.pointer import PointerRoute

_REQUEST = (
    Field(name="method", kind=Kind.TEXT, default="POST", choices=("GET", "POST", "PUT", "PATCH", "DELETE"), doc="The request's method."),
    Field(name="url", kind=Kind.TEXT, required=True, doc="Where it is sent."),
    Field(name="headers", kind=Kind.MAPPING, doc="What it carries; for secrets there is `token`, or `user` and `password`."),
    Field(name="body", kind=Kind.TEXT, doc="What is sent."),
    Field(name="expect", kind=Kind.INTEGERS, default=(200, 201, 202, 204), doc="The statuses that mean done."),
)
_SHOW = (
    Field(name="method", kind=Kind.TEXT, default="GET", choices=("GET", "POST"), doc="The request's method."),
    *(part for part in _REQUEST if part.name not in {"method", "expect"}),
    Field(name="expect", kind=Kind.INTEGERS, default=(200,), doc="The statuses of a good answer."),
    Field(name="pointer", kind=Kind.TEXT, doc="JSON pointer to the cluster's name in the answer; without it, the name is the answer."),
)
FIELDS = (
    Field(name="flip", kind=Kind.FIELDS, fields=_REQUEST, required=True, doc="Sends clients to the cluster `{to}`."),
    Field(name="show", kind=Kind.FIELDS, fields=_SHOW, doc="Tells which cluster gets the clients."),
    Field(name="hold", kind=Kind.FIELDS, fields=_REQUEST, doc="Keeps new clients waiting."),
    Field(name="release", kind=Kind.FIELDS, fields=_REQUEST, doc="Lets them go."),
    Field(name="values", kind=Kind.CLUSTER_MAP, doc="What the service calls each cluster; the clusters' names if it is left out."),
    Field(name="token", kind=Kind.SECRET, doc="Where a bearer token is to be had."),
    USER,
    PASSWORD,
    Field(name="within", kind=Kind.DURATION, default=5.0, doc="How long each answer may take."),
    Field(name="hold_limit", kind=Kind.DURATION, doc="How long clients can be kept waiting."),
    CA,
)

_DONE = (200, 201, 202, 204)

Said = Mapping[str, object]


def _make(spec: RouteSpec, parts: RouteParts) -> Route:
    said = spec.settings
    values = cast("Mapping[ClusterName, str]", said.get("values") or {cluster: str(cluster) for cluster in parts.topology.clusters})
    _check(spec, values)
    send = _sender(spec, parts)
    flip, show = cast("Said", said["flip"]), cast("Said | None", said.get("show"))
    hold, release = cast("Said | None", said.get("hold")), cast("Said | None", said.get("release"))
    place = HookPlace(
        route=spec.name,
        name=str(flip["url"]),
        outside=parts.outside,
        flip=lambda to: send(flip, values[to], _DONE),
        show=None if show is None else send({"method": "GET", **_given(show)}, "", (200,)),
        hold=None if hold is None else send(hold, "", _DONE),
        release=None if release is None else send(release, "", _DONE),
        said=_pointed(None if show is None else cast("str | None", show.get("pointer"))),
        named={text: cluster for cluster, text in values.items()},
        hold_s=None if said.get("hold_limit") is None or hold is None else float(str(said["hold_limit"])),
    )
    return PointerRoute(spec, parts, place)


def _sender(spec: RouteSpec, parts: RouteParts) -> Callable[[Said, str, tuple[int, ...]], CallHttp]:
    """Makes a request of what the file says of it, with `{to}` replaced, and the account's header."""
    said = spec.settings
    token = said.get("token")
    login = basic(account_of(spec, parts)) if token is None else {"Authorization": f"Bearer {parts.secrets(cast('SecretRef', token))}"}
    within_s = float(str(said.get("within") or 5.0))
    ca = None if said.get("ca") is None else str(said["ca"])

    def send(request: Said, to: str, expect: tuple[int, ...]) -> CallHttp:
        headers = cast("Mapping[str, str]", request.get("headers") or {})
        return CallHttp(
            method=str(request.get("method") or "POST"),
            url=str(request["url"]).replace("{to}", to),
            within_s=within_s,
            headers={**{name: text.replace("{to}", to) for name, text in headers.items()}, **login},
            body=str(request.get("body") or "").replace("{to}", to),
            statuses=cast("tuple[int, ...]", request.get("expect") or expect),
            ca=ca,
        )

    return send


def _given(request: Said) -> dict[str, object]:
    return {name: value for name, value in request.items() if value is not None}


def _pointed(pointer: str | None) -> Callable[[CommandResult | HttpResult], str]:
    def said(result: CommandResult | HttpResult) -> str:
        if not isinstance(result, HttpResult):
            return ""
        return result.body.strip() if pointer is None else str(_at(json_of(result), pointer))

    return said


def _at(document: Any, pointer: str) -> object:
    """What a JSON pointer (RFC 6901) points to; None if there is nothing."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, list) and name.isascii() and name.isdigit() and int(name) < len(document):
            document = document[int(name)]
        elif isinstance(document, dict) and name in document:
            document = document[name]
        else:
            return None
    return document


def _check(spec: RouteSpec, values: Mapping[ClusterName, str]) -> None:
    said = spec.settings
    flip = cast("Said", said["flip"])
    carries = [str(flip["url"]), str(flip.get("body") or ""), *cast("Mapping[str, str]", flip.get("headers") or {}).values()]
    if not any("{to}" in text for text in carries):
        raise UsageError(f"route {spec.name}: `flip` has no {{to}}: it could not know the cluster", hint="""body: '{"writer": "{to}"}'""")
    if (said.get("hold") is None) != (said.get("release") is None):
        raise UsageError(f"route {spec.name}: `hold` and `release` come together")
    if said.get("token") is not None and said.get("user") is not None:
        raise UsageError(f"route {spec.name}: `token` and `user` are two ways to log in", hint="keep one of them")
    if len(set(values.values())) != len(values):
        raise UsageError(f"route {spec.name}: two clusters have the same value in `values`")
    pointer = cast("Said", said.get("show") or {}).get("pointer")
    if pointer is not None and pointer and not str(pointer).startswith("/"):
        raise UsageError(f"route {spec.name}: {pointer!r} is no JSON pointer", hint="it begins with /, as /pool/active")


WEBHOOK = RouteType(name="webhook", summary="A service of the team's own, by HTTP.", fields=FIELDS, make=_make)
