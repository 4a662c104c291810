"""What attacks on the engine found, each kept by a test: a promise that was broken once by playbooks, servers and people as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from interlock.engine.events import StepActs, StepEnded, UndoEnded
from interlock.engine.report import RunReport
from interlock.engine.runs import Engine
from interlock.errors import Refused, UsageError
from interlock.model.effects import Open
from interlock.model.topology import ServerSpec
from interlock.playbook.load import parse_playbook
from interlock.playbook.tree import Playbook
from interlock.simulated.database import Database
from interlock.simulated.outside import Program
from interlock.simulated.pair import EAST, WEST, SimulatedPair, simulated_pair
from interlock.simulated.store_faults import ProcessStore
from interlock.stores.sqlite import SqliteStore
from unit.engine.stage import CATALOGUE, SWITCHOVER, Stage, assert_safe, short

FAILS = "- check: sql\n  with: {server: west, query: SELECT x, matches: never}"
HALTS = f"{FAILS}\n  on_failure: halt"

PLACES = {"halted between fence and opening": short(between=HALTS), "halted after the flip": short(after=HALTS)}
TAKE_UP = {"resume": Engine.resume, "rollback": Engine.roll_back}

taken_up = pytest.mark.parametrize("take_up", TAKE_UP.values(), ids=TAKE_UP.keys())


def ended(step: str) -> Callable[[object], bool]:
    return lambda event: isinstance(event, StepEnded) and event.step == step


def acts(step: str) -> Callable[[object], bool]:
    return lambda event: isinstance(event, StepActs) and event.step == step


def undone(step: str) -> Callable[[object], bool]:
    return lambda event: isinstance(event, UndoEnded) and event.step == step


def halted(stage: Stage, playbook: Playbook) -> str:
    """The name of a run that left everything fenced."""
    report = stage.run(playbook)
    assert (report.outcome, stage.pair.writers()) == ("halted", ())
    stage.settle()
    return report.run


def states_of(stage: Stage, run: str) -> list[object]:
    return [record.body["target"] for record in stage.store.records(run) if record.kind == "moved"]


def told(report: RunReport) -> list[str]:
    return [problem.what for problem in report.problems]


# -- a run is taken up on its own pair alone --


def at(spec: ServerSpec, host: str, port: int) -> ServerSpec:
    return replace(spec, host=host, port=port)


def with_masters_at(pair: SimulatedPair, places: Sequence[tuple[str, int]]) -> None:
    clusters = pair.topology.clusters
    moved = {
        name: replace(cluster, master=at(cluster.master, *place)) for (name, cluster), place in zip(clusters.items(), places, strict=True)
    }
    pair.topology = replace(pair.topology, clusters=moved)


def with_server_ids(pair: SimulatedPair, east: int, west: int) -> None:
    pair.east.server_id, pair.west.server_id = east, west


OTHER_PAIRS: dict[str, tuple[Callable[[SimulatedPair], object], str]] = {
    "other addresses": (
        lambda pair: with_masters_at(pair, [("other-east", 3306), ("other-west", 3306)]),
        "began with east at east.example:3306, and the topology file has it at other-east:3306",
    ),
    "another address of the standby alone": (
        lambda pair: with_masters_at(pair, [("east.example", 3306), ("other-west", 3306)]),
        "began with west at west.example:3306",
    ),
    "another port": (lambda pair: with_masters_at(pair, [("east.example", 3307), ("west.example", 3307)]), "has it at east.example:3307"),
    "the two swapped": (
        lambda pair: with_masters_at(pair, [("west.example", 3306), ("east.example", 3306)]),
        "has it at west.example:3306",
    ),
    "other servers at the same addresses": (
        lambda pair: with_server_ids(pair, 7, 8),
        "began with east as server id 1, and east.example:3306 is 7 now",
    ),
    "another standby at the same address": (lambda pair: with_server_ids(pair, 1, 8), "west.example:3306 is 8 now"),
}


@pytest.mark.parametrize(("spoil", "what"), OTHER_PAIRS.values(), ids=OTHER_PAIRS.keys())
@taken_up
def test_a_run_is_not_taken_up_on_another_pair_of_the_same_name(
    take_up: Callable[[Engine, str], RunReport], spoil: Callable[[SimulatedPair], object], what: str
) -> None:
    stage = Stage()
    run = halted(stage, short(after=HALTS))
    pair = simulated_pair()
    spoil(pair)
    other = Stage(pair=pair)
    before, left, written = other.shape(), stage.shape(), stage.store.records(run)
    with pytest.raises(UsageError, match=what):
        take_up(other.engine("second", store=lambda _, process: ProcessStore(stage.store, process)), run)
    assert other.effects() == []
    assert (other.shape(), stage.shape()) == (before, left)
    assert other.pair.east.locks | other.pair.west.locks == {}
    assert stage.store.records(run) == written
    assert_safe(other, writer="east")


# -- nor after another run has moved the writes --


def mended_by_hand(stage: Stage) -> None:
    """What a person does who neither resumes nor takes back: the old writer open, clients led there."""
    stage.pair.east.set_read_only(on=False)
    stage.pair.proxy.leads_to, stage.pair.proxy.holding = (EAST,), False
    stage.settle()


def refused_later(stage: Stage, name: str) -> None:
    stage.pair.to_west.stop()
    assert stage.engine(name).start(SWITCHOVER, {}).outcome == "refused"
    stage.pair.to_west.start()
    stage.settle()


@pytest.mark.parametrize("then_refused", [False, True], ids=["at once", "after one more that was refused"])
@pytest.mark.parametrize("playbook", PLACES.values(), ids=PLACES.keys())
@taken_up
def test_a_halted_run_is_not_taken_up_once_a_later_one_has_opened_a_server(
    take_up: Callable[[Engine, str], RunReport],
    playbook: Playbook,
    then_refused: bool,  # noqa: FBT001 - a table's column
) -> None:
    stage = Stage()
    run = halted(stage, playbook)
    mended_by_hand(stage)
    later = stage.engine("later").start(short(), {})
    assert later.outcome == "succeeded", later.problems
    stage.settle()
    if then_refused:
        refused_later(stage, "refused")
    sent, before = len(stage.effects()), stage.shape()
    with pytest.raises(Refused, match=f"run {later.run} of this pair has moved the writes since run {run} was left"):
        take_up(stage.engine("second"), run)
    assert len(stage.effects()) == sent
    assert stage.shape() == before
    assert stage.store.header(run).outcome == "halted"
    assert_safe(stage, writer="west")


@pytest.mark.parametrize("playbook", PLACES.values(), ids=PLACES.keys())
def test_a_halted_run_can_be_taken_back_after_a_later_one_that_was_refused(playbook: Playbook) -> None:
    stage = Stage()
    run = halted(stage, playbook)
    refused_later(stage, "refused")
    report = stage.engine("second").roll_back(run)
    assert report.outcome == "rolled_back", report.problems
    assert_safe(stage, writer="east")


def test_a_halted_run_is_not_taken_back_once_an_older_one_was_resumed_and_has_opened_a_server() -> None:
    stage = Stage()
    own = '- do: sql\n  with: {server: west, statements: ["SET y=1"], undo: ["SET y=0"]}\n'
    older = stage.run(short(first=own + HALTS))
    stage.settle()
    newer = stage.engine("newer").start(short(between=HALTS), {})
    assert (older.outcome, newer.outcome) == ("halted", "halted")
    mended_by_hand(stage)
    stage.pair.west.settings["x"] = "never"
    assert stage.engine("second").resume(older.run).outcome == "succeeded"
    stage.settle()
    with pytest.raises(Refused, match="has moved the writes since"):
        stage.engine("third").roll_back(newer.run)


# -- the way back is over when the writer is seen to be open --


def close_east_once_opened(stage: Stage) -> None:
    stage.when(undone("fenced"), lambda: stage.pair.east.set_read_only(on=True))


@pytest.mark.parametrize("arrange", [None, close_east_once_opened], ids=["left alone", "closed again by somebody"])
@taken_up
def test_a_way_back_from_a_halt_is_over_only_when_the_writer_is_read_back_as_open(
    take_up: Callable[[Engine, str], RunReport], arrange: Callable[[Stage], object] | None
) -> None:
    """The first way back opened east, the proxy was gone, and the halt fenced east again."""
    stage = Stage()
    stage.when(ended("fenced"), lambda: setattr(stage.pair.proxy, "down", True))
    run = halted(stage, SWITCHOVER)
    stage.pair.proxy.down = False
    if arrange:
        arrange(stage)
    report = take_up(stage.engine("second"), run)
    if arrange is None:
        assert report.outcome == "rolled_back", report.problems
        assert_safe(stage, writer="east")
    else:
        assert (report.outcome, report.exit_code) == ("halted", 5)
        assert "east took the writes before, and is not seen to take them now" in told(report)
        assert stage.pair.writers() == ()


def test_a_first_way_back_whose_writer_is_closed_again_is_halted_and_not_rolled_back() -> None:
    stage = Stage()
    close_east_once_opened(stage)
    report = stage.run(short(after=FAILS))
    assert report.outcome == "halted"
    assert "east took the writes before, and is not seen to take them now" in told(report)
    assert f"interlock rollback {report.run}" in report.next_commands


# -- a run that did all its steps says how it leaves the pair --

ENDS = """\
playbook: ends
version: 1
summary: Ends in the middle.
phases:
- phase: all
  steps:
