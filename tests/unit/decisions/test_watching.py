"""When `watch --act failover` may act."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from interlock.decisions.watching import Look, Policy, Row, Times, acted, refused, watch
from interlock.model.liveness import Liveness
from interlock.model.verdict import Act, Wait

POLICY = Policy(after_s=5.0, looks=3, block_s=3600.0)
DEAD = Look(writer="east", state=Liveness.DEAD, can_fence=True)
ALIVE = replace(DEAD, state=Liveness.ALIVE)
UNKNOWN = replace(DEAD, state=Liveness.UNKNOWN)

Seen = tuple[float, Look]


def at(moment_s: float) -> Times:
    """Of a look that takes no time."""
    return Times(began_s=moment_s, judged_s=moment_s, ended_s=moment_s)


def played(looks: list[Seen], policy: Policy = POLICY) -> tuple[list[float], str]:
    """The moments of its acts, and its last word."""
    row, acts, why = Row(), list[float](), ""
    for at_s, look in looks:
        row, verdict = watch(row, look, at(at_s), policy)
        why = verdict.why
        if isinstance(verdict, Act):
            acts.append(at_s)
            row = acted(row, at_s)
    return acts, why


def every(seconds: float, look: Look, *, until: float, start: float = 0.0) -> list[Seen]:
    return [(start + number * seconds, look) for number in range(int((until - start) / seconds) + 1)]


@pytest.mark.parametrize(
    ("looks", "acts", "why"),
    [
        pytest.param(every(1, DEAD, until=4), [], "east is dead for 4.0s at 5 looks, 5s and 3 looks are wanted", id="not long enough"),
        pytest.param(every(1, DEAD, until=5), [5.0], "east is dead for 5.0s at 6 looks", id="long enough"),
        pytest.param([(0, DEAD), (5, DEAD)], [], "5s and 3 looks are wanted", id="too few looks"),
        pytest.param([(0, DEAD), (3, DEAD), (600, DEAD), (603, DEAD)], [], "dead for 3.0s at 2 looks", id="nobody looked meanwhile"),
        pytest.param([*every(1, DEAD, until=4), (5, ALIVE), (6, DEAD)], [], "dead for 0.0s at 1 looks", id="alive in between"),
        pytest.param([*every(1, DEAD, until=4), (5, UNKNOWN), (6, DEAD)], [], "dead for 0.0s at 1 looks", id="unknown in between"),
        pytest.param(every(1, replace(DEAD, can_fence=False), until=9), [], "only a person accepts", id="no fencing"),
        pytest.param(every(1, replace(DEAD, in_the_way="the pair is held"), until=9), [], "the pair is held", id="held"),
        pytest.param(every(1, replace(DEAD, since_act_s=60.0), until=9), [], "act was 60s ago", id="another watcher acted"),
        pytest.param(every(1, replace(DEAD, since_act_s=-5.0), until=9), [], "act was 0s ago", id="the wall clock was set back"),
        pytest.param(every(1, replace(DEAD, since_act_s=3600.0), until=5), [5.0], "is dead for", id="the block is over"),
        pytest.param(
            every(1, replace(DEAD, since_refusal_s=10.0), until=9), [], "was refused 10s ago, the next try comes after 60s", id="refused"
        ),
        pytest.param(every(1, replace(DEAD, since_refusal_s=60.0), until=5), [5.0], "is dead for", id="refused long enough ago"),
        pytest.param(every(1, replace(DEAD, writer=None), until=9), [], "not known which cluster", id="no writer known"),
        pytest.param([*every(1, DEAD, until=4), (5, replace(DEAD, writer="west"))], [], "west is dead for 0.0s", id="another is dead"),
        pytest.param(every(1, DEAD, until=3000), [5.0], "ago, the block is 3600s", id="once in a block"),
        pytest.param(every(1, DEAD, until=4000), [5.0, 3605.0], "ago, the block is 3600s", id="again after the block"),
    ],
)
def test_it_acts_when_dead_long_enough_at_enough_looks_with_nothing_in_the_way(looks: list[Seen], acts: list[float], why: str) -> None:
    done, last = played(looks)
    assert done == acts
    assert why in last


@pytest.mark.parametrize("state", [each for each in Liveness if each is not Liveness.DEAD])
def test_no_other_verdict_ever_leads_to_an_act(state: Liveness) -> None:
    assert played(every(1, replace(DEAD, state=state), until=100))[0] == []


def test_a_look_that_waits_long_for_an_answer_is_no_pause() -> None:
    """The host says nothing: each look takes six seconds, and one follows the other after one."""
    row, verdicts = Row(), []
    for began_s in (0.0, 7.0, 14.0):
        row, verdict = watch(row, DEAD, Times(began_s=began_s, judged_s=began_s + 1.0, ended_s=began_s + 6.0), POLICY)
        verdicts.append(verdict)
    assert [type(verdict) for verdict in verdicts] == [Wait, Wait, Act]
    assert verdicts[-1].why == "east is dead for 13.0s at 3 looks"


def test_a_pause_in_which_nobody_looked_begins_anew_however_long_the_looks_are() -> None:
    row, _ = watch(Row(), DEAD, Times(began_s=0.0, judged_s=1.0, ended_s=6.0), POLICY)
    row, _ = watch(row, DEAD, Times(began_s=11.1, judged_s=12.1, ended_s=17.1), POLICY)
    assert (row.looks, row.since_s) == (1, 12.1)


def test_what_a_look_waits_for_after_its_verdict_makes_nobody_dead_for_longer() -> None:
    """A restart of three seconds, and a proxy that is silent: the third look's verdict is old when the look ends."""
    row = Row()
    for began_s, ended_s in ((0.0, 0.0), (1.0, 1.0), (2.0, 5.0)):
        row, verdict = watch(row, DEAD, Times(began_s=began_s, judged_s=began_s, ended_s=ended_s), POLICY)
    assert verdict == Wait("east is dead for 2.0s at 3 looks, 5s and 3 looks are wanted")


