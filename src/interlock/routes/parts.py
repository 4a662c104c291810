"""What a route driver is made of, and what it declares of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.documents.fields import Field
from interlock.errors import UsageError
from interlock.model.topology import RouteSpec, SecretRef, ServerName, Topology
from interlock.ports import Outside, Route
from interlock.routes.client import Connect


def _no_secrets(_: SecretRef) -> str:
    raise UsageError("nobody can be asked for secrets here")


def _hides_nothing(_: str) -> None:
    """Nothing is printed or stored here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteParts:
    """`connect` logs in as a client would, None when no account is known. `server_ids` looks up the pair's, when they are needed.

    `secrets` reads one from where it is to be had: UsageError if it is not there. `hide` keeps out of reports and journals
    what a driver made of a secret or got by it; `redact` strikes out all that is known.
    """

    topology: Topology
    outside: Outside
    clock: Clock
    connect: Connect | None = None
    server_ids: Callable[[], Mapping[int, ServerName]] = dict
    secrets: Callable[[SecretRef], str] = _no_secrets
    hide: Callable[[str], None] = _hides_nothing
    redact: Callable[[str], str] = str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteType:
    """One `type:` of a route. `make` gets settings that were checked against `fields`; UsageError for what fields can't say."""

    name: str
    summary: str
    fields: tuple[Field, ...]
    make: Callable[[RouteSpec, RouteParts], Route]
