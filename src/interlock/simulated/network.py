"""The network between the parties of a simulated pair: a link can be cut in one direction or in both, and heals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from interlock.dataclass import dataclass

TOOL, PROXY, CLIENTS = "tool", "proxy", "clients"
"""The parties that are no servers; a server is named by its own name."""


@dataclass(slots=True, kw_only=True)
class Network:
    """`cuts` are the directions in which nothing arrives, and since when. TCP keeps what was sent: it arrives when the link heals
    (`on_heal`).
    """

    cuts: dict[tuple[str, str], float] = field(default_factory=dict)
    now_s: Callable[[], float] = float
    on_heal: list[Callable[[], None]] = field(default_factory=list)

    def passes(self, sender: str, receiver: str) -> bool:
        return not self.cuts or (sender, receiver) not in self.cuts

    def joins(self, one: str, other: str) -> bool:
        """Whether both directions pass, as every connection needs."""
        return not self.cuts or not ((one, other) in self.cuts or (other, one) in self.cuts)

    def parted_s(self, one: str, other: str) -> float:
        """How long no connection has joined the two."""
        since_s = [self.cuts[way] for way in ((one, other), (other, one)) if way in self.cuts]
        return self.now_s() - min(since_s) if since_s else 0.0

    def cut(self, sender: str, receiver: str) -> None:
        self.cuts.setdefault((sender, receiver), self.now_s())

    def heal(self, sender: str, receiver: str) -> None:
        self.cuts.pop((sender, receiver), None)
        for tell in self.on_heal:
            tell()
