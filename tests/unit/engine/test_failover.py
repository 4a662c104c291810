"""The shipped failover on a pair whose writer is gone: only then, never two writers, and to a named outcome from wherever it was killed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interlock.decisions.fencing import sentence
from interlock.engine.events import StepEnded, StepWaits
from interlock.engine.forward import steps_of
from interlock.engine.runs import Engine
from interlock.engine.status import status
from interlock.errors import UsageError
from interlock.model.effects import FenceOutside, Open
from interlock.model.marks import Mark, MarkKind
from interlock.model.topology import ClusterName
from interlock.playbook.catalogue import Role
from interlock.playbook.load import load_playbook
from interlock.simulated.process import ProcessKilled
from unit.engine.stage import CATALOGUE, SHIPPED, SWITCHOVER, Stage, all_of

FAILOVER = load_playbook(SHIPPED / "failover.yaml", CATALOGUE)
REJOIN = load_playbook(SHIPPED / "rejoin.yaml", CATALOGUE)
EAST, WEST = ClusterName("east"), ClusterName("west")
TO_WEST = {"to": "west"}


def stage() -> Stage:
    """East is killed once west holds all that it acknowledged: what is not sent is the loss report's."""
    played = Stage()
    played.pair.east.set_read_only(on=True)
    played.settle()
    played.pair.east.crash()
    return played


def marks(played: Stage) -> list[str]:
    return [mark.subject for mark in played.store.marks("shop") if mark.kind is MarkKind.FAILED]


def accepted_sentence(played: Stage) -> str:
    return sentence(played.pair.topology.clusters[EAST])


def test_a_dead_writer_is_fenced_from_outside_and_the_other_side_takes_the_writes() -> None:
    played = stage()
    report = played.run(FAILOVER, TO_WEST)
    assert (report.outcome, played.pair.writers(), played.pair.violations) == ("succeeded", ("west",), [])
    assert played.pair.proxy.leads_to == (WEST,)
    assert marks(played) == ["east"]
    played.pair.east.start(read_only=False)
    assert played.pair.writers() == ("west",), "what is barred does not start"


def silence(played: Stage) -> None:
    played.pair.fencing[EAST][0].faults.silent = True


def refuse(played: Stage) -> None:
    played.pair.fencing[EAST][0].faults.fails = True


def blind(played: Stage) -> None:
    played.pair.fencing[EAST][0].faults.blind = True


@pytest.mark.parametrize(("spoil", "outcome"), [(silence, "refused"), (refuse, "rolled_back"), (blind, "refused")])
def test_what_no_way_of_fencing_proves_opens_nothing(spoil: Callable[[Stage], None], outcome: str) -> None:
    played = stage()
    spoil(played)
    report = played.run(FAILOVER, TO_WEST)
    assert (outcome == report.outcome, played.pair.writers(), marks(played)) == (True, (), [])
    assert played.sent(Open, "west") == 0
    assert played.pair.to_west.receiving, "the receiver was put back"


def test_a_way_of_fencing_that_says_yes_and_does_nothing_is_told_now_and_then_and_what_it_shows_is_said() -> None:
    """Not as fast as it answers: a power switch or a cloud counts its orders."""
    played = stage()
    played.pair.fencing[EAST][0].faults.idle = True
    report = played.run(FAILOVER, {**TO_WEST, "fence": "15s"})
    assert (report.outcome, played.pair.writers()) == ("rolled_back", ())
    orders = [each for each in played.effects() if isinstance(each, FenceOutside)]
    assert 2 <= len(orders) <= 16
    assert "did not take hold within 15s: east is not closed from outside yet (power: on; " in report.problems[0].what
    assert f'--accept "{accepted_sentence(played)}"' in report.problems[0].what


@pytest.mark.parametrize("spoil", [silence, refuse, blind])
def test_the_accepted_sentence_stands_for_a_proof_and_is_kept(spoil: Callable[[Stage], None]) -> None:
    played = stage()
    spoil(played)
    words = accepted_sentence(played)
    report = played.run(FAILOVER, {**TO_WEST, "accept": words})
    assert (report.outcome, played.pair.writers()) == ("succeeded", ("west",))
    kept = [record.body for record in played.store.records(report.run) if record.kind == "accepted"]
    assert kept == [{"server": "east", "sentence": words}]
    assert any(words in warning for warning in report.warnings)


def test_another_sentence_is_refused_before_anything_is_touched() -> None:
    played = stage()
    report = played.run(FAILOVER, {**TO_WEST, "accept": "I know what I am doing"})
    assert (report.outcome, played.effects()) == ("refused", [])
    assert accepted_sentence(played) in report.problems[0].hint


NOT_DEAD: dict[str, Callable[[Stage], None]] = {
    "it answers": lambda played: played.pair.east.start(read_only=False),
    "it hangs": lambda played: all_of(played.pair.east.start, played.pair.east.hang),
}


