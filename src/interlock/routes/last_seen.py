"""What each endpoint of a route was last seen as, for the way back from a flip that fell short.

A flip fails because an endpoint is out of reach. To go back is then to know what is there now, and that endpoint can't be asked. What was
seen of it before still stands if nothing has been sent to it since, as a proof of a fence stands (engine/INVARIANTS.md). Before a flip,
and after one that succeeded, nothing is taken from memory: an endpoint out of reach is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from interlock.errors import Unreachable

T = TypeVar("T")


class LastSeen(Generic[T]):
    """By the endpoint's name. Threads may look at different endpoints at the same time.

    With `after_a_miss`, a look that found an endpoint out of reach, and raised, puts the route on its way back as a flip that fell short
    does: whoever looked has failed, and what it does next must not fail for the same reason.
    """

    def __init__(self, *, after_a_miss: bool = False) -> None:
        self._seen: dict[str, T] = {}
        self._fell_short = False
        self._after_a_miss = after_a_miss
        self._missed: set[str] = set()

    def look(self, endpoint: str, read: Callable[[], T]) -> T:
        """Read now; what stands, if it is out of reach on the way back; else Unreachable."""
        try:
            found = read()
        except Unreachable:
            standing = self.standing(endpoint)
            if standing is None:
                self._missed |= {endpoint} if self._after_a_miss else set()
                raise
            return standing
        self._missed.discard(endpoint)
        self._seen[endpoint] = found
        return found

    def standing(self, endpoint: str) -> T | None:
        """What may be taken for the present state of an endpoint that is out of reach."""
        return self._seen.get(endpoint) if self._fell_short or endpoint in self._missed else None

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around an effect: until one goes through, the route is on its way back."""
        try:
            yield
        except BaseException:  # whatever ended it, it fell short
            self._fell_short = True
            raise
        self._fell_short = False

    @contextmanager
    def touching(self, endpoint: str) -> Iterator[None]:
        """Around what is sent to one endpoint. What was seen stands no longer, unless nothing was sent, which Unreachable says."""
        before = self._seen.pop(endpoint, None)
        try:
            yield
        except Unreachable:
            if before is not None:
                self._seen[endpoint] = before
            raise
