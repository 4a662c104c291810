"""The shipped rolling-ddl: a table changed on one side after the other, and from any move of it to a named outcome."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pytest

from interlock.engine.events import PhaseBegan, StepBegan
from interlock.engine.plan import plan
from interlock.model.effects import Effect, Fence, Open
from interlock.model.tables import AlterTable
from interlock.playbook.load import load_playbook, parse_playbook
from interlock.playbook.tree import Playbook
from interlock.simulated.database import Flavor
from interlock.simulated.declared import all_declared, alter
from interlock.simulated.pair import simulated_pair
from interlock.simulated.process import ProcessKilled
from interlock.simulated.replicas import with_replica
from unit.engine.stage import CATALOGUE, SHIPPED, Shape, Stage, assert_safe

ROLLING = load_playbook(SHIPPED / "rolling-ddl.yaml", CATALOGUE)
ALTER, BACK = "ADD COLUMN note TEXT, ADD INDEX by_k (k)", "DROP INDEX `by_k`, DROP COLUMN `note`"
THERE = {"table": "app.t", "alter": ALTER}
AND_BACK = {**THERE, "back": "true"}


def stage() -> Stage:
    """A pair whose fences let nobody write, administrators included."""
    played = Stage(pair=simulated_pair(flavor=Flavor.MYSQL))
    played.pair.east.ajar = played.pair.west.ajar = False
    return played


def with_step(phase: str, step: str, *, end: str = "") -> Playbook:
    text = (SHIPPED / "rolling-ddl.yaml").read_text()
    mark = f"- phase: {phase}\n  steps:\n"
    assert mark in text
    text = text.replace(mark, f"{mark}  {step}\n")
    return parse_playbook(text.replace("on_failure: roll_back", end) if end else text, file="rolling.yaml", catalogue=CATALOGUE)


def fails_in(phase: str, *, end: str = "") -> Playbook:
    return with_step(phase, "- check: sql\n    with: {server: west, query: SELECT x, matches: well}", end=end)


def assert_changed(played: Stage, *, writer: str) -> None:
    """Both sides, with no row that lost what was written into the new column, and both fences as they were."""
    assert_safe(played, writer=writer)
    pair = played.pair
    assert all_declared(pair.east) == all_declared(pair.west)
    assert "`note` TEXT" in all_declared(pair.east)["app.t"]
    assert (pair.east.cut, pair.west.cut) == (set(), set())
    assert [each.fence for each in (pair.east, pair.west) if each.read_only] == ["shut"]


def names_of(effects: list[Effect]) -> list[str]:
    wanted = [each for each in effects if isinstance(each, Fence | Open | AlterTable)]
    return [f"{type(each).__name__} {each.server} {each.as_was if isinstance(each, Fence) else ''}".strip() for each in wanted]


def test_the_standby_is_changed_behind_its_fence_then_the_writes_move_then_the_other_side_is_changed() -> None:
    played = stage()
    assert played.run(ROLLING, THERE).outcome == "succeeded"
    assert names_of(played.effects()) == [
        *("Fence west ajar", "AlterTable west", "Fence west shut"),
        *("Fence east", "Open west"),
        *("Fence east ajar", "AlterTable east", "Fence east shut"),
    ]
    assert_changed(played, writer="west")


def test_the_writes_come_home_if_it_is_wanted() -> None:
    played = stage()
    assert played.run(ROLLING, AND_BACK).outcome == "succeeded"
    assert [name for name in names_of(played.effects()) if name.startswith("Open")] == ["Open west", "Open east"]
    assert_changed(played, writer="east")


def test_rows_for_a_side_without_the_column_would_lose_it_so_nothing_is_applied_there_meanwhile() -> None:
    text = (SHIPPED / "rolling-ddl.yaml").read_text()
    pause = '    - do: applier.pause\n      with: {server: "${from}", source: "${to}"}\n'
    assert pause in text
    played = stage()
    hasty = parse_playbook(text.replace(pause, ""), file="hasty.yaml", catalogue=CATALOGUE)
    assert played.run(hasty, THERE).outcome == "rolled_back"
    assert played.pair.east.cut


def test_what_an_applier_that_was_started_meanwhile_took_without_the_column_goes_on_both_sides() -> None:
    """As the restart of a server starts it."""
    played = stage()
    played.when(lambda event: isinstance(event, PhaseBegan) and event.phase == "change_other", played.pair.to_east.start)
    report = played.run(ROLLING, THERE)
    assert played.pair.east.cut
    assert "east took" in report.problems[0].what
    assert report.outcome == "rolled_back"
    assert_safe(played, writer="east")
    assert not all_declared(played.pair.west)


def test_somebody_elses_change_of_the_table_meanwhile_is_named_before_clients_wait() -> None:
    played = stage()

    def add_another() -> None:
        for side in (played.pair.east, played.pair.west):
            alter(side, "app.t", "ADD COLUMN other TEXT")

    def at_last_look(event: object) -> bool:
        return isinstance(event, StepBegan) and event.step.endswith("table.differs_by")

    played.when(at_last_look, add_another)
    report = played.run(ROLLING, THERE)
    assert report.outcome == "rolled_back"
    assert "somebody changed app.t meanwhile: east declares column id, column k, column other" in report.problems[0].what
    assert "interlock diff --table app.t" in report.problems[0].hint
    assert names_of(played.effects()) == [name for way in ("AlterTable west",) * 2 for name in ("Fence west ajar", way, "Fence west shut")]


def test_an_applier_that_stops_while_it_catches_up_is_not_waited_for() -> None:
    """As on an ALTER of the writer's that the standby has already. `behind` is ten minutes."""
    played = stage()
    error = "1060 duplicate column 'note'"
    played.when(lambda event: isinstance(event, StepBegan) and event.step == "caught_up", partial(played.pair.to_west.stop, error))
    began_s = played.pair.clock.monotonic_s()
    report = played.run(ROLLING, THERE)
    assert error in report.problems[0].what
    assert (report.outcome, played.pair.writers()) == ("rolled_back", ("east",))
    assert played.pair.clock.monotonic_s() - began_s < 60


