"""Days of `watch --act failover` in memory: nothing is done as long as the writer lives, and one thing when it is dead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest

from interlock.decisions.watching import Look, Policy
from interlock.engine import watch, watcher
from interlock.engine.execution import Stop
from interlock.engine.marks import put_mark, take_mark_away
from interlock.engine.runs import Engine
from interlock.engine.watch import Observed
from interlock.model.liveness import Liveness
from interlock.model.marks import Mark, MarkKind
from interlock.model.topology import ClusterName
from interlock.playbook.find import shipped_folder
from interlock.playbook.load import load_playbook
from interlock.ports import Holder
from interlock.simulated.network import TOOL
from interlock.simulated.pair import SimulatedPair
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.schedules import Fault, FaultKind
from interlock.simulated.store import MemoryStore
from interlock.simulated.variants import known
from interlock.simulated.watching import HOUR_S, Day, Trouble, Watched, day_of, watch_through
from interlock.simulated.world import SimulatedWorld
from simulation.mutants import Mutant, in_force

CALM = Day(hours=0.1)
BLOCK_S = Policy().block_s


def ends(watched: Watched) -> list[str | None]:
    return [header.outcome for header in watched.acts]


def kill(pair: SimulatedPair, _store: MemoryStore) -> None:
    pair.east.crash()


def power_off(pair: SimulatedPair, _store: MemoryStore) -> None:
    """Nobody gets an answer of its host any more; the other side's receiver notices that by and by."""
    pair.east.hang()
    for party in (TOOL, "west"):
        pair.network.cut("east", party)
        pair.network.cut(party, "east")


DEATHS = {"killed": kill, "its host is off": power_off}


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_done_to_a_writer_that_lives_through_six_hours_of_trouble(seed: int) -> None:
    watched = watch_through(replace(day_of(seed, hours=6.0), every_s=2.0))
    assert (watched.runs, watched.pair.violations, watched.pair.writers()) == ((), [], ("east",))


def test_the_days_bring_what_they_are_for() -> None:
    """Every verdict is come to, dead among them; and who acts at the first look that says so would act."""
    day = day_of(1, hours=2.0)
    seen = Counter(each.text.split(":")[0] for each in watch_through(day).said if each.subject == "east")
    assert set(seen) == {"alive", "dead", "hung", "cut off", "refusing", "unknown"}
    assert {trouble.fault.kind for trouble in day.troubles} >= {FaultKind.SPLIT, FaultKind.SLOW, FaultKind.CRASH_UNFENCED, FaultKind.CRASH}
    hasty = replace(day, policy=Policy(after_s=0.0, looks=1))
    assert watch_through(hasty).acts, "the days are too calm to tell a hasty watcher from a patient one"


def _taken_for_dead(state: Liveness) -> Mutant:
    def look_of(seen: Observed) -> Look:
        its = watch.look_of(seen)
        return replace(its, state=Liveness.DEAD) if its.state is state else its

    return Mutant(bug=f"a writer that is {state} is taken for dead", swaps=[(watcher, "look_of", look_of)])


@pytest.mark.parametrize("state", [Liveness.UNKNOWN, Liveness.CUT_OFF, Liveness.HUNG, Liveness.REFUSING])
def test_a_seeded_bug_of_the_watch_is_noticed(state: Liveness) -> None:
    """By the run that it begins, which looks again and refuses."""
    with in_force(_taken_for_dead(state)):
        watched = watch_through(replace(day_of(0, hours=1.5), every_s=2.0))
    assert watched.runs, f"nobody noticed that {_taken_for_dead(state).bug}"
    assert watched.acts == ()


def close(pair: SimulatedPair, _store: MemoryStore) -> None:
    pair.east.set_read_only(on=True)


def test_a_pair_that_somebody_closed_stays_closed_when_the_one_that_was_its_writer_ends() -> None:
    """Nobody takes writes, as somebody wanted: there is nobody to be failed over from, nor a reason to open the other side."""
    watched = watch_through(CALM, (60.0, close), (90.0, kill))
    assert (watched.runs, watched.pair.writers()) == ((), ())


@pytest.mark.parametrize("die", DEATHS.values(), ids=DEATHS)
@pytest.mark.parametrize("seed", range(4))
def test_a_writer_that_dies_amid_trouble_is_replaced_once(seed: int, die: Callable[[SimulatedPair, MemoryStore], None]) -> None:
    dies_at_s = Random(seed).uniform(0.1, 0.9) * HOUR_S  # noqa: S311 - the same moments every time
    watched = watch_through(day_of(seed, hours=1.2, calm_from_s=dies_at_s), (dies_at_s, die))
    assert (ends(watched), watched.pair.violations, watched.pair.writers()) == (["succeeded"], [], ("west",))
    assert len(watched.runs) == 1
    (acts,) = [each.at_s for each in watched.said if each.text.startswith("acts: east is dead for ")]
    assert dies_at_s + 5.0 < acts < dies_at_s + 60.0


