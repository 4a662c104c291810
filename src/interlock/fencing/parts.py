"""What a way of fencing is made of, and what it declares of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from interlock.clock import Clock
from interlock.model.topology import ClusterSpec
from interlock.ports import FenceAgent, Outside, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class FencingParts:
    """For one way of one cluster. `settings` were checked against the type's fields; `route` finds a route of the pair by its name."""

    name: str
    settings: Mapping[str, object]
    cluster: ClusterSpec
    outside: Outside
    clock: Clock
    route: Callable[[str], Route]

    def text(self, key: str) -> str | None:
        value = self.settings.get(key)
        return None if value is None else str(value)

    def within_s(self) -> float:
        return float(str(self.settings.get("within") or 5.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class FencingType:
    """One `type:` under `fencing`; its keys are in `documents/topology_fields.py`. UsageError from `make` for what they can not say."""

    name: str
    summary: str
    make: Callable[[FencingParts], FenceAgent]