def test_what_was_refused_is_tried_again_after_a_while_and_what_was_done_after_the_block() -> None:
    """By this watcher's own clock: the store may know of neither."""
    for after, pause_s in ((refused, POLICY.again_s), (acted, POLICY.block_s)):
        row = after(Row(writer="east", looks=9), 100.0)
        for at_s in range(100, 100 + int(pause_s)):
            row, verdict = watch(row, DEAD, at(at_s), POLICY)
            assert isinstance(verdict, Wait)
        assert isinstance(watch(row, DEAD, at(100 + pause_s), POLICY)[1], Act)


LOOKS = some.builds(
    Look,
    writer=some.sampled_from(["east", "east", "west", None]),
    state=some.sampled_from([Liveness.DEAD, Liveness.DEAD, Liveness.DEAD, Liveness.UNKNOWN, Liveness.ALIVE]),
    can_fence=some.sampled_from([True, True, True, False]),
    in_the_way=some.sampled_from(["", "", "", "held"]),
    since_act_s=some.sampled_from([None, None, 10.0, 4000.0]),
)


@given(some.lists(some.tuples(some.floats(0.1, 7.0), LOOKS), max_size=60))
def test_whatever_is_seen_every_act_has_its_row_of_dead_looks_and_its_block(steps: list[tuple[float, Look]]) -> None:
    looks: list[Seen] = []
    at_s = 0.0
    for pause_s, look in steps:
        at_s += pause_s
        looks.append((at_s, look))
    acts, _ = played(looks)
    for at_s in acts:
        before = [(when, look) for when, look in looks if at_s - POLICY.after_s <= when <= at_s]
        assert all(look.state is Liveness.DEAD and look.writer == before[-1][1].writer for _, look in before)
        assert before[-1][1].can_fence
        assert not before[-1][1].in_the_way
    assert all(later - earlier >= POLICY.block_s for earlier, later in pairwise(acts))


def test_an_act_is_never_forgotten_by_looks_that_see_something_else() -> None:
    _, verdict = watch(watch(acted(Row(), 100.0), ALIVE, at(101.0), POLICY)[0], DEAD, at(102.0), replace(POLICY, after_s=0.0, looks=1))
    assert isinstance(verdict, Wait)
