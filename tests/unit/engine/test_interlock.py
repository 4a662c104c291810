"""Promise 1: a server is opened only with the lease held, every other master proved fenced, and all that they acknowledged on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from interlock.clock import Deadline
from interlock.engine.events import StepEnded
from interlock.engine.guard import Guard
from interlock.engine.interlock import Interlock
from interlock.engine.journal import Journal
from interlock.errors import DriverError, LeaseLost, StatementFailed, StepFailed
from interlock.model.effects import Open
from interlock.model.facts import FenceProof
from interlock.model.topology import ServerName
from interlock.ports import Holder, RunHeader, Server, World
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.world import SimulatedWorld
from unit.engine.stage import Stage, assert_safe, short

EAST, WEST = ServerName("east"), ServerName("west")


class Bare:
    """An interlock without a run around it. East is fenced, west is behind by 0.5 s at the most."""

    def __init__(self) -> None:
        self.stage = Stage()
        pair = self.stage.pair
        self.world = SimulatedWorld(pair, SimulatedProcess("first"), self.stage.store)
        self.stage.processes["first"] = SimulatedProcess("first")
        lease = self.stage.store.take_lease("shop", Holder(user="ops", host="here", pid=1, process_started="first", run="r"))
        header = RunHeader(run="r", playbook="p", topology="shop", started_at=pair.clock.wall(), state="checking")
        self.stage.store.create_run(header)
        self.guard = Guard(self.stage.store, lease, self.world, pair.clock)
        self.guard.take_locks(again=False, tolerant=False)
        self.interlock = Interlock(self.world, self.guard, Journal(self.stage.store, "r", pair.clock, str))
        pair.to_west.delay_s = 0.5
        pair.clock.sleep(0.2)
        pair.east.set_read_only(on=True)

    def open(self, server: ServerName, within_s: float = 5.0) -> list[str]:
        """What was sent, if it was."""
        sent: list[str] = []
        deadline = Deadline.after(self.stage.pair.clock, within_s)
        self.interlock.open(Open(server=server), deadline, "r", lambda: sent.append(server))
        return sent


def test_the_opening_waits_until_all_is_there_and_says_when_it_sends() -> None:
    bare = Bare()
    assert bare.stage.pair.missing("west")
    assert bare.open(WEST) == [WEST]
    assert (bare.stage.pair.writers(), bare.stage.pair.violations) == ((WEST,), [])


def lose_lease(bare: Bare) -> None:
    held = bare.stage.store._held.pop("shop")
    bare.stage.store.take_lease("shop", held.holder)


REFUSALS: dict[str, tuple[Callable[[Bare], object], type[Exception], str]] = {
    "the other takes writes": (lambda b: b.stage.pair.east.set_read_only(on=False), StepFailed, "east is not proved fenced .*takes writes"),
    "the other does not answer, and was never proved": (lambda b: b.stage.pair.east.crash(), StepFailed, "east is not proved fenced"),
    "the applier is stopped": (lambda b: b.stage.pair.to_west.stop(), StepFailed, "behind and its applier has stopped"),
    "it does not catch up in time": (lambda b: setattr(b.stage.pair.to_west, "delay_s", 60.0), StepFailed, "transactions behind east"),
    "the lease is lost while it waits": (lose_lease, LeaseLost, "taken over"),
    "the server itself does not answer": (lambda b: b.stage.pair.west.hang(), DriverError, "west does not answer"),
}


@pytest.mark.parametrize(("spoil", "error", "words"), REFUSALS.values(), ids=REFUSALS.keys())
def test_an_opening_that_may_not_be_is_refused_and_sends_nothing(
    spoil: Callable[[Bare], object], error: type[Exception], words: str
) -> None:
    bare = Bare()
    spoil(bare)
    with pytest.raises(error, match=words):
        bare.open(WEST)
    assert bare.stage.effects() == []


@pytest.mark.parametrize("silence", ["hang", "crash"])
def test_a_proof_of_this_run_stands_while_its_server_says_nothing(silence: str) -> None:
    bare = Bare()
    bare.interlock.prove_fenced(EAST)
    bare.stage.pair.clock.sleep(2)  # a fresh proof is not asked for again
    getattr(bare.stage.pair.east, silence)()
    assert bare.open(WEST) == [WEST]


@pytest.mark.parametrize("touch", [lambda b: b.interlock.forget(EAST), lambda b: b.open(EAST)], ids=["forgotten", "opened since"])
def test_a_proof_does_not_stand_once_the_server_was_touched(touch: Callable[[Bare], object]) -> None:
    bare = Bare()
    bare.interlock.prove_fenced(EAST)
    bare.stage.pair.clock.sleep(2)
    touch(bare)
    bare.stage.pair.east.hang()
    with pytest.raises(StepFailed, match="east is not proved fenced"):
        bare.open(WEST)


def test_a_proof_does_not_stand_against_what_the_server_says_itself() -> None:
    bare = Bare()
    bare.interlock.prove_fenced(EAST)
    bare.stage.pair.clock.sleep(2)
    bare.stage.pair.east.set_read_only(on=False)
    with pytest.raises(StepFailed, match="east takes writes"):
        bare.open(WEST)
    bare.stage.pair.east.hang()
    with pytest.raises(StepFailed, match="east is not proved fenced"):
        bare.open(WEST)


class LooselyFenced:
    """A simulated server whose fence administrators pass, while `loose`: the simulated one knows a single kind of fence."""

    def __init__(self, real: Server) -> None:
        self.real, self.loose = real, True

    def proof_of_fence(self) -> FenceProof:
        return replace(self.real.proof_of_fence(), loose=self.loose)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class WorldWithLoose:
    def __init__(self, real: SimulatedWorld) -> None:
        self.real, self.east = real, LooselyFenced(real.server(EAST))

    def server(self, name: ServerName) -> Any:
        return self.east if name == EAST else self.real.server(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def loosely() -> tuple[Bare, LooselyFenced]:
    bare = Bare()
    world = WorldWithLoose(bare.world)
    bare.interlock = Interlock(cast("World", world), bare.guard, Journal(bare.stage.store, "r", bare.stage.pair.clock, str))
    return bare, world.east


def test_a_fence_that_administrators_pass_is_no_proof_for_an_opening() -> None:
    """MySQL's plain `read_only=1`. Put back as it was, it is none either."""
    bare, _ = loosely()
    with pytest.raises(StatementFailed, match="administrators may still write") as refused:
        bare.interlock.prove_fenced(EAST)
    assert refused.value.hint == "SET GLOBAL super_read_only=1 on east"
    bare.interlock.prove_put_back(EAST)
    with pytest.raises(StepFailed, match=r"east is not proved fenced .*administrators may still write"):
        bare.open(WEST)
    assert bare.stage.effects() == []


