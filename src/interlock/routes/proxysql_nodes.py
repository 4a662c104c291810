"""The nodes of one ProxySQL, each asked and told by its admin interface, all at the same time; and when one of several is left out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TypeVar

from interlock.errors import Unreachable
from interlock.model.facts import EndpointFacts
from interlock.routes.parts import RouteParts
from interlock.routes.proxies import at_once, combined
from interlock.routes.proxysql_admin import AdminInterface
from interlock.routes.proxysql_settings import AdminSettings

R = TypeVar("R")


def endpoints_of(
    seen: Mapping[str, R | None],
    *,
    read: Callable[[str, R], Iterable[EndpointFacts]],
    lost: Callable[[str], Iterable[EndpointFacts]],
) -> tuple[EndpointFacts, ...]:
    """Of each node what was read there, or what is said of one that is lost, by `AdminNodes.of_each`."""
    return tuple(endpoint for node, rows in seen.items() for endpoint in (lost(node) if rows is None else read(node, rows)))


def lost_nodes(seen: Mapping[str, object | None]) -> tuple[str, ...]:
    return tuple(node for node, rows in seen.items() if rows is None)


class AdminNodes:
    """Connections are made when they are first needed, and kept."""

    def __init__(self, settings: AdminSettings, parts: RouteParts) -> None:
        self._settings = settings
        self._parts = parts
        self._made: dict[str, AdminInterface] = {}
        self._silent_since_s: dict[str, float] = {}

    def of_all(self, call: Callable[[AdminInterface], R]) -> dict[str, R]:
        """Results by node; one that does not answer is an error."""
        return at_once({name: partial(call, node) for name, node in self._nodes().items()})

    def of_each(self, call: Callable[[AdminInterface], R], *, only: Collection[str] | None = None) -> dict[str, R | None]:
        """Results by node (of those named by `only`), None of one that is lost: it has not answered for `lost_after`, and another one does.

        Before that its silence is an error, so that a node that is only restarted is waited for on the way back, by who asks again. Past
        it, the other nodes' clients must not wait for good. Whatever the lost one does with its own, the interlock holds.
        """
        wanted = {name: node for name, node in self._nodes().items() if only is None or name in only}
        if not wanted:
            return {}
        answers = at_once({name: partial(self._heard, name, partial(call, node)) for name, node in wanted.items()})
        silent = [answer for answer in answers.values() if isinstance(answer, Unreachable)]
        if len(silent) == len(answers):
            raise combined(silent, of=len(silent)) from silent[0]
        return {name: None if isinstance(answer, Unreachable) else answer for name, answer in answers.items()}

    def close(self) -> None:
        for node in self._made.values():
            node.close()

    def _heard(self, name: str, call: Callable[[], R]) -> R | Unreachable:
        try:
            answer = call()
        except Unreachable as error:
            now_s = self._parts.clock.monotonic_s()
            if now_s - self._silent_since_s.setdefault(name, now_s) < self._settings.lost_after_s:
                raise
            return error
        self._silent_since_s.pop(name, None)
        return answer

    def _nodes(self) -> dict[str, AdminInterface]:
        if not self._made:
            settings = self._settings
            password = "" if settings.password is None else self._parts.secrets(settings.password)
            self._made = {
                str(node): AdminInterface(
                    node, user=settings.user, password=password, timeout_s=settings.timeout_s, clock=self._parts.clock
                )
                for node in settings.nodes
            }
        return self._made
