"""`losses` and `repair --losses` as a person uses them, after an emergency in which the link was cut before the writer died."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest
from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from interlock.clock import Deadline, SystemClock
from interlock.engine.journal import RecordKind
from interlock.engine.marks import put_mark, take_mark_away
from interlock.model.marks import Mark, MarkKind
from interlock.ports import Record, RunHeader
from interlock.sandbox import pair as pairs
from interlock.sandbox import processes, sql
from interlock.sandbox.places import Sandbox
from interlock.stores.open import open_store
from scenarios.command_line import environment, interlock, start
from servers.loss_lab import drivers

RUN = "20260301-120000-000"
TABLES = (
    "CREATE TABLE app.accounts (id INT PRIMARY KEY, name VARCHAR(40), tag INT UNIQUE, amount DECIMAL(10,2))",
    "INSERT INTO app.accounts VALUES " + ",".join(f"({n}, 'n{n}', {n}, {n}.50)" for n in range(1, 41)),
)
LOST = (
    *(f"UPDATE app.accounts SET name='lost' WHERE id={n}" for n in range(1, 21)),
    *(f"DELETE FROM app.accounts WHERE id={n}" for n in range(21, 31)),
    *(f"INSERT INTO app.accounts VALUES ({n}, 'new', {n}, 0)" for n in range(100, 118)),
    "UPDATE app.accounts SET id=131 WHERE id=31",
    "UPDATE app.accounts SET amount=amount+1 WHERE id IN (32, 33)",
)
SINCE = (
    "UPDATE app.accounts SET amount=9 WHERE id=1",  # a person decides
    "UPDATE app.accounts SET name='lost' WHERE id=2",  # already there
    "DELETE FROM app.accounts WHERE id IN (3, 21)",  # the first: a person decides; the second: already there
    "UPDATE app.accounts SET name='west' WHERE id=22",  # a person decides
    "INSERT INTO app.accounts VALUES (100, 'west', 500, 0), (501, 'west', 101, 0)",  # the key of one, the tag of another: a person decides
    "INSERT INTO app.accounts VALUES (102, 'new', 102, 0)",  # already there
)
CLASSES = {
    ("update", 1): "conflicting",
    ("update", 2): "already_there",
    ("update", 3): "conflicting",
    ("delete", 21): "already_there",
    ("delete", 22): "conflicting",
    ("insert", 100): "conflicting",
    ("insert", 101): "conflicting",
    ("insert", 102): "already_there",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """East is dead, west is open, and the store has a run that opened it. `east_had` is what clients were told was done there."""

    sandbox: Sandbox
    env: Mapping[str, str]
    east_had: Mapping[int, Mapping[str, Any]]

    def accounts(self) -> dict[int, dict[str, Any]]:
        with closing(sql.connect(self.sandbox, "west")) as west:
            return {row["id"]: row for row in sql.rows(west, "SELECT * FROM app.accounts")}

    def bring_east_back(self) -> None:
        pairs.restart(self.sandbox, "east", clock=SystemClock())

    def losses(self, *words: str) -> Any:
        return interlock("losses", RUN, "--json", *words, env=self.env).document


@pytest.fixture(params=["fresh_pair", "fresh_mysql_pair"], ids=["mariadb", "mysql"])
def emergency(request: pytest.FixtureRequest, tmp_path: Path) -> Emergency:
    return _emergency(request.getfixturevalue(request.param), tmp_path, LOST)


@pytest.fixture(params=["fresh_pair", "fresh_mysql_pair"], ids=["mariadb", "mysql"])
def large_emergency(request: pytest.FixtureRequest, tmp_path: Path) -> Emergency:
    """A thousand acknowledged transactions are lost."""
    more = (f"INSERT INTO app.accounts VALUES ({n}, 'more', {n}, 0)" for n in range(1000, 2000 - len(LOST)))
    return _emergency(request.getfixturevalue(request.param), tmp_path, (*LOST, *more))


def _emergency(sandbox: Sandbox, folder: Path, lost: Sequence[str]) -> Emergency:
    is_mysql, servers = sandbox.kind == "mysql", drivers(sandbox)
    with closing(sql.connect(sandbox, "east")) as east, closing(sql.connect(sandbox, "west")) as west:
        for statement in TABLES:
            sql.rows(east, statement)
        assert servers["west"].wait_applied(servers["east"].write_facts().position, 20)
        sql.rows(west, f"STOP {'REPLICA' if is_mysql else 'SLAVE'} IO_THREAD")
        for statement in lost:
            sql.rows(east, statement)
        had = {row["id"]: row for row in sql.rows(east, "SELECT * FROM app.accounts")}
        kill_east(sandbox)
        position = servers["west"].write_facts().position
        env = environment(sandbox, folder)
        _record_opening(env, str(position))
        sql.rows(west, "SET GLOBAL read_only=0")
        for statement in SINCE:
            sql.rows(west, statement)
    for server in servers.values():
        server.close()
    return Emergency(sandbox=sandbox, env=env, east_had=had)


def kill_east(sandbox: Sandbox) -> None:
    (pid,) = [process.pid for process in processes.running(Path(sandbox.directory)) if process.name == "east"]
    os.kill(pid, signal.SIGKILL)
    processes.reap(pid)


def _record_opening(env: Mapping[str, str], position: str) -> None:
    """As a failover leaves it that proved east fenced."""
    clock = SystemClock()
    store = open_store(env["INTERLOCK_STORE"], clock)
    body = {"server": "west", "position": position, "others": {"east": "fenced from outside by command: off"}}
    header = RunHeader(run=RUN, playbook="failover", topology="sandbox", started_at=clock.wall(), state="succeeded")
    store.create_run(header)
    store.append(RUN, [Record(seq=1, kind=RecordKind.OPENING.value, at=clock.wall(), body=body)], durable=True)
    store.set_state(RUN, "succeeded", "succeeded")
    store.close()


def classes(report: Any) -> dict[tuple[str, int], str]:
    return {(row["change"], row["key"]["id"]): row["class"] for one in report["transactions"] for row in one["rows"]}


def test_exactly_what_was_lost_is_told_judged_put_back_and_taken_back(large_emergency: Emergency, tmp_path: Path) -> None:
    emergency = large_emergency
    pending = emergency.losses()
    assert (pending["state"], pending["transactions"]) == ("pending", [])
    assert pending["bound"]["held"]
    assert "can't connect" in pending["proof"].lower()

    emergency.bring_east_back()
    pages = {name: tmp_path / f"report.{name}" for name in ("html", "markdown", "sql", "inverse")}
    known = emergency.losses(*(word for name, path in pages.items() for word in (f"--{name}", str(path))))
    assert known["state"] == "known"
    assert len(known["transactions"]) == 1000
    found = classes(known)
    assert Counter(change for change, _ in found) == {"update": 23, "delete": 10, "insert": 18 + 1000 - len(LOST)}
    assert {row: kind for row, kind in found.items() if kind != "reapplicable"} == CLASSES
    assert all(path.stat().st_size > 1000 and path.stat().st_mode & 0o077 == 0 for path in pages.values())

    before = emergency.accounts()
    shown = interlock("repair", "--losses", RUN, env=emergency.env)
    assert shown.code == 0
    assert "nothing was changed" in shown.out
    assert "conflicting: written since: amount" in shown.out
    assert emergency.accounts() == before
    unasked = interlock("repair", "--losses", RUN, "--apply", env=emergency.env)
    assert (unasked.code, emergency.accounts()) == (3, before)

    applied = interlock("repair", "--losses", RUN, "--apply", "--yes", "--json", env=emergency.env)
    assert applied.code == 0, applied.err
    assert sum(one["rows"] for one in applied.document["applied"]) == len(found) - len(CLASSES)
    left = {1, 3, 22, 100, 101, 501}  # where a person decides, or only west wrote
    after = emergency.accounts()
    assert {key: row for key, row in after.items() if key not in left} == {k: r for k, r in emergency.east_had.items() if k not in left}
    assert {key: after[key] for key in left if key in after} == {key: before[key] for key in left if key in before}
    again = interlock("repair", "--losses", RUN, "--apply", "--yes", env=emergency.env)
    assert (again.code, emergency.accounts()) == (0, after)
    assert "all is done: 992 of 1000 lost transactions were put back before; the other 8" in again.out
    newest, *_ = interlock("runs", "--json", env=emergency.env).document
    assert (newest["playbook"], newest["outcome"]) == ("repair", "succeeded")
    assert "put back: 993 rows in 992 transactions" in interlock("show", newest["run"], env=emergency.env).out

    undone = interlock("repair", "--losses", RUN, "--undo", "--yes", env=emergency.env)
    assert undone.code == 0, undone.err
    assert emergency.accounts() == before
    assert classes(emergency.losses()) == found


def test_the_sql_that_is_written_does_what_repair_does_and_its_inverse_takes_it_back(emergency: Emergency, tmp_path: Path) -> None:
    """By the server's own client, as an administrator would."""
    emergency.bring_east_back()
    emergency.losses("--sql", str(tmp_path / "do.sql"), "--inverse", str(tmp_path / "undo.sql"))
    before = emergency.accounts()
    assert _run_sql(emergency.sandbox, tmp_path / "do.sql") == 0
    after = emergency.accounts()
    assert after[4]["name"] == "lost"
    assert 23 not in after
    assert after[117]["tag"] == 117
    assert _run_sql(emergency.sandbox, tmp_path / "do.sql") == 0
    assert emergency.accounts() == after
    assert _run_sql(emergency.sandbox, tmp_path / "undo.sql") == 0
    assert emergency.accounts() == before


