"""Who was silent when the failover knocked is not waited for once more before the verdict."""

from __future__ import annotations

from interlock.engine.emergency import knock
from interlock.model.topology import ClusterName, ServerName
from interlock.playbook.load import load_playbook
from unit.engine.stage import CATALOGUE, SHIPPED, Stage

FAILOVER = load_playbook(SHIPPED / "failover.yaml", CATALOGUE)
EAST = ClusterName("east")


def hung() -> Stage:
    stage = Stage()
    stage.settle()
    stage.pair.east.hang()
    return stage


def took_s(*, told: bool) -> float:
    """A failover's refusal of a writer that hangs, with or without being told that it was silent."""
    stage = hung()
    engine = stage.engine()
    knocked = knock(engine.world, EAST, stage.pair.clock)
    assert (knocked.answers, knocked.silent) == (False, frozenset({ServerName("east")}))
    began_s = stage.pair.clock.monotonic_s()
    report = engine.start(FAILOVER, {"to": "west"}, knock=knocked if told else None)
    assert (report.outcome, "hangs" in report.problems[0].what) == ("refused", True), report.problems
    return stage.pair.clock.monotonic_s() - began_s


def test_a_silent_writer_costs_the_verdict_and_no_other_time_out() -> None:
    verdict_s = 1.5
    assert took_s(told=True) < verdict_s < took_s(told=False)


def test_one_that_is_dead_lets_nobody_wait_and_one_that_answers_neither() -> None:
    stage = Stage()
    world = stage.engine().world
    assert knock(world, EAST, stage.pair.clock).answers
    stage.pair.east.crash()
    knocked = knock(world, EAST, stage.pair.clock)
    assert (knocked.answers, knocked.silent) == (False, frozenset())
