"""An application's change of a table as a person rolls it out: under load, one side after the other, and back where it can't go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from contract.benches import RealBench
from interlock.errors import BoundReached
from interlock.model.effects import Fence
from interlock.model.tables import AlterTable
from interlock.model.topology import ServerName
from interlock.ports import Server
from interlock.sandbox.drill import DrillReport, drill
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import connect, query, rows
from scenarios.command_line import environment, interlock
from scenarios.killer import assert_survives
from scenarios.pair_state import CLOCK, eventually, open_sides, state_of
from scenarios.rolling import WRITES_BETWEEN, RollingKiller, are_declared_alike, definition, rolling_with, rolls, rows_are_equal

LEDGER = "app.ledger"
BOTH = pytest.mark.parametrize("moved", ["pair", "mysql_pair"], indirect=True)
_FAILS = '- check: command\n    with: {run: [echo, "not well"], matches: "all is well"}'


@pytest.fixture(scope="module")
def moved(request: pytest.FixtureRequest) -> Sandbox:
    """The pair after one switchover there and back: from then on, each server has opened and fenced once."""
    sandbox: Sandbox = request.getfixturevalue(request.param)
    env = environment(sandbox, Path(sandbox.directory))
    for to in ("west", "east"):
        assert interlock("switchover", "--to", to, env=env).code == 0
    return sandbox


@pytest.fixture
def west(moved: Sandbox) -> Iterator[Server]:
    """Let ajar for administrators; its table and its fence as before afterwards."""
    bench = RealBench(moved)
    server = bench.first.server("west")
    before = server.write_facts()
    if before.lesser:
        server.apply(Fence(server=server.name, within_s=20, as_was=before.lesser), "test")
    try:
        yield server
    finally:
        if "`extra`" in server.tables.facts(LEDGER).definition:
            server.tables.apply(altered("DROP COLUMN extra"), "test")
        server.apply(Fence(server=server.name, within_s=20, as_was=before.fence), "test")
        assert server.write_facts().fence == before.fence
        bench.close()


def altered(clauses: str, *, lock_wait_s: float = 60.0) -> AlterTable:
    return AlterTable(server=ServerName("west"), table=LEDGER, alter=clauses, within_s=60.0, lock_wait_s=lock_wait_s)


@BOTH
def test_a_change_is_in_no_log_and_rows_of_the_other_side_get_the_default(moved: Sandbox, west: Server) -> None:
    own = west.proof_of_fence().own
    west.tables.apply(altered("ADD COLUMN extra INT NOT NULL DEFAULT 7"), "test")
    assert "`extra`" in west.tables.facts(LEDGER).definition
    assert "`extra`" not in definition(moved, "east")
    query(moved, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('of the old kind', 1)")
    wanted = "SELECT extra FROM app.ledger WHERE k='of the old kind'"
    assert eventually(lambda: query(moved, "west", wanted) == [{"extra": 7}], 60.0)
    query(moved, "east", "UPDATE app.ledger SET server_id=9 WHERE k='of the old kind'")
    assert eventually(lambda: query(moved, "west", f"{wanted} AND server_id=9") == [{"extra": 7}], 60.0)
    query(moved, "east", "DELETE FROM app.ledger WHERE k='of the old kind'")
    assert eventually(lambda: query(moved, "west", wanted) == [], 60.0)
    assert own.contains(west.proof_of_fence().own), "what it changed is not in its log"


@BOTH
def test_a_change_does_not_wait_longer_than_it_is_told_for_who_holds_the_table(moved: Sandbox, west: Server) -> None:
    with closing(connect(moved, "west")) as holder:
        rows(holder, "LOCK TABLES app.ledger READ")
        with pytest.raises(BoundReached):
            west.tables.apply(altered("ADD COLUMN extra INT", lock_wait_s=1.0), "test")
    assert "`extra`" not in west.tables.facts(LEDGER).definition


@BOTH
@pytest.mark.parametrize("table", ["app.nothing", "nowhere.ledger", "ledger", "", "app."])
def test_a_table_that_is_not_there_is_told_as_such(west: Server, table: str) -> None:
    assert west.tables.facts(table).definition == ""


def rolled(sandbox: Sandbox, folder: Path, *, put: Mapping[str, str], back: bool) -> DrillReport:
    """One run under a light load, which wrote a row of the new kind once it could."""
    playbook = rolling_with(folder, put={"verify": WRITES_BETWEEN, **put}, back=back)
    env = environment(sandbox, folder)
    report = drill(sandbox, lambda _: str(rolls(playbook, env).document["outcome"]), clock=CLOCK, count=1, pooled=4, fresh=4)
    assert (report.lost, report.duplicated, report.resurrected, report.samples.two) == ((), (), (), 0)
    assert report.acknowledged > 8
    return report


@pytest.mark.parametrize(
    ("moved", "phase"), [("pair", "drain"), ("pair", "verify_back"), ("mysql_pair", "change_other")], indirect=["moved"]
)
def test_a_failure_is_undone_under_load_with_both_sides_as_before(moved: Sandbox, tmp_path: Path, phase: str) -> None:
    before = state_of(moved)
    report = rolled(moved, tmp_path, put={phase: _FAILS}, back=True)
    assert [switch.outcome for switch in report.switches] == ["rolled_back"]
    assert "note" not in definition(moved, "east")
    assert are_declared_alike(moved)
    assert state_of(moved) == before
    assert rows_are_equal(moved)


@BOTH
def test_a_column_and_an_index_come_to_both_sides_under_load_and_no_value_of_the_column_is_lost(moved: Sandbox, tmp_path: Path) -> None:
    """Behind the failures: the table stays changed."""
    before = state_of(moved)
    report = rolled(moved, tmp_path, put={}, back=True)
    assert [switch.outcome for switch in report.switches] == ["succeeded"]
    assert (open_sides(moved), state_of(moved)) == (["east"], before)
    assert "KEY `by_note` (`note`)" in definition(moved, "east")
    assert are_declared_alike(moved)
    assert rows_are_equal(moved)
    kept = query(moved, "east", "SELECT k FROM app.ledger WHERE note='kept'")
    assert [row["k"] for row in kept] == ["written between"]


KILLED = {
    "as the standby is changed": ("after acting changed_first", "rollback", 4),
    "as the other side is changed": ("after acting changed_last", "resume", 0),
}


@pytest.mark.parametrize(("kind", "then", "code"), KILLED.values(), ids=KILLED)
def test_a_run_that_is_killed_leaves_the_column_on_both_sides_or_on_none(
    pair: Sandbox, tmp_path: Path, kind: str, then: str, code: int
) -> None:
    killer = RollingKiller.of(pair, tmp_path)
    assert_survives(killer, kind, [1], then)
    assert list(killer.told.values()) == [code]
    assert rows_are_equal(pair)
