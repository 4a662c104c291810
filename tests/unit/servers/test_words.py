"""What the MariaDB driver says and understands, without a server."""

from __future__ import annotations

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymysql import err

from interlock.clock import SystemClock
from interlock.errors import (
    BoundReached,
    DriverError,
    NotPermitted,
    RefusedButAlive,
    StatementFailed,
    Unreachable,
    UsageError,
    WriteRefused,
)
from interlock.model.effects import Fence, KillSessions, Open, RunSql, ServerEffect, SetEventScheduler
from interlock.model.topology import Access, Account, ClusterName, ServerName, ServerSpec
from interlock.servers import canary, quoting
from interlock.servers.accounts import Accounts
from interlock.servers.client_sessions import is_client, is_ddl
from interlock.servers.flavors import dialect_of
from interlock.servers.grants import grants_sql, missing, missing_for_alter
from interlock.servers.mariadb import NEEDS, MariaDB
from interlock.servers.mariadb_facts import channel, fence_of, held, is_read_only
from interlock.servers.mariadb_script import WRITE_STATE
from interlock.servers.registry import make_server
from interlock.servers.translate import is_client_timeout, translated
from interlock.servers.versions import version_of

EAST = ServerName("east")
SPEC = ServerSpec(
    name=EAST, cluster=ClusterName("east"), host="10.1.0.10", port=3306, access=Access(account=Account(user="t", password=None), tls=None)
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param("plain", "'plain'", id="plain"),
        pytest.param("it's", "'it\\'s'", id="quote"),
        pytest.param("a\\", "'a\\\\'", id="backslash"),
        pytest.param('"\n\r\0', "'\\\"\\n\\r\\0'", id="controls"),
    ],
)
def test_texts_are_quoted(value: str, written: str) -> None:
    assert quoting.text(value) == written


@given(st.text())
def test_no_text_ends_its_own_quotes(value: str) -> None:
    inside = quoting.text(value)[1:-1]
    unescaped = inside.replace("\\\\", "").replace("\\'", "").replace('\\"', "")
    assert not {"'", '"', "\0", "\n"} & set(unescaped)
    assert not unescaped.endswith("\\")


@pytest.mark.parametrize(
    ("parts", "written"),
    [
        pytest.param(("shop", "order"), "`shop`.`order`", id="two"),
        pytest.param(("a`b", "q\"u'o\nte"), "`a``b`.`q\"u'o\nte`", id="odd"),
    ],
)
def test_names_are_quoted(parts: tuple[str, ...], written: str) -> None:
    assert quoting.name(*parts) == written


@pytest.mark.parametrize("part", [pytest.param("", id="empty"), pytest.param("a\0b", id="nul")])
def test_what_is_no_name_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        quoting.name("shop", part)


@pytest.mark.parametrize(
    ("bound", "written"),
    [(2.0, "2"), (0.25, "0.25"), (0.0, "0.001"), (-1.0, "0.001"), (100.0, "100")],
    ids=["whole", "part", "zero-is-for-ever", "negative", "hundred"],
)
def test_a_bound_is_never_zero(bound: float, written: str) -> None:
    assert quoting.seconds(bound) == written


