"""The network between the parties of a simulated pair: a link can be cut in one direction or in both, and heals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from interlock.dataclass import dataclass

TOOL, PROXY, CLIENTS = "tool", "proxy", "clients"
"""The parties that are no servers; a server is named by its own name."""


@dataclass(slots=True, kw_only=True)
class Network:
    """`cuts` are the directions in which nothing arrives. TCP keeps what was sent: it arrives when the link heals (`on_heal`)."""

    cuts: set[tuple[str, str]] = field(default_factory=set)
    on_heal: list[Callable[[], None]] = field(default_factory=list)

    def passes(self, sender: str, receiver: str) -> bool:
        return not self.cuts or (sender, receiver) not in self.cuts

    def joins(self, one: str, other: str) -> bool:
        """Whether both directions pass, as every connection needs."""
        return not self.cuts or self.cuts.isdisjoint({(one, other), (other, one)})

    def cut(self, sender: str, receiver: str) -> None:
        self.cuts.add((sender, receiver))

    def heal(self, sender: str, receiver: str) -> None:
        self.cuts.discard((sender, receiver))
        for tell in self.on_heal:
            tell()
