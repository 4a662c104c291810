"""A proxy's own checks of the server.

None of them tells when its last check was, and a check that is to come finds what the last one could not: so `up` is never a word from the
server itself, only a sign that somebody may still reach it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interlock.model.facts import EndpointFacts, RouteFacts
from interlock.model.liveness import View
from interlock.model.topology import ClusterName
from interlock.vantages.point import Sight

_WORDS = {True: "up at its last check", False: "down", None: "not checked"}


def ask(facts: Callable[[], RouteFacts], cluster: ClusterName) -> Callable[[float], Sight]:
    """How to look at a cluster's master by a route's proxies."""

    def see(_within_s: float) -> Sight:
        return judged([endpoint for endpoint in facts().endpoints if endpoint.cluster == cluster])

    return see


def judged(endpoints: Sequence[EndpointFacts]) -> Sight:
    """One proxy that may reach it is enough for clients to."""
    healths = [endpoint.healthy and not endpoint.failing for endpoint in endpoints]
    said = "; ".join(f"{endpoint.proxy}: {_word(endpoint)}" for endpoint in endpoints) if len(endpoints) > 1 else ""
    if True in healths:
        return Sight(View.STALE, said or "it was up at the last check")
    if None in healths or not healths:
        return Sight(View.UNKNOWN, said or "it does not check it")
    return Sight(View.CUT, said)


def _word(endpoint: EndpointFacts) -> str:
    return "its last check failed" if endpoint.failing else _WORDS[endpoint.healthy]
