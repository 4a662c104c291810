"""Differences mended on real servers: exactly, unlogged, behind the fence, guarded, resumable, and taken back."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from interlock.clock import SystemClock
from interlock.diff.kept import place_of
from interlock.engine.marks import put_mark, take_mark_away
from interlock.model.marks import Mark, MarkKind
from interlock.sandbox import pair as pairs
from interlock.sandbox import processes, sql
from interlock.sandbox.places import Sandbox
from interlock.stores.open import open_store
from scenarios.command_line import interlock, start
from servers.repair_lab import Lab
from servers.test_losses import COLUMNS, EVERY_TYPE, INSERT, ROWS
from waiting import eventually

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


@pytest.fixture
def many(lab: Lab) -> Lab:
    plant_many(lab)
    return lab


def plant_many(lab: Lab) -> None:
    """Of 300 rows, 250 differ: three transactions' worth."""
    lab.drop("items")
    lab.logged(ITEMS, "INSERT INTO app.items VALUES " + ",".join(f"({n}, 'n{n}', {n}, {n}.5, x'00ff')" for n in range(1, 301)))
    lab.plant("west", "UPDATE app.items SET name='other' WHERE id <= 200", "DELETE FROM app.items WHERE id BETWEEN 201 AND 250")
    lab.compare("items")