"""
HOLD = "- do: route.hold\n  with: {route: all}\n"
FENCE = "- do: server.fence\n  with: {server: east, within: 2s}\n"
ASTRAY = "- do: route.flip\n  with: {route: all, to: west}\n"
CHECK = "- check: pair.one_writer\n  with: {server: east}\n"


def ends_with(steps: str) -> Playbook:
    return parse_playbook(ENDS + "".join(f"  {line}\n" for line in steps.splitlines()), file="ends.yaml", catalogue=CATALOGUE)


LEFT = {
    "only a fence": (FENCE, ["no master takes writes"]),
    "a hold": (HOLD, ["route writes still holds clients"]),
    "a hold and a fence": (HOLD + FENCE, ["no master takes writes", "route writes still holds clients"]),
    "a route astray": (ASTRAY, ["route writes leads to west, and east takes the writes"]),
    "checks alone": (CHECK, []),
}


@pytest.mark.parametrize(("steps", "what"), LEFT.values(), ids=LEFT.keys())
def test_a_run_that_ends_with_the_pair_not_as_clients_need_it_says_so(steps: str, what: list[str]) -> None:
    report = Stage().run(ends_with(steps))
    assert (report.outcome, told(report)) == ("succeeded", what)


def test_a_run_that_ends_with_a_proxy_that_does_not_answer_says_so() -> None:
    stage = Stage()
    stage.when(ended("all/server.fence"), lambda: setattr(stage.pair.proxy, "down", True))
    report = stage.run(ends_with(FENCE))
    assert (report.outcome, told(report)) == ("succeeded", ["no master takes writes", "the proxy of writes does not answer"])


# -- a team's own step can't make a second writer --

COMMAND = "- id: own\n  do: command\n  with: {run: [opens]}\n  undo: none"
HTTP = "- id: own\n  do: http\n  with: {url: opens, statuses: [0]}\n  undo: none"
SQL = "- id: own\n  do: sql\n  with: {server: west, statements: [CALL opens()]}\n  undo: none"

OWN_STEPS = {
    "a command before the fence": (short(first=COMMAND), "west"),
    "a request before the fence": (short(first=HTTP), "west"),
    "SQL before the fence": (short(first=SQL), "west"),
    "a command after the flip": (short(after=COMMAND), "east"),
    "SQL after the flip": (short(after=SQL), "east"),
}


def opens(database: Database, pair: SimulatedPair) -> Program:
    """By no deed of Interlock's: the instant of it is not Interlock's violation."""

    def program(_: Sequence[str]) -> tuple[int, str]:
        pair.excused.add(database.name)
        database.set_read_only(on=False)
        return 0, ""

    return program


@pytest.mark.parametrize(("playbook", "opened"), OWN_STEPS.values(), ids=OWN_STEPS.keys())
def test_a_step_of_a_team_that_opens_a_second_server_fails_and_one_writer_is_left(playbook: Playbook, opened: str) -> None:
    stage = Stage()
    program = opens(stage.pair.database(opened), stage.pair)
    stage.pair.programs.known["opens"] = program
    if "CALL" in playbook.text:
        stage.when(acts("own"), lambda: program(()))
    report = stage.run(playbook)
    assert any(words in report.problems[0].what for words in ("take writes", "takes writes"))
    assert report.problems[0].hint
    if "CALL" in playbook.text and opened == "west":  # it was open before the step began: nobody knows what was written there
        assert (report.outcome, stage.pair.writers()) == ("halted", ()), report.problems
        return
    assert report.outcome == "rolled_back", report.problems
    assert_safe(stage, writer="east")


def test_a_step_of_a_team_that_opens_a_second_server_and_halts_leaves_no_second_writer() -> None:
    stage = Stage()
    stage.pair.programs.known["opens"] = opens(stage.pair.west, stage.pair)
    assert stage.run(short(first=COMMAND, end="on_failure: halt\n")).outcome == "halted"
    assert len(stage.pair.writers()) < 2


def test_a_step_of_a_team_that_opens_the_standby_after_the_fence_fails() -> None:
    """Nobody has proved that the standby holds everything, and there is one writer: the wrong one, too early."""
    stage = Stage()
    stage.pair.to_west.delay_s = 1.0
    stage.pair.clock.sleep(2)
    stage.pair.programs.known["opens"] = opens(stage.pair.west, stage.pair)
    report = stage.run(short(between=COMMAND))
    assert report.outcome != "succeeded"


# -- what writes through a fence --


def test_a_server_that_wrote_of_its_own_after_its_fence_keeps_the_other_one_closed() -> None:
    """An event that still ran, or a session that passes read_only: the fence reads back as closed, and is none."""
    stage = Stage()
    stage.when(ended("fenced"), lambda: stage.pair.east.commit("by an event", passes_read_only=True))
    report = stage.run(short())
    assert report.outcome == "rolled_back"
    assert "something writes through read_only" in told(report)[0]
    assert stage.sent(Open, "west") == 0
    assert "by an event" in stage.pair.west.rows
    assert_safe(stage, writer="east")


def test_what_the_standby_wrote_before_is_no_write_through_the_fence() -> None:
    """Its own transactions stand in the old writer's position too."""
    stage = Stage()
    assert stage.run(short()).outcome == "succeeded"
    stage.settle()
    report = stage.engine("second").start(short(), {})
    assert report.outcome == "succeeded", report.problems
    assert_safe(stage, writer="east")


