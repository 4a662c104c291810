"""The MariaDB driver on a real pair, logged in with exactly the grants that `interlock grants` prints."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pymysql
import pytest

from interlock.errors import BoundReached, NotPermitted, PairBusy, StatementFailed, WriteRefused
from interlock.model.effects import Fence, KillSessions, Open, RunSql, SetEventScheduler
from interlock.model.position import MariaDBPosition, parse_position
from interlock.model.topology import ServerName
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from interlock.servers.canary import prune_if_writable
from interlock.servers.file_positions import PAGE_EVENTS, log_point
from interlock.servers.server import SqlServer
from servers.mariadb_lab import CANARY, TOOL, client, driver, fenced, make_accounts, running
from waiting import eventually

EAST, WEST = ServerName("east"), ServerName("west")


@pytest.fixture(scope="module")
def lab(pair: Sandbox) -> Sandbox:
    make_accounts(pair)
    return pair


@pytest.fixture
def east(lab: Sandbox) -> Iterator[SqlServer]:
    with driver(lab, "east") as server:
        yield server
        sql.query(lab, "east", "SET GLOBAL read_only=0")


@pytest.fixture
def west(lab: Sandbox) -> Iterator[SqlServer]:
    with driver(lab, "west") as server:
        yield server


# -- facts


def test_facts_are_those_of_the_option_file(east: SqlServer) -> None:
    facts = east.facts()
    assert (facts.flavor, facts.server_id, facts.gtid_domain_id, facts.auto_increment_increment) == ("mariadb", 1, 1, 2)
    assert facts.log_bin
    assert facts.log_slave_updates
    assert abs(facts.clock_offset_s) < 30  # the machine's own clock, and how long it took to ask
    assert facts.filters == {}


def test_write_facts_hold_what_the_server_logged_and_applied(lab: Sandbox, east: SqlServer) -> None:
    before = east.write_facts()
    sql.query(lab, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('facts', 1)")
    after = east.write_facts()
    assert (before.read_only, after.event_scheduler) == (False, "OFF")
    assert before.position.behind(after.position) == 1


def test_both_channels_run_and_are_named_by_the_pair(east: SqlServer, west: SqlServer) -> None:
    (into_east,), (into_west,) = east.channels(), west.channels()
    assert (into_east.source, into_west.source) == (WEST, EAST)
    assert (into_west.receiver, into_west.applier, into_west.error) == ("Yes", True, "")
    assert into_west.lag_s is not None


def test_lag_of_a_stopped_applier_is_not_known(lab: Sandbox, west: SqlServer) -> None:
    sql.query(lab, "west", "STOP SLAVE SQL_THREAD")
    try:
        (channel,) = west.channels()
        assert (channel.applier, channel.lag_s) == (False, None)
    finally:
        sql.query(lab, "west", "START SLAVE SQL_THREAD")


def test_sessions_are_the_clients_with_their_open_transaction(lab: Sandbox, east: SqlServer) -> None:
    with client(lab, "east") as app, client(lab, "east", "admin") as admin:
        sql.rows(app, "BEGIN")
        sql.rows(app, "INSERT INTO app.ledger (k, server_id) VALUES ('open', 1)")
        seen = {one.user: one for one in east.sessions() if one.id in {app.thread_id(), admin.thread_id()}}  # type: ignore[no-untyped-call]
        everybody = {one.user for one in east.sessions()}
    assert seen["app"].rows_modified == 1
    assert seen["app"].transaction_s is not None
    assert seen["app"].transaction_s < 600
    assert seen["admin"].transaction_s is None
    assert (seen["app"].passes_read_only, seen["admin"].passes_read_only) == (False, True)
    assert not everybody & {TOOL, CANARY, "repl", "system user", "event_scheduler"}


def test_a_role_that_passes_read_only_is_counted(lab: Sandbox, east: SqlServer) -> None:
    for statement in ("CREATE ROLE writer", "GRANT READ_ONLY ADMIN ON *.* TO writer", "GRANT writer TO watch@'%'"):
        sql.query(lab, "east", statement)
    try:
        with client(lab, "east", "watch"):
            assert [one.passes_read_only for one in east.sessions() if one.user == "watch"] == [True]
    finally:
        sql.query(lab, "east", "DROP ROLE writer")


def test_running_ddl_is_named(lab: Sandbox, east: SqlServer) -> None:
    with running(lab, "east", "/* why */ CREATE TABLE app.slow AS SELECT SLEEP(300) AS a"):
        (found,) = east.ddl_running()
    assert (found.user, "CREATE TABLE app.slow" in found.statement) == ("app", True)
    assert eventually(lambda: east.ddl_running() == ())  # a server shows a statement a moment longer than its client waits for it


@pytest.mark.parametrize(
    ("lock", "account", "says"),
    [
        pytest.param("LOCK TABLES app.ledger WRITE", "app", "table app.ledger is locked", id="lock-tables"),
        pytest.param("FLUSH TABLES WITH READ LOCK", "admin", "FLUSH TABLES WITH READ LOCK", id="ftwrl"),
    ],
)
def test_lock_holders_are_seen_without_any_plugin(lab: Sandbox, east: SqlServer, lock: str, account: str, says: str) -> None:
    assert eventually(lambda: east.lock_holders() == ())  # of the tests before
    with client(lab, "east", account) as holder:
        sql.rows(holder, lock)
        (sentence,) = east.lock_holders()
    assert says in sentence
    assert eventually(lambda: east.lock_holders() == ())


def test_lock_holder_is_named_with_the_plugin(lab: Sandbox, east: SqlServer) -> None:
    sql.query(lab, "east", "INSTALL SONAME 'metadata_lock_info'")
    try:
        with client(lab, "east") as holder:
            sql.rows(holder, "LOCK TABLES app.ledger WRITE")
            number = holder.thread_id()  # type: ignore[no-untyped-call]
            sentences = east.lock_holders()
        assert any(f"session {number} of app@" in one and "app.ledger" in one for one in sentences)
    finally:
        sql.query(lab, "east", "UNINSTALL SONAME 'metadata_lock_info'")


def test_statements_and_open_transactions_are_no_lock_holders(lab: Sandbox, east: SqlServer) -> None:
    with client(lab, "east") as other, running(lab, "east", "SELECT SLEEP(300) FROM app.ledger LIMIT 1"):
        sql.rows(other, "BEGIN")
        sql.rows(other, "UPDATE app.ledger SET server_id=1 LIMIT 1")
        assert east.lock_holders() == ()


def test_prepared_transactions_are_named(lab: Sandbox, east: SqlServer) -> None:
    with client(lab, "east", "admin") as owner:
        for statement in (
            "XA START 'branch'",
            "INSERT INTO app.ledger (k, server_id) VALUES ('xa', 1)",
            "XA END 'branch'",
            "XA PREPARE 'branch'",
        ):
            sql.rows(owner, statement)
        assert east.prepared_transactions() == ("branch",)
        sql.rows(owner, "XA ROLLBACK 'branch'")
    assert east.prepared_transactions() == ()


def test_enabled_events_and_whether_their_definer_passes(lab: Sandbox, east: SqlServer) -> None:
    with client(lab, "east") as app, client(lab, "east", "admin") as admin:
        sql.rows(app, "CREATE EVENT app.tame ON SCHEDULE EVERY 1 YEAR DO SELECT 1")
        sql.rows(app, "CREATE EVENT app.off ON SCHEDULE EVERY 1 YEAR DISABLE DO SELECT 1")
        sql.rows(admin, "CREATE EVENT app.wild ON SCHEDULE EVERY 1 YEAR DO SELECT 1")
        seen = {(one.name, one.definer, one.passes_read_only) for one in east.events()}
        for name in ("tame", "off", "wild"):
            sql.rows(admin, f"DROP EVENT app.{name}")
    assert seen == {("tame", "app@%", False), ("wild", "admin@%", True)}


def test_the_printed_grants_are_complete(east: SqlServer) -> None:
    assert east.missing_privileges() == ()


def test_they_are_read_where_the_server_does_not_quote_names(lab: Sandbox) -> None:
    sql.query(lab, "east", "SET GLOBAL sql_quote_show_create=0")
    try:
        with driver(lab, "east") as fresh:
            assert fresh.missing_privileges() == ()
    finally:
        sql.query(lab, "east", "SET GLOBAL sql_quote_show_create=1")


def test_each_missing_privilege_is_named_as_its_grant(lab: Sandbox) -> None:
    sql.query(lab, "east", f"REVOKE CONNECTION ADMIN, READ_ONLY ADMIN ON *.* FROM {TOOL}@'%'")
    try:
        with driver(lab, "east") as poor:
            lacks = ("READ_ONLY ADMIN", "CONNECTION ADMIN")  # the second one too, though SUPER still implies it until 11.0
            assert poor.missing_privileges() == tuple(f"GRANT {one} ON *.* TO '{TOOL}'@'%'" for one in lacks)
            with pytest.raises(NotPermitted) as refused:
                poor.apply(Fence(server=EAST, within_s=1), "m")
            assert "interlock grants" in refused.value.hint
    finally:
        sql.query(lab, "east", f"GRANT CONNECTION ADMIN, READ_ONLY ADMIN ON *.* TO {TOOL}@'%'")


def test_the_log_since_a_position_over_rotated_files(lab: Sandbox, east: SqlServer) -> None:
    start = east.write_facts().position
    for number in range(3):
        sql.query(lab, "east", "INSERT INTO app.ledger (k, server_id) VALUES (%s, 1)", f"log{number}")
        sql.query(lab, "east", "FLUSH BINARY LOGS")
    logged = east.logged_since(start, 10)
    assert east.logged_since(start, 2) == logged[:2]
    assert len({one.file for one in logged}) == 3
    assert [one.server_id for one in logged] == [1, 1, 1]
    assert start.behind(parse_position(logged[-1].gtid)) == 3
    assert east.logged_since(east.write_facts().position, 10) == ()


def test_a_page_of_the_log_that_ends_in_the_midst_of_a_transaction_is_followed_by_the_next(mariadb_11_pair: Sandbox) -> None:
    """MariaDB 11.8 tells no end of such an event. A row is three events, so the page ends among them."""
    make_accounts(mariadb_11_pair)
    with driver(mariadb_11_pair, "east") as east, closing(sql.connect(mariadb_11_pair, "east")) as writer:
        start = east.write_facts().position
        sql.rows(writer, "BEGIN")
        for number in range(PAGE_EVENTS // 2):
            sql.rows(writer, "INSERT INTO app.ledger (k, server_id) VALUES (%s, 1)", f"page{number}")
        sql.rows(writer, "COMMIT")
        sql.rows(writer, "INSERT INTO app.ledger (k, server_id) VALUES ('after', 1)")
        log = east.logged_since(start, 10)
        assert [start.behind(parse_position(one.gtid)) for one in log] == [1, 2]
        file = log[0].file
        events = sql.rows(writer, f"SHOW BINLOG EVENTS IN '{file}' FROM {log[0].offset} LIMIT {PAGE_EVENTS}")
        assert events[-1]["End_log_pos"] == 0


def test_the_log_since_a_warm_up_is_read_from_its_offset(lab: Sandbox, east: SqlServer) -> None:
    """The same answer with the remembered offset, for a position after it, and without it, for one before it."""
    before = east.write_facts().position
    sql.query(lab, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('first', 1)")
    east.warm_up()
    warm = east.write_facts().position
    sql.query(lab, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('second', 1)")
    assert len(east.logged_since(before, 10)) == 2
    assert [str(warm.behind(parse_position(one.gtid))) for one in east.logged_since(warm, 10)] == ["1"]
    marked = east._bookmark
    assert marked is not None
    (second,) = east.logged_since(warm, 10)
    assert (second.file, second.offset) == (marked.at.file, marked.at.offset)
    east._bookmark = replace(marked, at=log_point(sql.query(lab, "east", "SHOW MASTER STATUS")[0]))
    assert east.logged_since(warm, 10) == ()  # a wrong offset gives a wrong answer: so it is used


def test_another_process_recalls_where_the_log_ended(lab: Sandbox, east: SqlServer) -> None:
    """As the journal stores it; what can't be read is as if there were nothing."""
    kept = json.loads(json.dumps(east.warm_up()))
    warm = east.write_facts().position
    sql.query(lab, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('third', 1)")
    with driver(lab, "east") as later:
        later.recall(kept)
        assert later._bookmark == east._bookmark
        later.recall({"of": "another version"})
        assert later.logged_since(warm, 10) == east.logged_since(warm, 10) != ()


# -- fence and proof


def test_fence_refuses_clients_and_returns_the_last_position(lab: Sandbox, east: SqlServer) -> None:
    seen = east.apply(Fence(server=EAST, within_s=20), "run-1")
    with client(lab, "east") as app, pytest.raises(pymysql.err.OperationalError) as refused:
        sql.rows(app, "INSERT INTO app.ledger (k, server_id) VALUES ('late', 1)")
    assert refused.value.args[0] == 1290
    assert seen["position"] == east.write_facts().position
    assert east.proof_of_fence().canary == "refused"
    east.apply(Open(server=EAST), "run-1")
    assert not east.write_facts().read_only


def test_script_is_what_the_server_gets(lab: Sandbox, east: SqlServer) -> None:
    sql.query(lab, "east", "SET GLOBAL general_log=1, log_output='TABLE'")
    effect = Fence(server=EAST, within_s=1.5)
    try:
        east.apply(effect, "run/1*/x")
        log = sql.query(lab, "east", "SELECT argument FROM mysql.general_log WHERE argument LIKE '/* interlock%'")
    finally:
        sql.query(lab, "east", "SET GLOBAL general_log=0, log_output='FILE'")
        sql.query(lab, "east", "TRUNCATE mysql.general_log")
    got = [line["argument"].decode() if isinstance(line["argument"], bytes) else line["argument"] for line in log]
    assert got[0] == ";\n".join(f"/* interlock:run-1-x */ {statement}" for statement in east.script(effect))  # in one round trip


@pytest.mark.parametrize(
    ("holder", "within_s"),
    [pytest.param("LOCK TABLES app.ledger WRITE", 0.4, id="below-a-second"), pytest.param("LOCK TABLES app.ledger WRITE", 1.2, id="above")],
)
def test_stuck_fence_ends_at_its_bound_and_names_the_table(lab: Sandbox, east: SqlServer, holder: str, within_s: float) -> None:
    with client(lab, "east") as app:
        sql.rows(app, holder)
        began = time.perf_counter()
        with pytest.raises(BoundReached) as stuck:
            east.apply(Fence(server=EAST, within_s=within_s), "m")
        took_s = time.perf_counter() - began
        assert within_s - 0.05 < took_s < 60  # without a bound it would be a day
        assert "table app.ledger is locked" in stuck.value.hint
        assert not east.write_facts().read_only
        sql.rows(app, "INSERT INTO app.ledger (k, server_id) VALUES ('still writable', 1)")


def test_fence_behind_a_running_update_names_its_session(lab: Sandbox, east: SqlServer) -> None:
    sql.query(lab, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('slow', 1)")
    with running(lab, "east", "UPDATE app.ledger SET server_id=1+SLEEP(300) WHERE k='slow' LIMIT 1"):
        with pytest.raises(BoundReached) as stuck:
            east.apply(Fence(server=EAST, within_s=0.3), "m")
        assert "of app@" in stuck.value.hint
        assert "UPDATE app.ledger" in stuck.value.hint


def test_second_fence_takes_no_lock(lab: Sandbox, east: SqlServer) -> None:
    """The server itself does nothing when it is read-only already; a lock holder would hold up anything else."""
    with client(lab, "east", "admin") as holder, fenced(lab, "east"):
        sql.rows(holder, "LOCK TABLES app.ledger WRITE")
        east.apply(Fence(server=EAST, within_s=20), "m")


def test_an_open_transaction_is_refused_at_its_commit(lab: Sandbox, east: SqlServer) -> None:
    with client(lab, "east") as app:
        sql.rows(app, "BEGIN")
        sql.rows(app, "INSERT INTO app.ledger (k, server_id) VALUES ('never', 1)")
        position = east.apply(Fence(server=EAST, within_s=20), "m")["position"]
        with pytest.raises(pymysql.err.OperationalError) as refused:
            app.commit()
        assert refused.value.args[0] == 1290
    assert east.write_facts().position == position


def test_a_server_that_takes_writes_is_not_proved_fenced(east: SqlServer) -> None:
    with pytest.raises(StatementFailed, match="east takes writes"):
        east.proof_of_fence()


def test_without_a_canary_account_the_proof_says_so(lab: Sandbox) -> None:
    with driver(lab, "west", canary=None) as west:
        assert west.proof_of_fence().canary.startswith("not tried: ")


def test_a_canary_account_that_passes_read_only_proves_nothing(lab: Sandbox) -> None:
    sql.query(lab, "east", f"GRANT READ_ONLY ADMIN ON *.* TO {CANARY}@'%'")
    try:
        with driver(lab, "east") as east, fenced(lab, "east"), pytest.raises(StatementFailed) as passed:
            east.proof_of_fence()
        assert "took a canary write" in passed.value.message
        assert f"{CANARY} must not pass read_only" in passed.value.hint
    finally:
        sql.query(lab, "east", f"REVOKE READ_ONLY ADMIN ON *.* FROM {CANARY}@'%'")


# -- canary, wait


@pytest.mark.parametrize("canary", [pytest.param(CANARY, id="canary-account"), pytest.param(None, id="own-account")])
def test_a_canary_goes_over_and_never_into_a_fenced_server(lab: Sandbox, west: SqlServer, canary: str | None) -> None:
    token = f"tok'en\"\\`\n{canary}"
    with driver(lab, "east", canary=canary) as east:
        east.write_canary(token)
        east.write_canary(token)
        assert east.sees_canary(token)
        assert eventually(lambda: west.sees_canary(token))
        with fenced(lab, "east"), pytest.raises(WriteRefused):
            east.write_canary("refused")
        assert not east.sees_canary("refused")


def test_a_missing_canary_table_is_made_by_the_tool(lab: Sandbox) -> None:
    sql.query(lab, "east", "DROP DATABASE interlock")
    with driver(lab, "east", canary=None) as east:
        assert not east.sees_canary("first")
        with fenced(lab, "east"), pytest.raises(WriteRefused):
            east.write_canary("first")
        east.write_canary("first")
        assert east.sees_canary("first")


def test_old_canaries_of_this_server_are_removed(lab: Sandbox, east: SqlServer) -> None:
    sql.query(lab, "east", "DELETE FROM interlock.canary")
    sql.query(
        lab,
        "east",
        "INSERT INTO interlock.canary (token, server, at) SELECT CONCAT('old', seq), 'east', '2020-01-01' FROM app.seq_1_to_1010",
    )
    sql.query(lab, "east", "INSERT INTO interlock.canary (token, server, at) VALUES ('other', 'west', '2020-01-01')")
    east.write_canary("new")
    kept = {row["token"] for row in sql.query(lab, "east", "SELECT token FROM interlock.canary")}
    assert {"new", "other"} <= kept
    assert len(kept) <= 1002


def test_removing_old_canaries_does_not_move_a_fenced_position(lab: Sandbox, east: SqlServer) -> None:
    sql.query(
        lab, "east", "INSERT INTO interlock.canary (token, server, at) SELECT CONCAT('f', seq), 'f', '2020-01-01' FROM app.seq_1_to_1010"
    )
    with fenced(lab, "east"):
        before = east.write_facts().position
        east.apply(RunSql(server=EAST, statements=(prune_if_writable(ServerName("f")),), within_s=60), "m")
        assert east.write_facts().position == before
    assert east.apply(RunSql(server=EAST, statements=(prune_if_writable(ServerName("f")),), within_s=60), "m")["affected"] == [1010]


def test_wait_ends_when_the_position_is_applied(lab: Sandbox, east: SqlServer, west: SqlServer) -> None:
    sql.query(lab, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('wait', 1)")
    assert west.wait_applied(east.write_facts().position, 60)
    assert east.wait_applied(east.write_facts().position, 0.001)  # its own domain is not waited for


def test_wait_ends_at_its_time_for_a_position_that_never_comes(west: SqlServer) -> None:
    west.warm_up()
    began = time.perf_counter()
    assert not west.wait_applied(MariaDBPosition.parse("99-9-9"), 0.2)
    assert time.perf_counter() - began > 0.15


# -- other effects


def test_killed_sessions_are_gone_and_replication_is_never_killed(lab: Sandbox, east: SqlServer) -> None:
    with client(lab, "east") as app:
        listed = sql.query(lab, "east", "SELECT id FROM information_schema.processlist WHERE user IN ('repl', 'system user')")
        replicates = {int(row["id"]) for row in listed}
        number = app.thread_id()  # type: ignore[no-untyped-call]
        assert len(replicates) >= 2
        east.apply(KillSessions(server=EAST, ids=(number, *replicates, 999_999)), "m")
        left = {int(row["id"]) for row in sql.query(lab, "east", "SELECT id FROM information_schema.processlist")}
    assert left & {number, *replicates} == replicates


def test_the_event_scheduler_is_set_and_read_back(east: SqlServer) -> None:
    east.apply(SetEventScheduler(server=EAST, on=True), "m")
    assert east.write_facts().event_scheduler == "ON"
    east.apply(SetEventScheduler(server=EAST, on=False), "m")
    assert east.write_facts().event_scheduler == "OFF"


def test_sql_returns_the_last_rows_as_plain_values(east: SqlServer) -> None:
    effect = RunSql(server=EAST, statements=("SET @a = 1", "SELECT @a AS a, 1.5 AS d, NOW() AS t, NULL AS n"), within_s=20)
    rows: Any = east.apply(effect, "m")["rows"]
    (row,) = rows
    assert (row["a"], row["d"], row["n"], isinstance(row["t"], str)) == (1, "1.5", None, True)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        pytest.param("SELECT SLEEP(300)", BoundReached, id="bounded"),
        pytest.param("SELECT 1; DROP TABLE app.ledger", StatementFailed, id="one-statement-each"),
    ],
)
def test_sql_that_goes_wrong(east: SqlServer, statement: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        east.apply(RunSql(server=EAST, statements=(statement,), within_s=0.3), "m")


# -- the lock


@pytest.mark.parametrize(
    "name", [pytest.param("interlock:pair", id="short"), pytest.param("interlock:" + "long'`" * 40, id="long-and-odd")]
)
def test_one_holder_at_a_time_and_the_other_is_told_who(lab: Sandbox, east: SqlServer, name: str) -> None:
    with driver(lab, "east") as other:
        assert not east.holds_lock(name)
        east.take_lock(name)
        east.take_lock(name)
        assert east.holds_lock(name)
        with pytest.raises(PairBusy, match=rf"held by session \d+ of {TOOL}@"):
            other.take_lock(name)
        assert not other.holds_lock(name)
        east.release_lock(name)
        other.take_lock(name)
        assert not east.holds_lock(name)


def test_lock_stays_over_settle(east: SqlServer) -> None:
    east.take_lock("interlock:settle")
    east.settle()
    assert east.holds_lock("interlock:settle")


@pytest.mark.parametrize(("owner", "again", "taken"), [("run-1", True, True), ("run-1", False, False), ("run-2", True, False)])
def test_only_its_own_run_takes_over_a_lock_whose_connection_hangs(lab: Sandbox, *, owner: str, again: bool, taken: bool) -> None:
    """As a cut link leaves it: the server still has the session, and nobody is on the other end."""
    name = f"interlock:{owner}-{again}"
    with driver(lab, "east") as gone, driver(lab, "east") as back:
        gone.take_lock(name, owner="run-1")
        if taken:
            back.take_lock(name, owner=owner, again=again)
        else:
            with pytest.raises(PairBusy, match="held by session") as busy:
                back.take_lock(name, owner=owner, again=again)
            assert "KILL that session" in busy.value.hint
        assert back.holds_lock(name) is taken
