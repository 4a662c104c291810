"""`interlock rejoin` after an emergency in which a thousand acknowledged transactions never left the old writer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from interlock.losses.applied import MENDED
from interlock.returning import note
from interlock.returning.held_words import held_words
from interlock.sandbox import members, processes, sql
from interlock.sandbox import pair as pairs
from interlock.sandbox.barred import is_barred
from interlock.sandbox.kinds import kind_named
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from interlock.servers import canary
from scenarios.command_line import Ended, environment, interlock, start
from scenarios.pair_state import CLOCK
from waiting import eventually

TABLES = (
    "CREATE TABLE app.accounts (id INT PRIMARY KEY, name VARCHAR(40), tag INT UNIQUE, amount DECIMAL(10,2))",
    "INSERT INTO app.accounts VALUES " + ",".join(f"({n}, 'n{n}', {n}, {n}.50)" for n in range(1, 401)),
)
LOST = (
    *(f"UPDATE app.accounts SET name='lost', amount=amount+1 WHERE id={n}" for n in range(1, 301)),
    *(f"DELETE FROM app.accounts WHERE id={n}" for n in range(301, 401)),
    *(f"INSERT INTO app.accounts VALUES ({n}, 'new', {n}, 0)" for n in range(1000, 1600)),
)
SINCE = (
    "UPDATE app.accounts SET amount=9 WHERE id=1",
    "DELETE FROM app.accounts WHERE id IN (3, 301)",
    "INSERT INTO app.accounts VALUES (1000, 'west', 5000, 0), (2000, 'west', 1001, 0)",
)
"""Writes to rows that were lost: what comes back applies them at once, or stops at a key that it has."""

CONFLICTS = {("update", 1), ("update", 3), ("insert", 1000), ("insert", 1001)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """East is back, fenced and marked; west is the writer. `run` is the failover."""

    sandbox: Sandbox
    env: Mapping[str, str]
    run: str

    def rejoin(self, *words: str) -> Ended:
        return interlock("rejoin", "east", "--json", "-i", "catch_up=60s", *words, env=self.env)

    def rows(self, server: str) -> dict[str, list[dict[str, Any]]]:
        tables = query(self.sandbox, server, "SELECT TABLE_NAME AS t FROM information_schema.TABLES WHERE TABLE_SCHEMA='app'")
        return {row["t"]: query(self.sandbox, server, f"SELECT * FROM app.{row['t']} ORDER BY 1") for row in tables}

    def channels(self) -> dict[str, tuple[str, str]]:
        kind = kind_named(self.sandbox.kind)
        found = {server: query(self.sandbox, server, kind.channel)[0] for server in self.sandbox.members}
        return {server: (row[kind.runs[0]], row[kind.runs[1]]) for server, row in found.items()}

    def is_whole(self) -> bool:
        """Equal data, both channels up, west the only writer, and nobody is marked."""
        status = interlock("status", "--json", env=self.env).document
        return (
            eventually(lambda: self.rows("east") == self.rows("west"))
            and set(self.channels().values()) == {("Yes", "Yes")}
            and status["writer"] == "west"
            and not status["problems"]
        )


def _unlogged(sandbox: Sandbox, *statements: str) -> None:
    """On east, past its fence."""
    with closing(sql.connect(sandbox, "east")) as east:
        is_fenced = sandbox.kind == "mysql" and sql.value(east, "SELECT @@super_read_only")
        for statement in (*(["SET GLOBAL super_read_only=0"] if is_fenced else []), "SET sql_log_bin=0", *statements):
            sql.rows(east, statement)
        if is_fenced:
            sql.rows(east, "SET GLOBAL super_read_only=1")


def _cut_link(sandbox: Sandbox) -> None:
    """From here on west receives nothing: its account is locked on east, and its connection is ended."""
    _unlogged(sandbox, "ALTER USER repl@'%' ACCOUNT LOCK")
    for row in query(sandbox, "east", "SELECT id AS n FROM information_schema.processlist WHERE user='repl'"):
        query(sandbox, "east", f"KILL {row['n']}")
    assert eventually(lambda: not query(sandbox, "east", "SELECT id AS n FROM information_schema.processlist WHERE user='repl'"))


def _emergency(sandbox: Sandbox, folder: Path, lost: Sequence[str], *, before: Sequence[str] = ()) -> Emergency:
    kind = kind_named(sandbox.kind)
    env = environment(sandbox, folder)
    programs = kind.folder()
    if programs is not None:
        env["INTERLOCK_CLIENT_PROGRAMS"] = str(programs / "bin")
    with closing(sql.connect(sandbox, "east")) as east, closing(sql.connect(sandbox, "west")) as west:
        for statement in (*TABLES, *before):
            sql.rows(east, statement)
        assert sql.value(west, kind.wait, sql.value(east, kind.position), 60) == 0
        _cut_link(sandbox)
        for statement in lost:
            sql.rows(east, statement)
    members.stop(Path(sandbox.directory), "east", kill=True)
    failed_over = interlock("failover", "--to", "west", "--json", env=env)
    assert failed_over.code == 0, failed_over.err
    with closing(sql.connect(sandbox, "west")) as west:
        for statement in SINCE:
            sql.rows(west, statement)
    pairs.restart(sandbox, "east", clock=CLOCK, barred=True)
    _unlogged(sandbox, "ALTER USER repl@'%' ACCOUNT UNLOCK")
    return Emergency(sandbox=sandbox, env=env, run=str(failed_over.document["run"]))


@pytest.fixture(params=["fresh_pair", "fresh_mysql_pair"], ids=["mariadb", "mysql"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    found: Sandbox = request.getfixturevalue(request.param)
    return found


def test_what_was_lost_is_told_put_back_where_it_can_be_and_the_old_writer_is_a_standby_again(sandbox: Sandbox, tmp_path: Path) -> None:
    emergency = _emergency(sandbox, tmp_path, LOST)
    told = interlock("losses", emergency.run, "--json", env=emergency.env).document
    rows = [row for one in told["transactions"] for row in one["rows"]]
    assert (told["state"], len(told["transactions"])) == ("known", len(LOST))
    assert Counter(row["change"] for row in rows) == {"update": 300, "delete": 100, "insert": 600}
    assert {(row["change"], row["key"]["id"]) for row in rows if row["class"] == "conflicting"} == CONFLICTS

    with closing(sql.connect(sandbox, "west")) as west:  # once mended itself: the notes of that are on west alone
        for statement in ("SET SESSION sql_log_bin=0", canary.SCHEMA, MENDED.table):
            sql.rows(west, statement)
    repaired = interlock("repair", "--losses", emergency.run, "--apply", "--yes", "--json", env=emergency.env)
    assert repaired.code == 0, repaired.err
    before = emergency.rows("west")
    assert {row["id"] for row in before["accounts"] if row["name"] == "lost"} == set(range(1, 301)) - {1, 3}

    rejoined = emergency.rejoin()
    assert (rejoined.code, rejoined.document["outcome"]) == (0, "succeeded"), rejoined.err
    assert emergency.is_whole()
    assert not is_barred(sandbox.members["east"])
    assert emergency.rows("west") == before
    assert interlock("losses", emergency.run, "--json", env=emergency.env).document["state"] == "known"
    back = interlock("switchover", "--to", "east", "--json", env=emergency.env)
    assert (back.code, back.document["outcome"]) == (0, "succeeded"), back.err


def test_what_can_be_taken_back_is_and_not_copied(sandbox: Sandbox, tmp_path: Path) -> None:
    """Though west wrote the same rows: what came of that is taken back too, and comes again."""
    emergency = _emergency(sandbox, tmp_path, LOST[250:350])
    rejoined = emergency.rejoin("-i", "data=undo")
    assert rejoined.code == 0, rejoined.err
    assert emergency.is_whole()
    assert [_result(rejoined, name) for name in ("data.undo", "data.copy")] == ["done", "skipped"]


def test_ddl_among_the_lost_is_copied_over(sandbox: Sandbox, tmp_path: Path) -> None:
    emergency = _emergency(sandbox, tmp_path, (*LOST[:5], "CREATE TABLE app.other (id INT PRIMARY KEY)", "DROP TABLE app.accounts"))
    planned = interlock("plan", "rejoin", "-i", "cluster=east", "--json", env=emergency.env)
    (way,) = [step for phase in planned.document["phases"] for step in phase["steps"] if step["id"] == "way"]
    assert way["detail"].startswith("copy: east holds 7 transactions that west lacks, and they can't be taken back exactly: ")
    rejoined = emergency.rejoin()
    assert rejoined.code == 0, rejoined.err
    assert emergency.is_whole()
    assert [_result(rejoined, name) for name in ("data.undo", "data.copy")] == ["skipped", "done"]


def _result(ended: Ended, action: str) -> str:
    (result,) = [step["result"] for phase in ended.document["phases"] for step in phase["steps"] if step["action"] == action]
    return str(result)


def _names(sandbox: Sandbox) -> set[str]:
    """East's tables."""
    rows = query(sandbox, "east", "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS n FROM information_schema.TABLES")
    return {str(row["n"]) for row in rows}