def test_a_mark_can_not_end_its_comment() -> None:
    assert quoting.marked("DO 0", "r1 */ DROP TABLE x; /*") == "/* interlock:r1-DROP-TABLE-x- */ DO 0"


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        pytest.param(
            Fence(server=EAST, within_s=1.5),
            ("SET STATEMENT max_statement_time=1.5, lock_wait_timeout=2 FOR SET GLOBAL read_only=1", WRITE_STATE),
            id="fence",
        ),
        pytest.param(
            Fence(server=EAST, within_s=1, as_was="NO_LOCK"),
            ("SET STATEMENT max_statement_time=1, lock_wait_timeout=1 FOR SET GLOBAL read_only=NO_LOCK", WRITE_STATE),
            id="fence-as-it-was",
        ),
        pytest.param(
            Open(server=EAST),
            ("SET STATEMENT max_statement_time=2, lock_wait_timeout=2 FOR SET GLOBAL read_only=0", WRITE_STATE),
            id="open",
        ),
        pytest.param(
            SetEventScheduler(server=EAST, on=False),
            ("SET STATEMENT max_statement_time=5, lock_wait_timeout=5 FOR SET GLOBAL event_scheduler=OFF",),
            id="scheduler",
        ),
        pytest.param(KillSessions(server=EAST, ids=(7, 9)), ("KILL 7", "KILL 9"), id="kill"),
        pytest.param(RunSql(server=EAST, statements=("A", "B"), within_s=1), ("A", "B"), id="sql"),
    ],
)
def test_scripts(effect: ServerEffect, words: tuple[str, ...]) -> None:
    assert MariaDB(version=(10, 11, 6)).script(effect) == words


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1290, WriteRefused),
        (1836, WriteRefused),
        (3032, WriteRefused),
        (1205, BoundReached),
        (1969, BoundReached),
        (2006, Unreachable),
        (2003, Unreachable),
        (1927, Unreachable),
        (1040, RefusedButAlive),
        (1045, RefusedButAlive),
        (1129, RefusedButAlive),
        (1130, RefusedButAlive),
        (1203, RefusedButAlive),
        (1227, NotPermitted),
        (1142, NotPermitted),
        (1062, StatementFailed),
        (1064, StatementFailed),
        (99999, StatementFailed),
    ],
    ids=str,
)
def test_errors_by_what_the_operator_does_next(code: int, kind: type[DriverError]) -> None:
    error = translated(err.OperationalError(code, "the server's\nwords"), server="east", doing="fence")
    assert type(error) is kind
    assert error.message == f"east: fence: {code} the server's words"
    assert error.server == "east"


def test_a_server_that_is_offline_says_how_to_let_clients_in_again() -> None:
    error = translated(err.OperationalError(3032, "The server is currently in offline mode"), server="west", doing="log in")
    assert "SET GLOBAL offline_mode=0" in error.hint


def test_a_closed_connection_is_unreachable() -> None:
    assert type(translated(err.InterfaceError(0, ""), server="east", doing="x")) is Unreachable


def test_our_own_time_out_is_told_from_a_lost_connection() -> None:
    late = pymysql.err.OperationalError(2013, "Lost connection (timed out)")
    late.__context__ = TimeoutError("timed out")
    assert is_client_timeout(late)
    assert not is_client_timeout(pymysql.err.OperationalError(2013, "Lost connection"))


@pytest.mark.parametrize(
    ("version", "flavor", "numbers"),
    [
        ("5.5.5-10.11.6-MariaDB-0+deb12u1-log", "mariadb", (10, 11, 6)),
        ("11.8.2-MariaDB", "mariadb", (11, 8, 2)),
    ],
)
def test_a_flavor_is_known_by_its_greeting(version: str, flavor: str, numbers: tuple[int, int, int]) -> None:
    assert (dialect_of("east", version, pinned=None).flavor, version_of(version)) == (flavor, numbers)
    assert dialect_of("east", version, pinned=flavor.upper()).flavor == flavor


@pytest.mark.parametrize(
    ("version", "pinned", "says"),
    [
        pytest.param("odd", None, "east runs odd, which this version does not drive", id="nobody's"),
        pytest.param("10.4.9-MariaDB", None, r"east runs MariaDB 10\.4\.9-MariaDB, older than 10\.5\.2", id="old"),
        pytest.param("9.7.0", "mariadb", r"east is mariadb by the topology, and greets with 9\.7\.0", id="not-the-pinned-one"),
    ],
)
def test_a_server_that_is_not_driven_is_refused(version: str, pinned: str | None, says: str) -> None:
    with pytest.raises(StatementFailed, match=says):
        dialect_of("east", version, pinned=pinned)


def test_a_pinned_flavor_that_nobody_has_is_refused() -> None:
    pinned = ServerSpec(name=EAST, cluster=SPEC.cluster, host="h", port=1, access=SPEC.access, flavor="mariadbb")
    with pytest.raises(UsageError, match="no flavor of server is called 'mariadbb'") as refused:
        make_server(pinned, secrets=lambda _: "", clock=SystemClock(), pair=(pinned,))
    assert refused.value.hint == "did you mean mariadb?"


