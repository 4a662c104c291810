"""The flavors of server there are: those that ship, and others' by entry points in the group `interlock.servers`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from interlock.errors import StatementFailed, UsageError
from interlock.extras import added, part
from interlock.servers.dialect import Dialect, Flavor

_OWN = {
    "mariadb": "interlock.servers.mariadb:MARIADB",
    "xpand": "interlock.servers.xpand:XPAND",
    "mysql": "interlock.servers.mysql:MYSQL",
}
"""In the order in which a greeting is tried on them: MySQL's says nothing of its flavor, so it comes last."""

GROUP = "interlock.servers"


def flavor_named(name: str) -> Flavor:
    """UsageError for one that nobody has. One that ships goes first: no package can take its name."""
    wanted = name.lower()
    if wanted in _OWN:
        own: Flavor = part(_OWN[wanted])
        return own
    found = {entry.name: entry for entry in added(GROUP)}
    if wanted not in found:
        known = sorted({*_OWN, *found})
        near = difflib.get_close_matches(wanted, known, n=1)
        raise UsageError(
            f"no flavor of server is called {name!r}", hint=f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        )
    try:
        loaded = found[wanted].load()
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"the flavor {name} can't be loaded from {found[wanted].value}: {error}", hint="mend or remove its package"
        ) from error
    if not isinstance(loaded, Flavor):
        raise UsageError(f"the entry point {name} of {GROUP} is no Flavor: {loaded!r}")
    return loaded


def dialect_of(server: str, version: str, *, pinned: str | None) -> Dialect:
    """What a server that greets with `version` speaks. StatementFailed if nobody drives it, or it is not of the pinned flavor."""
    found = next((flavor for flavor in _every() if flavor.greets(version)), None)
    if pinned is not None:
        wanted = flavor_named(pinned)
        if not wanted.greets(version):
            raise StatementFailed(
                f"{server} is {wanted.name} by the topology, and greets with {version}",
                hint="leave `flavor` out: it is detected",
                server=server,
            )
        return wanted.speaks(server, version)
    if found is None:
        raise StatementFailed(
            f"{server} runs {version}, which this version does not drive", hint=f"driven are {', '.join(_OWN)}", server=server
        )
    return found.speaks(server, version)


def _every() -> Iterator[Flavor]:
    """Others' flavors are asked before those that ship: the greeting of a fork of MySQL is MySQL's too."""
    yield from (flavor_named(entry.name) for entry in added(GROUP) if entry.name not in _OWN)
    yield from map(flavor_named, _OWN)
