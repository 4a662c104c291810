"""The word of a team's own program on a cluster's power, or on whatever else keeps its master from running: a fencing agent's look.

That it is *not* fenced tells nothing: a machine with power may be as dead.
"""

from __future__ import annotations

from collections.abc import Callable

from interlock.model.fencing import AgentFacts
from interlock.model.liveness import View
from interlock.vantages.point import Sight


def show(facts: Callable[[], AgentFacts]) -> Callable[[float], Sight]:
    """How to look by an agent that is `whole`: one that closes one way in only tells nothing of the server."""

    def see(_within_s: float) -> Sight:
        seen = facts()
        return Sight(View.OFF if seen.fenced and seen.whole else View.UNKNOWN, seen.detail)

    return see
