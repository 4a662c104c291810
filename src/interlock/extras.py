"""What other packages add by entry points, found without `importlib.metadata` as long as nobody adds anything.

It takes 40 ms of a start-up to import and to read every package; who adds nothing should not wait for it in an emergency.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def added(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, on the path as it is now."""
    if not any(_may_add(Path(folder), group) for folder in dict.fromkeys(sys.path)):
        return ()
    from importlib.metadata import entry_points  # noqa: PLC0415 - see above

    return tuple(entry_points(group=group))


def _may_add(folder: Path, group: str) -> bool:
    """An archive may hold anything. Folders: entry-points specification, `NAME-VERSION.dist-info/entry_points.txt` (eggs: `.egg-info`)."""
    if folder.is_file():
        return True
    wanted = group.encode()
    return any(wanted in listed.read_bytes() for kind in ("dist", "egg") for listed in folder.glob(f"*.{kind}-info/entry_points.txt"))
