"""The verdict on a master: every combination of what can be seen, and the cases that people meet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, product

import pytest

from interlock.decisions.liveness import AGREES, are_independent, liveness, may_settle, remedy, witnesses
from interlock.model.liveness import Liveness, SeenFrom, VantageKind, View
from interlock.model.topology import ClusterName

EAST = ClusterName("east")
HERE, PEER, PROXY, HOST, POWER = VantageKind
V = View

_AT = {HERE: "", PEER: "10.2.0.10", PROXY: "10.3.0.1", HOST: "", POWER: ""}
_NAMES = {HERE: "here", PEER: "west's receiver", PROXY: "proxy of writes", HOST: "east's host", POWER: "the fencing command"}
POSSIBLE = {
    HERE: (V.ANSWERS, V.REFUSES, V.HANGS, V.CLOSED, V.SILENT, V.STALE, V.UNKNOWN),
    PEER: (V.CONNECTED, V.STALE, V.CUT, V.GAVE_UP, V.UNKNOWN),
    PROXY: (V.CONNECTED, V.STALE, V.CUT, V.UNKNOWN),
    HOST: (V.RUNS, V.STOPPED, V.SILENT, V.UNKNOWN),
    POWER: (V.OFF, V.UNKNOWN),
}
CONTRADICT = {V.ANSWERS, V.REFUSES, V.HANGS, V.CONNECTED, V.RUNS}


def seen(kind: VantageKind, view: View, *, at: str | None = None, vantage: str = "") -> SeenFrom:
    return SeenFrom(vantage=vantage or _NAMES[kind], kind=kind, view=view, at=_AT[kind] if at is None else at)


def every_combination() -> Iterator[tuple[SeenFrom, ...]]:
    for views in product(*POSSIBLE.values()):
        yield tuple(seen(kind, view) for kind, view in zip(POSSIBLE, views, strict=True))


ALL = tuple(every_combination())


def state(*of: SeenFrom) -> Liveness:
    return liveness(EAST, of).state


def test_every_combination_was_tried() -> None:
    assert len(ALL) == 7 * 5 * 4 * 4 * 2
    assert {liveness(EAST, one).state for one in ALL} == set(Liveness)


def test_never_dead_while_anybody_contradicts() -> None:
    for one in ALL:
        if state(*one) is Liveness.DEAD:
            assert not {each.view for each in one} & CONTRADICT, one


def test_never_dead_by_one_kind_of_witness() -> None:
    for one in ALL:
        if state(*one) is Liveness.DEAD:
            assert len({each.kind for each in witnesses(one)}) >= 2, one


def test_always_dead_if_two_places_agree_and_nobody_else_says_anything() -> None:
    for first, second in combinations((kind for kind in POSSIBLE), 2):
        views = [[view for view in POSSIBLE[kind] if view in AGREES and (kind, view) != (HOST, V.SILENT)] for kind in (first, second)]
        for one, other in product(*views):
            others = (seen(kind, V.UNKNOWN) for kind in POSSIBLE if kind not in (first, second))
            assert state(seen(first, one), seen(second, other), *others) is Liveness.DEAD


def test_who_can_not_tell_changes_no_verdict() -> None:
    for one in ALL:
        told = tuple(each for each in one if each.view is not V.UNKNOWN)
        assert state(*told) is state(*one), one


def test_one_more_witness_never_takes_a_death_back() -> None:
    for one in ALL:
        if state(*one) is not Liveness.DEAD:
            continue
        for place, each in enumerate(one):
            for view in POSSIBLE[each.kind]:
                if view in AGREES and each.view in {V.UNKNOWN, V.STALE}:
                    assert state(*one[:place], replace(each, view=view), *one[place + 1 :]) is Liveness.DEAD, one


def test_one_more_contradiction_never_makes_a_death() -> None:
    for one in ALL:
        for place, each in enumerate(one):
            for view in POSSIBLE[each.kind]:
                if view in CONTRADICT:
                    assert state(*one[:place], replace(each, view=view), *one[place + 1 :]) is not Liveness.DEAD, one


def test_the_order_of_those_who_look_does_not_count() -> None:
    for one in ALL:
        assert state(*one) is state(*one[::-1])


def test_whoever_lets_us_in_is_alive_whatever_others_say() -> None:
    for one in ALL:
        if one[0].view is V.ANSWERS:
            assert state(*one) is Liveness.ALIVE


def test_every_verdict_but_dead_says_what_a_person_can_do_and_names_those_who_told() -> None:
    for one in ALL:
        facts = liveness(EAST, one)
        assert "east" in facts.why
        assert bool(remedy(facts, "west")) is (facts.state is not Liveness.DEAD)
        assert "{" not in facts.why + remedy(facts, "west")
        for each in one:
            assert each.vantage in facts.why or each.view in {V.UNKNOWN, V.STALE}, (facts.why, each)


def test_only_what_may_become_dead_is_waited_for() -> None:
    for one in ALL:
        facts = liveness(EAST, one)
        if may_settle(facts):
            assert facts.state in {Liveness.UNKNOWN, Liveness.CUT_OFF}
            assert not {each.view for each in one} & {V.ANSWERS, V.REFUSES, V.RUNS}


CASES = {
    "kill -9, everybody has noticed": ([(HERE, V.CLOSED), (PEER, V.CUT), (PROXY, V.CUT)], Liveness.DEAD),
    "kill -9, the proxy has not checked since": ([(HERE, V.CLOSED), (PEER, V.CUT), (PROXY, V.STALE)], Liveness.DEAD),
    "kill -9, the receiver has not noticed": ([(HERE, V.CLOSED), (PEER, V.STALE), (PROXY, V.STALE)], Liveness.UNKNOWN),
    "kill -9 under load, the receiver still reads": ([(HERE, V.CLOSED), (PEER, V.CONNECTED)], Liveness.CUT_OFF),
    "host down, the receiver has not noticed": ([(HERE, V.SILENT), (PEER, V.STALE), (PROXY, V.CUT)], Liveness.DEAD),
    "host down, neither has noticed": ([(HERE, V.SILENT), (PEER, V.STALE), (PROXY, V.STALE)], Liveness.UNKNOWN),
    "host down, the proxy has not noticed": ([(HERE, V.SILENT), (PEER, V.CUT), (PROXY, V.STALE)], Liveness.UNKNOWN),
    "switched off": ([(HERE, V.SILENT), (PEER, V.STALE), (POWER, V.OFF)], Liveness.DEAD),
    "switched off, the proxy has not noticed": ([(HERE, V.SILENT), (PROXY, V.STALE), (POWER, V.OFF)], Liveness.DEAD),
    "switched off, and it hangs": ([(HERE, V.HANGS), (PEER, V.CUT), (POWER, V.OFF)], Liveness.UNKNOWN),
    "stopped (SIGSTOP)": ([(HERE, V.HANGS), (PEER, V.STALE), (PROXY, V.STALE)], Liveness.HUNG),
    "stopped for long": ([(HERE, V.HANGS), (PEER, V.CUT), (PROXY, V.CUT), (HOST, V.RUNS)], Liveness.HUNG),
    "no thread for new clients": ([(HERE, V.HANGS), (PEER, V.CONNECTED)], Liveness.HUNG),
    "a firewall drops from here only": ([(HERE, V.SILENT), (PEER, V.CONNECTED), (PROXY, V.STALE)], Liveness.CUT_OFF),
    "a firewall rejects from here only": ([(HERE, V.CLOSED), (PEER, V.CONNECTED), (HOST, V.RUNS)], Liveness.CUT_OFF),
    "a firewall from the survivor only": ([(HERE, V.ANSWERS), (PEER, V.CUT), (PROXY, V.STALE)], Liveness.ALIVE),
    "a firewall from everywhere, the host answers": ([(HERE, V.SILENT), (PEER, V.CUT), (HOST, V.RUNS)], Liveness.UNKNOWN),
    "we are cut off from its whole network": ([(HERE, V.SILENT), (HOST, V.SILENT), (PEER, V.UNKNOWN)], Liveness.UNKNOWN),
    "kill -9, and the receiver gave up": ([(HERE, V.CLOSED), (PEER, V.GAVE_UP)], Liveness.DEAD),
    "cut off from here, and the receiver gave up some day": ([(HERE, V.SILENT), (PEER, V.GAVE_UP)], Liveness.UNKNOWN),
    "starting, or in crash recovery": ([(HERE, V.CLOSED), (PEER, V.CUT), (HOST, V.RUNS)], Liveness.UNKNOWN),
    "max_connections": ([(HERE, V.REFUSES), (PEER, V.CONNECTED)], Liveness.REFUSING),
    "wrong password, the receiver is cut": ([(HERE, V.REFUSES), (PEER, V.CUT)], Liveness.REFUSING),
    "its name can't be resolved here": ([(HERE, V.UNKNOWN), (PEER, V.CONNECTED)], Liveness.ALIVE),
    "its name can't be resolved, others agree": ([(HERE, V.UNKNOWN), (PEER, V.CUT), (PROXY, V.CUT)], Liveness.DEAD),
    "only here": ([(HERE, V.CLOSED), (PEER, V.UNKNOWN)], Liveness.UNKNOWN),
    "nobody looks": ([], Liveness.UNKNOWN),
}


@pytest.mark.parametrize(("views", "expected"), CASES.values(), ids=CASES.keys())
def test_what_people_meet(views: list[tuple[VantageKind, View]], expected: Liveness) -> None:
    assert state(*(seen(kind, view) for kind, view in views)) is expected


SETTLES = {
    "the receiver has not noticed": ([(HERE, V.CLOSED), (PEER, V.STALE)], True),
    "the proxy has not noticed": ([(HERE, V.SILENT), (PEER, V.CUT), (PROXY, V.STALE)], True),
    "the receiver still reads": ([(HERE, V.CLOSED), (PEER, V.CONNECTED)], True),
    "it runs": ([(HERE, V.CLOSED), (PEER, V.STALE), (HOST, V.RUNS)], False),
    "it hangs": ([(HERE, V.HANGS), (PEER, V.STALE)], False),
    "it answers": ([(HERE, V.ANSWERS), (PEER, V.STALE)], False),
    "nobody else looks": ([(HERE, V.CLOSED), (PEER, V.UNKNOWN)], False),
}


@pytest.mark.parametrize(("views", "expected"), SETTLES.values(), ids=SETTLES.keys())
def test_what_a_moment_may_change_is_waited_for(views: list[tuple[VantageKind, View]], expected: bool) -> None:  # noqa: FBT001 - a table
    assert may_settle(liveness(EAST, [seen(kind, view) for kind, view in views])) is expected


INDEPENDENT = {
    "two receivers on two machines": (seen(PEER, V.CUT, at="a"), seen(PEER, V.CUT, at="b"), True),
    "two receivers on one machine": (seen(PEER, V.CUT, at="a"), seen(PEER, V.CUT, at="a"), False),
    "a proxy beside the survivor": (seen(PEER, V.CUT, at="a"), seen(PROXY, V.CUT, at="a"), False),
    "a proxy on this machine": (seen(HERE, V.SILENT), seen(PROXY, V.CUT, at=""), False),
    "two addresses from here": (seen(HERE, V.CLOSED), seen(HERE, V.SILENT), False),
    "here and the host": (seen(HERE, V.CLOSED), seen(HOST, V.STOPPED), True),
    "host and power": (seen(HOST, V.STOPPED), seen(POWER, V.OFF), True),
    "two hooks": (seen(POWER, V.OFF), seen(POWER, V.OFF), False),
}


@pytest.mark.parametrize(("one", "other", "expected"), INDEPENDENT.values(), ids=INDEPENDENT.keys())
def test_two_witnesses_count_only_if_they_do_not_share_the_way(one: SeenFrom, other: SeenFrom, expected: bool) -> None:  # noqa: FBT001
    assert are_independent(one, other) is expected
    assert are_independent(other, one) is expected
    assert state(one, other) is (Liveness.DEAD if expected else Liveness.UNKNOWN)


def test_one_address_of_several_that_answers_keeps_the_cluster_alive() -> None:
    first, second = seen(HERE, V.CLOSED, vantage="here at a:3306"), seen(HERE, V.ANSWERS, vantage="here at b:3306")
    assert state(first, second, seen(PEER, V.CUT)) is Liveness.ALIVE


def test_the_sentence_says_who_says_what() -> None:
    facts = liveness(EAST, [seen(HERE, V.CLOSED), seen(PEER, V.CUT), seen(PROXY, V.STALE)])
    assert facts.why == "east is dead: refused here, west's receiver can't connect"


def test_an_alive_master_is_offered_the_planned_way() -> None:
    assert "interlock switchover --to west" in remedy(liveness(EAST, [seen(HERE, V.ANSWERS)]), "west")
