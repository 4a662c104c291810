"""A route by a virtual address: an address that one of the two hosts has, and that clients connect to.

It is moved by SSH: taken from one host, seen to be gone there, given to the other, and neighbours are told. A host that can't be reached
can't be seen to have lost it, so the flip fails. Clients can't be kept waiting; a session to the old host is reset when its client next
sends something, since the new host knows nothing of it.
"""

from __future__ import annotations

from functools import partial

from interlock.errors import DriverError, NotPermitted, OutcomeUnknown, StatementFailed, Unreachable
from interlock.model.effects import RouteEffect, RunCommand
from interlock.model.facts import CanaryFacts, CommandResult, EndpointFacts, EndpointState, RouteFacts
from interlock.model.topology import ClusterName, RouteName, RouteSpec
from interlock.ports import Route
from interlock.routes.canary import send_canary
from interlock.routes.last_seen import LastSeen
from interlock.routes.parts import RouteParts, RouteType
from interlock.routes.proxies import at_once
from interlock.routes.vip_facts import Held, read_held
from interlock.routes.vip_script import announce, give, look, move, rights, script, take
from interlock.routes.vip_settings import FIELDS, VipSettings, read_settings


class VipRoute:
    """One address. Logins are kept by `Outside`."""

    def __init__(self, spec: RouteSpec, settings: VipSettings, parts: RouteParts) -> None:
        self._spec = spec
        self._settings = settings
        self._parts = parts
        self._last: LastSeen[Held] = LastSeen(after_a_miss=True)

    @property
    def name(self) -> RouteName:
        return self._spec.name

    def facts(self) -> RouteFacts:
        """Both hosts, at the same time. StatementFailed if the address is not where the topology says, or can't be moved alone."""
        by_cluster = at_once({name: partial(self._last.look, name, partial(self._read, name)) for name in self._settings.clusters})
        held = tuple(by_cluster[name] for name in self._settings.clusters)
        return RouteFacts(
            route=self.name,
            leads_to=tuple(each.cluster for each in held if each.held),
            holding=False,
            hold_s=None,
            provable=True,
            endpoints=tuple(self._endpoint(each) for each in held),
        )

    def script(self, effect: RouteEffect, /) -> tuple[str, ...]:
        return tuple(line for order in script(self._settings, effect) for line in self._parts.outside.script(order))

    def apply(self, effect: RouteEffect, /) -> None:
        """Never two holders: whoever is to get it gets nothing until every other host is seen without it."""
        losers, winner, more = move(self._settings, effect)
        with self._last.attempt():
            for cluster in losers:
                self._take(cluster)
            if winner is not None:
                self._give(winner, more)

    def canary(self, token: str, /) -> CanaryFacts:
        return send_canary(self._spec, self._parts.connect, self._parts.server_ids, token)

    def warm_up(self) -> None:
        """Log in to both hosts, and see that the interface is up and the commands may be run."""
        at_once({name: partial(self._check_rights, name) for name in self._settings.clusters})

    def close(self) -> None: ...

    def _endpoint(self, held: Held) -> EndpointFacts:
        return EndpointFacts(
            proxy=f"host of {held.cluster}",
            endpoint=str(self._settings.address),
            cluster=held.cluster,
            state=EndpointState.READY if held.held else EndpointState.MAINTENANCE,
            healthy=None,
            sessions=0,
            queued=0,
            raw=held.raw,
        )

    def _read(self, cluster: ClusterName) -> Held:
        try:
            held = read_held(self._settings, cluster, self._run(look(self._settings, cluster)).stdout)
        except OutcomeUnknown as unknown:
            raise Unreachable(unknown.message) from unknown  # a look leaves nothing behind
        if held.takes_others and not self._promotes(cluster):
            raise StatementFailed(
                f"host of {cluster} would lose other addresses of {self._settings.address.network} with {self._settings.address.ip}: "
                "it is the first one there, and the kernel does not promote the next",
                hint=f"sysctl net.ipv4.conf.{self._settings.interface}.promote_secondaries=1, or use the prefix /32",
            )
        return held

    def _promotes(self, cluster: ClusterName) -> bool:
        """For one interface or for all (kernel's ip-sysctl: promote_secondaries)."""
        files = tuple(f"/proc/sys/net/ipv4/conf/{name}/promote_secondaries" for name in ("all", self._settings.interface))
        return "1" in self._run(RunCommand(argv=("cat", *files), within_s=self._settings.within_s, host=cluster)).stdout

    def _take(self, cluster: ClusterName) -> None:
        """Returns once the host is seen without the address."""
        before = self._last.standing(cluster)
        try:
            with self._last.touching(cluster):
                taken = self._run(take(self._settings, cluster))
            held = self._read(cluster)
        except Unreachable as silent:
            if before is not None and not before.held and self._last.standing(cluster) is not None:
                return  # it was seen without, and nobody of ours has given it since
            raise Unreachable(
                f"{silent.message}; so {self._settings.address.ip} is not seen to be gone from there",
                hint="fails closed: reach the host, or see to it that it is off, and take the address by hand",
            ) from silent
        if held.held:
            raise StatementFailed(f"host of {cluster} keeps {self._settings.address}: {_said(taken)}", hint="see `sudo` of the route")

    def _give(self, cluster: ClusterName, more: tuple[str, ...]) -> None:
        with self._last.touching(cluster):
            given = self._run(give(self._settings, cluster, more))
        if given.exit_code != 0 and not self._read(cluster).held:
            raise StatementFailed(
                f"host of {cluster} did not take {self._settings.address}: {_said(given)}", hint="see `sudo` of the route"
            )
        self._run(announce(self._settings, cluster))

    def _check_rights(self, cluster: ClusterName) -> None:
        for order in rights(self._settings, cluster):
            try:
                result = self._run(order)
            except StatementFailed as failed:
                raise NotPermitted(
                    f"host of {cluster} could not move {self._settings.address}: {failed.message}",
                    hint="it needs the interface, iproute2 and iputils-arping, and root or `sudo: true` with a rule in sudoers",
                ) from failed
            if order.argv[0] == "ip" and not result.stdout.strip():
                raise StatementFailed(
                    f"host of {cluster}: {self._settings.interface} is not up", hint=f"ip link set {self._settings.interface} up"
                )

    def _run(self, order: RunCommand) -> CommandResult:
        result = self._parts.outside.run(order)
        if not isinstance(result, CommandResult):
            raise DriverError(f"{order.argv[0]} gave no result of a command")
        return result


def _said(result: CommandResult) -> str:
    return (result.stderr or result.stdout).strip()[-200:] or f"`ip` ended with {result.exit_code}"


def _make(spec: RouteSpec, parts: RouteParts) -> Route:
    return VipRoute(spec, read_settings(spec, parts.topology), parts)


VIP = RouteType(name="vip", summary="A virtual address, moved between the masters' hosts by SSH.", fields=FIELDS, make=_make)
