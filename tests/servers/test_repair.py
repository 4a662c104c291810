"""Differences mended on real servers: exactly, unlogged, behind the fence, guarded, resumable, and taken back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from servers.repair_lab import Lab

BOTH = pytest.mark.parametrize("kind", ["mariadb", "mysql"])
ALL = pytest.mark.parametrize("kind", ["mariadb", "mariadb-11.8", "mysql"])
PAIRS = {"mariadb": "pair", "mariadb-11.8": "mariadb_11_pair", "mysql": "mysql_pair"}
ITEMS = "CREATE TABLE app.items (id INT PRIMARY KEY, name VARCHAR(40), tag INT UNIQUE, f DOUBLE, b BLOB)"


@pytest.fixture
def lab(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    sandbox: Sandbox = request.getfixturevalue(PAIRS[kind])
    return Lab(sandbox=sandbox, folder=tmp_path)


@pytest.fixture
def items(lab: Lab) -> Lab:
    """Forty rows, of which west has seven otherwise, lacks three, and has two more."""
    lab.drop("items")
    lab.logged(ITEMS, "INSERT INTO app.items VALUES " + ",".join(f"({n}, 'n{n}', {n}, {n}.5, x'00ff')" for n in range(1, 41)))
    lab.plant(
        "west",
        "UPDATE app.items SET name='other' WHERE id BETWEEN 1 AND 4",
        "UPDATE app.items SET name=NULL WHERE id=5",
        "UPDATE app.items SET f=f+1e-15 WHERE id=6",
        "UPDATE app.items SET b=x'00fe' WHERE id=7",
        "DELETE FROM app.items WHERE id IN (10, 11, 12)",
        "INSERT INTO app.items VALUES (100, 'more', 100, 0, ''), (101, 'more', NULL, -0.0, NULL)",
    )
    return lab


def items_of(lab: Lab, side: str) -> list[dict[str, Any]]:
    return lab.rows(side, "items", "id, HEX(name) AS name, tag, HEX(f) AS hf, f, HEX(b) AS b")


def fence_of(lab: Lab, side: str) -> tuple[object, ...]:
    with closing(sql.connect(lab.sandbox, side)) as connection:
        told = sql.rows(connection, f"SELECT @@GLOBAL.read_only AS r{', @@GLOBAL.super_read_only AS s' if lab.is_mysql else ''}")[0]
        return tuple(told.values())


@ALL
def test_rows_are_mended_unlogged_behind_the_fence_and_taken_back(items: Lab) -> None:
    items.compare("items")
    before, log, fence = items_of(items, "west"), items.log_ends(), fence_of(items, "west")
    shown = items.repair()
    assert shown.code == 0, shown.err
    assert "nothing was changed" in shown.out
    assert "put in  changed  taken away" in shown.out
    unasked = items.repair("--apply")
    assert (unasked.code, "--yes" in unasked.err) == (3, True)
    assert items_of(items, "west") == before

    done = items.repair("--apply", "--yes", "--json")
    assert done.code == 0, done.err
    assert items_of(items, "west") == items_of(items, "east")
    assert [one["rows"] for one in done.document["mended"]] == [1] * 12
    assert done.document["differ_still"] == []
    assert (items.log_ends(), fence_of(items, "west")) == (log, fence)
    again = items.repair("--apply", "--yes")
    assert (again.code, "nothing to mend" in again.out) == (0, True)

    undone = items.repair("--undo", "--yes", "--json")
    assert undone.code == 0, undone.err
    assert items_of(items, "west") == before
    assert (items.log_ends(), fence_of(items, "west")) == (log, fence)


@BOTH
def test_a_row_that_was_written_since_is_left_and_told(items: Lab) -> None:
    """On the mended side; and on the writer, unless the mended side has not applied that yet."""
    items.compare("items")
    items.plant("west", "UPDATE app.items SET name='again' WHERE id=1", "INSERT INTO app.items VALUES (10, 'x', NULL, 0, '')")
    items.logged("UPDATE app.items SET f=1 WHERE id=2", "DELETE FROM app.items WHERE id=3")
    items.plant("west", "INSERT INTO app.items VALUES (3, 'other', 3, 3.5, x'00ff')")
    items.plant("west", "UPDATE app.items SET f=2.5, name='other' WHERE id=2")  # as it was compared; the writer's is another one now
    done = items.repair("--apply", "--yes", "--json")
    assert done.code == 0, done.err
    left = {one["what"]: one["why"] for one in done.document["mended"] if not one["rows"]}
    assert left == {
        "app.items id=1": "west has it otherwise now",
        "app.items id=2": "east has it otherwise now",
        "app.items id=3": "east has it otherwise now",
        "app.items id=10": "west has a row of this key now",
    }
    ours = {row["id"]: row for row in items_of(items, "east")}
    theirs = {row["id"]: row for row in items_of(items, "west")}
    assert {key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key)} == {1, 2, 3, 10}


@BOTH
def test_rows_that_the_writer_wrote_since_are_mended_where_the_applier_stands_still(items: Lab) -> None:
    """As they were compared: what was written since comes by replication, and finds the row that it wants."""
    word = "REPLICA" if items.is_mysql else "SLAVE"
    items.compare("items")
    items.as_admin("west", f"STOP {word} SQL_THREAD")
    items.as_admin("east", "UPDATE app.items SET name='since' WHERE id IN (1, 10)", "DELETE FROM app.items WHERE id IN (2, 11)")
    done = items.repair("--apply", "--yes", "--json")
    assert done.code == 0, done.err
    assert [one for one in done.document["mended"] if not one["rows"]] == []
    items.as_admin("west", f"START {word} SQL_THREAD")
    items.caught_up()
    assert items_of(items, "west") == items_of(items, "east")


@BOTH
def test_chosen_rows_are_taken_over_by_the_writer(items: Lab) -> None:
    items.compare("items")
    log = items.log_ends()
    wrong = items.repair("--row", "app.items:id=20")
    assert (wrong.code, "found no such row to differ" in wrong.err) == (2, True)
    done = items.repair(
        "--onto", "east", "--row", "app.items:id=1", "--row", "app.items:id=10", "--row", "app.items:id=100", "--apply", "--yes"
    )
    assert done.code == 0, done.err
    ours = {row["id"]: row for row in items_of(items, "east")}
    theirs = {row["id"]: row for row in items_of(items, "west")}
    assert {key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key)} == {2, 3, 4, 5, 6, 7, 11, 12, 101}
    assert items.log_ends() == log