def _run_sql(sandbox: Sandbox, file: Path) -> int:
    """Through the admin's connection, statement by statement; how many failed."""
    failed = 0
    with closing(sql.connect(sandbox, "west")) as west:
        for line in file.read_text().splitlines():
            if line and not line.startswith("--"):
                try:
                    with west.cursor() as cursor:
                        cursor.execute(line.rstrip(";"))
                except pymysql.Error:
                    failed += 1
    return failed


def test_nothing_is_put_back_while_somebody_holds_the_pair_or_the_survivor_is_fenced(emergency: Emergency) -> None:
    emergency.bring_east_back()
    before, clock = emergency.accounts(), SystemClock()
    store = open_store(emergency.env["INTERLOCK_STORE"], clock)
    hold = Mark(topology="sandbox", kind=MarkKind.HOLD, subject="", by="anna@ops1", at=clock.wall(), reason="disk is replaced")
    put_mark(store, hold)
    held = interlock("repair", "--losses", RUN, "--apply", "--yes", env=emergency.env)
    assert (held.code, "held by anna@ops1" in held.err) == (3, True)
    take_mark_away(store, hold)
    store.close()
    with closing(sql.connect(emergency.sandbox, "west")) as west:
        sql.rows(west, "SET GLOBAL read_only=1")
    fenced = interlock("repair", "--losses", RUN, "--apply", "--yes", env=emergency.env)
    assert (fenced.code, "west does not take writes now" in fenced.err) == (3, True)
    assert emergency.accounts() == before


