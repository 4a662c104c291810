"""The MySQL driver on a real pair, logged in with exactly the grants that `interlock grants` prints."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest

from contract.benches import RealBench
from interlock.actions.server_fence import FenceServer
from interlock.clock import SystemClock
from interlock.errors import BoundReached, NotPermitted, OutcomeUnknown, WriteRefused
from interlock.model.effects import CloseSegment, Fence, KillSessions, Open, RunSql
from interlock.model.position import GtidSource, MySQLPosition
from interlock.model.topology import (
    Access,
    Account,
    ClusterName,
    SecretRef,
    SecretSource,
    SegmentSpec,
    ServerName,
    ServerSpec,
    Tenants,
    Tls,
)
from interlock.model.verdict import Done
from interlock.ports import Server
from interlock.sandbox import pair as pairs
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from interlock.servers.mysql_script import SETUP, write_state
from interlock.servers.mysql_words import NEEDS, words
from interlock.servers.pool import Pool, Purpose
from interlock.servers.registry import make_server
from servers.mariadb_lab import client, running
from servers.offline_lab import dumps, let_in, log_in_again, receives
from waiting import eventually

EAST, WEST = ServerName("east"), ServerName("west")
FENCE, STUCK, OPEN = Fence(server=EAST, within_s=20.0), Fence(server=EAST, within_s=1.0), Open(server=EAST)
_PATIENT_S = 60.0
_STATE = write_state(words((9, 7, 4)))


@pytest.fixture(scope="module")
def lab(mysql_pair: Sandbox) -> Sandbox:
    return mysql_pair


@pytest.fixture
def bench(lab: Sandbox) -> Iterator[RealBench]:
    made = RealBench(lab)
    yield made
    made.put_back()


@pytest.fixture
def east(bench: RealBench) -> Server:
    return bench.first.server("east")


@pytest.fixture
def west(bench: RealBench) -> Server:
    return bench.first.server("west")


def spec(lab: Sandbox, name: str, *, tls: Tls | None = None) -> ServerSpec:
    member = lab.members[name]
    account, canary = (
        Account(user=user, password=SecretRef(source=SecretSource.FILE, place=(str(lab.password_file(user)),)))
        for user in ("interlock", "interlock_canary")
    )
    return ServerSpec(
        name=ServerName(name),
        cluster=RealBench(lab).first.topology.server(name).cluster,
        host=member.host,
        port=member.port,
        access=Access(account=account, canary=canary, tls=tls),
    )


def secret(reference: SecretRef) -> str:
    return Path(reference.place[0]).read_text().rstrip("\n")


def state(lab: Sandbox, name: str) -> tuple[int, int, int]:
    """read_only, super_read_only, and how many of the two are persisted."""
    (row,) = sql.query(lab, name, _STATE)
    return row["read_only"], row["super_read_only"], len(row["persisted"].split(",")) if row["persisted"] else 0


# -- logging in


@pytest.mark.parametrize("tls", [pytest.param(False, id="without-tls"), pytest.param(True, id="with-tls")])
def test_an_account_of_caching_sha2_logs_in_with_a_cold_cache(lab: Sandbox, *, tls: bool) -> None:
    """Its password goes over encrypted: by TLS, or with the server's own key."""
    sql.query(lab, "east", "FLUSH PRIVILEGES")  # empties the cache of the plugin
    assert sql.query(lab, "east", "SELECT plugin FROM mysql.user WHERE user='interlock'") == [{"plugin": "caching_sha2_password"}]
    authority = Tls(ca=str(Path(lab.members["east"].data, "ca.pem")), verify_name=False) if tls else None
    server = make_server(spec(lab, "east", tls=authority), secrets=secret, clock=SystemClock(), pair=())
    try:
        assert not server.write_facts().read_only
        assert bool(server._pool.rows("SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0]["Value"]) is tls
    finally:
        server.close()


# -- fence


def test_a_fence_stops_administrators_too_and_outlives_a_restart(lab: Sandbox, bench: RealBench) -> None:
    """Though its option file says that it starts open, and somebody's plain `read_only=1` came first. Its system's time zone is another
    one this time: no age depends on it.
    """
    east, options, fence = bench.first.server("east"), Path(lab.members["east"].options), FenceServer(server=EAST)
    sql.query(lab, "east", "SET GLOBAL read_only=1")
    for effect in fence.effects(fence.look(bench.first)):
        east.apply(effect, "m")  # type: ignore[arg-type]
    assert state(lab, "east") == (1, 1, 1)
    with client(lab, "east", "admin") as admin, pytest.raises(pymysql.err.OperationalError, match="1290"):
        sql.rows(admin, "INSERT INTO app.ledger (k, server_id) VALUES ('never', 1)")
    assert east.proof_of_fence().canary == "refused"
    was = options.read_text()
    options.write_text(was.replace("super_read_only=1", "super_read_only=0"))
    try:
        pid = next(process.pid for process in pairs.status(Path(lab.directory)).running if process.name == "east")
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: "east" in pairs.status(Path(lab.directory)).missing)
        pairs.restart(lab, "east", clock=SystemClock(), wrapper=("/usr/bin/env", "TZ=Asia/Tokyo"))
    finally:
        options.write_text(was)
    assert state(lab, "east") == (1, 1, 1)
    again = bench.second.server("east")
    again.apply(OPEN, "m")
    assert state(lab, "east") == (0, 0, 0)
    with client(lab, "east") as app:
        sql.rows(app, "BEGIN")
        sql.rows(app, "INSERT INTO app.ledger (k, server_id) VALUES ('zone', 1)")
        (seen,) = [one for one in again.sessions() if one.user == "app" and one.transaction_s is not None]
    assert 0 <= (seen.transaction_s or 0) < 600


@pytest.mark.parametrize(
    ("before", "word"),
    [
        pytest.param("SET GLOBAL read_only=1", "read_only", id="read-only"),
        pytest.param("SET GLOBAL super_read_only=1", "super_read_only", id="super-read-only"),
        pytest.param("SET PERSIST super_read_only=1", "super_read_only+persisted:super_read_only=ON", id="persisted"),
        pytest.param(
            "SET PERSIST read_only=1; SET PERSIST super_read_only=0",
            "read_only+persisted:super_read_only=OFF+persisted:read_only=ON",
            id="each-otherwise",
        ),
        pytest.param(
            "SET PERSIST read_only=0; SET GLOBAL super_read_only=1",
            "super_read_only+persisted:read_only=OFF",
            id="persisted-open",
        ),
    ],
)
def test_an_undone_opening_puts_the_fence_back_as_it_was_seen(lab: Sandbox, bench: RealBench, before: str, word: str) -> None:
    """With what is persisted, variable by variable. Where that is an OFF, a privilege is asked for before anything is touched."""
    sql.query(lab, "west", "SET GLOBAL read_only=0")
    for statement in before.split("; "):
        sql.query(lab, "west", statement)
    west, wanted = bench.first.server("west"), "PERSIST_RO_VARIABLES_ADMIN ON *.* TO 'interlock'@'%'"
    assert west.missing_privileges() == ((f"GRANT {wanted}",) if "=OFF" in word else ())
    with granted(lab, wanted if "=OFF" in word else ""):
        put_back_after_an_opening(lab, bench.second.server("west"), word)


def put_back_after_an_opening(lab: Sandbox, west: Server, word: str) -> None:
    was = state(lab, "west")
    seen = west.write_facts().fence
    west.apply(Open(server=WEST), "m")
    assert (state(lab, "west"), west.write_facts().fence) == ((0, 0, 0), "")
    west.apply(Fence(server=WEST, within_s=20.0, as_was=seen), "m")
    assert (seen, state(lab, "west"), west.write_facts().fence) == (word, was, word)
    west.apply(Open(server=WEST), "m")


@contextmanager
def granted(lab: Sandbox, privilege: str) -> Iterator[None]:
    """A privilege that Interlock's account does not have otherwise; empty for none."""
    if privilege:
        sql.query(lab, "east", f"GRANT {privilege}")
        assert eventually(lambda: privilege.split(maxsplit=1)[0] in str(sql.query(lab, "west", "SHOW GRANTS FOR interlock")))
    yield
    if privilege:
        sql.query(lab, "east", f"REVOKE {privilege.replace(' TO ', ' FROM ')}")


@pytest.mark.parametrize(
    ("before", "loose", "fleeting"),
    [
        pytest.param("SET GLOBAL read_only=1", True, False, id="read-only"),
        pytest.param("SET GLOBAL super_read_only=1", False, True, id="super-read-only"),
        pytest.param("SET PERSIST read_only=1", True, False, id="read-only-persisted"),
    ],
)
def test_a_fence_of_somebody_else_is_made_as_close_as_can_be_and_put_back(
    lab: Sandbox, bench: RealBench, before: str, *, loose: bool, fleeting: bool
) -> None:
    """A plain `read_only=1` lets administrators write on the old writer, beside the new one; and a restart would open it."""
    sql.query(lab, "east", before)
    was, fence = state(lab, "east"), FenceServer(server=EAST)
    seen = fence.look(bench.first)
    assert (seen.loose, seen.fleeting, bench.first.server("east").proof_of_fence().loose) == (loose, fleeting, loose)
    for effect in fence.effects(seen):
        bench.first.server("east").apply(effect, "m")  # type: ignore[arg-type]
    now = fence.look(bench.first)
    assert (isinstance(fence.decide(now), Done), state(lab, "east")[:2], now.is_fully_fenced) == (True, (1, 1), True)
    with client(lab, "east", "admin") as admin, pytest.raises(pymysql.err.OperationalError, match="1290"):
        sql.rows(admin, "INSERT INTO app.ledger (k, server_id) VALUES ('never', 1)")
    for effect in fence.undo(seen, now):
        bench.first.server("east").apply(effect, "m")  # type: ignore[arg-type]
    assert (state(lab, "east"), fence.look(bench.first).fence) == (was, seen.fence)
    bench.first.server("east").apply(OPEN, "m")


@pytest.mark.parametrize(
    ("before", "word"),
    [
        pytest.param("SET PERSIST super_read_only=1", "persisted:super_read_only=ON", id="on"),
        pytest.param("SET PERSIST super_read_only=0", "persisted:super_read_only=OFF", id="off"),
        pytest.param(
            "SET PERSIST read_only=1; SET PERSIST super_read_only=0",
            "persisted:super_read_only=OFF+persisted:read_only=ON",
            id="each-otherwise",
        ),
    ],
)
def test_an_undone_fence_leaves_what_was_persisted_before_it(lab: Sandbox, east: Server, before: str, word: str) -> None:
    for statement in (*before.split("; "), "SET GLOBAL read_only=0"):
        sql.query(lab, "east", statement)
    seen = east.write_facts()
    assert (seen.read_only, seen.fence) == (False, word)
    east.apply(FENCE, "m")
    assert east.write_facts().is_fully_fenced
    east.apply(Open(server=EAST, as_was=seen.fence), "m")
    assert (state(lab, "east")[:2], east.write_facts().fence) == ((0, 0), word)
    east.apply(OPEN, "m")
    assert state(lab, "east") == (0, 0, 0)


def test_a_stuck_fence_ends_at_its_bound_names_the_session_and_leaves_nothing(lab: Sandbox, east: Server) -> None:
    with client(lab, "east") as holder:
        sql.rows(holder, "LOCK TABLES app.ledger WRITE")
        number = holder.thread_id()  # type: ignore[no-untyped-call]
        began = time.perf_counter()
        with pytest.raises(BoundReached, match="1205") as stuck:
            east.apply(STUCK, "m")
        assert 0.9 < time.perf_counter() - began < 60  # without a bound it would be a year
        assert f"session {number} of app@" in stuck.value.hint
        assert "SHARED_NO_READ_WRITE on app.ledger" in stuck.value.hint
        assert state(lab, "east") == (0, 0, 0)
        sql.rows(holder, "INSERT INTO app.ledger (k, server_id) VALUES ('still writable', 1)")


def test_a_fence_behind_a_running_update_names_its_session(lab: Sandbox, east: Server) -> None:
    sql.query(lab, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('slow', 1)")
    with running(lab, "east", "UPDATE app.ledger SET server_id=1+SLEEP(300) WHERE k='slow' LIMIT 1"):
        with pytest.raises(BoundReached) as stuck:
            east.apply(STUCK, "m")
        assert "UPDATE app.ledger" in stuck.value.hint
    assert state(lab, "east") == (0, 0, 0)


def test_an_open_transaction_is_refused_at_its_commit(lab: Sandbox, east: Server) -> None:
    with client(lab, "east") as app:
        sql.rows(app, "BEGIN")
        sql.rows(app, "INSERT INTO app.ledger (k, server_id) VALUES ('never', 1)")
        position = east.apply(FENCE, "m")["position"]
        with pytest.raises(pymysql.err.OperationalError, match="1290"):
            app.commit()
    assert east.write_facts().position == position


def test_a_fences_position_never_moves_after_it_under_writers(lab: Sandbox, east: Server) -> None:
    stop = threading.Event()

    def write() -> None:
        with client(lab, "east") as app:
            while not stop.is_set():
                try:
                    sql.rows(app, "INSERT INTO app.ledger (k, server_id) VALUES ('load', 1)")
                except pymysql.err.OperationalError:
                    time.sleep(0.002)  # noqa: TID251 - a client's pause

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(8):
            time.sleep(0.02)  # noqa: TID251 - the time in which they write
            position = east.apply(FENCE, "m")["position"]
            time.sleep(0.02)  # noqa: TID251 - the time in which it would move
            assert east.write_facts().position == position
            east.apply(OPEN, "m")
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def test_a_timed_out_statement_is_killed_and_proved_gone(lab: Sandbox) -> None:
    """Without the kill the SET lands as soon as the lock goes, long after everybody has decided that it failed."""
    with ExitStack() as stack:
        pool = Pool(spec(lab, "east"), secrets=secret, clock=SystemClock(), setup=lambda _: SETUP)
        stack.callback(pool.drop)
        holder = stack.enter_context(client(lab, "east"))
        sql.rows(holder, "LOCK TABLES app.ledger WRITE")
        session = pool.fresh(Purpose.ACT, settings="SET SESSION lock_wait_timeout=86400")
        with pytest.raises(OutcomeUnknown, match=rf"its connection {session.id} was killed and is proved gone"):
            pool.act(("SET GLOBAL super_read_only=1",), bound_s=-0.5, doing="fence", session=session)
        sql.rows(holder, "UNLOCK TABLES")
        time.sleep(0.2)  # noqa: TID251 - the time in which it would land
    assert state(lab, "east") == (0, 0, 0)


# -- facts


@pytest.mark.parametrize("instrument", ["YES", "NO"], ids=["performance-schema", "by-trying"])
@pytest.mark.parametrize(
    ("lock", "says"),
    [
        pytest.param("LOCK TABLES app.ledger WRITE", "app.ledger", id="lock-tables"),
        pytest.param("FLUSH TABLES WITH READ LOCK", "", id="ftwrl"),
    ],
)
def test_lock_holders_are_seen(lab: Sandbox, east: Server, lock: str, says: str, instrument: str) -> None:
    named = "UPDATE performance_schema.setup_instruments SET enabled=%s WHERE name='wait/lock/metadata/sql/mdl'"
    sql.query(lab, "east", named, instrument)
    try:
        east.take_lock("interlock:no-lock-on-tables")
        assert eventually(lambda: east.lock_holders() == ())  # of the tests before
        with client(lab, "east", "admin") as holder:
            sql.rows(holder, lock)
            (sentence,) = east.lock_holders()
            number = holder.thread_id()  # type: ignore[no-untyped-call]
        assert says in sentence
        assert (f"session {number} of admin@" in sentence) is (instrument == "YES")
        assert eventually(lambda: east.lock_holders() == ())
    finally:
        sql.query(lab, "east", named, "YES")


def test_statements_and_open_transactions_are_no_lock_holders(lab: Sandbox, east: Server) -> None:
    with client(lab, "east") as other, running(lab, "east", "SELECT SLEEP(300) FROM app.ledger LIMIT 1"):
        sql.rows(other, "BEGIN")
        sql.rows(other, "UPDATE app.ledger SET server_id=1 LIMIT 1")
        assert east.lock_holders() == ()


def test_administrators_pass_no_fence_and_are_known(lab: Sandbox, east: Server) -> None:
    with client(lab, "east"), client(lab, "east", "admin"):
        seen = {one.user: (one.passes_read_only, one.administrator) for one in east.sessions()}
    assert seen == {"app": (False, False), "admin": (False, True)}


def test_a_workers_error_is_told_with_its_reason(lab: Sandbox, bench: RealBench) -> None:
    west, east = bench.first.server("west"), bench.first.server("east")
    sql.query(lab, "east", "CREATE TABLE app.clash (id INT PRIMARY KEY)")
    assert west.wait_applied(east.write_facts().position, _PATIENT_S)
    with client(lab, "west", "admin") as admin:
        for statement in ("SET GLOBAL super_read_only=0", "SET sql_log_bin=0", "INSERT INTO app.clash VALUES (1)"):
            sql.rows(admin, statement)
        sql.rows(admin, "SET GLOBAL super_read_only=1")
        sql.query(lab, "east", "INSERT INTO app.clash VALUES (1)")
        assert eventually(lambda: not west.channels()[0].applier)
        (channel,) = west.channels()
        for statement in ("SET GLOBAL read_only=0", "DELETE FROM app.clash", "SET GLOBAL super_read_only=1", "START REPLICA"):
            sql.rows(admin, statement)
    assert (channel.lag_s, channel.source) == (None, EAST)
    assert "Duplicate entry '1' for key 'clash.PRIMARY'" in channel.error
    sql.query(lab, "east", "DROP TABLE app.clash")
    assert west.wait_applied(east.write_facts().position, _PATIENT_S)


def test_prepared_transactions_and_events_are_named(lab: Sandbox, east: Server) -> None:
    with client(lab, "east", "admin") as admin, client(lab, "east") as app:
        sql.rows(app, "CREATE EVENT app.tame ON SCHEDULE EVERY 1 YEAR DO SELECT 1")
        sql.rows(app, "CREATE EVENT app.off ON SCHEDULE EVERY 1 YEAR DISABLE DO SELECT 1")
        assert [(one.name, one.definer, one.passes_read_only) for one in east.events()] == [("tame", "app@%", False)]
        for name in ("tame", "off"):
            sql.rows(admin, f"DROP EVENT app.{name}")
        for word in ("START 'b'", "END 'b'", "PREPARE 'b'"):
            sql.rows(admin, f"XA {word}")
        assert east.prepared_transactions() == ("b",)
        sql.rows(admin, "XA ROLLBACK 'b'")
    assert (east.prepared_transactions(), east.events()) == ((), ())


# -- positions


def test_tagged_gtids_are_waited_for_and_found_in_the_log(lab: Sandbox, east: Server, west: Server) -> None:
    before = east.write_facts().position
    with client(lab, "east", "admin") as admin:
        sql.rows(admin, "SET gtid_next='AUTOMATIC:night'")
        sql.rows(admin, "INSERT INTO app.ledger (k, server_id) VALUES ('tagged', 1)")
        sql.rows(admin, "SET gtid_next='AUTOMATIC'")
        sql.rows(admin, "INSERT INTO app.ledger (k, server_id) VALUES ('plain', 1)")
    after = east.write_facts().position
    assert isinstance(after, MySQLPosition)
    tagged, plain = east.logged_since(before, 10)
    uuid = plain.gtid.partition(":")[0]
    assert after.intervals(GtidSource(uuid, "night")) == ((1, 1),)
    assert (tagged.gtid, tagged.server_id) == (f"{uuid}:night:1", 1)
    assert west.wait_applied(after, _PATIENT_S)
    assert before.behind(after) == 2


def test_the_log_since_a_position_over_rotated_files(lab: Sandbox, east: Server) -> None:
    start = east.write_facts().position
    for number in range(3):
        sql.query(lab, "east", "INSERT INTO app.ledger (k, server_id) VALUES (%s, 1)", f"log{number}")
        sql.query(lab, "east", "FLUSH BINARY LOGS")
    logged = east.logged_since(start, 10)
    assert len({one.file for one in logged}) == len(logged) == 3
    east.warm_up()
    warm = east.write_facts().position
    sql.query(lab, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('later', 1)")
    assert [len(east.logged_since(since, 10)) for since in (start, warm, east.write_facts().position)] == [4, 1, 0]


def test_a_segment_is_closed_once_what_let_its_locks_go_is_in_the_position(lab: Sandbox, east: Server) -> None:
    """Until then the server names it in `gtid_owned`, as it does here."""
    late = f"{sql.query(lab, 'east', 'SELECT @@server_uuid AS uuid')[0]['uuid']}:999999"
    close = CloseSegment(server=EAST, segment="eu", accounts=(), within_s=0.5)
    with closing(sql.connect(lab, "east")) as committing:
        sql.rows(committing, f"SET gtid_next='{late}'")
        with pytest.raises(BoundReached, match=f"{late} are still under way"):
            east.segments.apply(close, mark="test")
        sql.rows(committing, "ROLLBACK")
        sql.rows(committing, "SET gtid_next=AUTOMATIC")
    east.segments.apply(replace(close, within_s=60), mark="test")


def test_a_wait_ends_at_its_time_for_a_position_that_never_comes(west: Server) -> None:
    west.warm_up()
    began = time.perf_counter()
    assert not west.wait_applied(MySQLPosition.parse("11111111-1111-1111-1111-111111111111:1-5"), 0.2)
    assert time.perf_counter() - began > 0.15


# -- words for one that does not answer


def test_a_server_that_never_answered_is_told_the_words_that_its_peer_speaks(lab: Sandbox, east: Server) -> None:
    """What a halted run prints for a person must be what that server understands."""
    assert not east.write_facts().read_only
    silent = replace(spec(lab, "west"), port=1)
    made = make_server(silent, secrets=secret, clock=SystemClock(), pair=(), others=lambda: (east,))  # type: ignore[arg-type,return-value]
    assert made.script(FENCE)[1] == "SET PERSIST super_read_only=1"
    assert make_server(silent, secrets=secret, clock=SystemClock(), pair=()).script(FENCE)[0].startswith("SET STATEMENT")


# -- other effects and privileges


def test_killed_sessions_are_gone_and_replication_is_never_killed(lab: Sandbox, east: Server) -> None:
    listed = "SELECT id AS id FROM information_schema.processlist"
    with client(lab, "east") as app:
        replicates = {int(row["id"]) for row in sql.query(lab, "east", f"{listed} WHERE user IN ('repl', 'system user')")}
        number = app.thread_id()  # type: ignore[no-untyped-call]
        east.apply(KillSessions(server=EAST, ids=(number, *replicates, 999_999)), "m")
        left = {int(row["id"]) for row in sql.query(lab, "east", listed)}
        assert left & {number, *replicates} == replicates


def test_a_teams_read_is_bounded_and_what_waits_for_a_row_too(lab: Sandbox, east: Server) -> None:
    long = "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, information_schema.columns c"
    with pytest.raises(BoundReached, match="3024"):
        east.apply(RunSql(server=EAST, statements=(long,), within_s=0.2), "m")
    east.write_canary("row")
    with client(lab, "east", "admin") as admin:
        sql.rows(admin, "BEGIN")
        sql.rows(admin, "UPDATE interlock.canary SET server='y' WHERE token='row'")
        with pytest.raises(BoundReached, match="1205"):
            east.apply(RunSql(server=EAST, statements=("UPDATE interlock.canary SET server='z' WHERE token='row'",), within_s=0.5), "m")


def test_the_canary_is_refused_by_a_fenced_server(east: Server) -> None:
    east.apply(FENCE, "m")
    with pytest.raises(WriteRefused):
        east.write_canary("refused")
    east.apply(OPEN, "m")
    assert not east.sees_canary("refused")


@pytest.mark.parametrize("privilege", [need.privilege for need in NEEDS])
def test_each_missing_privilege_is_named_as_its_grant(lab: Sandbox, east: Server, privilege: str) -> None:
    assert east.missing_privileges() == ()
    sql.query(lab, "east", f"REVOKE {privilege} ON *.* FROM interlock@'%'")
    try:
        assert east.missing_privileges() == (f"GRANT {privilege} ON *.* TO 'interlock'@'%'",)
    finally:
        sql.query(lab, "east", f"GRANT {privilege} ON *.* TO interlock@'%'")


def test_who_may_not_see_prepared_transactions_sees_a_segment_all_the_same(lab: Sandbox, east: Server) -> None:
    """As an account that only audits."""
    tenants = Tenants(column="t", values=("a",), tables=("app.none",))
    spec = SegmentSpec(name="eu", schemas=(), accounts=(), owner=ClusterName("east"), route=None, tenants=tenants)
    sql.query(lab, "east", "REVOKE XA_RECOVER_ADMIN ON *.* FROM interlock@'%'")
    try:
        assert east.segments.facts(spec).prepared == ("that can't be seen",)
    finally:
        sql.query(lab, "east", "GRANT XA_RECOVER_ADMIN ON *.* TO interlock@'%'")


def test_without_the_right_to_fence_nothing_is_fenced(lab: Sandbox, bench: RealBench) -> None:
    sql.query(lab, "east", "REVOKE SYSTEM_VARIABLES_ADMIN ON *.* FROM interlock@'%'")
    try:
        with pytest.raises(NotPermitted) as refused:
            bench.second.server("east").apply(FENCE, "m")
        assert "interlock grants" in refused.value.hint
        assert state(lab, "east") == (0, 0, 0)
    finally:
        sql.query(lab, "east", "GRANT SYSTEM_VARIABLES_ADMIN ON *.* TO interlock@'%'")


# -- the harder fence


@pytest.fixture
def harder(lab: Sandbox) -> Iterator[Server]:
    """East, with `fence: offline_mode`; and west's account for replication is let in all the same."""
    server = make_server(replace(spec(lab, "east"), fence="offline_mode"), secrets=secret, clock=SystemClock(), pair=())
    with let_in(lab):
        yield server
        server.close()
        sql.query(lab, "east", "SET GLOBAL read_only=0")


def test_the_harder_fence_turns_clients_out_and_replication_goes_on(lab: Sandbox, harder: Server, west: Server) -> None:
    """The canary's connection was open before it: it was ended, and a new one is refused, which proves the fence. The session that
    replicates stays the same one.
    """
    fence, before, replicates = FenceServer(server=EAST), harder.write_facts(), dumps(lab, "east")
    assert len(replicates) == 1
    harder.write_canary("before the fence")
    with client(lab, "east") as app:
        sql.rows(app, "BEGIN")
        sql.rows(app, "INSERT INTO app.ledger (k, server_id) VALUES ('never', 1)")
        for effect in fence.effects(before):
            harder.apply(effect, "m")  # type: ignore[arg-type]
        with pytest.raises(pymysql.err.OperationalError, match=r"2013|2006|3032"):
            sql.rows(app, "COMMIT")
    with pytest.raises(pymysql.err.OperationalError, match="3032"), client(lab, "east"):
        pass
    seen = harder.write_facts()
    assert (seen.offline, seen.is_fully_fenced, harder.proof_of_fence().canary) == (True, True, "refused")
    sql.query(lab, "east", "FLUSH BINARY LOGS")  # something for the other side to receive, after the fence
    assert west.wait_applied(seen.position, _PATIENT_S)
    assert (dumps(lab, "east"), receives(lab, "west")) == (replicates, True)
    for undone in fence.undo(before, seen):
        harder.apply(undone, "m")  # type: ignore[arg-type]
    assert (harder.write_facts().offline, harder.write_facts().fence) == (False, before.fence)


def test_a_session_that_replicates_since_before_the_grant_is_turned_out_once_and_comes_back(lab: Sandbox) -> None:
    """Why a receiver has to log in again after the GRANT: else the first fence cuts it off while clients wait."""
    log_in_again(lab)
    before = dumps(lab, "east")
    sql.query(lab, "east", "GRANT CONNECTION_ADMIN ON *.* TO repl")
    try:
        sql.query(lab, "east", "SET GLOBAL offline_mode=1")
        assert eventually(lambda: len(dumps(lab, "east")) == 1 and dumps(lab, "east") != before)
    finally:
        sql.query(lab, "east", "SET GLOBAL offline_mode=0")
        sql.query(lab, "east", "REVOKE CONNECTION_ADMIN ON *.* FROM repl")


def test_a_lesser_fence_is_not_taken_for_the_harder_one_and_is_put_back(lab: Sandbox, harder: Server) -> None:
    fence = FenceServer(server=EAST)
    sql.query(lab, "east", "SET PERSIST super_read_only=1")
    before = harder.write_facts()
    assert (before.lacks, isinstance(fence.decide(before), Done)) == ("offline_mode is off", False)
    for effect in fence.effects(before):
        harder.apply(effect, "m")  # type: ignore[arg-type]
    assert isinstance(fence.decide(harder.write_facts()), Done)
    for undone in fence.undo(before, harder.write_facts()):
        harder.apply(undone, "m")  # type: ignore[arg-type]
    assert (harder.write_facts().offline, harder.write_facts().fence) == (False, before.fence)
    harder.apply(OPEN, "m")


def test_who_replicates_without_being_let_in_is_named_before_anything_is_fenced(lab: Sandbox, harder: Server, east: Server) -> None:
    assert harder.missing_privileges() == ()
    sql.query(lab, "east", "REVOKE CONNECTION_ADMIN ON *.* FROM repl")
    harder.close()
    again = make_server(replace(spec(lab, "east"), fence="offline_mode"), secrets=secret, clock=SystemClock(), pair=())
    assert again.missing_privileges() == (
        "GRANT CONNECTION_ADMIN ON *.* TO the account repl, which replicates from here (SUPER on MySQL 5.7), then restart its receiver",
    )
    again.close()
    assert east.missing_privileges() == ()
