"""A comparison beside a run, on a real pair: whose rows count, and what it could not settle is told with its table."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from interlock.clock import SystemClock
from interlock.diff.ends import End
from interlock.diff.under_way import UnderWay, dropped_from_both
from interlock.model.comparing import BeginComparison, ComparingFacts, Differing
from interlock.model.differences import ComparedTable, Comparison, NotCompared
from interlock.model.topology import ClusterName
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from scenarios.pair_state import behind_the_log
from servers.loss_lab import drivers
from servers.test_tenant_rows import make_shared
from waiting import eventually

WEST = ClusterName("west")


def ends_of(pair: Sandbox) -> dict[str, End]:
    return {name: End(cluster=name, server=server) for name, server in drivers(pair).items()}


def catch_up(pair: Sandbox) -> None:
    servers = drivers(pair)
    assert servers["west"].wait_applied(servers["east"].write_facts().position, 60.0)


def compared(pair: Sandbox, folder: Path, wanted: BeginComparison) -> ComparingFacts:
    ends = ends_of(pair)
    making = UnderWay(
        topology="sandbox",
        writer=ends["east"],
        other=ends["west"],
        folder=folder,
        name=lambda: "compared",
        run=lambda: "run",
        clock=SystemClock(),
    )
    making.apply(wanted)
    assert eventually(lambda: (seen := making.facts(wanted)) is not None and seen.is_over)
    told = making.facts(wanted)
    making.close()
    assert told is not None
    return told


def test_a_comparison_of_a_tenant_counts_its_own_rows_and_tells_how_many_of_others_differ(pair: Sandbox, tmp_path: Path) -> None:
    tenants = make_shared(pair, "ENUM('other','acme')", ("acme", "other", "other"))
    catch_up(pair)
    behind_the_log(pair, "west", "DELETE FROM app.shared")
    told = compared(pair, tmp_path, BeginComparison(cluster=WEST, tenants=tenants))
    assert (told.error, told.differing) == ("", (Differing(name="app.shared", rows=1, others=2),))


def test_a_row_that_somebody_has_locked_is_not_taken_for_equal(pair: Sandbox, tmp_path: Path) -> None:
    with closing(sql.connect(pair, "east")) as admin:
        sql.rows(admin, "CREATE DATABASE busy")
        sql.rows(admin, "CREATE TABLE busy.locked (id INT PRIMARY KEY, v INT)")
        sql.rows(admin, "INSERT INTO busy.locked VALUES (1, 1), (2, 2)")
    catch_up(pair)
    behind_the_log(pair, "west", "UPDATE busy.locked SET v=9 WHERE id=1")
    with closing(sql.connect(pair, "west")) as client:
        sql.rows(client, "BEGIN")
        sql.rows(client, "SELECT * FROM busy.locked WHERE id=1 FOR UPDATE")
        told = compared(pair, tmp_path, BeginComparison(cluster=WEST, schemas=("busy",)))
    ((name, rows, (why,)),) = [(one.name, one.rows, one.open) for one in told.differing]
    assert (told.error, name, rows, why.startswith("row id=1: ")) == ("", "busy.locked", 0, True)


def test_of_a_table_that_neither_side_has_any_more_nothing_is_left_to_be_known(pair: Sandbox) -> None:
    left = (NotCompared(what="", why="Table doesn't exist"),)
    tables = tuple(ComparedTable(schema="app", name=name, columns={}, not_compared=left) for name in ("ledger", "never_was"))
    ends = ends_of(pair)
    found = Comparison(
        name="c", topology="sandbox", writer="east", other="west", position="", began_at=datetime(2026, 3, 1, tzinfo=UTC), tables=tables
    )
    assert dropped_from_both(ends["east"], ends["west"], found) == {"app.never_was"}