def kill_in_the_middle(lab: Lab) -> None:
    """With the first transaction committed and the second one waiting for rows that a client has locked, five seconds for each."""
    with closing(sql.connect(lab.sandbox, "west", "app")) as client:
        client.begin()
        sql.rows(client, "SELECT * FROM app.items WHERE id BETWEEN 101 AND 200 LOCK IN SHARE MODE")
        process = start("repair", "--apply", "--yes", "--rate", "10000", env=lab.env)
        assert eventually(lambda: others(lab) == 100 or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate()
        client.rollback()
    assert eventually(lambda: lab.rows("west", "items", "COUNT(*) AS n") == [{"n": 250}])
    assert others(lab) == 100


def others(lab: Lab) -> int:
    with closing(sql.connect(lab.sandbox, "west", "app")) as client:
        return int(sql.value(client, "SELECT COUNT(*) FROM app.items WHERE name='other'"))


@BOTH
@pytest.mark.parametrize("how", ["again", "resume", "rollback"])
def test_a_repair_that_was_killed_goes_on_or_back_and_shuts_the_fence(many: Lab, how: str) -> None:
    before, log, fence = items_of(many, "west"), many.log_ends(), fence_of(many, "west")
    kill_in_the_middle(many)
    assert fence_of(many, "west") == ((1, 0) if many.is_mysql else fence)  # clients are kept out all the same
    (run,) = [one["run"] for one in interlock("runs", "--json", env=many.env).document if one["outcome"] is None]
    other = interlock("switchover", "--to", "west", "--yes", env=many.env)
    assert (other.code, f"run {run} of this pair is unfinished" in other.out + other.err) == (3, True)
    words = ("repair", "--apply") if how == "again" else (how, run)
    done = interlock(*words, "--yes", "--json", env=many.env)
    assert done.code == (4 if how == "rollback" else 0), done.err
    assert done.document["run"] == run
    assert items_of(many, "west") == (before if how == "rollback" else items_of(many, "east"))
    assert sum(one["rows"] for one in done.document["mended"]) == (100 if how == "rollback" else 150)
    assert (many.log_ends(), fence_of(many, "west")) == (log, fence)
    told = interlock("show", run, "--json", env=many.env).document
    assert told["outcome"] == ("rolled_back" if how == "rollback" else "succeeded")


@BOTH
def test_what_was_written_since_it_was_mended_is_not_taken_back(items: Lab) -> None:
    items.compare("items")
    items.repair("--apply", "--yes")
    items.plant("west", "UPDATE app.items SET name='since' WHERE id IN (1, 10)")
    undone = items.repair("--undo", "--yes", "--json")
    assert undone.code == 0, undone.err
    left = {one["what"] for one in undone.document["mended"] if not one["rows"]}
    assert left == {"app.items id=1", "app.items id=10"}
    theirs = {row["id"]: bytes.fromhex(row["name"]).decode() for row in items_of(items, "west") if row["name"] is not None}
    assert (theirs[1], theirs[2], theirs[10], 11 in theirs) == ("since", "other", "since", False)
    items.plant("west", "UPDATE app.items SET name='n1' WHERE id=1")
    again = items.repair("--undo", "--yes", "--json").document["mended"]
    assert [(one["what"], one["rows"]) for one in again] == [("app.items id=10", 0), ("app.items id=1", 1)]


@BOTH
def test_chosen_rows_are_taken_back_and_mended_again(items: Lab) -> None:
    items.compare("items")
    items.repair("--apply", "--yes")
    for _ in range(2):
        one = items.repair("--undo", "--row", "app.items:id=2", "--yes", "--json")
        assert [(each["what"], each["rows"]) for each in one.document["mended"]] == [("app.items id=2", 1)]
        again = items.repair("--apply", "--yes", "--json")
        assert [(each["what"], each["rows"]) for each in again.document["mended"]] == [("app.items id=2", 1)]
    assert items_of(items, "west") == items_of(items, "east")
    rest = items.repair("--undo", "--yes", "--json")
    assert sum(each["rows"] for each in rest.document["mended"]) == 12


@ALL
def test_every_type_is_mended_exactly(lab: Lab) -> None:
    """Rows of every type: one side lacks each of them in turn, or has each one's values in another one's place."""
    lab.drop("types")
    lab.logged(EVERY_TYPE, *(INSERT + row for row in ROWS))
    columns = [name for name in COLUMNS.split(",") if name not in {"id", "k2"}]
    lab.plant(
        "west",
        "DELETE FROM app.types WHERE id=0",
        f"UPDATE app.types SET {', '.join(f'{name}=NULL' for name in columns)} WHERE id=1",
        f"INSERT INTO app.types (id,k2,{','.join(columns)}) SELECT 9,'nine',{','.join(columns)} FROM app.types WHERE id=4",
        "UPDATE app.types SET f=f*1.0000002, d=-0.0, c='X', en='a', j='[1]', da='0000-00-00' WHERE id=4",
    )
    shown = ", ".join(f"HEX({name}) AS {name}" for name in COLUMNS.split(","))
    lab.compare("types")
    before = lab.rows("west", "types", shown)
    done = lab.repair("--apply", "--yes", "--json")
    assert (done.code, [one["rows"] for one in done.document["mended"]]) == (0, [1] * 4), done.out + done.err
    assert lab.rows("west", "types", shown) == lab.rows("east", "types", shown)
    assert lab.repair("--undo", "--yes").code == 0
    assert lab.rows("west", "types", shown) == before


@BOTH
def test_copies_of_rows_are_mended_in_a_table_without_a_key(lab: Lab) -> None:
    lab.drop("bag")
    lab.logged("CREATE TABLE app.bag (a INT, b VARCHAR(9))", "INSERT INTO app.bag VALUES (1,'x'),(1,'x'),(1,'x'),(2,NULL),(3,'z')")
    lab.plant(
        "west",
        "DELETE FROM app.bag WHERE a=1 LIMIT 2",
        "INSERT INTO app.bag VALUES (2,NULL),(2,NULL),(4,'')",
        "DELETE FROM app.bag WHERE a=3",
    )
    lab.compare("bag")
    lab.plant("west", "INSERT INTO app.bag VALUES (4,'')")  # one more than was compared
    before = lab.rows("west", "bag", order="a, b")
    done = lab.repair("--apply", "--yes", "--json")
    assert done.code == 0, done.err
    assert {one["why"] for one in done.document["mended"] if not one["rows"]} == {"east has it otherwise now"}
    lab.plant("west", "DELETE FROM app.bag WHERE a=4")
    assert lab.rows("west", "bag", order="a, b") == lab.rows("east", "bag", order="a, b")
    lab.plant("west", "INSERT INTO app.bag VALUES (4,''),(4,'')")
    assert lab.repair("--undo", "--yes").code == 0
    assert lab.rows("west", "bag", order="a, b") == before


@BOTH
def test_parents_come_before_children_and_unique_values_make_way(lab: Lab) -> None:
    lab.drop("child", "parent")
    lab.logged(
        "CREATE TABLE app.parent (id INT PRIMARY KEY, tag INT UNIQUE)",
        "CREATE TABLE app.child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id))",
        "INSERT INTO app.parent VALUES (1, 1), (2, 2), (3, 3)",
        "INSERT INTO app.child VALUES (1, 1), (2, 2)",
    )
    lab.plant(
        "west",
        "DELETE FROM app.child WHERE id=1",
        "DELETE FROM app.parent WHERE id=1",
        "INSERT INTO app.parent VALUES (9, 1)",
        "INSERT INTO app.child VALUES (9, 9)",
        "UPDATE app.parent SET tag=tag+1 WHERE id=3",
        "UPDATE app.parent SET tag=3 WHERE id=2",  # 2 → 3 → 4: the first one that is mended finds its value taken
    )
    lab.compare("child", "parent")
    done = lab.repair("--apply", "--yes", "--json")
    assert done.code == 0, done.err
    assert [one for one in done.document["mended"] if not one["rows"]] == []
    for table in ("parent", "child"):
        assert lab.rows("west", table) == lab.rows("east", table)
    lab.drop("child", "parent")


@BOTH
@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("CREATE TRIGGER app.watch AFTER UPDATE ON app.items FOR EACH ROW SET @seen=1", "a trigger of west would fire"),
        ("ALTER TABLE app.items DROP COLUMN b", "the table is declared otherwise: it has no column b"),
        ("ALTER TABLE app.items ENGINE=MyISAM", "its engine MyISAM can't take a change back"),
        ("DROP TABLE app.items", "west has no such table"),
    ],
    ids=["trigger", "column", "engine", "gone"],
)
def test_what_cannot_be_mended_is_named(items: Lab, statement: str, why: str) -> None:
    items.compare("items")
    items.plant("west", statement)
    told = items.repair("--json")
    assert told.code == 0, told.err
    assert why in {one["why"] for one in told.document["left_out"] if one["what"] == "app.items id=1"}


