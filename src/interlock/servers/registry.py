"""The driver of each flavor of server."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interlock.clock import Clock
from interlock.errors import StatementFailed
from interlock.model.topology import SecretRef, ServerSpec
from interlock.ports import Server
from interlock.servers.flavors import MARIADB
from interlock.servers.mariadb import MariaDBServer


def make_server(spec: ServerSpec, *, secrets: Callable[[SecretRef], str], clock: Clock, pair: Sequence[ServerSpec]) -> Server:
    """The driver of one server; connects to nothing yet. The flavor that a server really has is checked on its first connection.

    `secrets` yields a password from where the topology says it is; `pair` are all servers, by whose addresses channels are named.
    StatementFailed if the topology pins a flavor that is not driven.
    """
    if spec.flavor is not None and spec.flavor.lower() != MARIADB:
        raise StatementFailed(
            f"{spec.name} runs {spec.flavor}, which this version does not drive", hint="MariaDB 10.5 and newer are driven", server=spec.name
        )
    return MariaDBServer(spec, secrets=secrets, clock=clock, pair=tuple(pair))
