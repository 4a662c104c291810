"""Violations and conflicts that were planted into the traffic of real pairs are found, all of them and no others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import pytest

from interlock.clock import Deadline, SystemClock
from interlock.losses.conflicts import Ownership, find_conflicts
from interlock.model.conflicts import ConflictReport
from interlock.model.topology import ClusterName, SegmentSpec
from interlock.sandbox import sql
from interlock.sandbox.kinds import kind_named
from interlock.sandbox.places import Sandbox
from servers.loss_lab import drivers

_TRAFFIC, _VIOLATIONS, _CONFLICTS = 300, 7, 5
EAST, WEST = ClusterName("east"), ClusterName("west")
SEGMENTS = {
    "eu": SegmentSpec(name="eu", schemas=("shop_eu",), accounts=("app_eu@%",), owner=EAST, route=None),
    "us": SegmentSpec(name="us", schemas=("shop_us",), accounts=("app_us@%",), owner=WEST, route=None),
}


@pytest.fixture(scope="module", params=["pair", "mysql_pair"], ids=["mariadb", "mysql"])
def busy(request: pytest.FixtureRequest) -> Sandbox:
    """A pair of which both sides write, with traffic that breaks no rule: each its own segment, and both a table, one after the other."""
    sandbox: Sandbox = request.getfixturevalue(request.param)
    sql.query(sandbox, "west", "SET GLOBAL read_only=0")
    for side, schema in (("east", "shop_eu"), ("west", "shop_us"), ("east", "shared")):
        sql.query(sandbox, side, f"CREATE DATABASE {schema}")
        sql.query(sandbox, side, f"CREATE TABLE {schema}.t (id INT PRIMARY KEY, v INT)")
    _catch_up(sandbox)
    for side, schema in (("east", "shop_eu"), ("west", "shop_us")):
        with closing(sql.connect(sandbox, side)) as connection:
            for number in range(_TRAFFIC):
                sql.rows(connection, f"INSERT INTO {schema}.t VALUES ({number}, 0)")
    for side in ("east", "west"):
        with closing(sql.connect(sandbox, side)) as connection:
            for number in range(20):
                sql.rows(connection, f"REPLACE INTO shared.t VALUES ({number}, 1)")
        _catch_up(sandbox)
    return sandbox


def found(sandbox: Sandbox, since: datetime | None = None) -> ConflictReport:
    masters = drivers(sandbox)
    ownership = Ownership(segments=SEGMENTS, owners={name: spec.owner for name, spec in SEGMENTS.items()})
    try:
        return find_conflicts("shop", {EAST: masters["east"], WEST: masters["west"]}, ownership, since, clock=SystemClock())
    finally:
        for master in masters.values():
            master.close()


def test_where_there_is_none_none_is_found(busy: Sandbox) -> None:
    report = found(busy)
    assert (report.violations, report.conflicts) == ((), ())
    assert [each.cluster for each in report.logs] == ["east", "west"]
    assert all(each.rows >= _TRAFFIC for each in report.logs)


def test_what_was_planted_is_found_and_nothing_else(busy: Sandbox) -> None:
    with closing(sql.connect(busy, "west")) as west:
        for number in range(_VIOLATIONS):
            sql.rows(west, f"UPDATE shop_eu.t SET v = 9 WHERE id = {number}")
    _catch_up(busy)
    with _apart(busy):
        for side, value in (("east", 5), ("west", 6)):
            with closing(sql.connect(busy, side)) as connection:
                for number in range(_CONFLICTS):
                    sql.rows(connection, f"UPDATE shared.t SET v = {value} WHERE id = {number}")
    _catch_up(busy)
    report = found(busy)
    assert [(each.segment, each.write.cluster, each.key, each.change) for each in report.violations] == [
        ("eu", "west", {"id": number}, "update") for number in range(_VIOLATIONS)
    ]
    assert [(each.schema, each.key, each.first.cluster, each.second.cluster) for each in report.conflicts] == [
        ("shared", {"id": number}, "east", "west") for number in range(_CONFLICTS)
    ]


def test_a_window_begins_with_the_file_that_began_last_before_it(busy: Sandbox) -> None:
    for side in ("east", "west"):
        sql.query(busy, side, "FLUSH BINARY LOGS")
    SystemClock().sleep(1.1)  # a log's file tells its beginning to the second
    report = found(busy, datetime.now(UTC))  # noqa: TID251 - the servers' own clock
    assert [each.rows for each in report.logs] == [0, 0]
    assert all(each.file.endswith("2") for each in report.logs)


@contextmanager
def _apart(sandbox: Sandbox) -> Iterator[None]:
    """Neither side applies what the other writes meanwhile."""
    noun = "REPLICA" if sandbox.kind == "mysql" else "SLAVE"
    for side in sandbox.members:
        sql.query(sandbox, side, f"STOP {noun} SQL_THREAD")
    yield
    for side in sandbox.members:
        sql.query(sandbox, side, f"START {noun} SQL_THREAD")


def _catch_up(sandbox: Sandbox) -> None:
    """Both hold all that the other has."""
    masters, deadline = drivers(sandbox), Deadline.after(SystemClock(), 60)
    try:
        while True:
            east, west = (masters[side].write_facts().position for side in ("east", "west"))
            if east.contains(west) and west.contains(east):
                return
            assert not deadline.is_over(), (east, west, kind_named(sandbox.kind).channel)
            deadline.clock.sleep(0.02)
    finally:
        for master in masters.values():
            master.close()
