"""What a failover puts in order once clients write again: replicas and events. Nothing of it can fail the failover."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interlock.actions.events_hand_over import HandOverEvents
from interlock.engine.report import RunReport
from interlock.model.facts import EventFacts, WriteFacts
from interlock.model.position import MariaDBPosition
from interlock.model.topology import Follow, ServerName
from interlock.model.verdict import Act
from interlock.playbook.load import load_playbook
from interlock.simulated.replicas import with_replica
from interlock.simulated.replication import Channel
from unit.engine.stage import CATALOGUE, SHIPPED, Stage

FAILOVER = load_playbook(SHIPPED / "failover.yaml", CATALOGUE)
WEST = ServerName("west")


def failed_over(stage: Stage, **inputs: str) -> RunReport:
    """East holds nothing that west lacks, unless the stage was set so before."""
    stage.pair.east.set_read_only(on=True)
    stage.settle()
    stage.pair.east.crash()
    return stage.run(FAILOVER, {"to": "west", **inputs})


def settled(report: RunReport) -> list[str]:
    """What that phase warns of."""
    return [warning for warning in report.warnings if warning.startswith("settle/")]


def behind_east(*, follow: Follow = Follow.WRITER) -> tuple[Stage, Channel]:
    stage = Stage()
    return stage, with_replica(stage.pair, "east-r1", follow=follow)


@pytest.mark.parametrize(("follow", "source"), [(Follow.WRITER, "west"), (Follow.MASTER, "east")], ids=["writer", "master"])
def test_a_replica_of_the_dead_master_follows_the_new_writer_where_the_topology_says_so(follow: Follow, source: str) -> None:
    stage, channel = behind_east(follow=follow)
    report = failed_over(stage)
    assert (report.outcome, settled(report)) == ("succeeded", [])
    assert channel.source.name == source
    stage.settle()
    assert channel.error == ""
    assert (channel.target.rows >= stage.pair.west.rows) is (follow is Follow.WRITER)


def down(_stage: Stage, channel: Channel) -> None:
    channel.target.faults.down = True


def applier_stopped(_stage: Stage, channel: Channel) -> None:
    channel.stop("1062 duplicate entry")


def ahead_of_west(stage: Stage, _channel: Channel) -> None:
    stage.pair.to_west.delay_s = 3600.0
    stage.pair.clock.sleep(0.5)


LEFT: dict[str, tuple[Callable[[Stage, Channel], None], str]] = {
    "down": (down, "east-r1"),
    "its applier has stopped": (applier_stopped, "1062 duplicate entry"),
    "it holds what west never got": (ahead_of_west, "that west lacks"),
}


@pytest.mark.parametrize(("spoil", "words"), LEFT.values(), ids=LEFT)
def test_one_that_can_t_follow_stays_where_it_is_is_named_and_fails_nothing(spoil: Callable[[Stage, Channel], None], words: str) -> None:
    stage, channel = behind_east()
    spoil(stage, channel)
    report = failed_over(stage)
    assert (report.outcome, stage.pair.writers(), channel.source.name) == ("succeeded", ("west",), "east")
    assert [warning for warning in report.warnings if words in warning], report.warnings


def test_a_dead_master_is_not_asked_when_replicas_are_moved() -> None:
    """Its host is off: each question would be waited for."""
    stage, channel = behind_east()
    stage.pair.east.hang()
    stage.pair.fencing[stage.pair.topology.server("east").cluster][0].off()
    report = failed_over(stage)
    ms = {step.id: step.ms or 0.0 for phase in report.phases for step in phase.steps}
    assert (report.outcome, channel.source.name) == ("succeeded", "west")
    assert ms["settle/replicas.follow"] < 1000.0


def with_event(stage: Stage, scheduler: str) -> None:
    stage.pair.west.scheduler = scheduler
    stage.pair.west.events = (EventFacts(schema="app", name="tick", definer="app@%", passes_read_only=False),)


@pytest.mark.parametrize(
    ("inputs", "scheduler", "after", "told"),
    [
        ({"events": "ON"}, "OFF", "ON", ""),
        ({"events": "OFF"}, "OFF", "OFF", ""),
        ({}, "OFF", "OFF", "app.tick on west are enabled, and its event scheduler is OFF"),
        ({}, "ON", "ON", ""),
        ({"events": "ON"}, "DISABLED", "DISABLED", "was started with event_scheduler=DISABLED"),
    ],
    ids=["they ran", "they did not", "nobody knows", "they run there too", "they can't run"],
)
def test_events_run_on_the_new_writer_if_somebody_says_so_and_else_are_named(
    inputs: dict[str, str], scheduler: str, after: str, told: str
) -> None:
    stage = Stage()
    with_event(stage, scheduler)
    report = failed_over(stage, **inputs)
    assert (report.outcome, stage.pair.west.scheduler) == ("succeeded", after)
    assert [told in warning for warning in settled(report)] == ([True] if told else [])


@pytest.mark.parametrize("required", [True, False])
def test_a_scheduler_that_can_t_be_started_fails_only_the_step_that_must_start_it(required: bool) -> None:  # noqa: FBT001 - a case
    seen = WriteFacts(server=WEST, read_only=False, position=MariaDBPosition.parse(""), event_scheduler="OFF")
    verdict = HandOverEvents(server=WEST, was="ON", required=required).decide(seen)
    assert isinstance(verdict, Act)
    assert (verdict.otherwise is None) is required
