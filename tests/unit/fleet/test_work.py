from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from interlock.decisions.leases import Liveness
from interlock.errors import InterlockError, PairBusy, StoreFailed, UsageError
from interlock.fleet import journal
from interlock.fleet.children import Child, End
from interlock.fleet.journal import FleetJournal, Order, read_history
from interlock.fleet.model import FleetReport, Limits, Pair
from interlock.fleet.pool import StopAsked
from interlock.fleet.work import Office, carry_out, report_of_end
from interlock.ports import Holder, Record, RunHeader
from interlock.simulated.clock import SimulatedClock
from interlock.simulated.store import MemoryStore

PAIR = Pair(name="shop", file="/t/shop.yaml")
LIMITS = Limits(at_once=2, stop_after_failures=9, each_within_s=60.0)


def _order(*names: str) -> Order:
    pairs = tuple(Pair(name=name, file=f"/t/{name}.yaml") for name in names)
    return Order(playbook="switchover", playbook_file="/p.yaml", text="…", inputs={"to": "west"}, pairs=pairs, limits=LIMITS)


@dataclass(slots=True, kw_only=True)
class Stage:
    """A store, and programs that record a run with the outcome that `outcomes` says; None: they never do."""

    outcomes: dict[str, str | None] = field(default_factory=dict)
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    store: MemoryStore = field(init=False)
    words: list[list[str]] = field(default_factory=list)
    unchanged: bool = True

    def __post_init__(self) -> None:
        self.store = MemoryStore(self.clock, lambda _: Liveness.ALIVE)

    def start(self, words: Sequence[str], name: str, /) -> Child:
        self.words.append(list(words))
        pair = words[words.index("--topology") + 1].removeprefix("/t/").removesuffix(".yaml")
        outcome = self.outcomes.get(pair, "succeeded")
        if outcome is None:
            return Ended(End(exit_code=6, document={"problems": [{"what": "held", "hint": "wait"}]}))
        if name not in {header.run for header in self.store.runs(pair)}:
            self.store.create_run(RunHeader(run=name, playbook="p", topology=pair, started_at=self.clock.wall(), state="checking"))
            started = {"playbook": "p", "text": "", "inputs": {}, "holder": {}}
            self.store.append(name, [Record(seq=1, kind="started", at=self.clock.wall(), body=started)], durable=True)
        if outcome != "unfinished":
            seq = len(self.store.records(name)) + 1
            body = {"outcome": outcome, "exit_code": 0, "evidence": {}, "problems": [], "next_commands": []}
            self.store.append(name, [Record(seq=seq, kind="ended", at=self.clock.wall(), body=body)], durable=True)
            self.store.set_state(name, outcome, outcome)
        return Ended(End(exit_code=-9 if outcome == "unfinished" else 0, document={}, cpu_s=0.5, memory_mib=40.0))

    def go(self, *names: str) -> FleetReport:
        """Begin the fleet `f`, or go on with it."""
        if not self.store.runs(journal.FLEETS):
            journal.begin(self.store, "f", _order(*names), self.clock)
        history = read_history("f", self.store.records("f"))
        written = FleetJournal(self.store, "f", self.clock, history.records)
        return carry_out(self.office(), history, written, LIMITS, StopAsked())

    def office(self) -> Office:
        return Office(
            store=self.store,
            programs=self,
            clock=self.clock,
            look=lambda _: Liveness.GONE,
            tell=lambda _what, _pair: None,
            holder=lambda run: Holder(user="ops", host="here", pid=1, process_started="", run=run),
            options=("--store", "sqlite:///s"),
            unchanged=lambda: self.unchanged,
        )


@dataclass(slots=True)
class Ended:
    end: End

    def poll(self) -> End | None:
        return self.end

    def signal(self, _number: object, /) -> None: ...


def _standings(report: FleetReport) -> dict[str, str]:
    return {pair.topology: pair.outcome or pair.standing.value for pair in report.pairs}


def test_each_pair_is_told_its_file_its_run_and_the_inputs() -> None:
    stage = Stage()
    report = stage.go("a")
    assert stage.words == [
        ["--topology", "/t/a.yaml", "--json", "--store", "sqlite:///s", "run", "/p.yaml", "--as", "f.a", "--input", "to=west"]
    ]
    assert (report.state, report.exit_code, report.pairs[0].cpu_s, report.pairs[0].memory_mib) == ("done", 0, 0.5, 40.0)


