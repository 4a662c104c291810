"""What every way of fencing promises, as rules that a test calls; simulated and real agents pass them alike.

Each rule wants a bench whose server runs and is not fenced, and may leave it fenced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interlock.dataclass import dataclass
from interlock.model.effects import FenceOutside, FencingEffect, ReleaseOutside
from interlock.model.fencing import AgentFacts
from interlock.ports import FenceAgent

WITHIN_S = 8.0


class Broken(AssertionError):
    """A promise that is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """`another` makes the same agent anew, as a process that knows nothing of the first. `lets_in`: whether a client gets to the server by
    the way that is to be closed. `start`: what a boot of the host or a careless person does to have the server run; it may fail.
    """

    agent: FenceAgent
    another: Callable[[], FenceAgent]
    lets_in: Callable[[], bool]
    start: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    name: str
    check: Callable[[Bench], None]


def _it_tells_that_it_is_not_fenced(bench: Bench) -> None:
    facts = bench.agent.facts()
    _hold_that(facts.agent == bench.agent.name, f"facts().agent is {facts.agent!r}, its name is {bench.agent.name!r}")
    _hold_that(facts.fenced is False, f"facts().fenced is {facts.fenced}: {facts.detail}")
    _hold_that(bool(facts.detail), "facts().detail is empty: an operator could not see what it rests on")
    _hold_that(bench.lets_in(), "the bench's server lets no client in")


def _looking_changes_nothing(bench: Bench) -> None:
    first, second = bench.agent.facts(), bench.another().facts()
    _hold_that(_kept(first) == _kept(second), f"two looks with nothing between differ: {first} and {second}")
    _hold_that(bench.lets_in(), "it has fenced by looking")


def _a_script_is_pure_and_says_what_is_sent(bench: Bench) -> None:
    before = bench.agent.facts()
    for effect in (_fence(bench), _release(bench, before)):
        first, second = bench.agent.script(effect), bench.agent.script(effect)
        _hold_that(first == second, f"script({type(effect).__name__}) says {first}, then {second}")
        _hold_that(first != (), f"script({type(effect).__name__}) is empty: an operator could not see what is sent")
    _hold_that(bench.agent.facts().fenced is False, "script() has fenced")


def _a_fence_is_seen_by_another_look_and_by_clients(bench: Bench) -> None:
    bench.agent.apply(_fence(bench))
    _hold_that(not bench.lets_in(), "it is fenced, and a client gets in")
    for agent in (bench.agent, bench.another()):
        facts = agent.facts()
        _hold_that(facts.fenced is True, f"after a fence facts().fenced is {facts.fenced}: {facts.detail}")


def _fencing_twice_is_fencing_once(bench: Bench) -> None:
    for agent in (bench.agent, bench.another(), bench.agent):
        agent.apply(_fence(bench))
    _hold_that(bench.agent.facts().fenced is True, "fenced three times, it is not fenced")
    _hold_that(not bench.lets_in(), "fenced three times, it lets a client in")


def _what_is_fenced_stays_so_when_it_is_started_again(bench: Bench) -> None:
    bench.agent.apply(_fence(bench))
    bench.start()
    _hold_that(not bench.lets_in(), "started again, it lets a client in")
    _hold_that(bench.another().facts().fenced is True, f"started again, it is not fenced: {bench.another().facts().detail}")


def _a_release_puts_back_what_was_seen(bench: Bench) -> None:
    before = bench.agent.facts()
    for _ in range(2):
        bench.agent.apply(_fence(bench))
        for agent in (bench.agent, bench.another()):  # the second time there is nothing to do, and nothing is done wrong
            agent.apply(_release(bench, before))
        bench.start()
        after = bench.agent.facts()
        _hold_that(_kept(after) == _kept(before), f"released it is {after}, it was {before}")
        _hold_that(bench.lets_in(), "released and started, it lets no client in")


def _a_release_leaves_closed_what_was_seen_closed(bench: Bench) -> None:
    bench.agent.apply(_fence(bench))
    fenced = bench.agent.facts()
    bench.agent.apply(_fence(bench))
    bench.another().apply(_release(bench, fenced))
    bench.start()
    _hold_that(bench.agent.facts().fenced is True, "it was fenced before, and a release of the second fence has opened it")
    _hold_that(not bench.lets_in(), "it was fenced before, and a release of the second fence lets clients in")


FENCE_RULES: Sequence[Rule] = tuple(
    Rule(name=check.__name__.lstrip("_").replace("_", " "), check=check)
    for check in (
        _it_tells_that_it_is_not_fenced,
        _looking_changes_nothing,
        _a_script_is_pure_and_says_what_is_sent,
        _a_fence_is_seen_by_another_look_and_by_clients,
        _fencing_twice_is_fencing_once,
        _what_is_fenced_stays_so_when_it_is_started_again,
        _a_release_puts_back_what_was_seen,
        _a_release_leaves_closed_what_was_seen_closed,
    )
)


def _kept(facts: AgentFacts) -> object:
    return facts.agent, facts.cluster, facts.fenced, facts.whole


def _fence(bench: Bench) -> FenceOutside:
    return FenceOutside(cluster=bench.agent.facts().cluster, agent=bench.agent.name, within_s=WITHIN_S)


def _release(bench: Bench, seen: AgentFacts) -> FencingEffect:
    return ReleaseOutside(cluster=seen.cluster, agent=bench.agent.name, seen=seen, within_s=WITHIN_S)


def _hold_that(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - an assertion with its sentence
    if not holds:
        raise Broken(otherwise)
