"""A route by DNS: clients ask for a name, and the name's record holds the address of the writer.

The record is changed by RFC 2136 updates that are signed with TSIG (RFC 8945). Clients can't be kept waiting, and sessions that are there
stay where they are: what ends them is the fence and `sessions.kill`. Who was given the old answer may use it until its TTL is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from interlock.clock import Deadline
from interlock.errors import NotPermitted, StatementFailed, Unreachable, UsageError
from interlock.model.effects import RouteEffect
from interlock.model.facts import CanaryFacts, EndpointFacts, EndpointState, RouteFacts
from interlock.model.topology import RouteName, RouteSpec
from interlock.ports import Route
from interlock.routes.canary import send_canary
from interlock.routes.dns_script import Update, script, updates, wanted
from interlock.routes.dns_settings import FIELDS, LONGEST_WAIT_S, DnsSettings, Place, RecordKind, key_bytes, read_settings
from interlock.routes.last_seen import LastSeen
from interlock.routes.parts import RouteParts, RouteType
from interlock.routes.proxies import at_once

_LOOK_EVERY_S = 0.05

Endpoints = tuple[EndpointFacts, ...]


class DnsRoute:
    """One record. Nothing is kept open."""

    def __init__(self, spec: RouteSpec, settings: DnsSettings, parts: RouteParts) -> None:
        self._spec = spec
        self._settings = settings
        self._parts = parts
        self._last: LastSeen[Endpoints] = LastSeen(after_a_miss=True)
        self._ttl_before_s = settings.ttl_s

    @property
    def name(self) -> RouteName:
        return self._spec.name

    def facts(self) -> RouteFacts:
        """StatementFailed if the record holds what is no cluster's, or a TTL longer than old answers can be waited for.

        NotPermitted if the key can't be had: a plan must say so, and it sends nothing.
        """
        settings = self._settings
        try:
            self._key()
        except UsageError as error:
            raise NotPermitted(error.message, hint=error.hint) from error
        calls = {str(settings.primary): self._read_primary}
        calls |= {str(place): partial(self._read_resolver, place) for place in settings.resolvers}
        by_server = at_once({name: partial(self._last.look, name, read) for name, read in calls.items()})
        endpoints = tuple(endpoint for name in calls for endpoint in by_server[name])
        led_to = {endpoint.cluster for endpoint in endpoints if endpoint.state is EndpointState.READY}
        return RouteFacts(
            route=self.name,
            leads_to=tuple(cluster for cluster in settings.values if cluster in led_to),
            holding=False,
            hold_s=None,
            provable=True,
            endpoints=endpoints,
        )

    def script(self, effect: RouteEffect, /) -> tuple[str, ...]:
        return script(self._settings, effect)

    def apply(self, effect: RouteEffect, /) -> None:
        """Returns once the primary has it, every resolver answers it and, where asked, every earlier answer has expired."""
        value = wanted(self._settings, effect)
        if value is None:
            return
        with self._last.attempt():
            clock = self._parts.clock
            began = clock.monotonic_s()
            self._send(effect)
            expired = Deadline(clock, began + self._ttl_before_s)
            places = self._settings.resolvers
            if places:
                at_once({str(place): partial(self._await_answer, place, value, expired) for place in places})
            if self._settings.wait_for_old_answers:
                clock.sleep(expired.left_s())

    def canary(self, token: str, /) -> CanaryFacts:
        return send_canary(self._spec, self._parts.connect, self._parts.server_ids, token)

    def warm_up(self) -> None:
        """Load the library and prove the right to update: the record is replaced by itself, which changes nothing, not even the serial."""
        from interlock.routes import dns_wire  # noqa: PLC0415 - a tenth of a second

        ready = [endpoint for endpoint in self._read_primary() if endpoint.state is EndpointState.READY]
        if len(ready) == 1:
            value, ttl_s = ready[0].endpoint, int(ready[0].raw["ttl"])
            dns_wire.send(self._settings, self._key(), Update(was=value, value=value, ttl_s=ttl_s))

    def close(self) -> None: ...

    def _key(self) -> bytes:
        tsig = self._settings.tsig
        return key_bytes(self._parts.secrets(tsig.secret), tsig.name)

    def _send(self, effect: RouteEffect) -> None:
        from interlock.routes import dns_wire  # noqa: PLC0415 - a tenth of a second

        settings, key = self._settings, self._key()
        with self._last.touching(str(settings.primary)):
            if any(dns_wire.send(settings, key, update) for update in updates(settings, effect)):
                return
        raise StatementFailed(
            f"{settings.name} at DNS server {settings.primary} is none of {', '.join(settings.values.values())} alone: nothing was changed",
            hint="somebody else changes it: see `interlock status`, and put one of these values there",
        )

    def _read_primary(self) -> Endpoints:
        from interlock.routes import dns_wire  # noqa: PLC0415 - a tenth of a second

        settings = self._settings
        alias = settings.kind is RecordKind.CNAME
        answers = dns_wire.ask_primary(settings, (RecordKind.CNAME,) if alias else (RecordKind.A, RecordKind.AAAA))
        foreign = [f"{a.kind} {value}" for a in answers for value in a.values if a.kind != settings.kind]
        own = next((answer for answer in answers if answer.kind == settings.kind), answers[0])
        self._check_values(settings.primary, [*foreign, *own.values])
        if own.values:
            self._check_wait(own.ttl_s)
            self._ttl_before_s = own.ttl_s
        return self._endpoints(settings.primary, own.values, {"ttl": str(own.ttl_s), "kind": str(settings.kind)})

    def _read_resolver(self, place: Place) -> Endpoints:
        """The TTL of a cache's answer counts down by itself: it is not kept."""
        from interlock.routes import dns_wire  # noqa: PLC0415 - a tenth of a second

        answer = dns_wire.ask_resolver(self._settings, place)
        if not answer.values:
            raise StatementFailed(
                f"DNS server {place} has no {self._settings.kind} of {self._settings.name}", hint="clients who ask it find nobody"
            )
        foreign = answer.kind != self._settings.kind
        self._check_values(place, [f"{answer.kind} {value}" if foreign else value for value in answer.values])
        return self._endpoints(place, answer.values, {})

    def _check_values(self, place: Place, values: Sequence[str]) -> None:
        strange = [value for value in values if self._settings.cluster_of(value) is None]
        if strange:
            raise StatementFailed(
                f"{self._settings.name} at DNS server {place} holds {', '.join(strange)}, which is no cluster's",
                hint=f"clients may go there: take it out of the zone, or correct `values` of route {self.name}",
            )

    def _check_wait(self, ttl_s: int) -> None:
        waits = self._settings.wait_for_old_answers or self._settings.resolvers
        if waits and ttl_s > LONGEST_WAIT_S:
            raise StatementFailed(
                f"{self._settings.name} has a TTL of {ttl_s}s: old answers are waited for {LONGEST_WAIT_S}s at the most",
                hint=f"set its TTL to {self._settings.ttl_s} in the zone, and begin {ttl_s}s later",
            )

    def _endpoints(self, place: Place, values: Sequence[str], raw: dict[str, str]) -> Endpoints:
        return tuple(
            EndpointFacts(
                proxy=str(place),
                endpoint=own,
                cluster=cluster,
                state=EndpointState.READY if own in values else EndpointState.MAINTENANCE,
                healthy=None,
                sessions=0,
                queued=0,
                raw=raw if own in values else {},
            )
            for cluster, own in self._settings.values.items()
        )

    def _await_answer(self, place: Place, value: str, expired: Deadline) -> None:
        """Until it gives the new answer and no other, at the latest when what it may have kept has expired."""
        from interlock.routes import dns_wire  # noqa: PLC0415 - a tenth of a second

        clock, settings = self._parts.clock, self._settings
        last = Deadline(clock, max(expired.at_s, clock.monotonic_s()) + settings.timeout_s)
        while True:
            try:
                values = dns_wire.ask_resolver(settings, place).values
            except (Unreachable, StatementFailed):
                if last.is_over():
                    raise
                values = ()
            if values == (value,):
                return
            if last.is_over():
                raise StatementFailed(
                    f"DNS server {place} still answers {', '.join(values) or 'nothing'} for {settings.name}, not {value}; "
                    f"the TTL was {self._ttl_before_s}s",
                    hint="is it a secondary that got no NOTIFY, or a cache that keeps answers longer than it may?",
                )
            clock.sleep(_LOOK_EVERY_S)


def _make(spec: RouteSpec, parts: RouteParts) -> Route:
    return DnsRoute(spec, read_settings(spec, parts.topology), parts)


DNS = RouteType(name="dns", summary="A record of a zone, by signed updates (RFC 2136, TSIG).", fields=FIELDS, make=_make)
