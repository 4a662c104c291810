"""A place that is moved by somebody else's program or service: four orders of theirs, `flip`, `show`, `hold` and `release`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from interlock.dataclass import dataclass
from interlock.errors import OutcomeUnknown, StatementFailed, Unreachable
from interlock.model.effects import Hold, OutsideEffect, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.facts import CommandResult, HttpResult
from interlock.model.topology import ClusterName, RouteName
from interlock.ports import Outside
from interlock.routes.orders import in_order
from interlock.routes.pointer import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class HookPlace:
    """Whether it holds is what was last asked for: a hook has no way to tell. `named` has the cluster of each word that `show` may say."""

    route: RouteName
    name: str
    outside: Outside
    flip: Callable[[ClusterName], OutsideEffect]
    show: OutsideEffect | None
    hold: OutsideEffect | None
    release: OutsideEffect | None
    said: Callable[[CommandResult | HttpResult], str]
    named: Mapping[str, ClusterName]
    hold_s: float | None

    def look(self) -> Seen | None:
        """StatementFailed if it says anything but one of the words."""
        if self.show is None:
            return None
        try:
            said = self.said(self.outside.run(self.show))
        except OutcomeUnknown as unknown:
            raise Unreachable(unknown.message, hint=unknown.hint) from unknown  # a question leaves nothing behind
        if said not in self.named:
            raise StatementFailed(
                f"route {self.route}: `show` of {self.name} says {said[:100]!r}, which is no cluster",
                hint=f"it must print one of: {', '.join(self.named)}",
            )
        return Seen(cluster=self.named[said])

    def script(self, effect: RouteEffect, /) -> tuple[str, ...]:
        return tuple(line for order in self._orders(effect) for line in self.outside.script(order))

    def apply(self, effect: RouteEffect, /) -> None:
        in_order([partial(self.outside.run, order) for order in self._orders(effect)])

    def _orders(self, effect: RouteEffect) -> tuple[OutsideEffect, ...]:
        wanted: tuple[OutsideEffect | None, ...]
        match effect:
            case Hold():
                wanted = (self.hold,)
            case Release():
                wanted = (self.release,)
            case PointTo(cluster=cluster):
                wanted = (self.flip(cluster), self.release)
            case RestoreRoute(seen=seen):
                back = self.flip(seen.leads_to[0]) if len(seen.leads_to) == 1 else None
                wanted = (back, self.hold if seen.holding else self.release)
        return tuple(order for order in wanted if order is not None)