@pytest.mark.parametrize("mend", NOT_DEAD.values(), ids=NOT_DEAD.keys())
def test_what_is_not_dead_is_left_alone(mend: Callable[[Stage], None]) -> None:
    played = stage()
    mend(played)
    report = played.run(FAILOVER, TO_WEST)
    assert (report.outcome, played.effects()) == ("refused", [])


def test_what_somebody_with_another_store_quiesced_is_not_opened_before_it_was_released() -> None:
    """By the note on its server, which nobody can erase while no master takes writes."""
    played = stage()
    kept = Mark(topology="shop", kind=MarkKind.QUIESCED, subject="west", by="anna@ops1", at=played.pair.clock.wall(), reason="its disk")
    played.pair.west.notes[kept.kind, kept.subject] = kept
    report = played.run(FAILOVER, TO_WEST)
    assert (report.outcome, played.pair.writers()) == ("refused", ())
    assert "by a note on west: west is quiesced by anna@ops1" in report.problems[0].what
    assert played.run(FAILOVER, {**TO_WEST, "but_quiesced": "west"}).outcome == "succeeded"


def dead_before_all_is_applied() -> Stage:
    """West received all of east, and applies nothing for an hour."""
    played = Stage()
    played.pair.to_west.apply_delay_s = 3600.0
    played.pair.clock.sleep(0.2)
    played.pair.east.set_read_only(on=True)
    played.settle()
    played.pair.east.crash()
    return played


def test_what_came_and_is_not_applied_keeps_the_other_side_closed() -> None:
    played = dead_before_all_is_applied()
    report = played.run(FAILOVER, {**TO_WEST, "max_apply": "2s"})
    assert (report.outcome, played.pair.writers(), played.sent(Open, "west")) == ("rolled_back", (), 0)


def test_what_came_is_still_there_after_an_applier_that_broke_while_it_caught_up() -> None:
    """MariaDB throws away what it received if a thread is started while neither ran, and the dead one can't send it again."""
    played = dead_before_all_is_applied()
    came = played.pair.to_west.received
    played.when(
        lambda event: isinstance(event, StepWaits) and event.step == "so_far",
        lambda: played.pair.to_west.stop("1062 duplicate entry"),
    )
    report = played.run(FAILOVER, TO_WEST)
    assert (report.outcome, played.pair.writers()) == ("rolled_back", ())
    assert "1062 duplicate entry" in report.problems[0].what
    assert (played.pair.to_west.received, played.pair.to_west.applied < came) == (came, True)


def test_a_switchover_that_halted_over_a_dead_writer_names_the_failover_that_opens_the_other_side() -> None:
    played = Stage()
    played.when(lambda event: isinstance(event, StepEnded) and event.step == "flip/route.flip", played.pair.east.crash)
    halted = played.run()
    assert (halted.outcome, played.pair.writers()) == ("halted", ())
    (hint,) = [problem.hint for problem in halted.problems if "is not proved fenced" in problem.what]
    assert hint.endswith("if it is dead, interlock failover --to west")
    played.settle()
    assert played.engine("second").start(FAILOVER, TO_WEST).outcome == "succeeded"
    assert (played.pair.writers(), played.pair.violations) == (("west",), [])


def test_a_master_that_failed_is_not_opened_before_it_has_rejoined() -> None:
    """Not by a playbook that does not ask either."""
    played = stage()
    assert played.run(FAILOVER, TO_WEST).outcome == "succeeded"
    played.pair.fencing[EAST][0].on()
    played.pair.east.start()
    report = played.engine("second").start(SWITCHOVER, {"to": "east"})
    assert report.outcome == "refused"
    assert "east" in report.problems[0].what
    assert played.pair.writers() == ("west",)


def failed_over(*, lost: bool = False) -> Stage:
    """East is back, fenced. With `lost` it holds a transaction that it never sent."""
    played = Stage()
    if lost:
        played.pair.to_west.delay_s = 3600.0
        played.pair.clock.sleep(0.2)
    played.pair.east.set_read_only(on=True)
    played.settle()
    played.pair.east.crash()
    assert played.run(FAILOVER, TO_WEST).outcome == "succeeded"
    played.pair.to_west.delay_s = 0.002
    played.pair.fencing[EAST][0].on()
    played.pair.east.start()
    played.pair.clock.sleep(0.5)
    return played


def test_one_that_holds_nothing_extra_rejoins_and_may_take_the_writes_again() -> None:
    played = failed_over()
    report = played.engine("second").start(REJOIN, {"cluster": "east"})
    assert (report.outcome, marks(played), played.pair.writers()) == ("succeeded", [], ("west",))
    assert (played.pair.to_west.receiving, played.pair.to_west.running) == (True, True)
    back = played.engine("third").start(SWITCHOVER, {"to": "east"})
    assert (back.outcome, played.pair.writers(), played.pair.violations) == ("succeeded", ("east",), [])


