"""An application's change of a table as a person rolls it out: under load, one side after the other, and back where it can't go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from contract.benches import RealBench
from interlock.decisions.alterations import read_changes
from interlock.errors import BoundReached
from interlock.model.effects import Fence
from interlock.model.tables import AlterTable
from interlock.model.topology import ServerName
from interlock.model.verdict import Refuse
from interlock.ports import Server
from interlock.sandbox.drill import DrillReport, drill
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import connect, query, rows
from scenarios.command_line import environment, interlock
from scenarios.killer import assert_survives
from scenarios.pair_state import CLOCK, open_sides, state_of
from scenarios.rolling import RollingKiller, alter_of, are_declared_alike, definition, rolling_with, rolls, rows_are_equal, writes_between
from waiting import eventually

LEDGER = "app.ledger"
KINDS = "SELECT * FROM app.kinds ORDER BY id"
_FAILS = '- check: command\n    with: {run: [echo, "not well"], matches: "all is well"}'


@pytest.fixture(scope="module", params=["pair", "mysql_pair"], ids=["mariadb", "mysql"])
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


def altered(clauses: str, *, lock_wait_s: float = 60.0, table: str = LEDGER) -> AlterTable:
    return AlterTable(server=ServerName("west"), table=table, alter=clauses, within_s=60.0, lock_wait_s=lock_wait_s)


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


WITH_DEFAULTS = (
    "VARCHAR(20) NOT NULL DEFAULT 'a''b'",
    "CHAR(3) CHARACTER SET latin1 DEFAULT 'x'",
    "BINARY(4) NOT NULL DEFAULT 'ab'",
    "ENUM('a', 'b') NOT NULL DEFAULT 'b'",
    "SET('a', 'b') NOT NULL DEFAULT 'a,b'",
    "BIT(3) NOT NULL DEFAULT 5",
    "BOOL NOT NULL DEFAULT TRUE",
    "DECIMAL(10,2) NOT NULL DEFAULT -1.5",
    "DOUBLE NOT NULL DEFAULT 0.1",
    "YEAR NOT NULL DEFAULT 1999",
    "TIME(3) NOT NULL DEFAULT '-10:00:00.123'",
    "DATETIME(6) NOT NULL DEFAULT '2020-01-01 01:02:03.000004'",
    "TIMESTAMP(3) NOT NULL DEFAULT '2020-01-01 00:00:00'",
    "TEXT NULL",
    "JSON",
)


def test_a_row_that_comes_without_the_columns_has_the_same_in_them_as_one_that_was_there(moved: Sandbox, west: Server) -> None:
    """A TEXT with a DEFAULT, which is refused, would be empty in the second one on MariaDB."""
    alter = ", ".join(f"ADD COLUMN c{number} {declared}" for number, declared in enumerate(WITH_DEFAULTS))
    assert not isinstance(read_changes(alter), Refuse)
    query(moved, "east", "CREATE TABLE app.kinds (id INT PRIMARY KEY)")
    query(moved, "east", "INSERT INTO app.kinds VALUES (1)")
    try:
        assert eventually(lambda: "kinds" in west.tables.facts("app.kinds").definition and len(query(moved, "west", KINDS)) == 1, 60.0)
        west.tables.apply(altered(alter, table="app.kinds"), "test")
        query(moved, "east", "INSERT INTO app.kinds VALUES (2)")
        assert eventually(lambda: len(query(moved, "west", KINDS)) == 2, 60.0)
        there, came = query(moved, "west", KINDS)
        assert {**came, "id": 1} == there
    finally:
        query(moved, "east", "DROP TABLE app.kinds")


def test_a_change_does_not_wait_longer_than_it_is_told_for_who_holds_the_table(moved: Sandbox, west: Server) -> None:
    with closing(connect(moved, "west")) as holder:
        rows(holder, "LOCK TABLES app.ledger READ")
        with pytest.raises(BoundReached):
            west.tables.apply(altered("ADD COLUMN extra INT", lock_wait_s=1.0), "test")
    assert "`extra`" not in west.tables.facts(LEDGER).definition


@pytest.mark.parametrize("table", ["app.nothing", "nowhere.ledger", "ledger", "", "app."])
def test_a_table_that_is_not_there_is_told_as_such(west: Server, table: str) -> None:
    assert west.tables.facts(table).definition == ""


def rolled(sandbox: Sandbox, folder: Path, column: str, *, fails_in: str = "") -> DrillReport:
    """There and back under a light load; a row of the new kind is written as soon as that is possible."""
    put = {"verify": writes_between(column), **({fails_in: _FAILS} if fails_in else {})}
    playbook = rolling_with(folder, alter_of(column), put=put, back=True)
    env = environment(sandbox, folder)
    report = drill(sandbox, lambda _: rolls(playbook, env).outcome, clock=CLOCK, count=1, pooled=4, fresh=4)
    assert (report.lost, report.duplicated, report.resurrected, report.samples.two) == ((), (), (), 0)
    assert report.acknowledged > 8
    return report


def test_a_failure_at_the_very_end_is_undone_under_load_with_both_sides_as_before(moved: Sandbox, tmp_path: Path) -> None:
    """The writes go there once more, and home."""
    before = state_of(moved)
    (switch,) = rolled(moved, tmp_path, "never", fails_in="verify_back").switches
    assert switch.outcome.startswith("rolled_back"), switch.outcome
    assert "never" not in definition(moved, "east")
    assert are_declared_alike(moved)
    assert state_of(moved) == before
    assert rows_are_equal(moved)


def test_a_column_and_an_index_come_to_both_sides_under_load_and_no_value_of_the_column_is_lost(moved: Sandbox, tmp_path: Path) -> None:
    before = state_of(moved)
    (switch,) = rolled(moved, tmp_path, "note").switches
    assert switch.outcome == "succeeded"
    assert (open_sides(moved), state_of(moved)) == (["east"], before)
    assert "KEY `by_note` (`note`)" in definition(moved, "east")
    assert are_declared_alike(moved)
    assert rows_are_equal(moved)
    assert query(moved, "east", "SELECT k FROM app.ledger WHERE note='kept'") == [{"k": "with note"}]


STARTS = """- do: sql
    with: {server: "${from}", statements: ["%s"]}
    undo: none
  - id: came
    check: replication.reaches
    with: {from: "${to}", to: "${from}", within: 60s}"""


def test_rows_that_came_to_the_old_writer_without_their_new_column_send_the_run_back(moved: Sandbox, tmp_path: Path) -> None:
    """As the start of a server starts its applier. Both sides hold the row afterwards, and none has the column."""
    before = state_of(moved)
    starts = STARTS % ("START REPLICA" if moved.kind == "mysql" else "START ALL SLAVES")
    playbook = rolling_with(tmp_path, alter_of("late"), put={"verify": writes_between("late"), "change_other": starts})
    ended = rolls(playbook, environment(moved, tmp_path))
    assert ended.code == 4, ended.outcome
    assert "while its applier was to be paused" in ended.outcome
    assert rows_are_equal(moved)
    assert [row["k"] for row in query(moved, "west", "SELECT * FROM app.ledger WHERE k='with late'")] == ["with late"]
    assert "late" not in definition(moved, "east")
    assert are_declared_alike(moved)
    assert state_of(moved) == before


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
    killer.bring_back("east")
