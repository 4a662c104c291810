"""The shipped rejoin of a server that holds more than the writer: taken back or copied, kept before, and to a named end from any move."""

from __future__ import annotations

import pytest

from interlock.engine.plan import plan
from interlock.errors import UsageError
from interlock.model.effects import StartReceiver
from interlock.model.marks import MarkKind
from interlock.model.returning import BeginCopy, KeepLosses, SetHeld, TakeBack
from interlock.model.topology import ClusterName
from interlock.playbook.load import load_playbook
from interlock.simulated.pair import Sent
from interlock.simulated.process import ProcessKilled
from unit.engine.stage import CATALOGUE, SHIPPED, Stage

FAILOVER = load_playbook(SHIPPED / "failover.yaml", CATALOGUE)
REJOIN = load_playbook(SHIPPED / "rejoin.yaml", CATALOGUE)
EAST = {"cluster": "east"}
WAYS = {"undo": "", "copy": "1-1-7 is a statement: ALTER TABLE"}


def failed_over(inexact: str) -> Stage:
    """East is back, fenced, with transactions that it never sent. `inexact`: why they can't be taken back."""
    played = Stage()
    played.pair.to_west.delay_s = 3600.0
    played.pair.clock.sleep(0.2)
    played.pair.east.set_read_only(on=True)
    played.settle()
    played.pair.east.crash()
    assert played.run(FAILOVER, {"to": "west"}).outcome == "succeeded"
    for key in played.pair.missing("west"):  # lost by the emergency: what follows loses nothing more
        del played.pair.ledger.acknowledged[key]
    played.pair.violations.clear()
    played.pair.to_west.delay_s = 0.002
    power = played.pair.fencing[ClusterName("east")][0]
    power.on()
    played.pair.east.start()
    played.pair.east.barred = True  # somebody started it all the same
    if inexact:
        played.pair.east.settings["inexact"] = inexact
    played.pair.clock.sleep(0.5)
    return played


def is_back(played: Stage) -> bool:
    """East is a standby that holds exactly what west does, and nobody marks it."""
    pair = played.pair
    played.settle()
    marked = [mark for mark in played.store.marks("shop") if mark.kind is MarkKind.FAILED]
    runs = all(channel.receiving and channel.running for channel in (pair.to_west, pair.to_east))
    pair.west.set_read_only(on=True)
    played.settle()
    return (
        runs
        and not marked
        and not pair.east.barred
        and pair.east.read_only
        and pair.east.rows == pair.west.rows
        and "return_note" not in pair.east.settings
    )


@pytest.mark.parametrize("inexact", WAYS.values(), ids=WAYS)
def test_what_it_holds_more_is_kept_first_and_then_gone(inexact: str) -> None:
    played = failed_over(inexact)
    report = played.engine("second").start(REJOIN, EAST)
    kinds = [type(effect) for effect in played.effects() if isinstance(effect, KeepLosses | TakeBack | BeginCopy | SetHeld)]
    assert (report.outcome, kinds) == ("succeeded", [KeepLosses, BeginCopy if inexact else TakeBack, SetHeld])
    assert (played.pair.writers(), played.pair.violations) == (("west",), [])
    assert is_back(played)


@pytest.mark.parametrize(("asked", "inexact", "way"), [("auto", "", TakeBack), ("auto", "why", BeginCopy), ("copy", "", BeginCopy)])
def test_the_cheapest_way_that_is_correct_is_taken_unless_another_is_asked_for(asked: str, inexact: str, way: type) -> None:
    played = failed_over(inexact)
    assert played.engine("second").start(REJOIN, {**EAST, "data": asked}).outcome == "succeeded"
    assert [type(effect) for effect in played.effects() if isinstance(effect, TakeBack | BeginCopy)] == [way]


def test_what_can_not_be_taken_back_is_not_if_nothing_else_is_allowed() -> None:
    played = failed_over(WAYS["copy"])
    sent = len(played.effects())
    report = played.engine("second").start(REJOIN, {**EAST, "data": "undo"})
    (problem,) = report.problems
    assert (report.outcome, len(played.effects())) == ("refused", sent)
    assert "can't be taken back exactly: 1-1-7 is a statement: ALTER TABLE" in problem.what
    assert problem.hint == "copy the data: -i data=copy"


@pytest.mark.parametrize(("way", "inexact"), WAYS.items(), ids=WAYS)
def test_the_plan_tells_the_way_with_its_reason_and_only_its_step(way: str, inexact: str) -> None:
    played = failed_over(inexact)
    played.engine("second")
    report = plan(REJOIN, EAST, played.worlds[-1], ())
    steps = {step.action: step for phase in reversed(report.phases) for step in reversed(phase.steps)}
    assert report.would == "succeed", report.problems
    assert steps["data.way_back"].detail.startswith(f"{way}: east holds ")
    assert {name: steps[name].result for name in ("data.undo", "data.copy")} == {
        "data.undo": "would" if way == "undo" else "skipped",
        "data.copy": "would" if way == "copy" else "skipped",
    }