def test_going_on_resumes_retries_and_never_repeats_a_success() -> None:
    stage = Stage(outcomes={"b": "unfinished", "c": "rolled_back", "d": None, "e": "halted"})
    first = stage.go("a", "b", "c", "d", "e")
    assert _standings(first) == {"a": "succeeded", "b": "failed", "c": "rolled_back", "d": "failed", "e": "halted"}
    assert (first.state, first.exit_code, first.succeeded, first.failed) == ("paused", 5, 1, 4)
    stage.outcomes.clear()
    stage.words.clear()
    second = stage.go()
    assert [words[5:] for words in stage.words] == [
        ["resume", "f.b"],
        ["run", "/p.yaml", "--as", "f.c~2", "--input", "to=west"],
        ["run", "/p.yaml", "--as", "f.d", "--input", "to=west"],
    ]
    assert _standings(second) == {"a": "succeeded", "b": "succeeded", "c": "succeeded", "d": "succeeded", "e": "halted"}
    assert second.state == "paused"
    stage.store.set_state("f.e", "succeeded", "succeeded")  # a person has mended it, and resumed the run
    third = stage.go()
    assert (third.state, third.exit_code, len(stage.words)) == ("done", 0, 3)


def test_a_playbook_that_was_changed_begins_no_more() -> None:
    stage = Stage(unchanged=False)
    report = stage.go("a", "b")
    assert (stage.words, report.not_started, report.exit_code) == ([], 2, 130)
    assert report.problems[0].what == "/p.yaml is not what the fleet began with"


def test_a_store_that_fails_begins_no_more() -> None:
    stage = Stage()
    journal.begin(stage.store, "f", _order("a", "b"), stage.clock)
    history = read_history("f", stage.store.records("f"))
    broken = FleetJournal(stage.store, "f", stage.clock, history.records + 7)  # its next record does not follow
    with pytest.raises(StoreFailed, match="record 9 of run f does not follow"):
        carry_out(stage.office(), history, broken, LIMITS, StopAsked())
    assert stage.words == []


def test_a_fleet_is_carried_out_by_one_process() -> None:
    stage = Stage()
    journal.begin(stage.store, "f", _order("a"), stage.clock)
    stage.store.take_lease("(fleets) f", Holder(user="you", host="there", pid=2, process_started="", run="f"))
    with pytest.raises(PairBusy, match="held by you@there"):
        stage.go()


def test_two_fleets_of_one_name_are_an_error() -> None:
    stage = Stage()
    stage.go("a")
    with pytest.raises(UsageError, match="there is a fleet or a run called f"):
        journal.begin(stage.store, "f", _order("a"), stage.clock)


@pytest.mark.parametrize(
    ("end", "exit_code", "what"),
    [
        pytest.param(End(exit_code=6, document={"problems": [{"what": "held"}]}), 6, "held", id="busy"),
        pytest.param(End(exit_code=-9, document={}), 1, "its process was ended by signal 9", id="killed as it started"),
        pytest.param(End(exit_code=1, document={}), 1, "its process ended with exit code 1", id="crashed as it started"),
        pytest.param(End(exit_code=0, document={}), 1, "its process ended with exit code 0", id="said it succeeded, left no run"),
        pytest.param(End(exit_code=130, document={}), 130, "its process ended with exit code 130", id="over its time as it started"),
    ],
)
def test_a_process_whose_run_never_came_to_be(end: End, exit_code: int, what: str) -> None:
    report = report_of_end(PAIR, "f.shop", end, None, stopping=False)
    assert (report.standing, report.exit_code) == ("failed", exit_code)
    assert [each.what for each in report.problems] == [what]


@pytest.mark.parametrize(
    ("exit_code", "standing"),
    [
        pytest.param(-15, "not_started", id="ended by the signal"),
        pytest.param(130, "not_started", id="it said that it was stopped"),
        pytest.param(1, "failed", id="it crashed"),
    ],
)
def test_one_that_a_person_stopped_before_it_began_has_not_failed(exit_code: int, standing: str) -> None:
    report = report_of_end(PAIR, "f.shop", End(exit_code=exit_code, document={}), None, stopping=True)
    assert (report.standing, report.run) == (standing, None)


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([("fleet_began", {})], id="an order without its words"),
        pytest.param([("ended", {})], id="a run's record"),
    ],
)
def test_a_journal_that_makes_no_sense_is_told(records: list[tuple[str, dict[str, object]]]) -> None:
    made = [Record(seq=seq, kind=kind, at=datetime(2026, 3, 1, tzinfo=UTC), body=body) for seq, (kind, body) in enumerate(records, 1)]
    with pytest.raises(StoreFailed, match="the journal of fleet f makes no sense") as failed:
        read_history("f", made)
    assert isinstance(failed.value, InterlockError)
    assert failed.value.hint == "look at each pair: interlock runs"


def test_the_words_of_a_real_run_are_those_of_the_command_line(tmp_path: Path) -> None:
    """What a fleet tells its programs, the command line takes."""
    from interlock.cli.arguments import parser  # noqa: PLC0415 - only here

    stage = Stage(outcomes={"b": "unfinished"})
    stage.go("a", "b")
    stage.go()
    options = [parser().parse_args(words) for words in stage.words]
    assert [each.command_name for each in options] == ["run", "run", "resume"]
    assert options[0].as_ == "f.a"
    assert str(tmp_path) not in str(options)
