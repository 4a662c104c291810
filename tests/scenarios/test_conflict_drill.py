"""`interlock drill --conflicts`: real conflicts on a client's rows, what it says of them, and what the audit makes of it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interlock.sandbox.ledger import Told
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from interlock.sandbox.retrying import MAKE
from interlock.sandbox.sql import query
from scenarios.command_line import Ended, environment, interlock
from scenarios.pair_state import writer_and_standby

_WITHIN_S = 400.0
_MAY_BE_REFUSED = {"switchover"}
"""By its checks, on a machine that is too busy for it."""
_GIVES_UP = """\
import os
import pymysql

environ = os.environ
while True:
    try:
        with pymysql.connect(
            host=environ["INTERLOCK_DRILL_HOST"],
            port=int(environ["INTERLOCK_DRILL_PORT"]),
            user=environ["INTERLOCK_DRILL_USER"],
            password=open(environ["INTERLOCK_DRILL_PASSWORD_FILE"]).read().strip(),
            ssl_disabled=True,
        ) as connection:
            while True:
                with connection.cursor() as cursor:
                    cursor.execute("UPDATE app.drill_first SET n=n+1 WHERE id=1")
                    cursor.execute("UPDATE app.drill_second SET n=n+1 WHERE id=1")
                connection.commit()
                print("done", flush=True)
    except pymysql.Error as error:
        print(f"error {error.args[0]}\\ngave_up {error.args[0]}", flush=True)
"""


def _drill(pair: Sandbox, env: dict[str, str], *words: str) -> Ended:
    done = interlock("drill", "--conflicts", "--rounds", "1", "--dir", pair.directory, "--json", *words, env=env, within_s=_WITHIN_S)
    assert done.code in {0, 5}, done
    return done


def _question_7(env: dict[str, str]) -> Any:
    return interlock("audit", "--question", "7", "--json", env=env, within_s=_WITHIN_S).document["questions"][0]


def test_every_kind_of_conflict_is_made_and_a_client_that_tries_again_loses_nothing(mysql_pair: Sandbox, tmp_path: Path) -> None:
    pair = mysql_pair
    done = _drill(pair, environment(pair, tmp_path))
    said = done.document
    assert (done.code, said["good"], said["client_said"]["gave_up"]) == (0, True, {}), said
    assert set(said["not_made"]) <= _MAY_BE_REFUSED
    assert {"1213", "1205"} <= said["client_said"]["errors"].keys()
    assert said["tables"] == ["app.drill_first", "app.drill_second"]
    for server in pair.members:
        assert query(pair, server, "SELECT @@GLOBAL.innodb_lock_wait_timeout AS s") == [{"s": 50}]
    (counted,) = query(
        pair,
        writer_and_standby(pair)[0],
        "SELECT (SELECT SUM(n) FROM app.drill_first) AS first, (SELECT SUM(n) FROM app.drill_second) AS second, "
        "(SELECT COUNT(*) FROM app.drill_kept) AS kept",
    )
    assert counted == dict.fromkeys(("first", "second", "kept"), said["client_said"]["done"])


def test_of_a_sandbox_like_another_pair_the_server_says_itself_which_one_took_a_row(mysql_pair: Sandbox) -> None:
    writer, standby = writer_and_standby(mysql_pair)
    own, other = (mysql_pair.members[name].server_id for name in (writer, standby))
    query(mysql_pair, writer, f"SET GLOBAL auto_increment_offset={other}")
    try:
        with load(replace(mysql_pair, like="another"), pooled=1, fresh=1) as writing:
            entries = writing.stop()
    finally:
        query(mysql_pair, writer, f"SET GLOBAL auto_increment_offset={own}")
    assert {entry.server for entry in entries if entry.told is Told.OK} == {own}


def test_the_audit_tells_of_a_client_that_gives_up(pair: Sandbox, tmp_path: Path) -> None:
    env = environment(pair, tmp_path)
    for statement in MAKE:
        query(pair, writer_and_standby(pair)[0], statement)
    (asked,) = _question_7(env)["findings"]
    assert (asked["rule"], asked["verdict"]) == ("conflicts.application_retries", "a_person_must_say")
    script = tmp_path / "gives_up.py"
    script.write_text(_GIVES_UP)
    gave_up = _drill(pair, env, "--client", f"{sys.executable} {script}")
    assert (gave_up.code, gave_up.document["good"]) == (5, False)
    assert set(gave_up.document["not_made"]) <= _MAY_BE_REFUSED
    assert gave_up.document["client_said"]["gave_up"] == gave_up.document["client_said"]["errors"]
    (found,) = _question_7(env)["findings"]
    assert (found["rule"], found["verdict"]) == ("conflicts.application_retries", "needs_attention")
    assert "gives_up.py met " in found["says"]


@pytest.mark.parametrize(
    ("client", "code", "said"),
    [
        ("/no/such/program", 2, "/no/such/program can't be started: No such file or directory"),
        ("sh -c 'echo done; exit 3'", 3, "the client ended with exit code 3"),
        ("sh -c 'unclosed", 2, "can't be split into words"),
    ],
    ids=["no-program", "ends-at-once", "no-words"],
)
def test_a_client_that_does_not_work_ends_the_drill_with_its_reason(
    client: str, code: int, said: str, pair: Sandbox, tmp_path: Path
) -> None:
    words = ("drill", "--conflicts", "--dir", pair.directory, "--client", client)
    done = interlock(*words, env=environment(pair, tmp_path), within_s=_WITHIN_S)
    assert (done.code, said in done.err) == (code, True), done