LARGE = (
    "CREATE TABLE app.large (id INT PRIMARY KEY, body LONGBLOB)",
    *(f"INSERT INTO app.large VALUES ({n}, REPEAT('x', 1000000))" for n in range(8)),
)


def test_a_copy_that_is_killed_leaves_a_server_that_says_so_and_begins_anew(sandbox: Sandbox, tmp_path: Path) -> None:
    emergency = _emergency(sandbox, tmp_path, ("ALTER TABLE app.accounts ADD COLUMN more INT",), before=LARGE)
    running = start("rejoin", "east", "-i", "rate=3", "-i", "catch_up=60s", env=emergency.env)
    assert eventually(lambda: _names(sandbox) >= {"interlock_returning.note", "app.large"} and running.poll() is None)
    running.kill()
    running.communicate()
    assert query(sandbox, "east", "SELECT @@read_only AS fenced") == [{"fenced": 1}]
    assert query(sandbox, "west", "SELECT @@read_only AS fenced") == [{"fenced": 0}]
    assert emergency.channels() == {"east": ("No", "No"), "west": ("No", "No")}
    (run, *_) = interlock("runs", "--json", env=emergency.env).document
    another = emergency.rejoin()
    assert (another.code, "is unfinished" in another.document["problems"][0]["what"]) == (3, True)
    resumed = interlock("resume", run["run"], "--json", env=emergency.env)
    assert (resumed.code, resumed.document["outcome"]) == (0, "succeeded"), resumed.err
    assert emergency.is_whole()


