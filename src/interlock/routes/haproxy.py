"""A route of HAProxy proxies: each is set and each is read back, all at the same time.

What runtime commands set is lost when HAProxy is reloaded without a server-state file (`load-server-state-from-file global`, and
`show servers state > FILE` before the reload): keep one, or edit haproxy.cfg after a switchover.

`hold: lua` expects a frontend whose action waits while the variable `proc.hold` is not 0. `hold: queue` lowers the servers' maxconn to 1
and takes that one place with a session of its own, so that new clients queue; it ends with the process that holds.
"""

from __future__ import annotations

import contextlib
from functools import partial

from interlock.clock import Clock
from interlock.errors import DriverError, OutcomeUnknown, StatementFailed, Unreachable
from interlock.model.effects import Hold, RestoreRoute, RouteEffect
from interlock.model.facts import CanaryFacts, EndpointFacts, RouteFacts
from interlock.model.topology import RouteName, RouteSpec
from interlock.ports import Route
from interlock.routes.canary import WITHIN_S, send_canary
from interlock.routes.client import ClientSession
from interlock.routes.haproxy_facts import is_held_in_part, is_holding, leads_to, read_endpoints
from interlock.routes.haproxy_script import commands, reading
from interlock.routes.haproxy_settings import FIELDS, HAProxySettings, HoldBy, read_settings
from interlock.routes.haproxy_socket import ProxyAddress, ask, check_level, order
from interlock.routes.parts import RouteParts, RouteType
from interlock.routes.proxies import at_once


class HAProxyRoute:
    """One route. Nothing is kept open but the session that holds a queue."""

    def __init__(self, spec: RouteSpec, settings: HAProxySettings, parts: RouteParts) -> None:
        self._spec = spec
        self._settings = settings
        self._parts = parts
        self._clock: Clock = parts.clock
        self._seat: ClientSession | None = None

    @property
    def name(self) -> RouteName:
        return self._spec.name

    def facts(self) -> RouteFacts:
        settings = self._settings
        by_proxy = at_once({proxy.text: partial(self._read, proxy) for proxy in settings.proxies})
        endpoints = tuple(endpoint for proxy in settings.proxies for endpoint in by_proxy[proxy.text])
        return RouteFacts(
            route=self.name,
            leads_to=leads_to(endpoints, settings.servers),
            holding=is_holding(settings, endpoints),
            hold_s=settings.hold_s,
            provable=True,
            endpoints=endpoints,
            held_in_part=is_held_in_part(settings, endpoints),
        )

    def script(self, effect: RouteEffect, /) -> tuple[str, ...]:
        """A line for each proxy: its name, then the commands of one connection."""
        return tuple(f"haproxy {proxy}: {'; '.join(lines)}" for proxy, lines in commands(self._settings, effect).items() if lines)

    def apply(self, effect: RouteEffect, /) -> None:
        if isinstance(effect, Hold) and self._settings.hold is HoldBy.QUEUE:
            self._take_seat()
        orders = commands(self._settings, effect)
        calls = {p.text: partial(self._order, p, orders[p.text]) for p in self._settings.proxies if orders.get(p.text)}
        if calls:
            at_once(calls)
        if not isinstance(effect, Hold) and not (isinstance(effect, RestoreRoute) and effect.seen.holding):
            self._leave_seat()

    def canary(self, token: str, /) -> CanaryFacts:
        return send_canary(self._spec, self._parts.connect, self._parts.server_ids, token)

    def warm_up(self) -> None:
        """Nothing is worth keeping open: a proxy closes an idle runtime connection, and a new one costs a tenth of a millisecond."""

    def close(self) -> None:
        self._leave_seat()

    def _order(self, proxy: ProxyAddress, lines: tuple[str, ...]) -> None:
        order(proxy, lines, clock=self._clock, within_s=self._settings.timeout_s)

    def _read(self, proxy: ProxyAddress) -> tuple[EndpointFacts, ...]:
        try:
            answer = ask(proxy, reading(self._settings), clock=self._clock, within_s=self._settings.timeout_s)
        except OutcomeUnknown as unknown:
            raise Unreachable(unknown.message, hint=unknown.hint) from unknown  # a question leaves nothing behind
        check_level(proxy, answer)
        return read_endpoints(self._settings, proxy.text, answer)

    def _take_seat(self) -> None:
        """Take the one place that maxconn 1 leaves. The session must be logged in: the server ends one that is not (connect_timeout)."""
        if self._seat is not None:
            return
        self._check_maxconn()
        if self._parts.connect is None or self._spec.clients is None:
            raise StatementFailed(f"route {self.name} can't hold: no account that clients could use", hint="add `canary` to `access`")
        try:
            self._seat = self._parts.connect(*self._spec.clients, WITHIN_S)
        except DriverError as error:
            raise StatementFailed(f"route {self.name} can't hold: {error.message}", hint=error.hint) from error

    def _check_maxconn(self) -> None:
        """What release puts back must be what is there now."""
        for endpoint in self.facts().endpoints:
            if endpoint.cluster is not None and endpoint.raw["maxconn"] not in {"1", str(self._settings.maxconn)}:
                raise StatementFailed(
                    f"{self._settings.backend}/{endpoint.endpoint} at {endpoint.proxy} has maxconn {endpoint.raw['maxconn']}, "
                    f"the topology file says {self._settings.maxconn}",
                    hint=f"set `maxconn: {endpoint.raw['maxconn']}` in route {self.name}",
                )

    def _leave_seat(self) -> None:
        seat, self._seat = self._seat, None
        if seat is not None:
            with contextlib.suppress(DriverError):
                seat.close()


def _make(spec: RouteSpec, parts: RouteParts) -> Route:
    return HAProxyRoute(spec, read_settings(spec), parts)


HAPROXY = RouteType(name="haproxy", summary="Proxies of HAProxy, by their runtime sockets.", fields=FIELDS, make=_make)
