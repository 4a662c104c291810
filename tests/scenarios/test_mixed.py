"""MySQL 9.7 in the east and MariaDB in the west, real servers both, by file and offset: docs/servers/mixed.md.

Twenty switchovers in a row: `make endurance-mixed`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.errors import ExitCode
from interlock.sandbox import ledger, sql
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from interlock.sandbox.poller import poller
from scenarios.command_line import environment, interlock
from scenarios.pair_state import eventually, open_sides, shape
from servers.mixed_lab import channel, keys, mixed

_PATIENT = ("-i", "max_lag=25s", "-i", "max_outage=25s")
"""What is looked at is whether it works; MySQL applies MariaDB's statements one by one, which takes its time on a busy machine."""


@pytest.fixture(scope="module")
def pair_of_two_kinds() -> Iterator[Sandbox]:
    with mixed({"east": "mysql", "west": "mariadb"}) as sandbox:
        yield sandbox


def test_writes_move_there_and_back_under_load_and_nothing_is_lost(pair_of_two_kinds: Sandbox, tmp_path: Path) -> None:
    sandbox, env = pair_of_two_kinds, environment(pair_of_two_kinds, tmp_path)
    # Few clients: of transactions that MariaDB commits in a group, a rare one stops MySQL (docs/servers/mixed.md).
    with poller(sandbox) as watching, load(sandbox, pooled=1, fresh=1, pause_s=0.02) as writing:
        done = [interlock("switchover", "--to", to, *_PATIENT, "--json", env=env, within_s=180) for to in ("west", "east")]
        entries, samples = writing.stop(), watching.stop()
    assert [one.document["outcome"] for one in done] == ["succeeded"] * 2, "\n".join(str(one.document["problems"]) for one in done)
    assert samples.two == 0
    assert eventually(lambda: keys(sandbox, "east", writing.prefix) == keys(sandbox, "west", writing.prefix))
    assert ledger.balance(entries, keys(sandbox, "east", writing.prefix)) == ledger.Balance(lost=(), duplicated=(), resurrected=())
    assert {entry.server for entry in ledger.acknowledged(entries)} == {1, 2}


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
    done = interlock("plan", "switchover", "-i", "to=west", env=environment(sandbox, tmp_path))
    sql.query(sandbox, "east", "SET GLOBAL default_collation_for_utf8mb4=utf8mb4_general_ci")
    assert "clients of east get the collation utf8mb4_0900_ai_ci, which stops west" in " ".join((done.out + done.err).split())


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
