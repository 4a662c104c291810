"""The driver of a server of the topology."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interlock.clock import Clock
from interlock.model.topology import SecretRef, ServerSpec
from interlock.servers.flavors import dialect_of, flavor_named
from interlock.servers.server import SqlServer

_UNTIL_IT_IS_KNOWN = "mariadb"


def make_server(spec: ServerSpec, *, secrets: Callable[[SecretRef], str], clock: Clock, pair: Sequence[ServerSpec]) -> SqlServer:
    """The driver of one server; connects to nothing yet. The flavor that a server has is found on its first connection.

    `secrets` yields a password from where the topology says it is; `pair` are all servers, by whose addresses channels are named.
    UsageError if the topology pins a flavor that nobody has.
    """
    supposed = flavor_named(spec.flavor or _UNTIL_IT_IS_KNOWN).newest
    return SqlServer(
        spec,
        secrets=secrets,
        clock=clock,
        pair=tuple(pair),
        recognise=lambda version: dialect_of(spec.name, version, pinned=spec.flavor),
        supposed=supposed,
    )