def test_a_standby_that_was_loosely_fenced_before_the_run_does_not_keep_the_old_writer_closed() -> None:
    """Until the run fences it closely, or opens it."""
    bare, east = loosely()
    bare.interlock.prove_as_found(EAST)
    bare.interlock.forget(EAST)  # a team's own SQL opens nothing
    assert bare.open(WEST) == [WEST]
    east.loose = False
    bare.interlock.prove_fenced(EAST)
    east.loose = True
    with pytest.raises(StatementFailed, match="administrators may still write"):
        bare.interlock.prove_fenced(EAST)


def test_what_was_opened_is_not_proved_by_the_loose_fence_that_it_had() -> None:
    bare, _ = loosely()
    bare.interlock.prove_as_found(EAST)
    assert bare.open(EAST) == [EAST]
    bare.stage.pair.east.set_read_only(on=True)
    with pytest.raises(StepFailed, match="administrators may still write"):
        bare.open(WEST)


def test_an_open_server_can_not_be_proved_fenced() -> None:
    bare = Bare()
    bare.stage.pair.east.set_read_only(on=False)
    with pytest.raises(StatementFailed, match="takes writes"):
        bare.interlock.prove_fenced(EAST)


def ended(step: str) -> Callable[[object], bool]:
    return lambda event: isinstance(event, StepEnded) and event.step == step


def test_an_administrator_who_opens_the_old_writer_in_the_outage_is_noticed() -> None:
    stage = Stage()
    stage.pair.to_west.delay_s = 3.0
    stage.pair.clock.sleep(4)
    stage.when(ended("fenced"), lambda: stage.pair.clock.after(2.5, lambda: stage.pair.east.set_read_only(on=False)))
    report = stage.run(short())
    assert report.outcome == "rolled_back"
    assert "east is not proved fenced (east takes writes" in report.problems[0].what
    stage.pair.clock.sleep(5)
    assert_safe(stage, writer="east")


def test_a_teams_own_sql_on_the_standby_ends_what_was_proved_of_it() -> None:
    """It may have opened it; as the standby then says nothing, the old writer stays closed and a person is needed."""
    stage = Stage()
    steps = "- id: own\n  do: sql\n  with: {server: west, statements: [SET x=1]}\n  undo: none"
    stage.when(ended("own"), stage.pair.west.hang)
    report = stage.run(short(between=steps))
    assert report.outcome == "halted"
    assert any("west is not proved fenced" in problem.what for problem in report.problems)
    assert stage.pair.writers() == ()
