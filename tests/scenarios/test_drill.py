from __future__ import annotations

from contextlib import closing

import pytest

from interlock.clock import SystemClock
from interlock.errors import StatementFailed
from interlock.sandbox import sql
from interlock.sandbox.drill import DrillReport, drill
from interlock.sandbox.places import Sandbox
from interlock.sandbox.poller import poller
from interlock.sandbox.sql import query
from waiting import eventually


def _fence_wait_open(sandbox: Sandbox, to: str) -> str:
    """A switchover as short as it can be; the proxy is left alone, so clients of the old side are refused until it is moved back."""
    old = "west" if to == "east" else "east"
    query(sandbox, old, "SET GLOBAL read_only=1")
    position = query(sandbox, old, "SELECT @@gtid_binlog_pos AS p")[0]["p"]
    query(sandbox, to, "SELECT MASTER_GTID_WAIT(%s, 10)", position)
    query(sandbox, to, "SET GLOBAL read_only=0")
    return "succeeded"


def _drill(sandbox: Sandbox, clock: SystemClock) -> DrillReport:
    return drill(sandbox, lambda to: _fence_wait_open(sandbox, to), clock=clock, count=2, pooled=2, fresh=2, rest_s=0.2)


def test_a_drill_counts_outage_and_errors_and_finds_nothing_lost(fresh_pair: Sandbox, clock: SystemClock) -> None:
    report = _drill(fresh_pair, clock)
    assert report.is_clean(), report
    assert [switch.to for switch in report.switches] == ["west", "east"]
    assert report.outage_max_ms is not None
    assert report.outage_max_ms > 0
    assert report.errors["pooled"].keys() == report.errors["fresh"].keys() == {"1290"}  # all were told read-only: the proxy never moved
    assert report.acknowledged > 50
    assert report.samples.one > 0


def test_a_drill_names_a_key_that_was_acknowledged_and_is_gone(fresh_pair: Sandbox, clock: SystemClock) -> None:
    def switch(to: str) -> str:
        _fence_wait_open(fresh_pair, to)
        query(fresh_pair, to, "DELETE FROM app.ledger LIMIT 1")
        return "succeeded"

    report = drill(fresh_pair, switch, clock=clock, count=1, pooled=1, fresh=1, rest_s=0.1)
    assert len(report.lost) == 1
    assert not report.is_clean()


def test_the_poller_sees_two_writers(fresh_pair: Sandbox, clock: SystemClock) -> None:
    with poller(fresh_pair) as watching:
        query(fresh_pair, "west", "SET GLOBAL read_only=0")
        clock.sleep(0.4)
        query(fresh_pair, "west", "SET GLOBAL read_only=1")
        samples = watching.stop()
    assert samples.two > 5
    assert len(samples.two_at_s) == samples.two


def test_a_drill_does_not_start_with_two_writers(fresh_pair: Sandbox, clock: SystemClock) -> None:
    query(fresh_pair, "west", "SET GLOBAL read_only=0")
    with pytest.raises(StatementFailed, match="0 of the sandbox's servers are fenced"):
        _drill(fresh_pair, clock)


def test_the_load_leaves_no_session_behind(fresh_pair: Sandbox, clock: SystemClock) -> None:
    _drill(fresh_pair, clock)
    with closing(sql.connect(fresh_pair, "east")) as east:
        assert eventually(lambda: not sql.rows(east, "SELECT id FROM information_schema.processlist WHERE user IN ('app', 'watch')"))