def test_who_would_write_through_the_lesser_fence_keeps_the_repair_away(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """MySQL's administrators could, while rows are mended: one who is connected, or an event."""
    lab = Lab(sandbox=request.getfixturevalue("mysql_pair"), folder=tmp_path)
    lab.drop("items")
    lab.logged(ITEMS, "INSERT INTO app.items VALUES (1, 'n1', 1, 1, '')")
    lab.plant("west", "DELETE FROM app.items")
    lab.compare("items")
    with closing(sql.connect(lab.sandbox, "west")):
        refused = lab.repair("--apply", "--yes")
    assert (refused.code, "administrators are connected" in refused.err) == (3, True)
    lab.plant("west", "CREATE EVENT app.often ON SCHEDULE EVERY 1 DAY DO DELETE FROM app.items", "SET GLOBAL event_scheduler=ON")
    refused = lab.repair("--apply", "--yes")
    lab.plant("west", "SET GLOBAL event_scheduler=OFF", "DROP EVENT app.often")
    assert (refused.code, "app.often" in refused.err) == (3, True)
    assert fence_of(lab, "west") == (1, 1)
    assert lab.rows("west", "items") == []
    assert interlock("runs", "--json", env=lab.env).document == []


@BOTH
def test_a_hold_keeps_it_away_and_a_quiesce_does_not(items: Lab) -> None:
    items.compare("items")
    clock = SystemClock()
    store = open_store(items.env["INTERLOCK_STORE"], clock)
    try:
        for kind, subject, code in ((MarkKind.HOLD, "", 3), (MarkKind.QUIESCED, "west", 0)):
            mark = Mark(topology="sandbox", kind=kind, subject=subject, by="anna@ops1", at=clock.wall(), reason="disk is replaced")
            put_mark(store, mark)
            done = items.repair("--apply", "--yes")
            take_mark_away(store, mark)
            assert (done.code, "anna@ops1" in done.err) == (code, code == 3), done.err
    finally:
        store.close()


@BOTH
def test_the_files_hold_what_is_sent_and_what_takes_it_back(items: Lab, tmp_path: Path) -> None:
    items.compare("items")
    before = items_of(items, "west")
    assert items.repair("--sql", str(tmp_path / "do.sql"), "--inverse", str(tmp_path / "undo.sql")).code == 0
    for name, wanted in (("do", items_of(items, "east")), ("undo", before)):
        path = tmp_path / f"{name}.sql"
        assert path.stat().st_mode & 0o077 == 0
        items.plant("west", *(line.rstrip(";") for line in path.read_text().splitlines() if line and not line.startswith("--")))
        assert items_of(items, "west") == wanted


@BOTH
def test_what_diff_finds_is_mended_and_found_no_more(items: Lab) -> None:
    found = interlock("diff", "--table", "app.items", "--json", env=items.env)
    assert (found.code, found.document["differences"]) == (3, 12), found.err
    done = items.repair("--apply", "--yes", "--json")
    assert (done.code, done.document["left_out"], len(done.document["mended"])) == (0, [], 12), done.err
    again = interlock("diff", "--table", "app.items", "--json", env=items.env)
    assert (again.code, again.document["differences"]) == (0, 0), again.err


@BOTH
def test_under_load_nothing_differs_afterwards_but_what_was_told(items: Lab) -> None:
    """The writer writes rows that differ, others, and new ones, while west applies all of that and is mended."""
    items.compare("items")
    ended = Event()

    def write() -> None:
        with closing(sql.connect(items.sandbox, "east")) as east:
            for number in count(1000):
                if ended.is_set():
                    return
                sql.rows(east, "UPDATE app.items SET f=f+1 WHERE id=%s", (1, 2, 5, 7, 20)[number % 5])
                sql.rows(east, "INSERT INTO app.items VALUES (%s, 'load', NULL, 0, '')", number)

    with ThreadPoolExecutor(max_workers=1) as helper:
        load = helper.submit(write)
        done = items.repair("--apply", "--yes", "--json")
        ended.set()
        load.result()
    assert done.code == 0, done.err
    items.caught_up()
    left = {int(one["what"].rpartition("=")[2]) for one in done.document["mended"] if not one["rows"]}
    ours = {row["id"]: row for row in items_of(items, "east")}
    theirs = {row["id"]: row for row in items_of(items, "west")}
    assert {key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key)} <= left
    assert left <= {1, 2, 5, 7}


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_a_killed_repair_keeps_no_failover_away_when_the_writer_dies(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """It can't go on, but it comes to an end with the fence back; once the writer answers again it goes on."""
    lab = Lab(sandbox=request.getfixturevalue({"mariadb": "fresh_pair", "mysql": "fresh_mysql_pair"}[kind]), folder=tmp_path)
    plant_many(lab)
    fence = fence_of(lab, "west")
    kill_in_the_middle(lab)
    (east,) = [process.pid for process in processes.running(Path(lab.sandbox.directory)) if process.name == "east"]
    os.kill(east, signal.SIGKILL)
    processes.reap(east)
    (run,) = [one["run"] for one in interlock("runs", "--json", env=lab.env).document if one["outcome"] is None]
    ended = interlock("resume", run, "--yes", "--json", env=lab.env)
    assert (ended.code, ended.document["outcome"]) == (5, "halted"), ended.out + ended.err
    assert fence_of(lab, "west") == fence
    assert [one["run"] for one in interlock("runs", "--json", env=lab.env).document if one["outcome"] is None] == []
    pairs.restart(lab.sandbox, "east", clock=SystemClock())
    done = lab.repair("--apply", "--yes", "--json")
    assert (done.code, done.document["run"]) == (0, run), done.out + done.err
    assert items_of(lab, "west") == items_of(lab, "east")


@pytest.mark.parametrize("kind", ["mariadb"])
def test_a_run_of_the_playbook_does_the_same_and_a_plan_shows_it(items: Lab) -> None:
    name = items.compare("items").name
    words = ("repair", "-i", f"diff={name}", "-i", "tables=app.items", "--json")
    told = interlock("plan", *words, env=items.env)
    assert (told.code, told.document["would"]) == (0, "succeed"), told.out + told.err
    (step,) = [step for phase in told.document["phases"] for step in phase["steps"] if step["action"] == "data.mend"]
    assert "12 rows, each guarded" in step["script"][-1]
    assert items_of(items, "west") != items_of(items, "east")
    done = interlock("run", *words, env=items.env)
    assert (done.code, done.document["outcome"]) == (0, "succeeded"), done.out + done.err
    assert items_of(items, "west") == items_of(items, "east")


@pytest.mark.parametrize("kind", ["mysql"])
def test_if_no_row_could_be_mended_all_is_as_before_and_said(items: Lab) -> None:
    items.compare("items")
    items.plant("west", "UPDATE app.items SET name='since' WHERE id=1")
    fence = fence_of(items, "west")
    done = items.repair("--row", "app.items:id=1", "--apply", "--yes", "--json")
    assert (done.code, done.document["outcome"]) == (4, "rolled_back"), done.out + done.err
    assert "none of 1 rows of west could be mended" in done.document["problems"][0]["what"]
    assert [one["why"] for one in done.document["mended"]] == ["west has it otherwise now"]
    assert fence_of(items, "west") == fence


@pytest.mark.parametrize("kind", ["mariadb"])
@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("items", "nothing", "app.nothing with"),
        ('"tag"', '"tog"', "app.items with tog, which neither east nor west has"),
        ('"position": "', '"position": "x', "is damaged: "),
        ('"cluster": "west"', '"cluster": "north"', "is of no row"),
        ('"key": {"id": 1}', '"key": {"id": 2}', "has another key than its row"),
        ('"west"', '"north"', "compared east and north, and the pair is east and west"),
    ],
    ids=["table", "column", "position", "cluster", "key", "side"],
)
def test_a_comparison_that_somebody_changed_is_named_and_nothing_is_mended(items: Lab, old: str, new: str, why: str) -> None:
    place = place_of(items.folder, items.compare("items").name)
    text = place.read_text()
    assert old in text
    place.write_text(text.replace(old, new))
    before = items_of(items, "west")
    for words in ((), ("--apply", "--yes")):
        refused = items.repair(*words)
        assert refused.code in {2, 3}, refused.out + refused.err
        assert why in refused.err
        assert "compare again" in refused.err
    assert items_of(items, "west") == before


@pytest.mark.parametrize("kind", ["mysql"])
def test_one_that_is_stopped_takes_back_what_it_has_mended(many: Lab) -> None:
    before, fence = items_of(many, "west"), fence_of(many, "west")
    process = start("repair", "--apply", "--yes", "--rate", "4", env=many.env)
    assert eventually(lambda: others(many) < 200 or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 4, out + err
    assert (items_of(many, "west"), fence_of(many, "west")) == (before, fence)


@pytest.mark.parametrize("kind", ["mariadb"])
def test_an_unfinished_comparison_without_its_options_is_not_gone_on_with(items: Lab) -> None:
    name = items.compare("items").name
    place = place_of(items.folder, name)
    place.write_text("".join(place.read_text().splitlines(keepends=True)[:-1]))
    refused = interlock("diff", "--resume", name, env=items.env)
    assert (refused.code, f"{place} is damaged: it has no '" in refused.err, "compare again" in refused.err) == (3, True, True), refused
