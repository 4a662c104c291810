"""An applier that stopped on a row is let go on, on real servers: by one change, unlogged, behind the fence."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from interlock.clock import Deadline, SystemClock
from interlock.decisions.giving_up import sentence
from interlock.model.effects import EraseNote, WriteNote
from interlock.model.marks import Mark, MarkKind
from interlock.model.topology import ServerName
from interlock.ports import Record, RunHeader
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from interlock.servers import notes
from interlock.stores.open import open_store
from scenarios.command_line import interlock, start
from servers.loss_lab import drivers
from servers.repair_lab import Lab
from waiting import eventually

PAIRS = {"mariadb": "pair", "mysql": "mysql_pair"}
OTHER = {"east": "west", "west": "east"}
TABLE = "CREATE TABLE app.goods (id INT PRIMARY KEY, v VARCHAR(40), tag INT UNIQUE)"


@pytest.fixture(params=["mariadb", "mysql"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    sandbox: Sandbox = request.getfixturevalue(PAIRS[request.param])
    lab = Lab(sandbox=sandbox, folder=tmp_path)
    lab.drop("goods")
    lab.logged(TABLE, "INSERT INTO app.goods VALUES " + ",".join(f"({n}, 'v{n}', {n})" for n in range(1, 11)))
    return lab


def stopped(lab: Lab, side: str, *, at_once: bool = False) -> str:
    """The applier's error, once it has stopped; empty if it does not, or has not now."""
    word = "REPLICA" if lab.is_mysql else "SLAVE"
    with closing(sql.connect(lab.sandbox, side)) as connection:
        deadline = Deadline.after(SystemClock(), 60)
        while True:
            row = sql.rows(connection, f"SHOW {word} STATUS")[0]
            if row["Replica_SQL_Running" if lab.is_mysql else "Slave_SQL_Running"] == "No":
                return str(_of_a_worker(connection) or row["Last_SQL_Errno"]) if lab.is_mysql else str(row["Last_SQL_Errno"])
            if at_once or deadline.is_over():
                return ""
            SystemClock().sleep(0.05)


def _of_a_worker(connection: Connection[DictCursor]) -> int | None:
    """The status may tell of a worker that stopped for another one's error (3030)."""
    table = "performance_schema.replication_applier_status_by_worker"
    told: int | None = sql.value(connection, f"SELECT LAST_ERROR_NUMBER FROM {table} WHERE LAST_ERROR_NUMBER NOT IN (0, 3030)")
    return told


def break_it(lab: Lab, side: str, number: int) -> None:
    if number == 1062:
        lab.plant(side, "INSERT INTO app.goods VALUES (50, 'in the way', 500)")
        lab.as_admin(OTHER[side], "INSERT INTO app.goods VALUES (50, 'new', 50)", "UPDATE app.goods SET v='later' WHERE id=9")
    else:
        lab.plant(side, "DELETE FROM app.goods WHERE id=5")
        lab.as_admin(OTHER[side], "UPDATE app.goods SET v='new' WHERE id IN (4, 5, 6)", "UPDATE app.goods SET v='later' WHERE id=9")
    assert stopped(lab, side) == str(number)


@pytest.mark.parametrize("side", ["west", "east"])
@pytest.mark.parametrize("number", [1062, 1032])
def test_an_applier_that_stopped_on_a_row_goes_on(lab: Lab, side: str, number: int) -> None:
    break_it(lab, side, number)
    with closing(sql.connect(lab.sandbox, side)) as connection:
        fence = sql.value(connection, f"SELECT @@GLOBAL.{'super_' if lab.is_mysql else ''}read_only")
    told = lab.repair("--channel", side, "--json")
    assert told.code == 0, told.err
    at = told.document["stopped_at"]
    if number == 1062:
        assert (at["event"], at["in_the_way"]) == ("insert app.goods id=50", {"id": 50, "v": "in the way", "tag": 500})
    else:
        assert (at["event"], at["before"]) == ("update app.goods id=5", {"id": 5, "v": "v5", "tag": 5})
    assert stopped(lab, side) == str(number)

    done = lab.repair("--channel", side, "--apply", "--yes", "--json")
    assert done.code == 0, done.err
    assert (done.document["runs"], len(done.document["changed"])) == (True, 1)
    lab.caught_up("east" if side == "west" else "west")
    assert lab.rows(side, "goods") == lab.rows(OTHER[side], "goods")
    with closing(sql.connect(lab.sandbox, side)) as connection:
        assert sql.value(connection, f"SELECT @@GLOBAL.{'super_' if lab.is_mysql else ''}read_only") == fence
    again = lab.repair("--channel", side)
    assert (again.code, "runs" in again.err) == (3, True)


