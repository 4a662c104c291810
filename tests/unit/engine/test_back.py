"""Failures after the first effect: all is as it was before, the old writer open, nothing lost; or all is fenced and a person told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from interlock.engine.events import OutageBegan, StepActs, StepBegan, StepEnded, UndoBegan
from interlock.engine.journal import read_progress
from interlock.errors import PairBusy
from interlock.model.effects import Fence, Open, PointTo, RestoreRoute
from interlock.playbook.load import parse_playbook
from interlock.playbook.tree import Playbook
from interlock.simulated.pair import EAST
from interlock.simulated.store_faults import ProcessStore
from unit.engine.stage import CATALOGUE, SWITCHOVER, Stage, all_of, assert_safe, short

FAILS = "- check: sql\n  with: {server: west, query: SELECT x, matches: never}"

UNDOES_NOTHING = "- id: none\n  do: replication.stop_receiving\n  with: {server: west, source: east}\n  undo: none"


def ended(step: str) -> Callable[[object], bool]:
    return lambda event: isinstance(event, StepEnded) and event.step == step


def began(step: str) -> Callable[[object], bool]:
    return lambda event: isinstance(event, StepBegan) and event.step == step


def acts(step: str) -> Callable[[object], bool]:
    return lambda event: isinstance(event, StepActs) and event.step == step


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`arrange` spoils the stage beforehand or at an event; `within_s` is how long the run may take in all."""

    arrange: Callable[[Stage], object]
    what: str
    playbook: Playbook = SWITCHOVER
    within_s: float = 15.0


ROLLED_BACK = {
    "a check fails between fence and opening": Case(arrange=lambda _: None, playbook=short(between=FAILS), what="does not match 'never'"),
    "a check fails after the flip": Case(arrange=lambda _: None, playbook=short(after=FAILS), what="does not match 'never'"),
    "standby hung right after the fence": Case(arrange=lambda s: s.when(ended("fenced"), s.pair.west.hang), what="west does not answer"),
    "standby hung at the moment of its opening": Case(
        arrange=lambda s: s.when(acts("flip/server.open"), s.pair.west.hang), what="west", within_s=60
    ),
    "standby died right after the fence": Case(arrange=lambda s: s.when(ended("fenced"), s.pair.west.crash), what="west does not answer"),
    "a server died for which nothing is to be undone": Case(
        arrange=lambda s: s.when(ended("none"), s.pair.west.crash),
        playbook=short(first=f"{UNDOES_NOTHING}\n{FAILS}"),
        what="west does not answer",
    ),
    "standby's applier stopped after the fence": Case(
        arrange=lambda s: all_of(lambda: setattr(s.pair.to_west, "delay_s", 0.3), lambda: s.when(acts("fenced"), s.pair.to_west.stop)),
        what="its applier has stopped",
    ),
    "standby too slow after the fence": Case(
        arrange=lambda s: s.when(began("fenced"), lambda: setattr(s.pair.to_west, "delay_s", 40.0)), what="behind after 10s", within_s=20
    ),
    "fence stuck": Case(arrange=lambda s: setattr(s.pair.east.faults, "fence_stuck", True), what="fence had no effect within 2s"),
    "proxy gone at the flip": Case(
        arrange=lambda s: all_of(
            lambda: s.when(acts("flip/route.flip"), lambda: setattr(s.pair.proxy, "down", True)),
            lambda: s.pair.clock.after(4, lambda: setattr(s.pair.proxy, "down", False)),
        ),
        what="proxy of writes does not answer",
    ),
    "replication back broken after the flip, and mended meanwhile": Case(
        arrange=lambda s: all_of(
            lambda: s.when(ended("flip/route.flip"), s.pair.to_east.stop), lambda: s.pair.clock.after(9, s.pair.to_east.start)
        ),
        what="did not arrive on east",
        within_s=60,
    ),
}


