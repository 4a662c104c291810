"""Texts with a form of their own: names, durations, addresses, paths."""

from __future__ import annotations

import os
import re
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
NAME_RULE = "1 to 64 letters, digits, '_', '.' or '-', beginning with a letter, digit or '_'"
MAX_DURATION_S = 366 * 86400.0

_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([A-Za-z0-9_.-]+)):(\d{1,5})")


def duration_s(text: str) -> float | None:
    """Seconds from `200ms 2s 5m 4h 1d`; None if it is no duration of at most 366 days."""
    matched = _DURATION.fullmatch(text)
    if matched is None:
        return None
    seconds = float(matched[1]) * _UNIT_S[matched[2]]
    return seconds if seconds <= MAX_DURATION_S else None


def address(text: str) -> tuple[str, int] | None:
    """Host and port from `host:port` or `[v6]:port`."""
    matched = _ADDRESS.fullmatch(text)
    if matched is None or not 1 <= int(matched[3]) <= 65535:
        return None
    return (matched[1] or matched[2], int(matched[3]))


def absolute(place: str, folder: Path) -> str:
    """A path as the file means it: `~` is the user's home, a relative one begins at the file's folder."""
    return os.path.normpath(folder / os.path.expanduser(place))  # noqa: PTH111 -- Path.expanduser raises where there is no home
