"""Whatever says no before the first effect leaves the pair untouched: exit 3, no effect sent, everything as before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from interlock.errors import Refused
from interlock.model.topology import ClusterName
from interlock.simulated.database import Database
from interlock.simulated.process import ProcessKilled
from unit.engine.stage import SWITCHOVER, Stage, all_of, assert_safe


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    spoil: Callable[[Stage], object]
    what: str
    hint: str


def _add(database: Database, *, age_s: float | None = None, statement: str = "", rows_modified: int = 0, passes: bool = False) -> None:
    session = database.connect("batch")
    session.began_s = None if age_s is None else database.clock.monotonic_s() - age_s
    session.statement, session.rows_modified, session.passes_read_only = statement, rows_modified, passes


def _set(database: Database, **settings: str) -> None:
    database.settings.update(settings)


CASES = {
    "standby's applier stopped": Case(
        spoil=lambda s: s.pair.to_west.stop(),
        what="replication from east to west: the applier is stopped",
        hint="start its applier on west",
    ),
    "writer's applier stopped": Case(
        spoil=lambda s: s.pair.to_east.stop(), what="from west to east: the applier is stopped", hint="on east"
    ),
    "applier stopped by an error": Case(
        spoil=lambda s: s.pair.to_west.stop("1062 duplicate entry"), what="1062 duplicate entry", hint="interlock repair --channel CLUSTER"
    ),
    "lag unknown": Case(
        spoil=lambda s: setattr(s.pair.to_west, "lag_known", False), what="the lag is not known", hint="look at the channel on west"
    ),
    "lag over the limit": Case(
        spoil=lambda s: all_of(lambda: setattr(s.pair.to_west, "delay_s", 60.0), lambda: s.pair.clock.sleep(8)),
        what="behind east, limit 5s",
        hint="raise max_lag",
    ),
    "standby too slow for the outage": Case(
        spoil=lambda s: setattr(s.pair.to_west, "delay_s", 12.0),
        what="within 10s, and nothing can be moved faster",
        hint="raise max_outage",
    ),
    "errant transaction on the standby": Case(
        spoil=lambda s: all_of(
            lambda: setattr(s.pair.to_east, "delay_s", 60.0),
            lambda: s.pair.west.commit("errant", passes_read_only=True),
        ),
        what="west holds 1 transactions that east lacks",
        hint="somebody may have written on west",
    ),
    "two writers": Case(
        spoil=lambda s: setattr(s.pair.west, "read_only", False), what="which cluster is the writer is not clear", hint="interlock status"
    ),
    "no writer": Case(
        spoil=lambda s: s.pair.east.set_read_only(on=True), what="which cluster is the writer is not clear", hint="interlock status"
    ),
    "route leads to the standby": Case(
        spoil=lambda s: setattr(s.pair.proxy, "leads_to", (ClusterName("west"),)),
        what="route writes leads to west, not to east",
        hint="interlock status",
    ),
    "proxy down": Case(spoil=lambda s: setattr(s.pair.proxy, "down", True), what="proxy of writes does not answer", hint="running"),
    "old transaction": Case(spoil=lambda s: _add(s.pair.east, age_s=9), what="older than 5s: session", hint="KILL"),
    "running DDL": Case(spoil=lambda s: _add(s.pair.east, statement="ALTER TABLE t"), what="DDL runs on east", hint="wait for its end"),
    "table lock": Case(
        spoil=lambda s: _add(s.pair.east, statement="LOCK TABLES t WRITE"), what="tables are locked on east", hint="UNLOCK TABLES"
    ),
    "prepared XA branch": Case(
        spoil=lambda s: _set(s.pair.east, xa_prepared="'x1'"), what="prepared XA transactions on east: 'x1'", hint="coordinator"
    ),
    "session that writes through read_only": Case(
        spoil=lambda s: _add(s.pair.east, age_s=1, rows_modified=3, passes=True), what="can write through read_only", hint="READ ONLY ADMIN"
    ),
    "missing privilege": Case(
        spoil=lambda s: _set(s.pair.west, missing_privilege="GRANT SUPER"), what="west: GRANT SUPER", hint="interlock grants"
    ),
    "same GTID domain": Case(spoil=lambda s: _set(s.pair.west, gtid_domain_id="1"), what="share the GTID domain 1", hint="gtid_domain_id"),
    "updates not logged": Case(
        spoil=lambda s: _set(s.pair.west, log_slave_updates="0"), what="west does not log what it applies", hint="log_slave_updates=1"
    ),
    "keys can collide": Case(
        spoil=lambda s: _set(s.pair.west, auto_increment_offset="1"), what="auto-increment values can collide", hint="auto_increment_offset"
    ),
    "filters differ": Case(
        spoil=lambda s: _set(s.pair.west, replicate_ignore_db="tmp"), what="replicate_ignore_db differs", hint="same filters"
    ),
    "clocks apart": Case(spoil=lambda s: _set(s.pair.west, clock_offset_s="9"), what="9.0s apart, limit 2s", hint="time service"),
    "hold too short": Case(
        spoil=lambda s: setattr(s.pair.proxy, "hold_s", 5.0),
        what="holds clients for 5s, and the outage may last 10s",
        hint="lower max_outage",
    ),
    "standby down": Case(spoil=lambda s: s.pair.west.crash(), what="west does not answer", hint="is west running?"),
    "standby hung": Case(spoil=lambda s: s.pair.west.hang(), what="west does not answer", hint="is west running?"),
    "writer hung": Case(spoil=lambda s: s.pair.east.hang(), what="east does not answer", hint="is east running?"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_says_no_before_the_first_effect_leaves_everything_untouched(case: Case) -> None:
    stage = Stage()
    case.spoil(stage)
    before = stage.shape()
    report = stage.run()
    assert (report.outcome, report.exit_code) == ("refused", 3)
    (problem,) = report.problems
    assert case.what in problem.what
    assert case.hint in problem.hint
    assert stage.effects() == []
    assert stage.shape() == before


def test_a_refused_run_takes_no_lease_and_no_lock_with_it() -> None:
    stage = Stage()
    stage.pair.to_west.stop()
    assert stage.run().outcome == "refused"
    stage.pair.to_west.start()
    stage.settle()
    assert stage.engine("second").start(SWITCHOVER, {}).outcome == "succeeded"
    assert_safe(stage, writer="west")


def test_an_unfinished_run_refuses_the_next_and_says_how_to_go_on() -> None:
    stage = Stage()
    with pytest.raises(ProcessKilled):
        stage.engine(kill_at=150).start(SWITCHOVER, {})
    run = stage.only_run()
    stage.settle()
    sent = len(stage.effects())
    report = stage.engine("second").start(SWITCHOVER, {})
    assert (report.outcome, report.exit_code) == ("refused", 3)
    assert report.problems[0].what == f"run {run} of this pair is unfinished"
    assert f"interlock resume {run}" in report.problems[0].hint
    assert len(stage.effects()) == sent


def test_a_full_store_refuses_before_the_first_effect() -> None:
    stage = Stage()
    stage.store.is_full = True
    before = stage.shape()
    with pytest.raises(Refused, match="the run can't be recorded: the disk is full"):
        stage.run()
    assert stage.effects() == []
    assert stage.shape() == before


def test_a_store_that_has_room_again_lets_the_next_run_through() -> None:
    stage = Stage()
    stage.store.is_full = True
    with pytest.raises(Refused):
        stage.run()
    stage.store.is_full = False
    stage.settle()
    assert stage.engine("second").start(SWITCHOVER, {}).outcome == "succeeded"
    assert_safe(stage, writer="west")


@pytest.mark.parametrize("side", ["east", "west"])
def test_a_run_that_a_silent_server_refuses_says_where_to_look(side: str) -> None:
    """At night a dead writer is first met by a switchover: `status` tells whether it is dead, and names the failover."""
    stage = Stage()
    getattr(stage.pair, side).crash()
    report = stage.run()
    assert (report.outcome, report.next_commands) == ("refused", ("interlock status",))
