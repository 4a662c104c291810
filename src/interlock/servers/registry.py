"""The driver of a server of the topology."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from interlock.clock import Clock
from interlock.errors import StatementFailed
from interlock.model.topology import SecretRef, ServerSpec
from interlock.servers.dialect import Dialect
from interlock.servers.flavors import dialect_of, flavor_named
from interlock.servers.server import SqlServer
from interlock.servers.trepctl import Replicator

_UNTIL_IT_IS_KNOWN = "mariadb"


def make_server(
    spec: ServerSpec,
    *,
    secrets: Callable[[SecretRef], str],
    clock: Clock,
    pair: Sequence[ServerSpec],
    replicator: Replicator | None = None,
    others: Callable[[], Iterable[SqlServer]] = tuple,
) -> SqlServer:
    """The driver of one server; connects to nothing yet. The flavor that a server has is found on its first connection.

    `secrets` yields a password from where the topology says it is; `pair` are all servers, by whose addresses channels are named.
    `replicator` replicates into it, if the server does not do that itself. Until it answers it is supposed to speak as the first of
    `others` that does. UsageError if the topology pins a flavor that nobody has.
    """

    def recognise(version: str) -> Dialect:
        found = dialect_of(spec.name, version, pinned=spec.flavor)
        found = found if spec.fence is None else _fenced_harder(spec, found)
        return found if replicator is None else _replicated(found, replicator)

    pinned = flavor_named(spec.flavor).newest if spec.flavor is not None else None

    def supposed() -> Dialect:
        spoken = (other.spoken for other in others())
        found = pinned or next(filter(None, spoken), None) or flavor_named(_UNTIL_IT_IS_KNOWN).newest
        return _fenced_as(spec, found)

    return SqlServer(
        spec,
        secrets=secrets,
        clock=clock,
        pair=tuple(pair),
        recognise=recognise,
        supposed=supposed,
        replicator=replicator,
    )


def _replicated(found: Dialect, replicator: Replicator) -> Dialect:
    from interlock.servers.tungsten import Tungsten  # noqa: PLC0415 - most pairs have none

    return Tungsten(inner=found, replicator=replicator)


def _fenced_as(spec: ServerSpec, found: Dialect) -> Dialect:
    """What another server speaks, with this one's own fence."""
    from interlock.servers.mysql import MySQL  # noqa: PLC0415 - most pairs have one flavor

    return replace(found, offline=spec.fence is not None) if isinstance(found, MySQL) else found


def _fenced_harder(spec: ServerSpec, found: Dialect) -> Dialect:
    from interlock.servers.mysql import MySQL  # noqa: PLC0415 - as above

    if not isinstance(found, MySQL):
        raise StatementFailed(
            f"{spec.name} is {found.flavor}, which has no {spec.fence}", hint="leave `fence` out of the topology", server=spec.name
        )
    return replace(found, offline=True)
