"""MySQL 9.7 in the east and MariaDB in the west, real servers both, by file and offset: docs/servers/mixed.md.

Twenty switchovers in a row: `make endurance-mixed`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from interlock.errors import ExitCode
from interlock.sandbox import ledger, sql
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from interlock.sandbox.poller import poller
from scenarios.command_line import environment, interlock
from scenarios.pair_state import open_sides, shape
from servers.mixed_lab import changed_nothing, channel, commit_together, go_on_behind_the_event, keys, mixed
from waiting import eventually

_PATIENT = ("-i", "max_lag=25s", "-i", "max_outage=25s")
"""What is looked at is whether it works; MySQL applies MariaDB's statements one by one, which takes its time on a busy machine."""


@pytest.fixture(scope="module")
def pair_of_two_kinds() -> Iterator[Sandbox]:
    with mixed({"east": "mysql", "west": "mariadb"}) as sandbox:
        yield sandbox


def plan_says(sandbox: Sandbox, folder: Path, words: str) -> bool:
    """On a busy machine it may say first that a server answers late."""

    def says() -> bool:
        done = interlock("plan", "switchover", "-i", "to=west", env=environment(sandbox, folder))
        return words in " ".join((done.out + done.err).split())

    return eventually(says)


def test_writes_move_there_and_back_under_load_and_nothing_is_lost(pair_of_two_kinds: Sandbox, tmp_path: Path) -> None:
    sandbox, env = pair_of_two_kinds, environment(pair_of_two_kinds, tmp_path)
    with poller(sandbox) as watching, load(sandbox, pooled=4, fresh=4, pause_s=0.05) as writing:
        done = [interlock("switchover", "--to", to, *_PATIENT, "--json", env=env, within_s=180) for to in ("west", "east")]
        entries, samples = writing.stop(), watching.stop()
    assert [one.document["outcome"] for one in done] == ["succeeded"] * 2, "\n".join(str(one.document["problems"]) for one in done)
    assert samples.two == 0
    assert eventually(lambda: keys(sandbox, "east", writing.prefix) == keys(sandbox, "west", writing.prefix))
    assert ledger.balance(entries, keys(sandbox, "east", writing.prefix)) == ledger.Balance(lost=(), duplicated=(), resurrected=())
    assert {entry.server for entry in ledger.acknowledged(entries)} == {1, 2}
    assert changed_nothing(sandbox, "west") == []  # one of those in a group commit would have stopped MySQL


def test_status_says_the_same_facts_in_the_same_words(pair_of_two_kinds: Sandbox, pair: Sandbox, tmp_path: Path) -> None:
    mixed_one, other = (interlock("status", "--json", env=environment(one, tmp_path)).document for one in (pair_of_two_kinds, pair))
    assert shape(mixed_one) == shape(other)
    assert {name: one["flavor"] for name, one in mixed_one["clusters"].items()} == {"east": "mysql", "west": "mariadb"}
    assert (mixed_one["writer"], mixed_one["problems"]) == ("east", [])


def test_row_events_of_mariadb_are_refused_before_anything_is_changed(pair_of_two_kinds: Sandbox, tmp_path: Path) -> None:
    sandbox = pair_of_two_kinds
    sql.query(sandbox, "west", "SET GLOBAL binlog_format=ROW")
    done = interlock("switchover", "--to", "west", "--json", env=environment(sandbox, tmp_path))
    sql.query(sandbox, "west", "SET GLOBAL binlog_format=STATEMENT")
    assert done.code == ExitCode.REFUSED
    assert "can't apply row events of MariaDB on west" in str(done.document["problems"])
    assert open_sides(sandbox) == ["east"]


def test_a_collation_that_stops_mariadb_is_refused(pair_of_two_kinds: Sandbox, tmp_path: Path) -> None:
    sandbox = pair_of_two_kinds
    sql.query(sandbox, "east", "SET GLOBAL default_collation_for_utf8mb4=utf8mb4_0900_ai_ci")
    said = plan_says(sandbox, tmp_path, "clients of east get the collation utf8mb4_0900_ai_ci, which stops west")
    sql.query(sandbox, "east", "SET GLOBAL default_collation_for_utf8mb4=utf8mb4_general_ci")
    assert said