SLAVE = {
    "Connection_name": "",
    "Master_Host": "10.1.0.10",
    "Master_Port": 3306,
    "Slave_IO_Running": "Connecting",
    "Slave_SQL_Running": "Yes",
    "Seconds_Behind_Master": None,
    "Last_IO_Error": "error connecting",
    "Last_SQL_Error": "",
    "Replicate_Do_DB": "shop",
}


def test_unknown_lag_stays_unknown_and_filters_are_told() -> None:
    facts = channel(ServerName("west"), SLAVE, pair=(SPEC,))
    assert (facts.lag_s, facts.receiver, facts.applier, facts.error) == (None, "Connecting", True, "error connecting")
    assert (facts.source, dict(facts.filters)) == (EAST, {"replicate_do_db": "shop"})


def test_a_source_outside_the_pair_has_no_name() -> None:
    facts = channel(ServerName("west"), {**SLAVE, "Master_Port": 3307}, pair=(SPEC,))
    assert (facts.source, facts.source_address) == (None, "10.1.0.10:3307")


@pytest.mark.parametrize(
    ("value", "fenced", "word"),
    [
        (0, False, ""),
        (1, True, ""),
        ("OFF", False, ""),
        ("ON", True, ""),
        ("NO_LOCK", True, "NO_LOCK"),
        (b"NO_LOCK_NO_ADMIN", True, "NO_LOCK_NO_ADMIN"),
    ],
    ids=["10.11-open", "10.11-fenced", "12-open", "12-fenced", "12-no-lock", "12-no-admin"],
)
def test_read_only_is_a_number_or_from_12_on_a_word(value: object, *, fenced: bool, word: str) -> None:
    assert (is_read_only({"read_only": value}), fence_of({"read_only": value})) == (fenced, word)


def test_what_a_server_holds_is_the_highest_of_each_domain() -> None:
    assert str(held({"logged": "1-1-5,2-2-3", "applied": b"2-2-9,3-3-1"})) == "1-1-5,2-2-9,3-3-1"