def test_an_old_writer_that_restarts_before_it_is_changed_is_waited_for_as_going_back_would_be_an_outage_more() -> None:
    """A real one applies again from its start on, and sends the run back after all: with the old writer there to take the writes."""
    played = stage()
    east = played.pair.east

    def restart() -> None:
        east.crash()
        played.pair.clock.after(8.0, east.start)

    played.when(lambda event: isinstance(event, PhaseBegan) and event.phase == "change_other", restart)
    assert played.run(ROLLING, THERE).outcome == "succeeded"
    assert_changed(played, writer="west")


REFUSED = {
    "it does not fit": ({**THERE, "alter": "DROP COLUMN k"}, "can't be had back"),
    "it is not understood": ({**THERE, "alter": "ADD COLUMN n INT; DROP TABLE t"}, "not understood"),
    "it is there already": ({**THERE, "alter": "ADD COLUMN k TEXT"}, "has k already"),
}


@pytest.mark.parametrize(("given", "why"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_before_anything_is_touched(given: Mapping[str, str], why: str) -> None:
    played = stage()
    report = played.run(ROLLING, given)
    assert (report.outcome, played.pair.sent) == ("refused", [])
    assert why in report.problems[0].what


def test_an_administrator_on_either_side_would_come_through_and_is_named() -> None:
    for name in ("east", "west"):
        played = stage()
        played.pair.database(name).connect("root").passes_read_only = True
        report = played.run(ROLLING, THERE)
        assert (report.outcome, played.pair.sent) == ("refused", [])
        assert f"{name} is let ajar" in report.problems[0].what
        assert "root" in report.problems[0].what


def test_a_replica_of_one_of_them_would_not_get_it() -> None:
    played = stage()
    with_replica(played.pair, "east-r1")
    report = played.run(ROLLING, THERE)
    assert (report.outcome, played.pair.sent) == ("refused", [])
    assert "east-r1 would not get the change" in report.problems[0].what


@pytest.mark.parametrize("side", ["east", "west"])
def test_who_else_reads_the_log_of_one_of_them_would_not_get_it_either(side: str) -> None:
    played = stage()
    played.pair.database(side).settings["log_read_by"] = "repl@10.0.0.2 cdc@10.0.0.9"
    report = played.run(ROLLING, THERE)
    assert (report.outcome, played.pair.sent) == ("refused", [])
    assert f"2 read the binary log of {side}, which will not have the change: repl@10.0.0.2, cdc@10.0.0.9" in report.problems[0].what


def test_sides_that_differ_already_are_refused() -> None:
    played = stage()
    played.pair.west.settings["table app.t"] = "CREATE TABLE `app.t` (\n  `id` int NOT NULL,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB"
    report = played.run(ROLLING, THERE)
    assert (report.outcome, played.pair.sent) == ("refused", [])
    assert "not declared alike already" in report.problems[0].what


def test_a_plan_shows_the_statement_and_its_inverse() -> None:
    played = stage()
    planned = plan(ROLLING, THERE, played.engine().world, ())
    assert planned.would == "succeed"
    (first,) = (step for phase in planned.phases for step in phase.steps if step.id == "changed_first")
    assert f"west: ALTER TABLE app.t {ALTER}" in first.script
    assert f"west: ALTER TABLE app.t {BACK}" in first.undo
    assert played.pair.sent == []


@pytest.mark.parametrize(("given", "felt"), [(THERE, 1), (AND_BACK, 2)], ids=["there", "there and back"])
def test_a_plan_says_that_clients_wait_where_the_writes_move_and_nowhere_else(given: Mapping[str, str], felt: int) -> None:
    planned = plan(ROLLING, given, stage().engine().world, ())
    spans = [["fence", "catch_up", "flip"], ["fence_back", "catch_up_back", "flip_back"]]
    assert [phase.phase for phase in planned.phases if phase.clients_wait] == [name for span in spans[:felt] for name in span]


PHASES = [phase.name for phase in ROLLING.phases][2:]


@pytest.mark.parametrize("phase", PHASES)
def test_a_failure_in_any_phase_is_undone(phase: str) -> None:
    played = stage()
    before, fences = played.shape(), (played.pair.east.fence, played.pair.west.fence)
    assert played.run(fails_in(phase), AND_BACK).outcome == "rolled_back"
    assert_safe(played, writer="east")
    assert played.shape() == before
    assert (played.pair.east.fence, played.pair.west.fence) == fences


@pytest.mark.parametrize("phase", PHASES)
def test_a_run_that_halted_in_any_phase_goes_on_from_there(phase: str) -> None:
    """What it had opened last is opened again, and not what it had opened first."""
    played = stage()
    assert played.run(fails_in(phase, end="on_failure: halt"), AND_BACK).outcome == "halted"
    played.pair.west.settings["x"] = "well"
    assert played.engine("second").resume(played.only_run()).outcome == "succeeded"
    assert_changed(played, writer="east")


def test_a_fence_of_its_own_that_somebody_loosens_is_not_taken_for_one_that_was_found_so() -> None:
    played = stage()
    played.when(
        lambda event: isinstance(event, PhaseBegan) and event.phase == "prepare_back", lambda: setattr(played.pair.east, "ajar", True)
    )
    report = played.run(ROLLING, AND_BACK)
    assert "administrators may still write" in report.problems[0].what
    assert_safe(played, writer="east")


def test_a_halt_while_the_fence_is_ajar_shuts_it() -> None:
    """It has fenced and opened nothing: the writer goes on, and the standby is closed for administrators as before."""
    halts = fails_in("settle", end="on_failure: halt")
    played = killed_while_ajar(halts)
    alter(played.pair.west, "app.t", "ADD COLUMN note TEXT")  # by somebody else
    report = played.engine("second").resume(played.only_run())
    assert "somebody else changes it, too" in report.problems[0].what
    assert (report.outcome, played.pair.west.fence, played.pair.writers()) == ("halted", "shut", ("east",))


def killed_while_ajar(playbook: Playbook) -> Stage:
    for move in range(1, moves_of(THERE)):
        played = stage()
        with pytest.raises(ProcessKilled):
            played.engine(kill_at=move).start(playbook, THERE)
        if played.pair.west.fence == "ajar":
            played.settle()
            return played
    raise AssertionError("no move left it ajar")


def moves_of(given: Mapping[str, str]) -> int:
    counted = stage()
    counted.run(ROLLING, given)
    return counted.processes["first"].moves


KILLED = range(7, moves_of(AND_BACK) + 1, 61)


@pytest.mark.parametrize("power", [False, True], ids=["killed", "power lost"])
@pytest.mark.parametrize("how", ["resume", "rollback"])
@pytest.mark.parametrize("move", KILLED)
def test_a_run_that_was_killed_ends_changed_on_both_sides_or_on_none(move: int, how: str, power: bool) -> None:  # noqa: FBT001 - a column
    """With the power, it is lost which checks had passed before the writes came home: one of them may send the run back then."""
    played = stage()
    before = played.shape()
    with pytest.raises(ProcessKilled):
        played.engine(kill_at=move).start(ROLLING, AND_BACK)
    if power:
        played.store.lose_power()
    played.settle()
    outcome = _taken_up(played, how, power=power)
    if outcome == "succeeded":
        assert_changed(played, writer="east")
    else:
        assert_unchanged(played, before)


def _taken_up(played: Stage, how: str, *, power: bool) -> str:
    header = next(iter(played.store.runs(None)), None)
    if header is None or header.outcome is not None:
        return "refused" if header is None else str(header.outcome)
    engine = played.engine("second")
    had_ended = any(record.kind == "ended" for record in played.store.records(header.run))
    report = engine.resume(header.run) if how == "resume" else engine.roll_back(header.run)
    forward = {"succeeded", "rolled_back"} if power else {"succeeded"}
    assert had_ended or report.outcome in {"refused", *(forward if how == "resume" else {"rolled_back"})}
    return str(report.outcome)


def assert_unchanged(played: Stage, before: Shape) -> None:
    assert_safe(played, writer="east")
    assert played.shape() == before
    assert played.pair.west.fence == "shut"