def test_a_restart_is_no_death_for_a_proxy_that_lets_the_watcher_wait() -> None:
    """Found on a drawn day: a look whose verdict was early and whose end was late counted as death up to its end."""
    restart = Fault(kind=FaultKind.CRASH_UNFENCED, place=("east",), at_move=0, for_s=2.8)
    silence = Fault(kind=FaultKind.SPLIT, place=("tool", "proxy"), at_move=0, for_s=7.0)
    day = replace(CALM, hours=0.02, troubles=(Trouble(at_s=20.0, fault=restart), Trouble(at_s=22.3, fault=silence)))
    assert watch_through(day).runs == ()


def test_a_hold_is_respected_and_released_by_a_person() -> None:
    def hold(pair: SimulatedPair, store: MemoryStore) -> None:
        put_mark(store, _hold(pair))

    def release(pair: SimulatedPair, store: MemoryStore) -> None:
        take_mark_away(store, _hold(pair))

    watched = watch_through(CALM, (20.0, hold), (25.0, kill), (200.0, release))
    assert ends(watched) == ["succeeded"]
    assert any("the pair is held by anna@ops1" in each.text for each in watched.said if each.subject == "watch")
    (acts,) = [each.at_s for each in watched.said if each.text.startswith("acts: ")]
    assert 200.0 < acts < 205.0


def _hold(pair: SimulatedPair, until: datetime | None = None) -> Mark:
    return Mark(topology="shop", kind=MarkKind.HOLD, subject="", by="anna@ops1", at=pair.clock.wall(), reason="new disk", until=until)


def test_a_hold_that_expires_is_told_and_holds_on() -> None:
    def hold_a_minute(pair: SimulatedPair, store: MemoryStore) -> None:
        put_mark(store, _hold(pair, until=pair.clock.wall() + timedelta(minutes=1)))

    watched = watch_through(CALM, (20.0, hold_a_minute), (25.0, kill))
    assert (watched.runs, watched.pair.writers()) == ((), ())
    (reminded,) = [each.at_s for each in watched.said if each.subject == "marks" and "which has expired" in each.text]
    assert 80.0 <= reminded < 82.0


@pytest.mark.parametrize("die", DEATHS.values(), ids=DEATHS)
@pytest.mark.parametrize("seed", range(3))
def test_of_two_watchers_on_two_machines_one_acts(seed: int, die: Callable[[SimulatedPair, MemoryStore], None]) -> None:
    day = replace(day_of(seed, hours=0.2, calm_from_s=400.0), watchers=2)
    watched = watch_through(day, (400.0, die))
    assert (ends(watched), watched.pair.violations, watched.pair.writers()) == (["succeeded"], [], ("west",))
    who = Counter(each.watcher for each in watched.said if each.text.endswith("has ended: succeeded"))
    assert sum(who.values()) == 1


def test_the_new_writer_may_die_within_the_block_and_is_left_to_people_until_it_is_over() -> None:
    def rejoin(pair: SimulatedPair, store: MemoryStore) -> None:
        pair.fencing[ClusterName("east")][0].on()
        pair.east.start()
        back = _engine(pair, store).start(load_playbook(shipped_folder() / "rejoin.yaml", known()), {"cluster": "east"})
        assert back.outcome == "succeeded"

    def kill_west(pair: SimulatedPair, _store: MemoryStore) -> None:
        pair.west.crash()

    watched = watch_through(replace(CALM, hours=1.2), (10.0, kill), (60.0, rejoin), (90.0, kill_west))
    assert (ends(watched), watched.pair.writers()) == (["succeeded", "succeeded"], ("east",))
    first, second = (header.started_at for header in watched.acts)
    assert BLOCK_S <= (second - first).total_seconds() < BLOCK_S + 10.0
    assert any("the block is 3600s" in each.text for each in watched.said)


def test_what_was_refused_is_tried_again_and_does_not_begin_the_block() -> None:
    """West's applier had stopped with an error. A person mends that, and no more is needed."""

    def break_applier(pair: SimulatedPair, _store: MemoryStore) -> None:
        pair.to_west.stop("1032 row not found")

    def mend_applier(pair: SimulatedPair, _store: MemoryStore) -> None:
        pair.to_west.start()

    watched = watch_through(CALM, (10.0, break_applier), (20.0, kill), (170.0, mend_applier))
    assert ends(watched) == ["succeeded"]
    refused = [header for header in watched.runs if header.outcome == "refused"]
    assert 2 <= len(refused) <= 3
    assert watched.pair.writers() == ("west",)


def test_without_a_way_to_prove_the_fence_it_never_acts() -> None:
    def unplug(pair: SimulatedPair, _store: MemoryStore) -> None:
        pair.fencing[ClusterName("east")].clear()

    watched = watch_through(CALM, (1.0, unplug), (10.0, kill))
    assert watched.runs == ()
    assert any("no fencing for east" in each.text for each in watched.said)


def test_a_day_is_played_the_same_way_again() -> None:
    day = day_of(7, hours=0.5)
    assert watch_through(day).said == watch_through(day).said


def _engine(pair: SimulatedPair, store: MemoryStore) -> Engine:
    return Engine(
        world=SimulatedWorld(pair, SimulatedProcess("anna"), store),
        store=store,
        catalogue=known(),
        clock=pair.clock,
        observe=lambda _: None,
        ask=bool,
        stop=Stop(),
        holder=lambda run: Holder(user="anna", host="ops1", pid=1, process_started="anna", run=run),
        redact=str,
    )