@pytest.mark.parametrize(
    ("user", "command", "number", "client"),
    [
        ("app", "Sleep", 1, True),
        ("system user", "Slave_SQL", 2, False),
        ("event_scheduler", "Daemon", 3, False),
        ("repl", "Binlog Dump", 4, False),
        ("repl", "Binlog Dump GTID", 5, False),
        ("app", "Query", 77, False),
        ("interlock", "Sleep", 6, False),
    ],
    ids=["client", "applier", "scheduler", "dump", "gtid-dump", "our-connection", "our-account"],
)
def test_who_is_a_client(user: str, command: str, number: int, client: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_client({"id": number, "user": user, "command": command}, ours={77}, our_users={"interlock"}) is client


def test_a_transaction_by_hand_with_our_account_is_a_clients() -> None:
    row = {"id": 6, "user": "interlock", "command": "Sleep", "transaction_s": 12.0}
    assert is_client(row, ours={77}, our_users={"interlock"})
    assert not is_client(row, ours={6}, our_users={"interlock"})


@pytest.mark.parametrize(
    ("statement", "ddl"),
    [
        ("ALTER TABLE t ADD c INT", True),
        ("/* a */ -- b\n create index i on t (a)", True),
        ("SELECT 'ALTER TABLE'", False),
        ("UPDATE t SET a = 1", False),
        ("", False),
    ],
)
def test_what_is_ddl(statement: str, ddl: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_ddl(statement) is ddl


ACCOUNTS = Accounts(
    known=frozenset({("app", "%"), ("app", "10.1.%"), ("dba", "10.2.0.0/255.255.0.0")}),
    passing=frozenset({("app", "10.1.%"), ("dba", "10.2.0.0/255.255.0.0")}),
)


@pytest.mark.parametrize(
    ("user", "host", "passes"),
    [("app", "10.9.0.1:555", False), ("app", "10.1.0.1:555", True), ("dba", "10.2.3.4:1", True), ("nobody", "h:1", None)],
)
def test_whoever_may_pass_is_taken_to(user: str, host: str, passes: bool | None) -> None:  # noqa: FBT001 - a table's column
    assert ACCOUNTS.passes(user, host) is passes


def test_unreadable_accounts_are_not_known_to_be_harmless() -> None:
    assert Accounts(readable=False).passes("app", "h") is None
    assert Accounts(readable=False).definer_passes("app@%") is None


def test_a_missing_right_is_named_as_its_grant() -> None:
    printed = [line for line in grants_sql("mariadb", "t").splitlines() if line.startswith("GRANT")]
    lines = [line.partition(";")[0] for line in printed if "; -- only " not in line]  # what not every pair needs is demanded of none
    assert len(printed) == len(lines) + 3
    assert missing(lines, NEEDS, account="'t'@'%'") == ()
    for line in lines:
        rest = [other for other in lines if other != line]
        assert missing(rest, NEEDS, account="'t'@'%'") == (line,)
    assert missing(["GRANT ALL PRIVILEGES ON *.* TO `t`@`%`"], NEEDS, account="'t'@'%'") == ()


def test_grants_quote_odd_users_and_know_their_flavors() -> None:
    assert "'o\\'neil'@'%'" in grants_sql("mariadb", "o'neil")
    with pytest.raises(UsageError, match="no flavor of server is called 'oracle'"):
        grants_sql("oracle", "t")


def test_the_canary_account_gets_nothing_that_passes_read_only() -> None:
    lines = [line for line in grants_sql("mariadb", "t", "c").splitlines() if "'c'@" in line and line.startswith("GRANT")]
    assert lines == ["GRANT SELECT, INSERT, UPDATE ON `interlock`.`canary` TO 'c'@'%';"]
    assert canary.TABLE in grants_sql("mariadb", "t", "c")


_ON_APP = "GRANT ALTER, CREATE, INSERT ON `app`.* TO 't'@'%'"
_UNLOGGED = "GRANT BINLOG ADMIN ON *.* TO 't'@'%'"
FOR_AN_ALTER = {
    "nothing yet": ("mariadb", "11.8.6-MariaDB", (), (_ON_APP, _UNLOGGED)),
    "on the schema": ("mariadb", "11.8.6-MariaDB", ("GRANT INSERT, ALTER, CREATE ON `app`.* TO `t`@`%`",), (_UNLOGGED,)),
    "on the table and the schema together": (
        *("mariadb", "11.8.6-MariaDB"),
        ("GRANT ALTER ON `app`.`t` TO `t`@`%`", "GRANT CREATE, INSERT ON `app`.* TO `t`@`%`", "GRANT BINLOG ADMIN ON *.* TO `t`@`%`"),
        (),
    ),
    "SUPER stands for it before 11.0.1": ("mariadb", "10.11.6-MariaDB", ("GRANT SUPER, ALTER, CREATE, INSERT ON *.* TO `t`@`%`",), ()),
    "and no more from then on": ("mariadb", "11.0.1-MariaDB", ("GRANT SUPER, ALTER, CREATE, INSERT ON *.* TO `t`@`%`",), (_UNLOGGED,)),
    "on MySQL another one is asked for anyway": ("mysql", "9.7.4", ("GRANT ALTER, CREATE, INSERT ON `app`.* TO `t`@`%`",), ()),
    "another schema": ("mysql", "9.7.4", ("GRANT ALTER, CREATE, INSERT ON `other`.* TO `t`@`%`",), (_ON_APP,)),
    "everything": ("mysql", "9.7.4", ("GRANT ALL PRIVILEGES ON *.* TO `t`@`%`",), ()),
}


@pytest.mark.parametrize(("flavor", "version", "grants", "lacks"), FOR_AN_ALTER.values(), ids=FOR_AN_ALTER)
def test_what_a_change_of_a_table_lacks_is_told_as_the_grant_that_gives_it(
    flavor: str, version: str, grants: tuple[str, ...], lacks: tuple[str, ...]
) -> None:
    assert missing_for_alter(grants, flavor, version, ("app", "t"), account="'t'@'%'") == lacks