def test_the_next_error_is_told_and_mended_as_often_as_asked(lab: Lab) -> None:
    """One row missing in one transaction, one in the way by its unique value in the next."""
    lab.plant("west", "DELETE FROM app.goods WHERE id=3", "INSERT INTO app.goods VALUES (60, 'other', 70)")
    lab.as_admin("east", "DELETE FROM app.goods WHERE id=3", "INSERT INTO app.goods VALUES (70, 'new', 70)")
    assert stopped(lab, "west") in {"1032", "1062"}  # MySQL's workers try both at once
    once = lab.repair("--channel", "west", "--apply", "--yes", "--json")
    assert (once.code, once.document["changed"][0]["event"]) == (0, "delete app.goods id=3"), once.out + once.err
    assert (once.document["runs"], "1062" in once.document["error"] or "Duplicate" in once.document["error"]) == (False, True)
    twice = lab.repair("--channel", "west", "--times", "5", "--apply", "--yes", "--json")
    assert twice.code == 0, twice.err
    assert [one["in_the_way"] for one in twice.document["changed"]] == [{"id": 60, "v": "other", "tag": 70}]
    lab.caught_up()
    assert lab.rows("west", "goods") == lab.rows("east", "goods")


def test_an_applier_whose_row_was_mended_by_hand_has_only_to_be_started(lab: Lab) -> None:
    break_it(lab, "west", 1062)
    lab.plant("west", "DELETE FROM app.goods WHERE id=50")
    told = lab.repair("--channel", "west")
    assert (told.code, "it has only to be started" in told.out) == (0, True), told.err
    done = lab.repair("--channel", "west", "--apply", "--yes", "--json")
    assert (done.code, done.document.get("runs")) == (0, True), done.out + done.err
    lab.caught_up()
    assert lab.rows("west", "goods") == lab.rows("east", "goods")