@pytest.mark.parametrize("emergency", ["fresh_pair"], ids=["mariadb"], indirect=True)
def test_what_was_kept_and_then_changed_is_named_and_not_put_back(emergency: Emergency, tmp_path: Path) -> None:
    """The old server is gone again, so what was kept is all there is. A row that is told of another table, column or key is a person's."""
    emergency.bring_east_back()
    emergency.losses()
    kill_east(emergency.sandbox)
    place = tmp_path / "losses" / f"{RUN}.json"
    whole, before = place.read_text(), emergency.accounts()
    table = {
        '"accounts"': ('"nothing"', "there is no such table now"),
        '"amount"': ('"amount;"', "the table has no column amount; now"),
        '["id"]': ('["tag"]', "the table's key is another one now"),
    }
    for old, (new, why) in table.items():
        assert old in whole
        place.write_text(whole.replace(old, new))
        assert why in {row["why"] for one in emergency.losses()["transactions"] for row in one["rows"]}
        nothing = interlock("repair", "--losses", RUN, "--apply", "--yes", env=emergency.env)
        assert (nothing.code, "lost transactions can be put back" in nothing.out) == (0, True), nothing
    place.write_text(whole[: len(whole) // 2])
    refused = interlock("repair", "--losses", RUN, "--apply", "--yes", env=emergency.env)
    assert (refused.code, f"{place} can't be read" in refused.err, "changed by hand" in refused.err) == (3, True, True), refused
    assert emergency.accounts() == before


def test_a_run_that_opened_nothing_lost_nothing(emergency: Emergency) -> None:
    store = open_store(emergency.env["INTERLOCK_STORE"], SystemClock())
    store.create_run(
        RunHeader(run="20260101-000000-000", playbook="failover", topology="sandbox", started_at=SystemClock().wall(), state="x")
    )
    store.set_state("20260101-000000-000", "refused", "refused")
    store.close()
    ended = interlock("losses", "20260101-000000-000", env=emergency.env)
    assert (ended.code, "has opened no server" in ended.err) == (2, True)


def test_a_repair_that_is_killed_goes_on_and_does_nothing_twice(emergency: Emergency) -> None:
    """Killed in the middle of a transaction, whose first row it had written: whoever comes next does that one, and no other again."""
    emergency.bring_east_back()
    whole = sum(1 for one in emergency.losses()["transactions"] if any(row["class"] == "reapplicable" for row in one["rows"]))
    with closing(sql.connect(emergency.sandbox, "west")) as west, closing(sql.connect(emergency.sandbox, "west")) as blocking:
        blocking.begin()
        sql.rows(blocking, "SELECT * FROM app.accounts WHERE id=33 FOR UPDATE")
        process = start("repair", "--losses", RUN, "--apply", "--yes", env=emergency.env)
        deadline = Deadline.after(SystemClock(), 20)
        while not deadline.is_over() and _put_back(west) < whole - 1:
            assert process.poll() is None
        process.kill()
        process.communicate()
        blocking.rollback()
        assert _put_back(west) == whole - 1
    done = interlock("repair", "--losses", RUN, "--apply", "--yes", "--json", env=emergency.env)
    assert done.code == 0, done.err
    assert [one["rows"] for one in done.document["applied"]] == [2]
    assert [emergency.accounts()[n]["amount"] for n in (32, 33)] == [emergency.east_had[n]["amount"] for n in (32, 33)]


def _put_back(west: Connection[DictCursor]) -> int:
    try:
        return int(sql.value(west, "SELECT COUNT(*) FROM interlock.repaired"))
    except pymysql.err.ProgrammingError:
        return 0


SALVAGE = """\
playbook: copy
version: 1
summary: Copy a log.
inputs: {}
phases:
- phase: salvage
  steps:
  - do: logs.salvage
    with: {cluster: east, server: west}
on_failure: roll_back
"""


def test_a_playbook_copies_the_log_and_keeps_it_beside_the_store(pair: Sandbox, tmp_path: Path) -> None:
    env = environment(pair, tmp_path)
    playbook = tmp_path / "copy.yaml"
    playbook.write_text(SALVAGE)
    planned = interlock("plan", str(playbook), env=env)
    assert "binlog.000001 and what follows it" in planned.out, planned.err
    ended = interlock("run", str(playbook), "--as", "r1", env=env)
    assert ended.code == 0, ended.err
    assert sorted(path.name for path in (tmp_path / "salvage" / "r1").iterdir()) == ["binlog.000001", "manifest.json"]