def test_mariadb_takes_heartbeats_of_mysql_for_parts_of_its_log() -> None:
    """Which is why the pair above has none: the positions drift apart without any write."""
    with mixed({"east": "mysql", "west": "mariadb"}, beats_s=1) as sandbox:
        end = int(sql.query(sandbox, "east", "SHOW BINARY LOG STATUS")[0]["Position"])
        assert eventually(lambda: int(str(channel(sandbox, "west")["Read_Source_Log_Pos"])) > end)
        assert int(sql.query(sandbox, "east", "SHOW BINARY LOG STATUS")[0]["Position"]) == end


def test_what_the_refusal_says_is_what_mysql_does() -> None:
    """A row that MariaDB logs as a row stops the applier of MySQL 9.7."""
    with mixed({"east": "mysql", "west": "mariadb"}, mariadb_logs="ROW") as sandbox:
        sql.query(sandbox, "west", "INSERT INTO app.ledger (k, server_id) VALUES ('a row', 2)")
        assert eventually(lambda: channel(sandbox, "east")["Replica_SQL_Running"] == "No")
        assert "Could not parse relay log event entry" in str(channel(sandbox, "east")["Last_SQL_Error"])


@pytest.mark.parametrize("kind", ["mariadb", "mariadb-11.8"])
def test_a_statement_that_changes_nothing_stops_mysql_in_a_group_commit_of_old_mariadb_and_going_on_loses_nothing(
    kind: str, tmp_path: Path
) -> None:
    """What the warning says. The row that east alone has shows that what stood behind the event was applied, and not passed over."""
    with mixed({"east": "mysql", "west": kind}) as sandbox:
        with closing(sql.connect(sandbox, "east")) as unlogged:
            sql.rows(unlogged, "SET SESSION sql_log_bin=0")
            sql.rows(unlogged, "INSERT INTO interlock.canary (token, server) VALUES ('of east', 'east')")
        commit_together(
            sandbox,
            "west",
            "INSERT INTO app.ledger (k, server_id) VALUES ('m-changes', 2)",
            "DELETE FROM interlock.canary WHERE token='of east'",
        )
        assert any("of east" in statement for statement in changed_nothing(sandbox, "west"))
        if kind == "mariadb":
            assert eventually(lambda: "Failed to replace GTID event" in str(channel(sandbox, "east")["Last_IO_Error"]))
            (problem,) = interlock("status", "--json", env=environment(sandbox, tmp_path)).document["problems"]
            assert problem["hint"] == "go on behind that event: docs/servers/mixed.md, What MariaDB can't send to MySQL"
            go_on_behind_the_event(sandbox)
        sql.query(sandbox, "west", "INSERT INTO app.ledger (k, server_id) VALUES ('m-later', 2)")
        assert eventually(lambda: keys(sandbox, "east", "m") == ["m-changes", "m-later"])
        assert sql.query(sandbox, "east", "SELECT token FROM interlock.canary") == []


def test_mysql_passes_over_a_client_whose_collation_only_mariadb_knows_and_a_default_of_that_kind_is_refused(tmp_path: Path) -> None:
    with mixed({"east": "mysql", "west": "mariadb-11.8"}) as sandbox:
        with closing(sql.connect(sandbox, "west")) as client:
            for key, collation in (("c-over", "utf8mb4_uca1400_ai_ci"), ("c-applied", "utf8mb4_general_ci")):
                sql.rows(client, f"SET NAMES utf8mb4 COLLATE {collation}")
                sql.rows(client, "INSERT INTO app.ledger (k, server_id) VALUES (%s, 2)", key)
        assert eventually(lambda: keys(sandbox, "east", "c") == ["c-applied"])
        assert (channel(sandbox, "east")["Replica_SQL_Running"], channel(sandbox, "east")["Last_SQL_Error"]) == ("Yes", "")
        sql.query(sandbox, "west", "SET GLOBAL character_set_collations='utf8mb4=utf8mb4_uca1400_ai_ci'")
        assert plan_says(sandbox, tmp_path, "clients of west get the collation utf8mb4_uca1400_ai_ci: east (MySQL 9.7.4) passes over")
