"""A sandbox made by `interlock sandbox up --like`, for scenarios."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.sandbox import pair as pairs
from interlock.sandbox import places
from interlock.sandbox.kinds import user_cache
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from scenarios.command_line import interlock

WITHIN_S = 240.0  # a busy machine takes its time


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What `up --like` printed, and the sandbox."""

    document: Any
    sandbox: Sandbox
    env: Mapping[str, str]

    def query(self, server: str, statement: str) -> list[dict[str, Any]]:
        return query(self.sandbox, server, statement)


@contextmanager
def like(topology: str, env: Mapping[str, str], folder: Path) -> Iterator[Made]:
    """Servers are where they are installed, whatever the home; the data directory is copied from the template that is there."""
    env = {**env, "INTERLOCK_TOPOLOGY": "", "XDG_CACHE_HOME": str(user_cache().parent)}
    directory = folder / "like"
    up = interlock("sandbox", "up", "--like", topology, "--dir", str(directory), "--json", env=env, within_s=WITHIN_S)
    assert up.code == 0, up
    try:
        said = up.document
        used = {**env, "INTERLOCK_TOPOLOGY": said["topology"], "INTERLOCK_STORE": said["store"]}
        yield Made(document=said, sandbox=places.read(directory), env=used)
    finally:
        pairs.down(directory)
