"""The version that a server greets with."""

from __future__ import annotations

import re

Version = tuple[int, int, int]


def version_of(version: str) -> Version:
    """The three numbers of a version; (0, 0, 0) if there are none.

    MariaDB up to 10.x greets with `5.5.5-10.11.6-MariaDB` (MDEV-4088: old replicas take `10.` for 1).
    """
    matched = re.match(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)", version)
    if matched is None:
        return (0, 0, 0)
    major, minor, patch = (int(number) for number in matched.groups())
    return (major, minor, patch)
