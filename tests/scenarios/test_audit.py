"""`interlock audit` as a person types it: exit codes, pages, history, and a watch that tells only changes."""

from __future__ import annotations

import json
import shlex
import signal
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from interlock.clock import SystemClock
from interlock.sandbox import sql
from interlock.sandbox.kinds import kind_named
from interlock.sandbox.places import Sandbox
from interlock.stores.sqlite import SqliteStore
from scenarios.command_line import environment, interlock, start


def test_an_audit_is_kept_and_the_next_one_tells_what_is_new_and_gone(fresh_pair: Sandbox, tmp_path: Path) -> None:
    env = environment(fresh_pair, tmp_path)
    first = interlock("audit", "--json", env=env)
    assert (first.code, first.document["counts"]["unfit"], first.document["since"]) == (0, 0, None)
    sql.query(fresh_pair, "west", "SET GLOBAL slave_exec_mode='IDEMPOTENT'")
    second = interlock("audit", "--json", "--html", str(tmp_path / "a.html"), "--markdown", str(tmp_path / "a.md"), env=env)
    assert second.code == 3
    assert [one["rule"] for one in second.document["new"]] == ["conflicts.are_not_hidden"]
    for page in ("a.html", "a.md"):
        text = (tmp_path / page).read_text()
        assert "SET GLOBAL slave_exec_mode" in text
        assert (tmp_path / page).stat().st_mode & 0o077 == 0
    sql.query(fresh_pair, "west", "SET GLOBAL slave_exec_mode='STRICT'")
    third = interlock("audit", "--json", env=env)
    assert third.code == 0
    assert [one["rule"] for one in third.document["gone"]] == ["conflicts.are_not_hidden"]


def test_a_part_of_the_checklist_is_asked_alone_and_not_kept(fresh_pair: Sandbox, tmp_path: Path) -> None:
    env = environment(fresh_pair, tmp_path)
    asked = interlock("audit", "--question", "6", env=env)
    assert asked.code == 0
    assert "Key collision on insert" in asked.out
    assert "Timestamps" not in asked.out
    assert interlock("audit", "--json", env=env).document["since"] is None
    unknown = interlock("audit", "--rule", "keys.apar", env=env)
    assert (unknown.code, "there is no audit rule 'keys.apar'" in unknown.err) == (2, True)


def test_what_a_comparison_found_is_told_and_the_printed_commands_mend_it(fresh_pair: Sandbox, tmp_path: Path) -> None:
    env = environment(fresh_pair, tmp_path)
    sql.query(fresh_pair, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('a', 1)")
    with closing(sql.connect(fresh_pair, "west")) as west:
        assert (
            sql.value(west, kind_named(fresh_pair.kind).wait, sql.query(fresh_pair, "east", "SELECT @@gtid_binlog_pos AS p")[0]["p"], 10)
            == 0
        )
        sql.rows(west, "SET sql_log_bin=0")
        sql.rows(west, "UPDATE app.ledger SET k='b'")
    assert interlock("diff", env=env).code == 3
    found = interlock("audit", "--question", "14", "--json", env=env)
    (one,) = found.document["questions"][0]["findings"]
    assert (found.code, one["rule"], one["verdict"]) == (3, "validation.compared", "unfit")
    for line in one["fix"]["text"].splitlines():
        done = interlock(*shlex.split(line)[1:], "--yes", env=env)
        assert done.code == 0, done
    assert interlock("audit", "--question", "14", "--json", env=env).document["counts"] == {
        "needs_attention": 0,
        "unfit": 0,
        "a_person_must_say": 0,
    }


def test_a_rehearsal_answers_until_one_fails(fresh_pair: Sandbox, tmp_path: Path) -> None:
    env = environment(fresh_pair, tmp_path)

    def verdicts() -> list[str]:
        return [one["verdict"] for one in interlock("audit", "--question", "15", "--json", env=env).document["questions"][0]["findings"]]

    assert verdicts() == ["a_person_must_say"]
    assert interlock("switchover", "--to", "west", env=env).code == 0
    assert verdicts() == []
    with closing(SqliteStore.open(tmp_path / "runs.db", SystemClock())) as store:
        last = store.runs("sandbox")[0]
        store.create_run(
            replace(last, run="zz-failed", started_at=last.started_at + timedelta(seconds=1), state="rolled_back", outcome=None)
        )
        assert "plan.no_run_unfinished" in interlock("audit", "--question", "12", env=env).out
        store.set_state("zz-failed", "rolled_back", "rolled_back")
    assert verdicts() == ["needs_attention"]


def test_a_watch_tells_what_changed_and_ends_when_it_is_told_to(fresh_pair: Sandbox, tmp_path: Path) -> None:
    env = environment(fresh_pair, tmp_path)
    elsewhere = {**env, "INTERLOCK_STORE": f"sqlite://{tmp_path}/other/runs.db"}
    asks = interlock("audit", "--json", env=elsewhere).document["counts"]["a_person_must_say"]
    with start("audit", "--watch", "--every", "200ms", "--json", env=env) as process:
        assert process.stdout is not None
        said = [json.loads(process.stdout.readline()) for _ in range(asks)]
        assert {one["verdict"] for one in said} == {"a_person_must_say"}
        sql.query(fresh_pair, "west", "SET GLOBAL unique_checks=0")
        new = json.loads(process.stdout.readline())
        sql.query(fresh_pair, "west", "SET GLOBAL unique_checks=1")
        gone = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        rest, err = process.communicate(timeout=120)
    assert [(one["change"], one["rule"]) for one in (new, gone)] == [
        ("new", "integrity.unique_checked"),
        ("gone", "integrity.unique_checked"),
    ]
    assert (process.returncode, err, json.loads(rest)) == (0, "", {"ended": True})