def test_mysql_clones_its_data_and_is_started_again(fresh_mysql_pair: Sandbox, tmp_path: Path) -> None:
    """As on a host without a supervisor: it ends with the new data, and somebody starts it."""
    for server in fresh_mysql_pair.members:
        with closing(sql.connect(fresh_mysql_pair, server)) as connection:
            is_fenced = sql.value(connection, "SELECT @@super_read_only")
            for statement in ("SET GLOBAL super_read_only=0", "SET sql_log_bin=0", "INSTALL PLUGIN clone SONAME 'mysql_clone.so'"):
                sql.rows(connection, statement)
            sql.rows(connection, f"SET GLOBAL super_read_only={is_fenced}")
    emergency = _emergency(fresh_mysql_pair, tmp_path, ("ALTER TABLE app.accounts ADD COLUMN more INT",))
    running = start("rejoin", "east", "--json", "-i", "by=clone", "-i", "catch_up=60s", env=emergency.env)
    runs = Path(fresh_mysql_pair.directory)
    assert eventually(lambda: running.poll() is not None or all(one.name != "east" for one in processes.running(runs)), within_s=120)
    pairs.restart(fresh_mysql_pair, "east", clock=CLOCK, barred=True)
    _, err = running.communicate(timeout=180)
    assert running.returncode == 0, err
    assert emergency.is_whole()