@pytest.mark.parametrize("case", ROLLED_BACK.values(), ids=ROLLED_BACK.keys())
@pytest.mark.parametrize("scheduler", ["ON", "OFF"])
def test_a_failure_after_the_first_effect_puts_everything_back(case: Case, scheduler: str) -> None:
    stage = Stage()
    stage.pair.east.scheduler = scheduler
    stage.pair.west.scheduler = "OFF"
    case.arrange(stage)
    before = stage.shape()
    began_s = stage.pair.clock.monotonic_s()
    report = stage.run(case.playbook)
    took_s = stage.pair.clock.monotonic_s() - began_s
    stage.pair.west.go_on()
    assert (report.outcome, report.exit_code) == ("rolled_back", 4), report.problems
    assert case.what in report.problems[0].what
    assert took_s < case.within_s
    assert stage.shape() == before
    assert_safe(stage, writer="east")
    assert all(not prober.runs for prober in stage.worlds[0].probers)


LOST_REPLIES = {"fence": ("east", Fence), "open": ("west", Open)}


@pytest.mark.parametrize(("fault", "outcome"), [("lost", "succeeded"), ("late", "rolled_back")])
@pytest.mark.parametrize(("server", "kind"), LOST_REPLIES.values(), ids=LOST_REPLIES.keys())
def test_an_effect_whose_reply_is_lost_is_looked_at_and_not_repeated_blindly(
    server: str, kind: type[Fence | Open], fault: str, outcome: str
) -> None:
    stage = Stage()
    faults = stage.pair.database(server).faults
    if fault == "lost":
        faults.lose_reply.add(kind)
    else:
        faults.land_late[kind] = 60.0
    assert stage.run().outcome == outcome
    assert stage.sent(kind, server) == 1
    stage.pair.clock.sleep(90)
    assert_safe(stage, writer="west" if outcome == "succeeded" else "east")


def test_a_fence_that_lands_after_the_way_back_does_not_close_the_old_writer() -> None:
    """Facts: a SET that timed out on the client landed after a rollback, and the server stayed read-only."""
    stage = Stage()
    stage.pair.east.faults.land_late[Fence] = 20.0
    stage.when(lambda e: isinstance(e, StepActs) and e.step == "fenced", lambda: setattr(stage.stop, "requested", True))
    assert stage.run().outcome == "rolled_back"
    stage.pair.clock.sleep(60)
    assert_safe(stage, writer="east")


def test_a_lost_reply_of_a_proxy_is_looked_at() -> None:
    stage = Stage()
    stage.when(acts("flip/route.flip"), lambda: setattr(stage.pair.proxy, "lose_reply", True))
    assert stage.run().outcome == "succeeded"
    assert sum(isinstance(effect, PointTo) for effect in stage.effects()) == 1
    assert_safe(stage, writer="west")


BOUNDED = parse_playbook(
    short().text.replace("do: route.flip\n", "do: route.flip\n    timeout: 2s\n"), file="short.yaml", catalogue=CATALOGUE
)


def lands_late(stage: Stage, after_s: float) -> None:
    """The next command has no answer, and its effect comes when nobody expects it any more."""
    proxy = stage.pair.proxy
    proxy.lose_reply = True

    def put_off() -> None:
        proxy.on_turn.remove(put_off)
        late, proxy.leads_to, proxy.holding = proxy.leads_to, (EAST,), True  # as before it
        stage.pair.clock.after(after_s, lambda: setattr(proxy, "leads_to", late))

    proxy.on_turn.append(put_off)


def test_a_flip_without_an_answer_is_taken_back_though_it_looks_untouched_and_may_still_land() -> None:
    stage = Stage()
    stage.when(acts("flip"), lambda: lands_late(stage, 60))
    report = stage.run(BOUNDED)
    assert report.outcome == "rolled_back"
    assert sum(isinstance(effect, RestoreRoute) for effect in stage.effects()) == 1
    (told,) = [each for each in report.problems if "may still land" in each.what]
    assert told.what.startswith("flip:")
    assert "interlock status" in told.hint
    assert_safe(stage, writer="east")


