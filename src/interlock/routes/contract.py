"""What every type of route promises, as rules that a test calls: ours, and those of a package that brings a type of its own.

    @pytest.mark.parametrize("rule", ROUTE_RULES, ids=lambda rule: rule.name)
    def test_a_rule_of_the_contract(rule):
        rule.check(Bench(route=a_route_that_leads_to_east(), here=EAST, there=WEST))

A rule that is broken raises `Broken`, which says what was found and what belongs there. Rules about a hold pass over a route that can't
hold. Each wants a route that leads to `here`, and may leave it leading to `there`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interlock.dataclass import dataclass
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.facts import RouteFacts
from interlock.model.topology import ClusterName
from interlock.ports import Route

_METHODS = ("name", "facts", "script", "apply", "canary", "warm_up", "close")


class Broken(AssertionError):
    """A promise that is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A route to try, and the pair's two clusters: where it leads, and where it can be led."""

    route: Route
    here: ClusterName
    there: ClusterName


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    name: str
    check: Callable[[Bench], None]


def kept(facts: RouteFacts) -> object:
    """What a restore must bring back: all but the counts and the proxy's own health checks."""
    return facts.leads_to, facts.holding, [(e.proxy, e.endpoint, e.cluster, e.state, dict(e.raw)) for e in facts.endpoints]


def _it_has_every_method(bench: Bench) -> None:
    missing = [name for name in _METHODS if not hasattr(bench.route, name)]
    _hold_that(not missing, f"{type(bench.route).__name__} lacks {', '.join(missing)}: see interlock.ports.Route")


def _it_tells_where_it_leads(bench: Bench) -> None:
    facts = bench.route.facts()
    _hold_that(facts.route == bench.route.name, f"facts().route is {facts.route!r}, its name is {bench.route.name!r}")
    _hold_that(facts.provable, "facts().provable is False: a route that can't be read back needs `unproved` or `clients`")
    _hold_that(facts.leads_to == (bench.here,), f"facts().leads_to is {facts.leads_to}, it leads to {bench.here}")
    _hold_that(not facts.holding, "facts().holding is True, and nobody asked it to hold")
    clusters = {endpoint.cluster for endpoint in facts.endpoints} - {None}
    _hold_that(clusters == {bench.here, bench.there}, f"facts().endpoints has the clusters {clusters}, the pair has two")


def _looking_changes_nothing(bench: Bench) -> None:
    first, second = kept(bench.route.facts()), kept(bench.route.facts())
    _hold_that(first == second, f"two looks with nothing between differ: {first} and {second}; `raw` holds nothing that moves by itself")


def _a_flip_is_seen_on_the_next_look(bench: Bench) -> None:
    _after(bench, [_to(bench, bench.there)], leads_to=bench.there)
    _after(bench, [_to(bench, bench.there)], leads_to=bench.there)
    _after(bench, [_to(bench, bench.here)], leads_to=bench.here)


def _a_hold_is_seen_and_released(bench: Bench) -> None:
    if bench.route.facts().hold_s is None:
        return
    hold, release = Hold(route=bench.route.name), Release(route=bench.route.name)
    _after(bench, [hold, hold], leads_to=bench.here, holding=True)
    _after(bench, [release, release], leads_to=bench.here)


def _a_flip_releases_a_hold(bench: Bench) -> None:
    if bench.route.facts().hold_s is None:
        return
    _after(bench, [Hold(route=bench.route.name), _to(bench, bench.there)], leads_to=bench.there)


def _a_route_that_cannot_hold_takes_a_hold_for_nothing(bench: Bench) -> None:
    if bench.route.facts().hold_s is None:
        _after(bench, [Release(route=bench.route.name)], leads_to=bench.here)


def _a_restored_route_is_as_it_was_seen(bench: Bench) -> None:
    before = bench.route.facts()
    back = RestoreRoute(route=bench.route.name, seen=before)
    for _ in range(2):
        bench.route.apply(_to(bench, bench.there))
        for _ in range(2):  # the second time there is nothing to do, and nothing is done wrong
            bench.route.apply(back)
            _hold_that(kept(bench.route.facts()) == kept(before), f"restored to {kept(bench.route.facts())}, it was {kept(before)}")


def _a_held_route_is_restored_as_held(bench: Bench) -> None:
    if bench.route.facts().hold_s is None:
        return
    bench.route.apply(Hold(route=bench.route.name))
    held = bench.route.facts()
    bench.route.apply(_to(bench, bench.there))
    bench.route.apply(RestoreRoute(route=bench.route.name, seen=held))
    _hold_that(kept(bench.route.facts()) == kept(held), f"restored to {kept(bench.route.facts())}, it was {kept(held)}")
    bench.route.apply(Release(route=bench.route.name))


def _a_script_is_pure_and_says_what_a_flip_sends(bench: Bench) -> None:
    before = bench.route.facts()
    effects: tuple[RouteEffect, ...] = (
        _to(bench, bench.there),
        Hold(route=bench.route.name),
        Release(route=bench.route.name),
        RestoreRoute(route=bench.route.name, seen=before),
    )
    for effect in effects:
        first, second = bench.route.script(effect), bench.route.script(effect)
        _hold_that(first == second, f"script({type(effect).__name__}) says {first}, then {second}")
    _hold_that(bench.route.script(effects[0]) != (), "script(PointTo) is empty: an operator could not see what a flip sends")
    _hold_that(kept(bench.route.facts()) == kept(before), "script() has changed the route")


def _warming_up_changes_nothing_and_closing_may_come_twice(bench: Bench) -> None:
    before = kept(bench.route.facts())
    bench.route.warm_up()
    _hold_that(kept(bench.route.facts()) == before, "warm_up() has changed the route")
    bench.route.close()
    bench.route.close()


ROUTE_RULES: Sequence[Rule] = tuple(
    Rule(name=check.__name__.lstrip("_").replace("_", " "), check=check)
    for check in (
        _it_has_every_method,
        _it_tells_where_it_leads,
        _looking_changes_nothing,
        _a_flip_is_seen_on_the_next_look,
        _a_hold_is_seen_and_released,
        _a_flip_releases_a_hold,
        _a_route_that_cannot_hold_takes_a_hold_for_nothing,
        _a_restored_route_is_as_it_was_seen,
        _a_held_route_is_restored_as_held,
        _a_script_is_pure_and_says_what_a_flip_sends,
        _warming_up_changes_nothing_and_closing_may_come_twice,
    )
)


def _to(bench: Bench, cluster: ClusterName) -> PointTo:
    return PointTo(route=bench.route.name, cluster=cluster)


def _after(bench: Bench, effects: Sequence[RouteEffect], *, leads_to: ClusterName, holding: bool = False) -> None:
    for effect in effects:
        bench.route.apply(effect)
    facts = bench.route.facts()
    words = " and ".join(type(effect).__name__ for effect in effects)
    _hold_that(facts.leads_to == (leads_to,), f"after {words} it leads to {facts.leads_to}, expected {leads_to}")
    _hold_that(facts.holding == holding, f"after {words} holding is {facts.holding}, expected {holding}")


def _hold_that(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - an assertion with its sentence
    if not holds:
        raise Broken(otherwise)