def test_a_plan_of_one_that_does_not_run_tells_that_once() -> None:
    played = failed_over("")
    played.pair.east.crash()
    played.engine("second")
    report = plan(REJOIN, EAST, played.worlds[-1], ())
    assert report.would == "be_refused"
    assert [one["what"].partition(": ")[2] for one in report.problems].count("east does not answer") == 1
    assert sum(step.result == "fails" and step.detail == "east does not answer" for phase in report.phases for step in phase.steps) > 1


def test_a_copy_begins_anew_after_one_that_was_not_ended_though_nothing_extra_is_seen() -> None:
    played = failed_over(WAYS["copy"])
    played.pair.east.settings["return_note"] = "copying"
    played.pair.east.rows.clear()
    assert played.engine("second").start(REJOIN, EAST).outcome == "succeeded"
    assert is_back(played)


@pytest.mark.parametrize("killed", [False, True], ids=["it was stopped", "it was killed"])
@pytest.mark.parametrize(("inexact", "effect"), [(WAYS["undo"], TakeBack), (WAYS["copy"], BeginCopy)], ids=WAYS)
def test_a_fence_that_was_let_ajar_for_it_is_as_close_as_before_once_it_went_back(inexact: str, effect: type, *, killed: bool) -> None:
    """As MySQL's, past which no row can be changed: rows are made equal while it is `read_only` alone."""
    played = failed_over(inexact)
    played.pair.east.ajar = False
    engine, process = played.engine("second"), played.processes["second"]

    def interrupt(sent: Sent) -> None:
        if isinstance(sent.effect, effect) and killed:
            process.kill_at = process.moves + 2
        elif isinstance(sent.effect, effect):
            played.stop.requested = True

    played.pair.on_sent.append(interrupt)
    if killed:
        with pytest.raises(ProcessKilled):
            engine.start(REJOIN, EAST)
        assert played.pair.east.ajar, "it is the rollback that closes it"
        (newest, *_) = played.store.runs(None)
        report = played.engine("third").roll_back(newest.run)
    else:
        report = engine.start(REJOIN, EAST)
    played.pair.on_sent.clear()
    played.stop.requested = False
    assert (report.outcome, played.pair.east.read_only, played.pair.east.ajar) == ("rolled_back", True, False)
    assert played.engine("fourth").start(REJOIN, EAST).outcome == "succeeded"
    assert (is_back(played), played.pair.east.ajar) == (True, False)


@pytest.mark.parametrize("effect", [BeginCopy, StartReceiver], ids=["while its data are copied", "once it is fenced again"])
def test_one_that_dies_on_its_way_back_never_closes_the_writer(effect: type) -> None:
    """Though the run has fenced it: more closely, or its events. What halts closes only what may have been opened, and here nothing was."""
    played = failed_over(WAYS["copy"])
    played.pair.east.ajar, played.pair.east.scheduler = False, "ON"

    def crash(sent: Sent) -> None:
        if isinstance(sent.effect, effect) and not played.pair.east.faults.down:
            played.pair.east.crash()

    played.pair.on_sent.append(crash)
    report = played.engine("second").start(REJOIN, EAST)
    assert (report.outcome, played.pair.writers()) == ("halted", ("west",)), report.problems
    assert "west takes the writes as before" in report.problems[-1].what


def moves(inexact: str) -> int:
    played = failed_over(inexact)
    played.engine("second").start(REJOIN, EAST)
    return played.processes["second"].moves


def moves_of_its_log(inexact: str) -> range:
    """From the moment at which its log is told to begin anew, over what the writer is told of it."""
    played = failed_over(inexact)
    engine, began = played.engine("second"), list[int]()
    process = played.processes["second"]
    played.pair.on_sent.append(lambda sent: began.append(process.moves) if isinstance(sent.effect, SetHeld) else None)
    engine.start(REJOIN, EAST)
    return range(began[0], began[0] + 4)


KILLED = [(way, move) for way, inexact in WAYS.items() for move in (*range(1, moves(inexact) + 1, 11), *moves_of_its_log(inexact))]


@pytest.mark.parametrize("how", ["resume", "rollback"])
@pytest.mark.parametrize(("way", "move"), sorted(set(KILLED)))
def test_a_rejoin_that_was_killed_at_any_move_ends_in_a_named_outcome_and_the_writer_goes_on(way: str, move: int, how: str) -> None:
    played = failed_over(WAYS[way])
    with pytest.raises(ProcessKilled):
        played.engine("second", kill_at=move).start(REJOIN, EAST)
    played.settle()
    newest, *_ = played.store.runs(None)
    third = played.engine("third")
    if newest.playbook != "rejoin" or newest.outcome is not None:
        with pytest.raises(UsageError, match="has ended"):
            third.resume(newest.run)
        assert newest.playbook == "failover" or newest.outcome == "succeeded"
        return
    outcome = (third.resume if how == "resume" else third.roll_back)(newest.run).outcome
    assert (played.pair.violations, played.pair.writers()) == ([], ("west",))
    if outcome != "succeeded":
        assert outcome in {"rolled_back", "refused"}
        assert [mark.subject for mark in played.store.marks("shop")] == ["east"]
        assert played.pair.east.read_only
        assert played.engine("fourth").start(REJOIN, EAST).outcome == "succeeded"
    assert is_back(played)