def test_whoever_takes_a_run_up_knows_that_a_flip_may_still_land() -> None:
    stage = Stage()
    stage.when(acts("flip"), lambda: lands_late(stage, 60))
    stage.run(BOUNDED)
    assert [read_progress(stage.store.records(stage.only_run())).intents[step].unsure for step in ("hold", "flip")] == [False, True]


def test_the_old_writer_dies_between_fence_and_opening_and_the_run_goes_on() -> None:
    stage = Stage()
    stage.when(ended("catch_up/replication.wait"), stage.pair.east.crash)
    report = stage.run(short())
    assert report.outcome == "succeeded", report.problems
    stage.pair.east.start()
    assert_safe(stage, writer="west")


HALTED = {
    "old writer dies after the opening, and the way back needs it": lambda s: s.when(ended("flip"), s.pair.east.crash),
    "old writer can't catch up with what was written": lambda s: s.when(ended("flip"), s.pair.to_east.stop),
    "new writer hangs after the opening": lambda s: s.when(ended("flip"), s.pair.west.hang),
}


@pytest.mark.parametrize("arrange", HALTED.values(), ids=HALTED.keys())
@pytest.mark.parametrize("then", ["resume", "roll_back"])
def test_an_undo_that_fails_leaves_all_fenced_and_says_what_to_run(arrange: Callable[[Stage], object], then: str) -> None:
    stage = Stage()
    arrange(stage)
    report = stage.run(short(after=FAILS))
    assert (report.outcome, report.exit_code) == ("halted", 5)
    assert stage.pair.violations == []
    reachable = [each for each in (stage.pair.east, stage.pair.west) if not each.faults.hung and not each.faults.down]
    assert all(each.read_only for each in reachable)
    unproved = {each.name for each in (stage.pair.east, stage.pair.west)} - {each.name for each in reachable}
    told = " ".join(problem.what for problem in report.problems)
    assert all(f"{name} is not proved fenced" in told for name in unproved)
    assert report.next_commands[:2] == (f"interlock resume {report.run}", f"interlock rollback {report.run}")
    assert "east: SET GLOBAL read_only=0" in report.next_commands

    stage.processes["first"].kill()
    stage.pair.west.go_on()
    stage.pair.to_east.start()
    if stage.pair.east.faults.down:
        stage.pair.east.start()
    stage.settle()
    engine = stage.engine("second")
    again = engine.resume(report.run) if then == "resume" else engine.roll_back(report.run)
    assert again.outcome == "rolled_back", again.problems
    assert_safe(stage, writer="east")


def test_an_old_writer_that_restarts_after_the_flip_is_waited_for_with_the_new_one_open() -> None:
    stage = Stage()
    acknowledged: list[int] = []

    def restart() -> None:
        stage.pair.clock.sleep(10.0)
        acknowledged.append(len(stage.pair.ledger.acknowledged))
        stage.pair.east.start()

    def dies() -> None:
        stage.pair.east.crash()
        acknowledged.append(len(stage.pair.ledger.acknowledged))

    stage.when(ended("flip"), dies)
    stage.when(lambda event: isinstance(event, UndoBegan) and "stays open" in event.script[0], restart)
    report = stage.run(short(after=FAILS))
    assert report.outcome == "rolled_back", report.problems
    assert acknowledged[1] > acknowledged[0] + 100
    assert_safe(stage, writer="east")


@pytest.mark.parametrize("then", ["resume", "roll_back"])
def test_an_old_writer_that_was_opened_on_the_way_back_and_fenced_by_the_halt_is_opened_again(then: str) -> None:
    """The proxy is gone from the fence on: the servers can be put back, and the hold can't."""
    stage = Stage()
    stage.when(ended("fenced"), lambda: setattr(stage.pair.proxy, "down", True))
    report = stage.run()
    assert (report.outcome, stage.pair.writers()) == ("halted", ())
    assert "east: SET GLOBAL read_only=0" in report.next_commands
    stage.processes["first"].kill()
    stage.pair.proxy.down = False
    stage.settle()
    engine = stage.engine("second")
    again = engine.resume(report.run) if then == "resume" else engine.roll_back(report.run)
    assert again.outcome == "rolled_back", again.problems
    assert_safe(stage, writer="east")