def test_status_names_what_failed_until_it_has_rejoined() -> None:
    played = failed_over()
    seen = status(played.worlds[-1])
    assert [(mark.kind, mark.subject) for mark in seen.marks] == [(MarkKind.FAILED, "east")]
    assert {"`interlock rejoin east`"} & {problem["hint"] for problem in seen.problems}
    played.engine("second").start(REJOIN, {"cluster": "east"})
    assert status(played.worlds[-1]).marks == ()


def test_of_two_that_take_writes_the_one_that_failed_is_to_be_closed() -> None:
    """Its way of fencing said that it was off, and its host started it open."""
    played = failed_over()
    played.pair.east.set_read_only(on=False)
    seen = status(played.worlds[-1])
    assert seen.who_writes == "east and west take writes at the same time"
    (hint,) = [problem["hint"] for problem in seen.problems if problem["what"] == seen.who_writes]
    assert hint.startswith("SET GLOBAL read_only=1 on east, at once")


def test_status_does_not_advise_a_second_failover_from_what_failed() -> None:
    played = stage()
    played.run(FAILOVER, TO_WEST)
    hints = [problem["hint"] for problem in status(played.worlds[-1]).problems]
    assert any("rejoin east" in hint for hint in hints)
    assert not any("failover" in hint for hint in hints)


def moves() -> int:
    played = stage()
    played.run(FAILOVER, TO_WEST)
    return played.processes["first"].moves


MOVES = range(1, moves() + 1)


def take_up(played: Stage, engine: Engine, how: str) -> str:
    headers = played.store.runs(None)
    if not headers:
        return "refused"
    (header,) = headers
    if header.outcome is not None:
        with pytest.raises(UsageError, match="has ended"):
            engine.resume(header.run)
        return header.outcome
    report = engine.resume(header.run) if how == "resume" else engine.roll_back(header.run)
    return str(report.outcome)


@pytest.mark.parametrize("how", ["resume", "rollback"])
@pytest.mark.parametrize("move", MOVES)
def test_a_failover_that_was_killed_at_any_move_ends_in_a_named_outcome(move: int, how: str) -> None:
    played = stage()
    with pytest.raises(ProcessKilled):
        played.engine(kill_at=move).start(FAILOVER, TO_WEST)
    played.settle()
    outcome = take_up(played, played.engine("second"), how)
    assert played.pair.violations == []
    if outcome == "succeeded":
        assert (played.pair.writers(), marks(played)) == (("west",), ["east"])
    else:
        assert outcome in {"rolled_back", "refused"}
        opened = any(record.kind == "opening" for header in played.store.runs(None) for record in played.store.records(header.run))
        assert (played.pair.writers(), marks(played)) == ((), ["east"] if opened else [])
        assert played.pair.to_west.receiving
        assert played.pair.fencing[EAST][0].is_off is opened, "once west was opened, east lacks what was written there"
        assert played.engine("third").start(FAILOVER, TO_WEST).outcome == "succeeded", "there is a way on"
        assert (played.pair.violations, played.pair.writers()) == ([], ("west",))


def test_what_is_undone_is_undone_in_the_reverse_order_of_the_playbook_whenever_it_was_recorded() -> None:
    """A fence from outside is recorded behind the effects that are looked at together before it."""
    first = stage()
    opened_at: list[int] = []
    engine, process = first.engine(), first.processes["first"]
    first.pair.on_sent.append(lambda sent: opened_at.append(process.moves) if isinstance(sent.effect, Open) else None)
    engine.start(FAILOVER, TO_WEST)
    played = stage()
    with pytest.raises(ProcessKilled):
        played.engine(kill_at=opened_at[0] - 1).start(FAILOVER, TO_WEST)
    (header,) = played.store.runs(None)
    assert played.engine("second").roll_back(header.run).outcome == "rolled_back"
    undone = [str(record.body["step"]) for record in played.store.records(header.run) if record.kind == "undone"]
    in_order = [step.id for phase in FAILOVER.phases for step in steps_of(phase) if step.id in undone and step.spec.role is not Role.NOTES]
    assert {"catch_up/applier.pause", "fence/server.fence_outside", "fence/route.hold"} <= set(in_order)
    assert undone[: len(in_order)] == in_order[::-1]


@pytest.mark.parametrize("move", MOVES)
def test_an_old_writer_that_comes_back_open_at_any_move_is_never_a_second_one(move: int) -> None:
    """Before it is fenced from outside its start is its option file's deed; the other side then stays closed."""
    played = stage()
    engine = played.engine()
    process = played.processes["first"]

    def come_back() -> None:
        if process.moves == move:
            played.pair.east.start(read_only=False)

    process._on_move = come_back
    report = engine.start(FAILOVER, TO_WEST)
    assert played.pair.violations == []
    assert played.pair.writers() in {("west",), ("east",), ()}
    assert report.outcome in {"succeeded", "rolled_back", "refused"}
    assert (report.outcome == "succeeded") == (played.pair.writers() == ("west",))