def refused_for_a_write(stage: Stage) -> None:
    stage.when(ended("catch_up/replication.wait"), lambda: stage.pair.east.commit("by an event", passes_read_only=True))


def refused_for_a_fence(stage: Stage) -> None:
    def reopen() -> None:
        stage.pair.excused.add("east")
        stage.pair.east.set_read_only(on=False)

    stage.when(ended("catch_up/replication.wait"), reopen)


@pytest.mark.parametrize("arrange", [refused_for_a_write, refused_for_a_fence], ids=["it wrote", "it is open again"])
def test_a_run_whose_opening_was_refused_was_never_opened(arrange: Callable[[Stage], object]) -> None:
    """From `opened` on a stop goes forward: that must not hold of a run that opened nothing."""
    stage = Stage()
    arrange(stage)
    report = stage.run(short())
    assert states_of(stage, report.run) == ["changing", "rolling_back", "rolled_back"]
    assert stage.pair.writers() == ("east",)


# -- a store that is gone --


def remove(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


def replace_by_another(path: Path) -> None:
    other = SqliteStore.open(path.parent / "other.db", simulated_pair().clock)
    other.close()
    (path.parent / "other.db").replace(path)


@pytest.mark.parametrize("harm", [remove, replace_by_another], ids=["removed", "replaced"])
@pytest.mark.parametrize("step", ["hold", "fenced", "catch_up/replication.wait", "open"])
def test_a_store_file_that_goes_in_the_middle_sends_the_run_back(tmp_path: Path, step: str, harm: Callable[[Path], object]) -> None:
    stage = Stage()
    path = tmp_path / "state" / "runs.db"
    before = stage.shape()
    store = SqliteStore.open(path, stage.pair.clock)
    try:
        stage.when(ended(step), lambda: harm(path))
        report = stage.engine(store=lambda _, process: ProcessStore(store, process)).start(short(), {})
    finally:
        store.close()
    assert report.outcome == "rolled_back", report.problems
    assert f"the store {path} was removed or replaced while it was in use" in told(report)[0]
    assert stage.shape() == before
    assert_safe(stage, writer="east")
    assert WEST not in stage.pair.proxy.leads_to