def test_a_rejoin_that_is_killed_before_anything_is_thrown_away_goes_on(sandbox: Sandbox, tmp_path: Path) -> None:
    emergency = _emergency(sandbox, tmp_path, LOST[:50])
    with closing(sql.connect(sandbox, "east")) as blocking:  # the first statement that takes something back waits for a row
        if sandbox.kind == "mysql":
            sql.rows(blocking, "SET GLOBAL super_read_only=0")
        blocking.begin()
        sql.rows(blocking, "SELECT * FROM app.accounts WHERE id=50 FOR UPDATE")
        running = start("rejoin", "east", "-i", "catch_up=60s", env=emergency.env)
        assert eventually(lambda: "interlock_returning.note" in _names(sandbox))
        running.kill()
        running.communicate()
    (run, *_) = interlock("runs", "--json", env=emergency.env).document
    resumed = interlock("resume", run["run"], "--json", env=emergency.env)
    assert (resumed.code, resumed.document["outcome"]) == (0, "succeeded"), resumed.err
    assert emergency.is_whole()


def test_mysql_is_fenced_as_closely_as_before_once_a_killed_rejoin_is_rolled_back(fresh_mysql_pair: Sandbox, tmp_path: Path) -> None:
    """Rows are taken back while it is `read_only` alone: `super_read_only` keeps everybody out."""
    fences = "SELECT @@read_only AS clients, @@super_read_only AS everybody"
    emergency = _emergency(fresh_mysql_pair, tmp_path, LOST[:50])
    before = query(fresh_mysql_pair, "east", fences)
    with closing(sql.connect(fresh_mysql_pair, "east")) as blocking:  # a row lock, which no fence is in the way of, nor in its way
        sql.rows(blocking, "SET GLOBAL super_read_only=0")
        blocking.begin()
        sql.rows(blocking, "SELECT * FROM app.accounts WHERE id=50 FOR UPDATE")
        query(fresh_mysql_pair, "east", "SET GLOBAL super_read_only=1")
        running = start("rejoin", "east", env=emergency.env)
        assert eventually(lambda: "interlock_returning.note" in _names(fresh_mysql_pair))
        running.kill()
        running.communicate()
    assert query(fresh_mysql_pair, "east", fences) == [{"clients": 1, "everybody": 0}]
    (run, *_) = interlock("runs", "--json", env=emergency.env).document
    back = interlock("rollback", run["run"], "--json", env=emergency.env)
    assert (back.code, back.document["outcome"]) == (4, "rolled_back"), back.err
    assert (before, query(fresh_mysql_pair, "east", fences)) == ([{"clients": 1, "everybody": 1}],) * 2


def test_one_whose_log_began_anew_before_the_writer_was_told_is_brought_back_to_the_end(fresh_pair: Sandbox, tmp_path: Path) -> None:
    """What a rejoin leaves that is killed between the two: the writer would ask the new log for what is there no more (1236)."""
    env = environment(fresh_pair, tmp_path)
    moved = interlock("switchover", "--to", "west", "--json", env=env)
    assert moved.code == 0, moved.err
    query(fresh_pair, "west", "STOP SLAVE")  # what it writes from here on does not come back to it
    for statement in TABLES:
        query(fresh_pair, "west", statement)
    held = query(fresh_pair, "west", "SELECT @@GLOBAL.gtid_binlog_pos AS p")[0]["p"]
    assert eventually(lambda: query(fresh_pair, "east", "SELECT @@GLOBAL.gtid_binlog_pos AS p")[0]["p"] == held)
    query(fresh_pair, "east", "STOP SLAVE")
    its_note = note.written(note.Note(kind=note.TAKEN_BACK, held=held, holds=held))
    _unlogged(fresh_pair, *note.MAKE, its_note, *held_words("mariadb", (10, 11, 0), held, [""]))
    query(fresh_pair, "west", "START SLAVE")
    assert eventually(lambda: query(fresh_pair, "west", "SHOW SLAVE STATUS")[0]["Last_IO_Errno"] == 1236)

    rejoined = interlock("rejoin", "east", "--json", "-i", "catch_up=60s", env=env)
    assert rejoined.code == 0, rejoined.err
    (way,) = [step for phase in rejoined.document["phases"] for step in phase["steps"] if step["id"] == "way"]
    assert way["detail"].startswith("undo: east was taken back, and its log and west may not have been told all of it")
    assert Emergency(sandbox=fresh_pair, env=env, run="").is_whole()
    assert "interlock_returning.note" not in _names(fresh_pair)