def test_one_that_is_killed_goes_on_and_shuts_the_fence(lab: Lab) -> None:
    """Killed while its statement waits for a row that a client has locked."""
    break_it(lab, "west", 1062)
    with closing(sql.connect(lab.sandbox, "west", "app")) as client:
        client.begin()
        sql.rows(client, "SELECT * FROM app.goods WHERE id=50 LOCK IN SHARE MODE")
        process = start("repair", "--channel", "west", "--apply", "--yes", env=lab.env)
        assert eventually(lambda: is_under_way(lab) or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate()
    (run,) = [one["run"] for one in interlock("runs", "--json", env=lab.env).document if one["outcome"] is None]
    back = interlock("rollback", run, "--yes", env=lab.env)
    assert (back.code, f"interlock resume {run}" in back.err) == (2, True)
    done = interlock("resume", run, "--yes", "--json", env=lab.env)
    assert (done.code, done.document.get("runs")) == (0, True), done.out + done.err
    lab.caught_up()
    assert lab.rows("west", "goods") == lab.rows("east", "goods")
    if lab.is_mysql:
        with closing(sql.connect(lab.sandbox, "west")) as connection:
            assert sql.value(connection, "SELECT @@GLOBAL.super_read_only") == 1


def is_under_way(lab: Lab) -> bool:
    """Whether a repair has said that it sends its statement now. (Nobody is to connect as an administrator meanwhile.)"""
    store = open_store(lab.env["INTERLOCK_STORE"], SystemClock())
    try:
        runs = [header.run for header in store.runs("sandbox") if header.outcome is None]
        return any(record.kind == "acting" and record.body["step"] == "row 1" for run in runs for record in store.records(run))
    finally:
        store.close()


@pytest.mark.parametrize("number", [1062, 1032])
def test_a_row_that_was_written_since_it_was_told_is_left(lab: Lab, number: int) -> None:
    """What is proposed is read again before it is done, and so is what is done."""
    break_it(lab, "west", number)
    assert lab.repair("--channel", "west").code == 0
    lab.plant("west", "UPDATE app.goods SET v='since' WHERE id=50" if number == 1062 else "INSERT INTO app.goods VALUES (5, 'since', 5)")
    done = lab.repair("--channel", "west", "--apply", "--yes", "--json")
    assert (done.code, done.document.get("runs")) == (0, True), done.out + done.err
    (changed,) = done.document["changed"]
    assert (changed["in_the_way"] or {}).get("v") == ("since" if number == 1062 else None)
    lab.caught_up()
    assert lab.rows("west", "goods") == lab.rows("east", "goods")


def test_what_a_run_has_given_up_does_not_come_over_what_was_written_since(lab: Lab) -> None:
    break_it(lab, "west", 1062)
    with closing(open_store(lab.env["INTERLOCK_STORE"], SystemClock())) as store:
        channel = drivers(lab.sandbox)["west"].channels()[0]
        opening = {"server": "west", "position": "", "given_up": sentence(ServerName("west"), channel)}
        now = SystemClock().wall()
        store.create_run(
            RunHeader(run="moved", playbook="quiesce", topology="sandbox", started_at=now, state="succeeded", outcome="succeeded")
        )
        store.append("moved", [Record(seq=1, kind="opening", at=now, body=opening)], durable=True)
    for words in (("--channel", "west"), ("--channel", "west", "--apply", "--yes")):
        refused = lab.repair(*words)
        assert (refused.code, "was given up by run moved" in refused.err, "interlock rejoin east" in refused.err) == (3, True, True)
    its = Mark(topology="sandbox", kind=MarkKind.QUIESCED, subject="east", by="anna", at=now, reason="its data", run="of another store")
    lab.plant("west", *notes.script(WriteNote(server=ServerName("west"), mark=its)))
    refused = interlock("repair", "--channel", "west", env={**lab.env, "INTERLOCK_STORE": f"sqlite://{lab.folder}/other.db"})
    lab.plant("west", *notes.script(EraseNote(server=ServerName("west"), mark=its)))
    assert (refused.code, "run of another store, which this store does not know" in refused.err) == (3, True), refused.err
    assert stopped(lab, "west") == "1062"
    lab.plant("west", "DELETE FROM app.goods WHERE id=50")
    lab.as_admin("west", f"START {'REPLICA' if lab.is_mysql else 'SLAVE'}")
    lab.caught_up()


def test_several_rows_of_one_transaction_are_mended_one_after_the_other(lab: Lab) -> None:
    lab.plant("west", "DELETE FROM app.goods WHERE id IN (2, 5, 6)")
    lab.as_admin("east", "UPDATE app.goods SET v='new' WHERE id IN (4, 5, 6)")
    assert stopped(lab, "west") == "1032"
    once = lab.repair("--channel", "west", "--apply", "--yes", "--json")
    assert (once.code, once.document.get("runs")) == (0, False), once.out + once.err
    twice = lab.repair("--channel", "west", "--times", "5", "--apply", "--yes", "--json")
    assert (twice.code, twice.document.get("runs")) == (0, True), twice.out + twice.err
    assert [one["before"]["id"] for each in (once, twice) for one in each.document["changed"]] == [5, 6]
    lab.caught_up()


def test_one_that_stops_again_for_another_reason_comes_to_an_end(lab: Lab) -> None:
    """Its row is mended; that the table then refuses it is a person's business, and told."""
    lab.plant(
        "west",
        "CREATE TABLE app.lots (id INT PRIMARY KEY)",
        "INSERT INTO app.lots SELECT tag FROM app.goods",
        "ALTER TABLE app.goods ADD CONSTRAINT no_lot FOREIGN KEY (tag) REFERENCES app.lots (id)",
        "DELETE FROM app.goods WHERE id=5",
    )
    lab.as_admin("east", "SET foreign_key_checks=1", "UPDATE app.goods SET tag=99 WHERE id=5")
    assert stopped(lab, "west") == "1032"
    done = lab.repair("--channel", "west", "--times", "3", "--apply", "--yes", "--json")
    lab.plant("west", "ALTER TABLE app.goods DROP FOREIGN KEY no_lot", "DROP TABLE app.lots")
    assert (done.code, done.document.get("runs"), len(done.document["changed"])) == (0, False, 1), done.out + done.err
    assert "no_lot" in done.document["error"]
    assert interlock("runs", "--json", env=lab.env).document[0]["outcome"] == "succeeded"
    lab.as_admin("west", f"START {'REPLICA' if lab.is_mysql else 'SLAVE'}")
    lab.caught_up()


def test_what_is_no_row_event_is_refused(lab: Lab) -> None:
    lab.plant("west", "ALTER TABLE app.goods ADD COLUMN w INT")
    lab.as_admin("east", "ALTER TABLE app.goods ADD COLUMN w INT")
    assert stopped(lab, "west") == "1060"
    refused = lab.repair("--channel", "west", "--apply", "--yes")
    assert (refused.code, "stopped with error 1060" in refused.err) == (3, True)
    lab.plant("west", "ALTER TABLE app.goods DROP COLUMN w")
    lab.as_admin("west", f"START {'REPLICA' if lab.is_mysql else 'SLAVE'}")
    lab.caught_up()
