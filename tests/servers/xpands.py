"""Pairs of the stand-in for Xpand that tests share: two clusters of two nodes, and an HAProxy in front."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interlock.clock import SystemClock
from interlock.sandbox.child import Child
from interlock.sandbox.places import Sandbox
from interlock.sandbox.xpand.pair import pair

CLOCK = SystemClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Xpands:
    """`clusters` holds each one's process."""

    sandbox: Sandbox
    clusters: dict[str, Child]


@contextmanager
def xpands() -> Iterator[Xpands]:
    """East open, west fenced."""
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder, pair(Path(folder) / "pair", clock=CLOCK) as (sandbox, clusters):
        yield Xpands(sandbox=sandbox, clusters=clusters)
