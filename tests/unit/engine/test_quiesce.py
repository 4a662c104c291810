"""The shipped quiesce in memory: who may be opened without all, by whose word; noted, certified, and taken back."""

from __future__ import annotations

import pytest

from interlock.decisions.giving_up import sentence
from interlock.engine.marks import take_mark_away
from interlock.model.effects import EraseNote, Open
from interlock.playbook.load import load_playbook
from interlock.simulated.process import ProcessKilled
from unit.engine.stage import CATALOGUE, SHIPPED, SWITCHOVER, Stage, assert_safe

QUIESCE = load_playbook(SHIPPED / "quiesce.yaml", CATALOGUE)
REJOIN = load_playbook(SHIPPED / "rejoin.yaml", CATALOGUE)
ONTO_WEST = {"onto": "west", "for": "1h", "reason": "its disk"}


def noted(played: Stage) -> list[tuple[str, str]]:
    """What the store and the servers say."""
    marks = [(mark.kind.value, mark.subject) for mark in played.store.marks("shop")]
    return [*marks, *((f"{kind} on a server", subject) for kind, subject in played.pair.east.notes)]


def broken(*, clients: bool = True) -> Stage:
    """West does not apply any more what east goes on writing."""
    played = Stage()
    played.pair.to_west.stop("1062 duplicate entry 'k'")
    if clients:
        played.settle()
    return played


def said(played: Stage) -> str:
    (channel,) = played.pair.west.channels()
    return sentence(played.pair.west.name, channel)


def test_all_load_is_on_one_side_the_other_is_quiet_and_nothing_moves_it_before_it_rejoins() -> None:
    played = Stage()
    report = played.run(QUIESCE, ONTO_WEST)
    assert report.outcome == "succeeded"
    assert_safe(played, writer="west")
    assert noted(played) == [("quiesced", "east"), ("quiesced on a server", "east")]
    assert not played.pair.to_east.running
    (quiet,) = (step for phase in report.phases for step in phase.steps if step.id == "quiet")
    assert "east refuses writes" in str(quiet.outputs["certificate"])
    refused = played.engine("second").start(SWITCHOVER, {"to": "east"})
    assert (refused.outcome, "its disk" in refused.problems[0].what) == ("refused", True)
    assert played.engine("third").start(REJOIN, {"cluster": "east"}).outcome == "succeeded"
    assert noted(played) == []
    assert played.engine("fourth").start(SWITCHOVER, {"to": "east"}).outcome == "succeeded"
    assert_safe(played, writer="east")


def test_a_note_on_the_server_keeps_who_has_another_store() -> None:
    played = Stage()
    assert played.run(QUIESCE, ONTO_WEST).outcome == "succeeded"
    for mark in played.store.marks("shop"):
        take_mark_away(played.store, mark)
    refused = played.engine("second").start(SWITCHOVER, {"to": "east"})
    assert (refused.outcome, "by a note on west" in refused.problems[0].what) == ("refused", True)


def test_what_a_broken_channel_keeps_back_is_given_up_by_its_sentence_alone() -> None:
    played = broken()
    refused = played.run(QUIESCE, ONTO_WEST)
    assert (refused.outcome, said(played) in refused.problems[0].hint) == ("refused", True)
    other = played.engine("second").start(QUIESCE, {**ONTO_WEST, "accept": f"{said(played)} too"})
    assert (other.outcome, played.sent(Open, "west")) == ("refused", 0)
    played.pair.excused.add("west")  # it is opened without what was acknowledged: that is what is given up
    report = played.engine("third").start(QUIESCE, {**ONTO_WEST, "accept": said(played)})
    assert (report.outcome, played.pair.writers()) == ("succeeded", ("west",))
    records = [record.kind for record in played.store.records(report.run)]
    assert records.index("given_up") < records.index("opening")


def test_a_channel_that_somebody_stopped_is_started_not_given_up() -> None:
    played = Stage()
    played.pair.to_west.stop()
    refused = played.run(QUIESCE, {**ONTO_WEST, "accept": said(played)})
    assert (refused.outcome, refused.problems[0].hint) == ("refused", "start its applier on west")


def test_a_channel_that_moves_on_gives_up_nothing() -> None:
    """Somebody mended it after the preflight: then the other side must hold everything, like any other time."""
    played = broken()
    played.when(lambda event: getattr(event, "step", "") == "fenced", played.pair.to_west.start)
    report = played.run(QUIESCE, {**ONTO_WEST, "accept": said(played)})
    assert report.outcome == "succeeded"
    assert "given_up" not in [record.kind for record in played.store.records(report.run)]
    assert_safe(played, writer="west")


@pytest.mark.parametrize("how", ["resume", "rollback"])
@pytest.mark.parametrize("at", range(3, 100, 8))
def test_killed_with_something_given_up_it_can_be_taken_up(at: int, how: str) -> None:
    """In per cent of its moves."""
    counted = broken(clients=False)
    counted.pair.excused.add("west")
    assert counted.run(QUIESCE, {**ONTO_WEST, "accept": said(counted)}).outcome == "succeeded"
    played = broken(clients=False)
    played.pair.excused.add("west")
    words = said(played)
    with pytest.raises(ProcessKilled):
        played.engine(kill_at=max(1, counted.processes["first"].moves * at // 100)).start(QUIESCE, {**ONTO_WEST, "accept": words})
    if not played.store.runs(None):
        return
    engine = played.engine("second")
    report = engine.resume(played.only_run()) if how == "resume" else engine.roll_back(played.only_run())
    assert report.outcome in {"succeeded", "rolled_back", "refused"}
    assert played.pair.writers() == (("west",) if report.outcome == "succeeded" else ("east",))
    assert (noted(played) == []) is (report.outcome != "succeeded")


def test_a_failure_after_the_note_erases_it_where_the_writes_are() -> None:
    played = Stage()
    played.when(
        lambda event: getattr(event, "step", "") == "quiet/cluster.mark_quiesced", lambda: setattr(played.pair.east, "scheduler", "ON")
    )
    report = played.run(QUIESCE, ONTO_WEST)
    assert report.outcome == "rolled_back"
    assert noted(played) == []
    assert any(isinstance(effect, EraseNote) and effect.server == "east" for effect in played.effects())
    assert_safe(played, writer="east")
