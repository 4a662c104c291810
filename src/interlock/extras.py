"""What is imported only when it is asked for: our own parts by a table of places, others' by their entry points.

To import every part there is takes longer than to fail over. And `importlib.metadata`, which reads every package, is left alone as long as
nobody adds anything: that is 40 ms more.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def part(place: str) -> Any:
    """What `interlock.module:NAME` names."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def added(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, on the path as it is now; what is installed later in a folder of it is not seen any more."""
    wanted = group.encode()
    if not any(listed is None or wanted in listed for listed in _listings(tuple(sys.path))):
        return ()
    from importlib.metadata import entry_points  # noqa: PLC0415 - see above

    return tuple(entry_points(group=group))


@cache
def _listings(path: tuple[str, ...]) -> tuple[bytes | None, ...]:
    """What every package says that it adds; None for an archive, which may hold anything. Read once: each new connection asks.

    Entry-points specification: `NAME-VERSION.dist-info/entry_points.txt` (eggs: `.egg-info`).
    """
    found: list[bytes | None] = []
    for folder in map(Path, dict.fromkeys(path)):
        if folder.is_file():
            found.append(None)
        found += [listed.read_bytes() for kind in ("dist", "egg") for listed in folder.glob(f"*.{kind}-info/entry_points.txt")]
    return tuple(found)
