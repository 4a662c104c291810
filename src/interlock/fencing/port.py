"""Fencing by the host's packet filter: the server's port is closed on its host with nftables, by SSH, and seen closed there and here.

What comes in for the port is answered with a reset, sessions that are established included; what the server would answer is dropped, so
that no acknowledgement leaves it for a commit that came before. Left are the local socket, and a port that something else forwards to the
server (a container's network is forwarded, not received). The table is of its own and ends with the next boot of the host, so this is no
fence that outlives one: let the server start read-only by its option file.

Sources: nft(8): a list of commands is one transaction; chains of one hook are passed in the order of their priorities, and an `accept` of
one is not the last word, while what one rejects or drops is gone. Seen with nftables 1.0.6: priority -300 is listed as `raw`.
"""

from __future__ import annotations

import re

from interlock.dataclass import dataclass
from interlock.fencing.door import takes_connections
from interlock.fencing.on_host import OnHost
from interlock.fencing.parts import FencingParts, FencingType, must_be_known
from interlock.model.effects import FenceOutside, FencingEffect, ReleaseOutside, RunCommand
from interlock.model.fencing import AgentFacts
from interlock.model.topology import ServerSpec
from interlock.ports import FenceAgent

_CHAIN = re.compile(r"chain \w+ \{\s*type filter hook (\w+) priority [\w -]+;[^\n]*\n([^}]*)\}")
_NO_TABLE = 1
"""nft's exit for a table that is not there, as for every error; what is missing is no fence, so a look need not tell them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortAgent:
    """`allow` are addresses that still get in: Interlock's own, say, to fence the server by SQL before the port is released."""

    name: str
    host: OnHost
    master: ServerSpec
    port: int
    allow: tuple[str, ...]
    whole: bool = True

    def facts(self) -> AgentFacts:
        """Fenced: the table is as it was made, and, unless somebody is let in, nobody here gets a connection."""
        listed = self.host.look(self.host.order("nft", "list", "table", "inet", self._table, exits=(0, _NO_TABLE)))
        if listed.exit_code != 0 and "No such file" not in listed.stderr:
            return self._facts(fenced=None, detail=f"nft could not tell: {listed.stderr.strip()[:200]}")
        closed = listed.exit_code == 0 and self._is_whole(listed.stdout)
        reached = not self.allow and takes_connections(self.master.host, self.port)
        detail = f"table {self._table} {'closes' if closed else 'does not close'} port {self.port}"
        if not self.allow:
            detail += f"; {self.master.host}:{self.port} {'takes connections' if reached else 'takes no connection'} from here"
        return self._facts(fenced=closed and not reached, detail=detail)

    def script(self, effect: FencingEffect, /) -> tuple[str, ...]:
        return self.host.script(self._orders(effect))

    def apply(self, effect: FencingEffect, /) -> None:
        if isinstance(effect, ReleaseOutside):
            must_be_known(effect.seen)
        self.host.carry_out(self._orders(effect), effect.within_s)

    @property
    def _table(self) -> str:
        return f"interlock_fence_{self.port}"

    def _orders(self, effect: FencingEffect) -> tuple[RunCommand, ...]:
        """Both begin with a table that is there, so that the second time does no harm."""
        table = f"inet {self._table}"
        match effect:
            case FenceOutside():
                lets_in = [f"add rule {table} in {_family(address)} saddr {address} accept" for address in self.allow]
                lets_out = [f"add rule {table} out {_family(address)} daddr {address} accept" for address in self.allow]
                lines = [
                    f"add table {table}",
                    f"flush table {table}",
                    f"add chain {table} in {{ type filter hook input priority -300; policy accept; }}",
                    f"add chain {table} out {{ type filter hook output priority -300; policy accept; }}",
                    *lets_in,
                    f"add rule {table} in tcp dport {self.port} reject with tcp reset",
                    *lets_out,
                    f"add rule {table} out tcp sport {self.port} tcp flags & rst == 0 drop",
                ]
            case ReleaseOutside(seen=seen):
                lines = [] if seen.fenced else [f"add table {table}", f"delete table {table}"]
        return (self.host.order("nft", "; ".join(lines)),) if lines else ()

    def _is_whole(self, listed: str) -> bool:
        """Whether both rules stand in a chain of their hook; whom they let in was ours to say, so a table with another `accept` is none."""
        chains = dict(_CHAIN.findall(listed))
        accepts = sum(chain.count(" accept") for chain in chains.values())
        return (
            bool(re.search(rf"tcp dport {self.port} reject with tcp reset", chains.get("input", "")))
            and bool(re.search(rf"tcp sport {self.port} tcp flags [^\n]*\brst\b[^\n]* drop", chains.get("output", "")))
            and accepts == 2 * len(self.allow)
        )

    def _facts(self, *, fenced: bool | None, detail: str) -> AgentFacts:
        return AgentFacts(agent=self.name, cluster=self.host.cluster, fenced=fenced, whole=self.whole, detail=detail)


def _family(address: str) -> str:
    return "ip6" if ":" in address else "ip"


def _make(parts: FencingParts) -> FenceAgent:
    allow = parts.settings.get("allow")
    return PortAgent(
        name=parts.name,
        host=parts.on_host(),
        master=parts.cluster.master,
        port=int(str(parts.settings.get("port") or parts.cluster.master.port)),
        allow=tuple(str(each) for each in allow) if isinstance(allow, tuple) else (),
    )


PORT = FencingType(name="port", summary="The host's packet filter, by SSH: the server's port is closed.", make=_make)
