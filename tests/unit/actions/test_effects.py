"""Every action that changes something: it acts once, holds, is put back to what was seen before, and then has nothing left to undo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from interlock.actions.catalogue import catalogue
from interlock.engine.scripts import agent_of
from interlock.model.comparing import BeginComparison, StopComparison
from interlock.model.effects import (
    CallHttp,
    ClearMark,
    CloseSegment,
    CopyLogs,
    Effect,
    FenceOutside,
    GuardTables,
    Hold,
    NoteOwner,
    OpenSegment,
    PointTo,
    Release,
    ReleaseOutside,
    RestoreRoute,
    RunCommand,
    SetMark,
    WriteNote,
)
from interlock.model.marks import Mark, MarkKind
from interlock.model.mending import MendRows, TakeRowsBack
from interlock.model.returning import BeginCopy, EndReturn, KeepLosses, SetHeld, StopCopy, TakeBack
from interlock.model.segments import AccountState
from interlock.model.tables import AlterTable
from interlock.model.topology import ClusterName, RouteName, ServerName, Tenants
from interlock.model.verdict import Act, Done, Refuse, Wait
from interlock.playbook.catalogue import Verb
from interlock.simulated.active_active import EU, RIGHTS, with_segments
from interlock.simulated.pair import SimulatedPair, simulated_pair
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.replicas import with_replica
from interlock.simulated.replication import Channel
from interlock.simulated.store import MemoryStore
from interlock.simulated.world import SimulatedWorld

EAST, WEST, ROUTES = ServerName("east"), ServerName("west"), (RouteName("writes"),)
SPECS = catalogue()


def build(name: str, args: Mapping[str, object], verb: Verb = Verb.DO) -> Any:
    spec = SPECS[verb, name]
    return spec.build({**{param.name: param.default for param in spec.params}, **args})


class Table:
    """A pair that nobody writes to, and a program `flag` with a URL of the same behaviour."""

    def __init__(self) -> None:
        self.pair: SimulatedPair = simulated_pair(clients=0)
        self.world = SimulatedWorld(self.pair, SimulatedProcess("test"), MemoryStore(self.pair.clock))
        self.flag = "0"
        self.replicas: list[Channel] = []
        self.pair.programs.known |= {
            "flag": self._flag,
            "http://flag/set": self._set,
            "http://flag/unset": self._unset,
            "http://flag": self._show,
        }

    def carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Hold() | Release() | PointTo() | RestoreRoute():
                    self.world.route(effect.route).apply(effect)
                case RunCommand() | CallHttp() | CopyLogs():
                    self.world.outside.run(effect)
                case SetMark() | ClearMark():
                    self.world.marks.apply(effect)
                case FenceOutside() | ReleaseOutside():
                    agent_of(self.world, effect).apply(effect)
                case CloseSegment() | OpenSegment() | NoteOwner() | GuardTables():
                    self.world.server(effect.server).segments.apply(effect, mark="test")
                case KeepLosses() | TakeBack() | BeginCopy() | StopCopy() | SetHeld() | EndReturn():
                    self.world.returning(effect.cluster).apply(effect, mark="test")
                case AlterTable():
                    self.world.server(effect.server).tables.apply(effect, mark="test")
                case BeginComparison() | StopComparison():
                    self.world.comparer(effect.cluster).apply(effect)
                case MendRows() | TakeRowsBack():
                    self.world.mender.apply(effect)
                case _:
                    self.world.server(effect.server).apply(effect, mark="test")

    def shape(self) -> object:
        pair = self.pair
        segments = [[(s.accounts, s.note, s.unguarded) for s in d.segments.values()] for d in (pair.east, pair.west)]
        databases = [(d.read_only, d.scheduler, dict(d.settings), s) for d, s in zip((pair.east, pair.west), segments, strict=True)]
        channels = [(c.source.name, c.running, c.receiving) for c in (pair.to_west, pair.to_east, *self.replicas)]
        return databases, pair.proxy.leads_to, pair.proxy.holding, dict(pair.proxy.weights), self.flag, channels, self.world.marks.all()

    def _flag(self, argv: Sequence[str]) -> tuple[int, str]:
        self.flag = {"set": "1", "unset": "0"}.get(argv[0], self.flag)
        return 0, self.flag

    def _set(self, _argv: Sequence[str]) -> tuple[int, str]:
        return 200, self._flag(("set",))[1]

    def _unset(self, _argv: Sequence[str]) -> tuple[int, str]:
        return 200, self._flag(("unset",))[1]

    def _show(self, _argv: Sequence[str]) -> tuple[int, str]:
        return 200, self.flag


@pytest.fixture
def table() -> Table:
    return Table()


def events_on(table: Table) -> None:
    table.pair.east.scheduler = "ON"


def holding(table: Table) -> None:
    table.pair.proxy.holding = True


def active_active(table: Table) -> None:
    with_segments(table.pair)
    table.world = SimulatedWorld(table.pair, SimulatedProcess("test"), MemoryStore(table.pair.clock))


def tenants_without_a_guard(table: Table) -> None:
    with_segments(table.pair)
    orders = Tenants(column="tenant", values=("eu",), tables=("shop.orders",))
    segments = {**table.pair.topology.segments, "eu": replace(EU, schemas=(), accounts=(), tenants=orders)}
    table.pair.topology = replace(table.pair.topology, segments=segments)
    table.pair.east.segments["eu"].unguarded = orders.tables
    table.world = SimulatedWorld(table.pair, SimulatedProcess("test"), MemoryStore(table.pair.clock))


def fenced_without_a_segment(table: Table) -> None:
    active_active(table)
    table.pair.east.read_only = True
    table.pair.east.segments["eu"].accounts = (AccountState(account="app_eu@%", locked=True),)


def a_replica(table: Table) -> None:
    table.replicas.append(with_replica(table.pair, "east-r1"))
    table.world = SimulatedWorld(table.pair, SimulatedProcess("test"), MemoryStore(table.pair.clock))


def semi_sync(*, acknowledged: bool) -> Callable[[Table], None]:
    """East waits and west acknowledges; east acknowledges too if `acknowledged`."""

    def arrange(table: Table) -> None:
        table.pair.east.settings |= {"semi_sync_waits": "1", "semi_sync_acknowledges": f"{acknowledged:d}"}
        table.pair.west.settings |= {"semi_sync_waits": "0", "semi_sync_acknowledges": "1"}

    return arrange


def failed(table: Table) -> None:
    at = table.pair.clock.wall()
    mark = Mark(topology="shop", kind=MarkKind.FAILED, subject="east", by="anna@ops1", at=at, reason="it died", run="r1")
    table.world.marks.apply(SetMark(mark=mark))


def quiesced(table: Table) -> None:
    at = table.pair.clock.wall()
    mark = Mark(topology="shop", kind=MarkKind.QUIESCED, subject="west", by="anna@ops1", at=at, reason="a disk", run="r1")
    table.world.marks.apply(SetMark(mark=mark))
    table.world.server("east").apply(WriteNote(server=EAST, mark=mark), mark="")


def not_receiving(table: Table) -> None:
    table.pair.to_west.receiving = False


def paused(table: Table) -> None:
    table.pair.to_west.stop()


def nothing(table: Table) -> None:
    del table


SQL = {"server": WEST, "statements": ("SET x=1",), "undo": ("SET x=",), "show": "SELECT x", "done": "1"}
COMMAND = {"run": ("flag", "set"), "undo": ("flag", "unset"), "show": ("flag", "show"), "done": "1"}
HTTP = {"url": "http://flag/set", "undo_url": "http://flag/unset", "show": "http://flag", "done": "1"}
EU_OPEN = (AccountState(account="app_eu@%", locked=False, rights=RIGHTS),)
LOOKABLE: dict[str, tuple[str, Mapping[str, object], Callable[[Table], None]]] = {
    "fence": ("server.fence", {"server": EAST}, nothing),
    "mark as failed": ("cluster.mark_failed", {"cluster": EAST}, nothing),
    "mark as quiesced": ("cluster.mark_quiesced", {"cluster": WEST, "reason": "a disk", "for": 60.0}, nothing),
    "end of the quiesce": ("cluster.end_quiesce", {"cluster": WEST}, quiesced),
    "mark as rejoined": ("cluster.mark_rejoined", {"cluster": EAST}, failed),
    "fence, events on": ("server.fence", {"server": EAST}, events_on),
    "open": ("server.open", {"server": WEST}, nothing),
    "hold": ("route.hold", {"route": ROUTES}, nothing),
    "release": ("route.release", {"route": ROUTES}, holding),
    "flip": ("route.flip", {"route": ROUTES, "to": ClusterName("west")}, nothing),
    "flip, held": ("route.flip", {"route": ROUTES, "to": ClusterName("west")}, holding),
    "events": ("events.hand_over", {"server": WEST, "was": "ON"}, nothing),
    "receiver, started": ("replication.start_receiving", {"server": WEST, "source": EAST}, not_receiving),
    "receiver": ("replication.stop_receiving", {"server": WEST, "source": EAST}, nothing),
    "segment": ("segment.fence", {"segment": "eu", "server": EAST}, active_active),
    "segment, opened": ("segment.open", {"segment": "eu", "server": WEST, "accounts": EU_OPEN}, active_active),
    "segment, handed over": ("segment.hand_over", {"segment": "eu", "to": ClusterName("west")}, active_active),
    "beside the other one": ("server.open_beside", {"server": EAST}, fenced_without_a_segment),
    "applier": ("applier.pause", {"server": WEST, "source": EAST}, nothing),
    "applier, led on": ("applier.continue", {"server": WEST, "source": EAST}, paused),
    "acknowledge": ("semisync.acknowledge", {"server": EAST, "source": WEST}, semi_sync(acknowledged=False)),
    "semi-sync": ("semisync.hand_over", {"from": EAST, "to": WEST}, semi_sync(acknowledged=True)),
    "semi-sync, released": ("semisync.hand_over", {"from": EAST, "to": WEST, "release": True}, semi_sync(acknowledged=True)),
    "semi-sync, alone": ("semisync.stand_alone", {"server": EAST, "gone": WEST}, semi_sync(acknowledged=True)),
    "replica": ("replicas.follow", {"writer": WEST}, a_replica),
    "command": ("command", COMMAND, nothing),
    "http": ("http", HTTP, nothing),
    "table": ("table.alter", {"server": WEST, "table": "app.t", "alter": "ADD COLUMN note TEXT, ADD INDEX by_k (k)"}, nothing),
    "sql": ("sql", SQL, lambda table: table.pair.west.settings.update(x="")),
}


@pytest.mark.parametrize(("name", "args", "arrange"), LOOKABLE.values(), ids=LOOKABLE.keys())
def test_an_effect_holds_once_it_is_done_and_is_put_back_as_it_was(
    table: Table, name: str, args: Mapping[str, object], arrange: Callable[[Table], None]
) -> None:
    arrange(table)
    action, shape = build(name, args), table.shape()
    before = action.look(table.world)
    assert isinstance(action.decide(before), Act)
    table.carry_out(action.effects(before))
    assert table.shape() != shape

    done = action.look(table.world)
    assert isinstance(action.decide(done), Done), "the second act must issue nothing"

    table.carry_out(action.undo(before, done))
    assert table.shape() == shape
    assert action.undo(before, action.look(table.world)) == (), "the second undo must issue nothing"


def test_a_guard_is_made_once_and_stays_when_the_run_goes_back(table: Table) -> None:
    """What was unguarded as the topology is now may have been guarded as it was."""
    tenants_without_a_guard(table)
    action = build("segment.guard", {"segment": "eu", "server": EAST})
    before = action.look(table.world)
    table.carry_out(action.effects(before))
    done = action.look(table.world)
    assert isinstance(action.decide(done), Done)
    assert action.effects(done) == action.undo(before, done) == action.undo(before, None) == ()


@pytest.mark.parametrize(("name", "args", "arrange"), LOOKABLE.values(), ids=LOOKABLE.keys())
def test_what_held_before_is_not_taken_back(table: Table, name: str, args: Mapping[str, object], arrange: Callable[[Table], None]) -> None:
    arrange(table)
    action = build(name, args)
    table.carry_out(action.effects(action.look(table.world)))
    before = action.look(table.world)
    shape = table.shape()
    table.carry_out(action.undo(before, before))
    assert table.shape() == shape


@pytest.mark.parametrize(("name", "args", "arrange"), LOOKABLE.values(), ids=LOOKABLE.keys())
def test_a_plan_shows_an_undo_that_supposes_the_effect(
    table: Table, name: str, args: Mapping[str, object], arrange: Callable[[Table], None]
) -> None:
    arrange(table)
    action = build(name, args)
    before = action.look(table.world)
    done = _done(table, action, before)
    assert action.undo(before, None) == action.undo(before, done)


def _done(table: Table, action: Any, before: object) -> object:
    table.carry_out(action.effects(before))
    return action.look(table.world)


BLIND = {
    "command": ("command", {"run": ("flag", "set"), "undo": ("flag", "unset")}),
    "http": ("http", {"url": "http://flag/set", "undo_url": "http://flag/unset"}),
}


@pytest.mark.parametrize(("name", "args"), BLIND.values(), ids=BLIND.keys())
def test_an_effect_that_can_not_be_looked_at_acts_once_and_is_always_taken_back(
    table: Table, name: str, args: Mapping[str, object]
) -> None:
    action = build(name, args)
    before = action.look(table.world)
    assert action.decide(before) == Act(why=action.decide(before).why, once=True)
    table.carry_out(action.effects(before))
    assert table.flag == "1"
    table.carry_out(action.undo(before, action.look(table.world)))
    assert table.flag == "0"


def test_a_fence_stops_events_before_it_closes_and_opens_before_it_starts_them(table: Table) -> None:
    """An event whose definer passes read_only writes through a fence; on the way back it must not write before the interlock allows it."""
    events_on(table)
    fence = build("server.fence", {"server": EAST})
    before = fence.look(table.world)
    assert [type(effect).__name__ for effect in fence.effects(before)] == ["SetEventScheduler", "Fence"]
    assert [type(effect).__name__ for effect in fence.undo(before, None)] == ["Open", "SetEventScheduler"]


def test_sessions_are_drained_with_a_warning_and_killed_but_not_administrators(table: Table) -> None:
    old, admin = table.pair.east.connect(), table.pair.east.connect("root")
    old.began_s, admin.passes_read_only = table.pair.clock.monotonic_s() - 3, True
    drain = build("sessions.drain", {"server": EAST})
    waiting = drain.decide(drain.look(table.world))
    assert isinstance(waiting, Wait)
    assert isinstance(waiting.otherwise, Done)
    assert "rolled back by the fence" in waiting.otherwise.warnings[0]
    kill = build("sessions.kill", {"server": EAST})
    table.carry_out(kill.effects(kill.look(table.world)))
    assert list(table.pair.east.sessions) == [admin.id]
    assert isinstance(kill.decide(kill.look(table.world)), Done)


CUSTOM_CHECKS = {
    "command passes": ("command", {"run": ("flag", "show"), "matches": "^0$"}, Done),
    "command does not match": ("command", {"run": ("flag", "show"), "matches": "7"}, Refuse),
    "http passes": ("http", {"url": "http://flag", "matches": "0"}, Done),
    "http does not match": ("http", {"url": "http://flag", "matches": "7"}, Refuse),
    "sql passes": ("sql", {"server": EAST, "query": "SELECT x", "matches": "^$"}, Done),
    "sql does not match": ("sql", {"server": EAST, "query": "SELECT x", "matches": "7"}, Refuse),
}


@pytest.mark.parametrize(("name", "args", "kind"), CUSTOM_CHECKS.values(), ids=CUSTOM_CHECKS.keys())
def test_a_teams_own_check_passes_by_what_it_answers(table: Table, name: str, args: Mapping[str, object], kind: type) -> None:
    check = build(name, args, Verb.CHECK)
    shape = table.shape()
    assert isinstance(check.decide(check.look(table.world)), kind)
    assert table.shape() == shape


WAITS = {"sessions.drain", "sessions.let_newcomers_end", "replication.wait", "replication.apply_received"}
"""These have no effect; they take a moment, and their step ends with it."""


RETURNS = {
    "losses.keep",
    "data.undo",
    "data.copy",
    "server.release_outside",
    "data.compare",
    "segment.compare",
    "data.mend",
    "server.put_fence_back",
}
"""They have no way back, or take their time, and are played with their run: tests/unit/engine/test_rejoin.py, test_repair.py."""


def test_newcomers_are_waited_for_and_known_sessions_are_not(table: Table) -> None:
    pooled = table.pair.east.connect()
    wait = build("sessions.let_newcomers_end", {"server": EAST, "known": (pooled.id,)})
    assert isinstance(wait.decide(wait.look(table.world)), Done)
    newcomer = table.pair.east.connect()
    verdict = wait.decide(wait.look(table.world))
    assert isinstance(verdict, Wait)
    assert isinstance(verdict.otherwise, Done), "the fence does not wait for ever"
    del table.pair.east.sessions[newcomer.id]
    assert isinstance(wait.decide(wait.look(table.world)), Done)


def test_what_a_paused_applier_took_all_the_same_is_seen(table: Table) -> None:
    proof = build("applier.prove_paused", {"server": WEST, "since": table.pair.west.position})
    assert isinstance(proof.decide(proof.look(table.world)), Done)
    table.pair.west.read_only = False
    table.pair.west.commit("taken")
    assert isinstance(proof.decide(proof.look(table.world)), Refuse)


def test_every_action_that_changes_something_is_in_these_tables() -> None:
    tested = {name for name, *_ in LOOKABLE.values()} | {"sessions.kill", "ssh", "server.fence_outside", "logs.salvage", "segment.guard"}
    tested |= {"applier.prove_paused", "replication.heartbeat"}  # test_heartbeat.py
    assert {name for verb, name in SPECS if verb is Verb.DO} == tested | WAITS | RETURNS
