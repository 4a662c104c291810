"""What a way of fencing is made of, and what it declares of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.fencing.on_host import OnHost
from interlock.model.fencing import AgentFacts
from interlock.model.topology import ClusterSpec, RouteName
from interlock.ports import FenceAgent, Outside, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class FencingParts:
    """For one way of one cluster. `settings` were checked against the type's fields; `route` finds a route of the pair by its name,
    `routes` has the type of each.
    """

    name: str
    settings: Mapping[str, object]
    cluster: ClusterSpec
    outside: Outside
    clock: Clock
    route: Callable[[str], Route]
    routes: Mapping[RouteName, str]

    def text(self, key: str) -> str | None:
        value = self.settings.get(key)
        return None if value is None else str(value)

    def on_host(self) -> OnHost:
        sudo = self.settings.get("sudo") is True
        return OnHost(cluster=self.cluster.name, outside=self.outside, clock=self.clock, sudo=sudo, within_s=self.within_s())

    def within_s(self) -> float:
        return float(str(self.settings.get("within") or 5.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class FencingType:
    """One `type:` under `fencing`; its keys are in `documents/topology_fields.py`. UsageError from `make` for what they can not say."""

    name: str
    summary: str
    make: Callable[[FencingParts], FenceAgent]


def must_be_known(seen: AgentFacts) -> None:
    """StatementFailed if it could not tell how it was before the fence: what a person had closed must not be opened."""
    if seen.fenced is None:
        raise StatementFailed(
            f"{seen.agent} can't put {seen.cluster} back as it was: before the fence it could not tell how that was",
            hint="look, and release it by hand if it shall run again",
        )
