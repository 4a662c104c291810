"""The way forward: what is done, in which order, and what each part of the playbook language does in a run."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from interlock.engine.events import OutageBegan, OutageEnded, StepActs, StepEnded
from interlock.errors import OutcomeUnknown, StatementFailed
from interlock.model.effects import Fence, Hold, Open, PointTo, RunSql, SetEventScheduler
from interlock.playbook.load import parse_playbook
from unit.engine.stage import CATALOGUE, Stage, assert_safe, short


def result(stage: Stage, step: str) -> str:
    ends = [event.result for event in stage.events if isinstance(event, StepEnded) and event.step == step]
    return ends[-1] if ends else "not run"


def test_a_switchover_moves_the_writes_and_proves_it() -> None:
    stage = Stage()
    report = stage.run()
    assert (report.outcome, report.exit_code, report.problems) == ("succeeded", 0, [])
    assert_safe(stage, writer="west")
    kinds = [type(effect) for effect in stage.effects()]
    assert kinds == [Hold, Fence, Open, PointTo]
    assert [opening["server"] for opening in report.evidence["openings"]] == ["west"]  # type: ignore[attr-defined]
    assert report.outage_ms is not None
    assert report.outage_ms < 100


def test_there_and_back_again() -> None:
    stage = Stage()
    assert stage.run().outcome == "succeeded"
    stage.settle()
    assert stage.engine("second").start(short(), {}).outcome == "succeeded"
    assert_safe(stage, writer="east")


def test_nothing_but_the_effects_of_the_outage_stands_in_the_outage() -> None:
    """The intents of hold, fence, open and flip are written before the first of them acts."""
    stage = Stage()
    report = stage.run()
    records = stage.store.records(report.run)
    first_effect = next(record.seq for record in records if record.kind == "acting")
    intended = {str(record.body["step"]): record.seq for record in records if record.kind == "intended"}
    assert {"fence/route.hold", "fenced", "flip/server.open", "flip/route.flip"} <= intended.keys()
    assert all(intended[step] < first_effect for step in ("fence/route.hold", "fenced", "flip/server.open", "flip/route.flip"))
    told = [type(event).__name__ for event in stage.events if isinstance(event, OutageBegan | OutageEnded)]
    assert told == ["OutageBegan", "OutageEnded"]


@pytest.mark.parametrize(("hold_s", "held"), [(20.0, True), (None, False)], ids=["can-hold", "can-not"])
def test_the_end_of_the_outage_says_whether_clients_were_held(hold_s: float | None, *, held: bool) -> None:
    stage = Stage()
    stage.pair.proxy.hold_s = hold_s
    assert stage.run().outcome == "succeeded"
    assert [event.held for event in stage.events if isinstance(event, OutageEnded)] == [held]


def test_every_effect_is_told_word_for_word_before_it_is_sent() -> None:
    stage = Stage()
    stage.run(short())
    assert [event.script for event in stage.events if isinstance(event, StepActs)] == [
        ("writes: hold",),
        ("east: SET GLOBAL read_only=1",),
        ("west: SET GLOBAL read_only=0",),
        ("writes: point to west",),
    ]


def test_events_are_stopped_on_the_old_writer_and_started_on_the_new_one() -> None:
    stage = Stage()
    stage.pair.east.scheduler = "ON"
    assert stage.run().outcome == "succeeded"
    assert (stage.pair.east.scheduler, stage.pair.west.scheduler) == ("OFF", "ON")
    order = [type(effect) for effect in stage.effects()]
    assert order.index(SetEventScheduler) < order.index(Fence), "a privileged event writes through the fence"


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("- id: one\n  check: replication.healthy\n  when: ${to} == 'west'", "done"),
        ("- id: one\n  check: replication.healthy\n  when: ${to} == 'east'", "skipped"),
    ],
    ids=["holds", "does not hold"],
)
def test_when_decides_whether_a_step_runs(steps: str, expected: str) -> None:
    stage = Stage()
    assert stage.run(short(before=steps)).outcome == "succeeded"
    assert result(stage, "one") == expected


def test_foreach_runs_a_step_for_each_item() -> None:
    stage = Stage()
    steps = '- id: each\n  do: sql\n  foreach: ${topology.servers}\n  with: {server: "${item}", statements: ["SET x=1"], undo: ["SET x=0"]}'
    assert stage.run(short(first=steps)).outcome == "succeeded"
    assert (result(stage, "each[0]"), result(stage, "each[1]")) == ("done", "done")
    assert stage.pair.east.settings["x"] == stage.pair.west.settings["x"] == "1"


def test_parallel_steps_all_end_before_the_next_one_begins() -> None:
    stage = Stage()
    steps = "- parallel:\n  - {id: a, check: replication.healthy}\n  - {id: b, check: pair.keys_apart}\n- {id: c, check: pair.clocks_agree}"
    assert stage.run(short(before=steps)).outcome == "succeeded"
    ends = [event.step for event in stage.events if isinstance(event, StepEnded)]
    assert sorted(ends[1:3]) == ["a", "b"]
    assert ends[3] == "c"


def test_a_parallel_step_that_fails_fails_the_run_after_the_others_have_ended() -> None:
    stage = Stage()
    stage.pair.to_west.stop()
    steps = "- parallel:\n  - {id: a, check: replication.healthy}\n  - {id: b, check: pair.keys_apart}"
    assert stage.run(short(before=steps)).outcome == "refused"
    assert (result(stage, "a"), result(stage, "b")) == ("failed", "done")


@pytest.mark.parametrize(("mended_after", "outcome"), [(2, "succeeded"), (9, "refused")], ids=["in time", "too late"])
def test_retry_looks_again_after_a_pause(mended_after: int, outcome: str) -> None:
    stage = Stage()
    stage.pair.to_west.stop()
    stage.pair.clock.after(mended_after, stage.pair.to_west.start)
    steps = "- check: replication.healthy\n  retry: {times: 4, pause: 1s}"
    assert stage.run(short(before=steps)).outcome == outcome


@pytest.mark.parametrize(("answer", "outcome"), [(True, "succeeded"), (False, "refused")], ids=["yes", "no"])
def test_a_gate_before_the_first_effect_lets_a_person_decide(answer: bool, outcome: str) -> None:  # noqa: FBT001 - a table's column
    stage = Stage()
    stage.answers = [answer]
    assert stage.run(short(before="- gate: take the writes to ${to}?")).outcome == outcome
    assert stage.asked == ["take the writes to west?"]


def test_a_gate_that_nobody_opens_after_the_fence_takes_everything_back() -> None:
    stage = Stage()
    before = stage.shape()
    assert stage.run(short(between="- gate: go on?")).outcome == "rolled_back"
    assert stage.shape() == before
    assert_safe(stage, writer="east")


def test_a_check_with_on_failure_continue_does_not_stop_the_run() -> None:
    stage = Stage()
    steps = "- id: soft\n  check: sql\n  on_failure: continue\n  with: {server: east, query: SELECT x, matches: never}"
    assert stage.run(short(after=steps)).outcome == "succeeded"
    assert result(stage, "soft") == "failed"
    assert_safe(stage, writer="west")


def test_a_playbook_of_checks_alone_succeeds_and_sends_nothing() -> None:
    text = "playbook: look\nversion: 1\nsummary: Looks.\nphases:\n- phase: look\n  steps:\n  - check: replication.healthy\n"
    stage = Stage()
    report = stage.run(parse_playbook(text, file="look.yaml", catalogue=CATALOGUE))
    assert (report.outcome, stage.effects()) == ("succeeded", [])


class Flag:
    """A program with `set`, `unset` and `show`; `reply` says what befalls its first `set`."""

    def __init__(self, reply: Exception | None = None, *, takes: bool = True) -> None:
        self.value = "0"
        self.reply = reply
        self.takes = takes
        self.sets = 0

    def __call__(self, argv: Sequence[str]) -> tuple[int, str]:
        match argv[0]:
            case "set":
                self.sets += 1
                if self.takes or self.reply is None:
                    self.value = "1"
                if self.reply is not None:
                    reply, self.reply = self.reply, None
                    raise reply
            case "unset":
                self.value = "0"
            case _:
                pass  # show
        return 0, self.value


SHOWN = "- id: flag\n  do: command\n  with: {run: [flag, set], undo: [flag, unset], show: [flag, show], done: '1'}"
BLIND = "- id: flag\n  do: command\n  with: {run: [flag, set], undo: [flag, unset]}"
LOST = OutcomeUnknown("flag did not end within 10s")


@pytest.mark.parametrize(
    ("steps", "flag", "outcome", "sets", "left"),
    [
        (SHOWN, Flag(), "succeeded", 1, "1"),
        (BLIND, Flag(), "succeeded", 1, "1"),
        (SHOWN, Flag(StatementFailed("flag ended with 1")), "rolled_back", 1, "0"),
        (BLIND, Flag(StatementFailed("flag ended with 1")), "rolled_back", 1, "0"),
        (BLIND, Flag(LOST), "rolled_back", 1, "0"),
        (BLIND, Flag(LOST, takes=False), "rolled_back", 1, "0"),
    ],
    ids=["shown", "blind", "shown, fails", "blind, fails", "blind, reply lost", "blind, effect and reply lost"],
)
def test_a_teams_own_command_is_carried_out_once_and_taken_back(steps: str, flag: Flag, outcome: str, sets: int, left: str) -> None:
    stage = Stage()
    stage.pair.programs.known["flag"] = flag
    assert stage.run(short(first=steps)).outcome == outcome
    assert (flag.sets, flag.value) == (sets, left)
    assert_safe(stage, writer="west" if outcome == "succeeded" else "east")


def test_what_holds_already_is_not_done_again() -> None:
    stage = Stage()
    flag = stage.pair.programs.known["flag"] = Flag()
    flag.value = "1"
    assert stage.run(short(first=SHOWN)).outcome == "succeeded"
    assert flag.sets == 0


def test_an_undo_of_the_steps_own_takes_the_place_of_the_actions() -> None:
    stage = Stage()
    steps = (
        '- id: note\n  do: sql\n  with: {server: west, statements: ["SET x=1"], undo: ["SET x=never"]}\n'
        '  undo:\n  - do: sql\n    with: {server: west, statements: ["SET x=back"]}'
    )
    fails = "- check: sql\n  with: {server: east, query: SELECT x, matches: never}"
    assert stage.run(short(first=steps, after=fails)).outcome == "rolled_back"
    assert stage.pair.west.settings["x"] == "back"
    assert sum(isinstance(effect, RunSql) for effect in stage.effects()) == 2


def test_undo_none_leaves_what_was_done() -> None:
    stage = Stage()
    steps = '- do: sql\n  with: {server: west, statements: ["SET x=1"], undo: ["SET x=0"]}\n  undo: none'
    fails = "- check: sql\n  with: {server: east, query: SELECT x, matches: never}"
    assert stage.run(short(first=steps, after=fails)).outcome == "rolled_back"
    assert stage.pair.west.settings["x"] == "1"
