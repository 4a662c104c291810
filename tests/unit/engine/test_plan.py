"""A plan shows what a run would send, with the undo of each, and changes nothing."""

from __future__ import annotations

from interlock.engine.events import StepActs
from interlock.engine.plan import PlanReport, plan
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.world import SimulatedWorld
from unit.engine.stage import SWITCHOVER, Stage


def planned(stage: Stage) -> PlanReport:
    return plan(SWITCHOVER, {}, SimulatedWorld(stage.pair, SimulatedProcess("plan"), stage.store), ())


def test_a_plan_changes_nothing() -> None:
    stage = Stage()
    before = stage.shape()
    assert planned(stage).would == "succeed"
    assert (stage.shape(), stage.effects(), stage.store.runs(None)) == (before, [], ())
    assert (stage.pair.east.locks, stage.pair.west.locks) == ({}, {})


def test_what_a_plan_shows_is_what_a_run_sends() -> None:
    stage = Stage()
    stage.pair.east.scheduler = "ON"
    shown = [line for phase in planned(stage).phases for step in phase.steps for line in step.script]
    shown = [line for line in shown if "KILL" not in line]  # those sessions have ended by themselves when the route has flipped
    stage.run()
    sent = [line for event in stage.events if isinstance(event, StepActs) for line in event.script]
    assert sent == shown
    assert {"east: SET GLOBAL read_only=1", "west: SET GLOBAL read_only=0", "writes: point to west"} <= set(shown)


def test_a_plan_shows_the_undo_of_each_effect() -> None:
    stage = Stage()
    undo = {step.id: step.undo for phase in planned(stage).phases for step in phase.steps if step.script}
    assert undo["fenced"] == ("east: SET GLOBAL read_only=0",)
    assert undo["flip/server.open"] == ("west: SET GLOBAL read_only=1",)
    assert undo["flip/route.flip"] == ("writes: point to east", "writes: release")


def test_a_plan_names_what_would_refuse_the_run() -> None:
    stage = Stage()
    stage.pair.to_west.stop()
    report = planned(stage)
    assert report.would == "be_refused"
    assert any("the applier is stopped" in problem["what"] and problem["hint"] for problem in report.problems)


def test_a_plan_for_a_pair_whose_writer_is_not_clear_says_so() -> None:
    stage = Stage()
    stage.pair.east.crash()
    report = planned(stage)
    assert report.would == "be_refused"
    assert report.problems[0]["hint"]


def test_the_expected_outage_is_that_of_earlier_runs_of_the_same_playbook() -> None:
    """A failover's tells nothing of a switchover's: so a pair that was switched twenty times has no figure for its first failover."""
    stage = Stage()
    world = SimulatedWorld(stage.pair, SimulatedProcess("plan"), stage.store)
    told = {past: plan(SWITCHOVER, {}, world, past) for past in ((), (30.0,), (30.0, 10.0, 20.0))}
    assert [report.expected_outage_ms for report in told.values()] == [None, 30.0, 20.0]
    assert [report.expected_from.partition(";")[0] for report in told.values()] == [
        "no earlier switchover of this pair was measured",
        "the last run of switchover on this pair",
        "the median of the last 3 runs of switchover on this pair",
    ]