def test_what_does_not_stay_put_back_ends_at_the_deadline() -> None:
    """Somebody else sets the proxy's weights all the time."""
    stage = Stage()
    others = iter(range(10**9))
    meddle = partial(stage.pair.clock.every, 0.001, lambda: stage.pair.proxy.weights.update({EAST: str(next(others))}))
    stage.when(ended("flip"), meddle)
    began_s = stage.pair.clock.monotonic_s()
    report = stage.run(short(after=FAILS))
    assert report.outcome == "halted"
    assert any("flip could not be undone: what was put back did not stay so" in problem.what for problem in report.problems)
    assert stage.pair.clock.monotonic_s() - began_s < 45
    assert stage.pair.writers() == ()


@pytest.mark.parametrize("place", ["between", "after"])
@pytest.mark.parametrize("whose", ["playbook", "step"])
@pytest.mark.parametrize("then", ["resume", "roll_back"])
def test_on_failure_halt_fences_everything_and_leaves_the_way_on_open(place: str, whose: str, then: str) -> None:
    stage = Stage()
    steps = FAILS + ("\n  on_failure: halt" if whose == "step" else "")
    report = stage.run(short(**{place: steps}, end="on_failure: halt\n" if whose == "playbook" else ""))
    assert (report.outcome, report.exit_code) == ("halted", 5)
    assert stage.pair.writers() == ()
    assert stage.pair.violations == []
    stage.pair.west.settings["x"] = "never"  # a person mends what the check found
    stage.settle()
    engine = stage.engine("second")
    again = engine.resume(report.run) if then == "resume" else engine.roll_back(report.run)
    assert again.outcome == ("succeeded" if then == "resume" else "rolled_back"), again.problems
    assert_safe(stage, writer="west" if then == "resume" else "east")


def test_a_halt_before_the_fence_does_not_cause_an_outage() -> None:
    stage = Stage()
    note = '- do: sql\n  with: {server: west, statements: ["SET y=1"], undo: ["SET y=0"]}\n'
    report = stage.run(short(first=note + FAILS + "\n  on_failure: halt"))
    assert report.outcome == "halted"
    assert_safe(stage, writer="east")


# -- the store --


def steps_of_a_switchover() -> list[int]:
    stage = Stage()
    report = stage.run(short())
    return [record.seq for record in stage.store.records(report.run)]


@pytest.mark.parametrize("dead", [False, True], ids=["full", "gone"])
@pytest.mark.parametrize("seq", steps_of_a_switchover()[1:])
def test_a_store_that_fails_stops_what_is_not_begun_and_never_the_way_back(seq: int, dead: bool) -> None:  # noqa: FBT001 - a table's column
    stage = Stage()
    before = stage.shape()
    engine = stage.engine(store=lambda store, process: ProcessStore(store, process, fails_at=seq, dead=dead))
    report = engine.start(short(), {})
    stage.settle()
    assert stage.pair.violations == []
    assert report.outcome in {"refused", "rolled_back", "succeeded"}
    if report.outcome == "succeeded":
        assert_safe(stage, writer="west")
    else:
        assert stage.shape() == before
        assert_safe(stage, writer="east")
    if report.outcome == "refused":
        assert stage.effects() == []


# -- other operators --


def moments() -> list[str]:
    stage = Stage()
    stage.run(short())
    return [event.step for event in stage.events if isinstance(event, StepBegan)]


def take_over(stage: Stage) -> None:
    held = stage.store._held.pop("shop")
    stage.store.take_lease("shop", held.holder)


@pytest.mark.parametrize("step", moments())
def test_a_lease_that_is_lost_stops_the_run_before_its_next_effect(step: str) -> None:
    stage = Stage()
    lost_at: list[int] = []
    stage.when(began(step), lambda: all_of(lambda: take_over(stage), lambda: lost_at.append(len(stage.pair.sent))))
    with pytest.raises(PairBusy, match="lease of shop was taken over"):
        stage.run(short(after="- do: route.release\n  with: {route: all}\n- do: sql\n  with: {server: west, statements: [SET x=1]}"))
    assert len(stage.pair.sent) == lost_at[0]
    assert stage.pair.violations == []
    assert all(not prober.runs for prober in stage.worlds[0].probers)


