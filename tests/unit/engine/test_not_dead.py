"""What an operator is told when a failover is refused, and when a cluster that failed is asked for again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interlock.engine.marks import put_mark
from interlock.engine.report import RunReport, StepReport
from interlock.model.marks import Mark, MarkKind
from interlock.playbook.load import load_playbook
from interlock.simulated.network import TOOL
from interlock.simulated.pair import SimulatedPair
from unit.engine.stage import CATALOGUE, SHIPPED, SWITCHOVER, Stage

FAILOVER = load_playbook(SHIPPED / "failover.yaml", CATALOGUE)
REJOIN = load_playbook(SHIPPED / "rejoin.yaml", CATALOGUE)


def step_of(report: RunReport, action: str) -> StepReport:
    (step,) = [step for phase in report.phases for step in phase.steps if step.action == action]
    return step


def refuse(pair: SimulatedPair) -> None:
    pair.east.faults.refuses = True


def hide(pair: SimulatedPair) -> None:
    pair.network.cut(TOOL, "east")


def hide_from_all(pair: SimulatedPair) -> None:
    hide(pair)
    pair.network.cut("east", "west")


NOT_DEAD: dict[str, tuple[Callable[[SimulatedPair], None], str, str, str]] = {
    "it hangs": (lambda pair: pair.east.hang(), "hung", "east hangs: it takes connections and does not answer", "hangs"),
    "it lets nobody in": (refuse, "refusing", "east is alive, and lets nobody in: it refuses a login here", "refuses"),
    "cut off from here": (hide, "cut off", "east can't be reached from here, and lives: silent here, west's receiver gets data", "silent"),
    "cut off from everybody": (hide_from_all, "unknown", "whether east is dead is not known", "silent"),
    "alive": (lambda _: None, "alive", "east is alive: it answers here", "answers"),
}


@pytest.mark.parametrize(("befall", "verdict", "told", "from_here"), NOT_DEAD.values(), ids=NOT_DEAD)
def test_a_refused_failover_says_what_its_master_is_and_who_sees_what(
    befall: Callable[[SimulatedPair], None], verdict: str, told: str, from_here: str
) -> None:
    stage = Stage()
    befall(stage.pair)
    report = stage.run(FAILOVER, {"to": "west"})
    assert (report.outcome, stage.effects()) == ("refused", [])
    (problem,) = report.problems
    assert told in problem.what
    assert problem.hint
    outputs = step_of(report, "cluster.is_dead").outputs
    assert outputs["verdict"] == verdict
    assert {each["vantage"]: each["view"] for each in outputs["seen"]}["here"] == from_here  # type: ignore[attr-defined]


def test_a_check_that_tells_nothing_of_a_failure_keeps_no_outputs() -> None:
    stage = Stage()
    stage.pair.to_west.stop("1032 row not found")
    stage.pair.east.crash()
    report = stage.run(FAILOVER, {"to": "west"})
    assert report.outcome == "refused"
    assert step_of(report, "replication.can_take_over").outputs == {}


def down(stage: Stage) -> None:
    stage.pair.east.crash()


def hung(stage: Stage) -> None:
    stage.pair.east.hang()


@pytest.mark.parametrize("befall", [down, hung])
@pytest.mark.parametrize(("playbook", "given"), [(SWITCHOVER, {"to": "east"}), (REJOIN, {"cluster": "east"})], ids=["switchover", "rejoin"])
def test_a_cluster_that_failed_and_does_not_answer_is_to_rejoin_first(
    befall: Callable[[Stage], None], playbook: object, given: dict[str, str]
) -> None:
    stage = Stage()
    now = stage.pair.clock.wall()
    put_mark(stage.store, Mark(topology="shop", kind=MarkKind.FAILED, subject="east", by="run", at=now, reason="it died", run="r1"))
    stage.pair.east.set_read_only(on=True)
    stage.pair.west.set_read_only(on=False)
    befall(stage)
    report = stage.run(playbook, given)  # type: ignore[arg-type]
    assert (report.outcome, stage.effects()) == ("refused", [])
    (problem,) = report.problems
    assert "east is marked as failed since" in problem.what
    assert "(run r1), and has not rejoined; east does not answer" in problem.what
    assert "`interlock rejoin east`" in problem.hint


def test_a_server_that_did_not_fail_is_only_said_not_to_answer() -> None:
    stage = Stage()
    stage.pair.west.crash()
    report = stage.run(SWITCHOVER, {"to": "west"})
    assert report.outcome == "refused"
    assert not any("rejoin" in problem.hint for problem in report.problems)
