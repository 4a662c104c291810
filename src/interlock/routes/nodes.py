"""All nodes of one proxy behind HTTP APIs of their own: each is read and each is set, at the same time, and what was seen last is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from functools import partial

from interlock.dataclass import dataclass
from interlock.model.effects import CallHttp
from interlock.model.facts import EndpointFacts
from interlock.routes.http_api import Api
from interlock.routes.last_seen import LastSeen
from interlock.routes.orders import in_order
from interlock.routes.proxies import at_once


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """The nodes of `api.urls`, each named by its address. One that is out of reach on the way back is as it was last seen."""

    api: Api
    last: LastSeen[tuple[EndpointFacts, ...]] = field(default_factory=partial(LastSeen, after_a_miss=True), repr=False, compare=False)

    def endpoints(self, read: Callable[[str], tuple[EndpointFacts, ...]]) -> tuple[EndpointFacts, ...]:
        """Of all nodes, in their order."""
        by_node = at_once({url: partial(self.last.look, url, partial(read, url)) for url in self.api.urls})
        return tuple(endpoint for url in self.api.urls for endpoint in by_node[url])

    def script(self, calls: Callable[[str], tuple[CallHttp, ...]]) -> tuple[str, ...]:
        return tuple(line for url in self.api.urls for call in calls(url) for line in self.api.outside.script(call))

    def order(self, calls: Callable[[str], tuple[CallHttp, ...]]) -> None:
        """What each node is told, in order; a node that is told nothing is not touched."""
        wanted = {url: each for url in self.api.urls if (each := calls(url))}
        if wanted:
            with self.last.attempt():
                at_once({url: partial(self._order, url, each) for url, each in wanted.items()})

    def _order(self, url: str, calls: tuple[CallHttp, ...]) -> None:
        with self.last.touching(url):
            in_order([partial(self.api.order, call) for call in calls])