UNTOLD = {
    "refused": (began("preflight/sql"), short(before=FAILS)),
    "rolled back": (ended("catch_up/sql"), short(between=FAILS)),
    "succeeded": (ended("verify/route.canary"), short()),
}


@pytest.mark.parametrize(("moment", "playbook"), UNTOLD.values(), ids=UNTOLD.keys())
def test_one_whose_run_was_taken_over_tells_no_outcome_of_it(moment: Callable[[object], bool], playbook: Playbook) -> None:
    """It may have slept: nothing of its own was refused, and yet the run is another's by now."""
    stage = Stage()
    stage.when(moment, lambda: take_over(stage))
    with pytest.raises(PairBusy, match="lease of shop was taken over"):
        stage.run(playbook)
    assert stage.store.header(stage.only_run()).outcome is None


def test_two_operators_one_works_and_the_other_is_told_who_holds_the_pair() -> None:
    stage = Stage()
    busy: list[str] = []

    def second() -> None:
        with pytest.raises(PairBusy) as caught:
            stage.engine("second").start(SWITCHOVER, {})
        busy.append(caught.value.message)

    stage.when(began("fenced"), second)
    assert stage.run().outcome == "succeeded"
    assert "held by ops@here, pid 1" in busy[0]
    assert {sent.process for sent in stage.pair.sent} == {"first"}
    assert_safe(stage, writer="west")


def test_two_operators_with_stores_of_their_own_are_kept_apart_by_the_servers_lock() -> None:
    stage = Stage()
    busy: list[str] = []

    def second() -> None:
        other = Stage(pair=stage.pair)
        with pytest.raises(PairBusy) as caught:
            other.engine("second").start(SWITCHOVER, {})
        busy.append(caught.value.message)
        assert other.store.runs(None)[0].outcome == "refused"

    stage.when(began("fenced"), second)
    assert stage.run().outcome == "succeeded"
    assert "the lock interlock:shop is held by session of first" in busy[0]
    assert {sent.process for sent in stage.pair.sent} == {"first"}
    assert_safe(stage, writer="west")


@pytest.mark.parametrize("step", ["catch_up/replication.wait", "flip/server.open", "flip/route.flip"])
def test_a_lock_whose_connection_broke_and_that_nobody_took_sends_the_run_back(step: str) -> None:
    """A server that hung for longer than a statement may take has ended the run's connections by the time it answers again."""
    stage = Stage()
    stage.when(began(step), stage.pair.east.locks.clear)
    report = stage.run()
    assert report.outcome == "rolled_back"
    assert "the connection that held the lock interlock:shop on east was lost" in report.problems[0].what
    assert_safe(stage, writer="east")


# -- stopping --


@pytest.mark.parametrize("number", range(200))
def test_a_stop_goes_back_before_the_opening_and_forward_after_it(number: int) -> None:
    stage = Stage()
    before = stage.shape()
    count = iter(range(10**6))
    stage.when(lambda _: next(count) == number, lambda: setattr(stage.stop, "requested", True))
    report = stage.run()
    opened = any(isinstance(effect, Open) and effect.server == "west" for effect in stage.effects())
    if not stage.stop.requested or opened:
        assert report.outcome == "succeeded"
        assert_safe(stage, writer="west")
        return
    assert report.outcome == ("rolled_back" if stage.effects() or report.state != "refused" else "refused")
    assert stage.shape() == before
    assert_safe(stage, writer="east")


def test_an_outage_that_can_be_stopped_has_begun() -> None:
    stage = Stage()
    stage.when(lambda event: isinstance(event, OutageBegan), lambda: setattr(stage.stop, "requested", True))
    assert stage.run().outcome == "rolled_back"
    assert_safe(stage, writer="east")
