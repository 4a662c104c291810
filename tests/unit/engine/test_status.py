"""What `interlock status` calls wrong: one thing is one problem, and its hint is the way on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interlock.engine.status import status
from interlock.playbook.load import load_playbook
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.store import MemoryStore
from interlock.simulated.world import SimulatedWorld
from unit.engine.stage import CATALOGUE, SHIPPED, Stage

FAILOVER, QUIESCE = (load_playbook(SHIPPED / f"{name}.yaml", CATALOGUE) for name in ("failover", "quiesce"))


def problems(played: Stage) -> list[tuple[str, str]]:
    world = SimulatedWorld(played.pair, SimulatedProcess("looks"), played.store)
    return [(problem["what"], problem["hint"]) for problem in status(world).problems]


def writer_dies(played: Stage) -> None:
    played.pair.east.crash()


def standby_dies(played: Stage) -> None:
    played.pair.west.crash()


def nobody_writes(played: Stage) -> None:
    played.pair.east.set_read_only(on=True)
    played.settle()


def writer_closed_too_early(played: Stage) -> None:
    played.pair.to_west.delay_s = 60.0
    played.pair.east.commit("late")
    played.pair.east.set_read_only(on=True)
    played.pair.clock.sleep(0.1)


def both_closed_and_apart(played: Stage) -> None:
    writer_closed_too_early(played)
    played.pair.to_east.delay_s = 60.0
    played.pair.west.commit("wrong", passes_read_only=True)
    played.pair.clock.sleep(0.1)


def failed_over() -> Stage:
    """Onto west."""
    played = Stage()
    played.pair.east.set_read_only(on=True)
    played.settle()
    played.pair.east.crash()
    assert played.run(FAILOVER, {"to": "west"}).outcome == "succeeded"
    return played


WRONG = [
    pytest.param(writer_dies, "east is dead", "interlock failover --to west", id="the writer is dead"),
    pytest.param(standby_dies, "west is dead", "start it, fenced: it is the standby", id="the standby is dead"),
    pytest.param(nobody_writes, "no master", "east and west hold all that was written: SET GLOBAL read_only=0", id="nobody writes"),
    pytest.param(
        writer_closed_too_early, "no master", "east holds all that was written: SET GLOBAL read_only=0 on east", id="one holds more"
    ),
    pytest.param(both_closed_and_apart, "no master", "none is seen to hold all", id="each holds more"),
]


@pytest.mark.parametrize(("happens", "what", "hint"), WRONG)
def test_one_thing_that_is_wrong_is_one_problem(happens: Callable[[Stage], None], what: str, hint: str) -> None:
    played = Stage()
    happens(played)
    ((said, way_on),) = problems(played)
    assert said.startswith(what)
    assert hint in way_on


def test_a_dead_writer_is_told_with_that_nobody_takes_writes_and_a_dead_standby_without() -> None:
    for happens, nobody in ((writer_dies, True), (standby_dies, False)):
        played = Stage()
        happens(played)
        assert ("no master is seen to take writes" in problems(played)[0][0]) is nobody


def test_two_dead_masters_are_told_each_and_that_nobody_writes_once() -> None:
    played = Stage()
    writer_dies(played)
    standby_dies(played)
    said = [what for what, _ in problems(played)]
    assert len(said) == 3
    assert [what for what in said if "takes writes" in what or "take writes" in what] == ["no master is seen to take writes"]


def test_a_channel_that_stopped_by_itself_is_told_beside_its_dead_source() -> None:
    played = Stage()
    played.pair.to_west.stop("1062 duplicate entry")
    writer_dies(played)
    assert [what for what, _ in problems(played) if "1062" in what] == ["the channel from east to west does not run: 1062 duplicate entry"]


def test_a_dead_one_whose_writes_were_taken_over_is_one_problem_and_its_way_on_is_a_rejoin() -> None:
    ((what, hint),) = problems(failed_over())
    assert what.startswith("east is dead")
    assert "east is marked as failed since" in what
    assert hint == "start it, fenced, then `interlock rejoin east`"


def test_a_receiver_that_somebody_started_before_the_rejoin_is_told() -> None:
    """A server that restarts does it by itself."""
    played = failed_over()
    played.pair.to_west.receiving = True
    ((what, hint),) = [(what, hint) for what, hint in problems(played) if "receives" in what]
    assert what == "west receives from east, which failed: what was lost comes by itself, over what was written since"
    assert hint == "stop its receiver on west, at once; `interlock rejoin east` starts it again"


def test_what_stands_though_its_source_is_gone_is_not_started_without_a_look() -> None:
    played = Stage()
    played.pair.to_west.stop()
    writer_dies(played)
    hints = [hint for what, hint in problems(played) if what.startswith("the channel from east to west does not run")]
    assert hints == ["`interlock plan failover --to west` says how it is started with nothing lost"]


def test_an_applier_that_a_quiesce_stopped_is_started_by_the_rejoin() -> None:
    played = Stage()
    assert played.run(QUIESCE, {"onto": "west", "for": "4h", "reason": "a disk"}).outcome == "succeeded"
    hints = [hint for what, hint in problems(played) if what.startswith("the channel from west to east does not run")]
    assert hints == ["a quiesce stopped it: `interlock rejoin east` starts it"]


@pytest.mark.parametrize(("quiesced", "then"), [(False, ""), (True, "; then `interlock rejoin east`")], ids=["open", "quiesced"])
def test_an_applier_that_stopped_with_an_error_is_let_go_on_by_a_repair(quiesced: bool, then: str) -> None:  # noqa: FBT001 - a table's column
    played = Stage()
    if quiesced:
        assert played.run(QUIESCE, {"onto": "west", "for": "4h", "reason": "a disk"}).outcome == "succeeded"
    played.pair.to_east.stop("1062 duplicate entry")
    hints = [hint for what, hint in problems(played) if what.startswith("the channel from west to east does not run")]
    assert hints == [f"`interlock repair --channel east` shows what would let it go on{then}"]


def test_a_channel_that_somebody_stopped_is_to_be_started() -> None:
    played = Stage()
    played.pair.to_east.stop()
    ((what, hint),) = problems(played)
    assert (what, hint) == (
        "the channel from west to east does not run: stopped",
        "start it again on east, unless somebody stopped it on purpose",
    )


def test_a_quiesced_cluster_that_takes_writes_is_told_so() -> None:
    """Somebody opened it, or it was restarted without the option file's fence: of a pair with segments nothing else would say it."""
    played = Stage()
    assert played.run(QUIESCE, {"onto": "west", "for": "4h", "reason": "a disk"}).outcome == "succeeded"
    assert [hint for what, hint in problems(played) if what.startswith("east is quiesced")] == ["`interlock rejoin east`"]
    played.pair.east.set_read_only(on=False)
    ((what, hint),) = [(what, hint) for what, hint in problems(played) if what.startswith("east is quiesced")]
    assert ("a disk; and it takes writes" in what, hint.startswith("SET GLOBAL read_only=1 on east")) == (True, True)


def test_a_hold_that_only_the_servers_know_of_is_told_once() -> None:
    """The store was lost, or somebody has another one."""
    played = Stage()
    assert played.run(QUIESCE, {"onto": "west", "for": "4h", "reason": "a disk"}).outcome == "succeeded"
    assert not [what for what, _ in problems(played) if "by a note" in what]
    played.store = MemoryStore(played.pair.clock)
    ((what, hint),) = [(what, hint) for what, hint in problems(played) if "by a note" in what]
    assert what.startswith("by a note on west: east is quiesced by")
    assert hint == "`interlock rejoin east` with the store that it was made with, or `interlock release`"
