"""Replicas follow the writer where the topology wants that; whatever befalls one of them, the pair's run ends as it would without it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interlock.engine.events import StepActs, StepBegan, StepEnded
from interlock.model.topology import Follow
from interlock.simulated.process import ProcessKilled
from interlock.simulated.replicas import with_replica
from interlock.simulated.replication import Channel
from unit.engine.stage import SWITCHOVER, Stage, all_of, assert_safe

FOLLOW = "settle/replicas.follow"


def ended(step: str) -> Callable[[object], bool]:
    return lambda event: isinstance(event, StepEnded) and event.step == step


def staged(*, follow: Follow = Follow.WRITER) -> tuple[Stage, Channel]:
    stage = Stage()
    return stage, with_replica(stage.pair, "east-r1", follow=follow)


def down(channel: Channel) -> None:
    channel.target.faults.down = True


def fail_after(stage: Stage, step: str) -> None:
    """Another server's word changes once the step has ended, so that the next check fails."""
    stage.when(ended(step), lambda: setattr(stage.pair.west, "read_only", True))


@pytest.mark.parametrize(("follow", "source"), [(Follow.WRITER, "west"), (Follow.MASTER, "east")], ids=["writer", "master"])
def test_a_replica_follows_whom_the_topology_says(follow: Follow, source: str) -> None:
    stage, channel = staged(follow=follow)
    report = stage.run()
    assert (report.outcome, report.warnings) == ("succeeded", [])
    assert channel.source.name == source
    assert_safe(stage, writer="west")


BROKEN: dict[str, tuple[Callable[[Channel], None], str]] = {
    "down": (down, "east-r1"),
    "applier stopped": (lambda channel: channel.stop(), "the applier of east-r1 is stopped"),
    "an error": (lambda channel: channel.stop("1062 duplicate entry"), "1062 duplicate entry"),
}


@pytest.mark.parametrize(("spoil", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_replica_that_was_broken_before_is_named_twice_and_stays_where_it_is(spoil: Callable[[Channel], None], words: str) -> None:
    stage, channel = staged()
    spoil(channel)
    report = stage.run()
    assert report.outcome == "succeeded"
    named = [warning for warning in report.warnings if words in warning]
    assert len(named) == 2, report.warnings
    assert channel.source.name == "east"
    assert_safe(stage, writer="west")


def test_a_replica_that_breaks_while_it_is_moved_is_named_and_fails_nothing() -> None:
    stage, channel = staged()
    stage.when(lambda event: isinstance(event, StepActs) and event.step == FOLLOW, lambda: down(channel))
    report = stage.run()
    assert report.outcome == "succeeded", report.problems
    assert any("east-r1" in warning for warning in report.warnings)
    assert_safe(stage, writer="west")


def test_on_the_way_back_a_replica_goes_back_last() -> None:
    stage, channel = staged()
    fail_after(stage, FOLLOW)
    report = stage.run()
    assert report.outcome == "rolled_back", report.problems
    assert channel.source.name == "east"
    assert report.rollback[-1].step == FOLLOW
    stage.settle()
    assert channel.error == ""
    assert_safe(stage, writer="east")


def test_a_replica_that_can_not_be_put_back_is_told_and_the_pair_is_as_before() -> None:
    stage, channel = staged()
    stage.when(ended(FOLLOW), lambda: all_of(lambda: down(channel), lambda: setattr(stage.pair.west, "read_only", True)))
    report = stage.run()
    assert report.outcome == "rolled_back"
    assert f"{FOLLOW} could not be undone" in report.problems[-1].what
    assert_safe(stage, writer="east")


def test_a_run_that_is_killed_at_any_move_of_the_step_goes_on() -> None:
    whole, _ = staged()
    moves: list[int] = []
    whole.when(lambda event: isinstance(event, StepBegan) and event.step == FOLLOW, lambda: moves.append(whole.processes["first"].moves))
    whole.when(ended(FOLLOW), lambda: moves.append(whole.processes["first"].moves))
    whole.run()
    for move in range(moves[0], moves[1] + 1):
        stage, channel = staged()
        with pytest.raises(ProcessKilled):
            stage.engine("first", kill_at=move).start(SWITCHOVER, {})
        report = stage.engine("second").resume(stage.only_run())
        assert (report.outcome, channel.source.name, channel.error) == ("succeeded", "west", ""), move
        assert_safe(stage, writer="west")
