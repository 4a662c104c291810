"""Each planted fault is found under its question with a fix, and the fix, applied as printed, makes the finding go."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.model.audit import AuditVerdict
from interlock.sandbox.places import Sandbox
from servers.audit_lab import Lab, Planted, found, planted

ATTENTION = AuditVerdict.NEEDS_ATTENTION
_PARENTS = (
    "CREATE TABLE app.parent (id INT PRIMARY KEY)",
    "CREATE TABLE app.child (id INT PRIMARY KEY, p INT, CONSTRAINT goes FOREIGN KEY (p) REFERENCES app.parent (id) ON DELETE CASCADE)",
)
_T = "CREATE TABLE app.t (id INT PRIMARY KEY, a INT, b VARCHAR(20), KEY a (a))"
_DROP_T = ("DROP TABLE IF EXISTS app.t",)

SETTINGS = [
    Planted(
        id=f"{name}-{server}",
        rule=rule,
        question=question,
        object=name,
        fix=fix,
        only=only,
        east=(f"SET GLOBAL {name}={value}",) if server == "east" else (),
        west=(f"SET GLOBAL {name}={value}",) if server == "west" else (),
    )
    for name, server, value, rule, question, fix, only in (
        ("binlog_row_image", "east", "'MINIMAL'", "log.row_image", 0, "'FULL'", ""),
        ("binlog_row_value_options", "west", "'PARTIAL_JSON'", "log.partial_json", 0, "''", "mysql"),
        ("binlog_row_metadata", "west", "'MINIMAL'", "log.row_metadata", 9, "'FULL'", ""),
        ("binlog_checksum", "west", "'NONE'", "log.checksums", 14, "'CRC32'", ""),
        ("sync_binlog", "east", "100", "durable.log", 0, "= 1", ""),
        ("innodb_flush_log_at_trx_commit", "west", "0", "durable.commits", 0, "= 1", ""),
        ("sql_mode", "west", "'ANSI_QUOTES'", "settings.sql_mode", 0, "sql_mode = ", ""),
        ("character_set_server", "west", "'latin2'", "settings.charset", 0, "character_set_server", ""),
        ("collation_server", "west", "'utf8mb4_bin'", "settings.collation", 0, "collation_server", ""),
        ("max_allowed_packet", "west", "2097152", "settings.packet", 0, "max_allowed_packet", ""),
        ("max_connections", "west", "120", "settings.connections", 13, "= 200", ""),
        ("slave_exec_mode", "west", "'IDEMPOTENT'", "conflicts.are_not_hidden", 7, "'STRICT'", "mariadb"),
        ("replica_exec_mode", "west", "'IDEMPOTENT'", "conflicts.are_not_hidden", 7, "'STRICT'", "mysql"),
        ("gtid_strict_mode", "east", "0", "conflicts.gtid_strict", 7, "= 1", "mariadb"),
        ("replica_transaction_retries", "west", "0", "conflicts.applier_retries", 7, "= 10", "mysql"),
        ("transaction_isolation", "west", "'READ-COMMITTED'", "conflicts.isolation", 7, "REPEATABLE-READ", "mysql"),
        ("foreign_key_checks", "east", "0", "integrity.foreign_keys_checked", 4, "'ON'", ""),
        ("unique_checks", "west", "0", "integrity.unique_checked", 4, "'ON'", ""),
        ("time_zone", "west", "'+02:00'", "time.zone", 10, "'SYSTEM'", ""),
        ("lc_time_names", "west", "'de_DE'", "time.names", 10, "'en_US'", ""),
        ("default_week_format", "east", "3", "time.week", 10, "= 3", ""),
        ("slave_type_conversions", "east", "'ALL_LOSSY'", "upgrade.lossy_conversions", 9, "''", "mariadb"),
        ("replica_type_conversions", "east", "'ALL_LOSSY'", "upgrade.lossy_conversions", 9, "''", "mysql"),
        ("gtid_domain_id", "west", "1", "identity.gtid_domains", 0, "gtid_domain_id", "mariadb"),
    )
]
FAULTS = [
    *(
        Planted(
            id=f"logs-{value}",
            rule="log.row_format",
            question=0,
            object="binlog_format",
            east=(f"STOP {noun} SQL_THREAD", f"SET GLOBAL binlog_format={value}", f"START {noun} SQL_THREAD"),
            fix="'ROW'",
            only=only,
        )
        for value in ("STATEMENT", "MIXED")
        for noun, only in (("SLAVE", "mariadb"), ("REPLICA", "mysql"))
    ),
    Planted(id="two-writers", rule="segregation.one_writer", question=1, west=("SET GLOBAL read_only=0",), fix="read_only = 1"),
    Planted(
        id="log-kept-for-an-hour",
        rule="quiesce.retention",
        question=13,
        object="retention",
        east=("SET GLOBAL binlog_expire_logs_seconds=3600",),
        fix="604800",
        after=("SET GLOBAL binlog_expire_logs_seconds=2592000",),
        after_west=("SET GLOBAL binlog_expire_logs_seconds=2592000",),
    ),
    Planted(
        id="log-kept-for-three-days",
        rule="peaks.logs_kept",
        question=2,
        object="retention",
        west=("SET GLOBAL binlog_expire_logs_seconds=259200",),
        fix="604800",
        after=("SET GLOBAL binlog_expire_logs_seconds=2592000",),
        after_west=("SET GLOBAL binlog_expire_logs_seconds=2592000",),
    ),
    Planted(
        id="logs-kept-differently",
        rule="peaks.logs_alike",
        question=2,
        west=("SET GLOBAL binlog_expire_logs_seconds=1209600",),
        east=("SET GLOBAL binlog_expire_logs_seconds=2592000",),
        fix="2592000",
        after_west=("SET GLOBAL binlog_expire_logs_seconds=2592000",),
    ),
    Planted(
        id="cascade",
        rule="integrity.cascades",
        question=4,
        object="app.child.goes",
        east=_PARENTS,
        fix="DROP FOREIGN KEY `goes`, ADD FOREIGN KEY",
        after=("DROP TABLE app.child, app.parent",),
    ),
    Planted(
        id="event-on-both",
        rule="integrity.events_once",
        question=4,
        object="app.e",
        apart=True,
        fix="DISABLE ON",
        east=("CREATE EVENT app.e ON SCHEDULE EVERY 1 YEAR DO SELECT 1",),
        west=("CREATE EVENT app.e ON SCHEDULE EVERY 1 YEAR DO SELECT 1",),
        after=("SET SESSION sql_log_bin=0", "DROP EVENT app.e"),
        after_west=("DROP EVENT app.e",),
    ),
    Planted(
        id="triggers-twice",
        rule="integrity.triggers_once",
        question=4,
        west=("STOP SLAVE SQL_THREAD", "SET GLOBAL slave_run_triggers_for_rbr='YES'", "START SLAVE SQL_THREAD"),
        fix="'NO'",
        only="mariadb",
    ),
    Planted(
        id="account-on-west-only",
        rule="shared.accounts",
        question=5,
        object="'late'@'%'",
        apart=True,
        west=("CREATE USER late@'%'",),
        fix="DROP USER",
        after_west=("DROP USER IF EXISTS late@'%'",),
    ),
    Planted(
        id="privilege-on-west-only",
        rule="shared.accounts",
        question=5,
        object="'watch'@'%'",
        apart=True,
        west=("GRANT SELECT ON app.* TO watch@'%'",),
        fix="REVOKE SELECT",
    ),
    Planted(
        id="privilege-on-east-only",
        rule="shared.accounts",
        question=5,
        object="'watch'@'%'",
        apart=True,
        east=("GRANT DELETE ON app.* TO watch@'%'",),
        fix="GRANT DELETE",
        after=("SET SESSION sql_log_bin=0", "REVOKE DELETE ON app.* FROM watch@'%'"),
        after_west=("REVOKE DELETE ON app.* FROM watch@'%'",),
    ),
    Planted(
        id="keys-that-meet", rule="keys.apart", question=6, west=("SET GLOBAL auto_increment_offset=1",), fix="auto_increment_offset = 2"
    ),
    Planted(
        id="steps-of-one",
        rule="keys.apart",
        question=6,
        east=("SET GLOBAL auto_increment_increment=1",),
        west=("SET GLOBAL auto_increment_increment=1",),
        fix="auto_increment_increment = 2",
    ),
    Planted(
        id="full-column",
        rule="keys.room",
        question=6,
        object="app.t.id",
        fix="BIGINT UNSIGNED",
        east=("CREATE TABLE app.t (id TINYINT UNSIGNED AUTO_INCREMENT PRIMARY KEY)", "INSERT INTO app.t VALUES (230)"),
        after=_DROP_T,
    ),
    Planted(
        id="sequence",
        rule="keys.sequences",
        question=6,
        object="app.s",
        east=("CREATE SEQUENCE app.s",),
        fix="INCREMENT BY 0",
        only="mariadb",
        after=("DROP SEQUENCE app.s",),
    ),
    Planted(
        id="short-uuids",
        rule="keys.short_uuids",
        question=6,
        object="app.p",
        fix="server_id",
        east=("CREATE PROCEDURE app.p() SELECT UUID_SHORT()",),
        west=("SET GLOBAL server_id=257",),
        after=("DROP PROCEDURE app.p",),
        after_west=("SET GLOBAL server_id=2",),
    ),
    Planted(
        id="table-missing-on-west",
        rule="ddl.tables_on_both",
        question=8,
        object="app.t",
        apart=True,
        east=(_T,),
        fix="CREATE TABLE `app`.`t`",
        after=("SET SESSION sql_log_bin=0", *_DROP_T),
        after_west=_DROP_T,
    ),
    Planted(
        id="table-on-west-only",
        rule="ddl.tables_on_both",
        question=8,
        object="app.t",
        apart=True,
        west=(_T,),
        fix="DROP TABLE `app`.`t`",
        after_west=_DROP_T,
    ),
    Planted(
        id="stored-otherwise",
        rule="upgrade.row_formats",
        question=9,
        object="app.t",
        apart=True,
        east=(_T,),
        fix="ROW_FORMAT=DYNAMIC",
        west=(f"{_T} ROW_FORMAT=COMPACT",),
        after=("SET SESSION sql_log_bin=0", *_DROP_T),
        after_west=_DROP_T,
    ),
    Planted(
        id="view-missing",
        rule="ddl.stored_code_alike",
        question=8,
        object="view app.v",
        apart=True,
        east=("CREATE VIEW app.v AS SELECT 1 AS one",),
        fix="VIEW `app`.`v`",
        after=("SET SESSION sql_log_bin=0", "DROP VIEW app.v"),
        after_west=("DROP VIEW app.v",),
    ),
    Planted(
        id="procedure-otherwise",
        rule="ddl.stored_code_alike",
        question=8,
        object="procedure app.p",
        apart=True,
        fix="DROP PROCEDURE",
        east=("CREATE PROCEDURE app.p() SELECT 1",),
        west=("CREATE PROCEDURE app.p() SELECT 2",),
        after=("SET SESSION sql_log_bin=0", "DROP PROCEDURE app.p"),
        after_west=("DROP PROCEDURE app.p",),
    ),
    Planted(
        id="trigger-missing",
        rule="ddl.stored_code_alike",
        question=8,
        object="trigger app.g",
        apart=True,
        fix="CREATE",
        east=(_T, "CREATE TRIGGER app.g BEFORE INSERT ON app.t FOR EACH ROW SET NEW.a=1"),
        west=(_T,),
        after=("SET SESSION sql_log_bin=0", *_DROP_T),
        after_west=_DROP_T,
    ),
    Planted(
        id="filter",
        rule="ddl.no_filters",
        question=8,
        object="replicate_ignore_table",
        only="mariadb",
        fix="replicate_ignore_table = ''",
        west=("STOP SLAVE", "SET GLOBAL replicate_ignore_table='app.nothing'", "START SLAVE"),
    ),
    Planted(
        id="filter",
        rule="ddl.no_filters",
        question=8,
        object="replicate_ignore_table",
        only="mysql",
        fix="CHANGE REPLICATION FILTER",
        west=("STOP REPLICA SQL_THREAD", "CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE=(app.nothing)", "START REPLICA SQL_THREAD"),
    ),
    *(
        Planted(
            id=f"table-{what}",
            rule="ddl.tables_alike",
            question=8,
            object="app.t",
            apart=True,
            east=(_T,),
            west=(_T, f"ALTER TABLE app.t {change}"),
            fix=fix,
            after=("SET SESSION sql_log_bin=0", *_DROP_T),
            after_west=_DROP_T,
        )
        for what, change, fix in (
            ("lacks-a-column", "DROP COLUMN b", "ADD COLUMN `b`"),
            ("has-a-column-more", "ADD COLUMN c INT", "DROP COLUMN `c`"),
            ("has-another-type", "MODIFY b VARCHAR(10)", "MODIFY COLUMN `b`"),
            ("has-another-collation", "MODIFY b VARCHAR(20) CHARACTER SET ascii", "MODIFY COLUMN `b`"),
            ("lacks-an-index", "DROP KEY a", "ADD KEY `a`"),
            ("has-an-index-more", "ADD UNIQUE KEY u (b)", "DROP KEY `u`"),
            ("is-of-another-engine", "ENGINE=MyISAM", "ENGINE=InnoDB"),
        )
    ),
    Planted(
        id="manager-account",
        rule="managers.accounts",
        question=11,
        object="'orchestrator'@'%'",
        east=("CREATE USER orchestrator@'%'",),
        fix="ACCOUNT LOCK",
        after=("DROP USER orchestrator@'%'",),
    ),
    Planted(
        id="event-that-fences",
        rule="managers.events",
        question=11,
        object="app.e",
        fix="DISABLE",
        east=("CREATE EVENT app.e ON SCHEDULE EVERY 1 YEAR DO SET GLOBAL read_only=1",),
        after=("DROP EVENT app.e",),
    ),
    Planted(
        id="channel-stopped",
        rule="quiesce.channels",
        question=13,
        object="from east",
        west=("STOP SLAVE",),
        fix="START SLAVE",
        only="mariadb",
    ),
    Planted(
        id="receiver-stopped",
        rule="quiesce.channels",
        question=13,
        object="from east",
        west=("STOP REPLICA IO_THREAD",),
        fix="START REPLICA",
        only="mysql",
    ),
    Planted(
        id="unverified-checksums",
        rule="log.checksums_are_verified",
        question=14,
        fix="'ON'",
        only="mariadb",
        west=("STOP SLAVE SQL_THREAD", "SET GLOBAL slave_sql_verify_checksum=0", "START SLAVE SQL_THREAD"),
    ),
    Planted(
        id="unverified-checksums",
        rule="log.checksums_are_verified",
        question=14,
        west=("SET GLOBAL replica_sql_verify_checksum=0",),
        fix="'ON'",
        only="mysql",
    ),
    Planted(
        id="one-server-id",
        rule="identity.server_ids",
        question=0,
        object="server_id",
        west=("SET GLOBAL server_id=1",),
        fix="server_id = 2",
        after_west=("SET GLOBAL server_id=2",),
    ),
    Planted(
        id="no-key",
        rule="tables.have_a_key",
        question=0,
        object="app.t",
        east=("CREATE TABLE app.t (a INT)",),
        fix="PRIMARY KEY",
        after=_DROP_T,
    ),
    Planted(
        id="no-primary-but-counting",
        rule="tables.have_a_key",
        question=0,
        object="app.t",
        fix="ADD PRIMARY KEY (`n`)",
        east=("CREATE TABLE app.t (a INT, n INT NOT NULL AUTO_INCREMENT, KEY n (n))",),
        after=_DROP_T,
    ),
    Planted(
        id="not-transactional",
        rule="tables.are_transactional",
        question=0,
        object="app.t",
        fix="ENGINE=InnoDB",
        east=("CREATE TABLE app.t (id INT PRIMARY KEY) ENGINE=MyISAM",),
        after=_DROP_T,
    ),
    Planted(
        id="passes-read-only",
        rule="accounts.pass_read_only",
        question=0,
        object="'watch'@'%'",
        east=("GRANT READ ONLY ADMIN ON *.* TO watch@'%'",),
        fix="REVOKE READ ONLY ADMIN",
        only="mariadb",
    ),
    Planted(
        id="loose-fence",
        rule="fence.stops_administrators",
        question=0,
        west=("SET GLOBAL super_read_only=0",),
        fix="super_read_only",
        only="mysql",
    ),
    Planted(
        id="replication-may-all",
        rule="accounts.replication",
        question=0,
        object="'repl'@'%'",
        east=("GRANT SUPER ON *.* TO repl@'%'",),
        fix="REVOKE SUPER",
    ),
]


def _of(flavor: str) -> list[object]:
    return [pytest.param(one, id=one.id) for one in (*SETTINGS, *FAULTS) if one.only in {"", flavor}]


@pytest.fixture(scope="module")
def mariadb(pair: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return _lab(pair, tmp_path_factory.mktemp("mariadb"))


@pytest.fixture(scope="module")
def mysql(mysql_pair: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return _lab(mysql_pair, tmp_path_factory.mktemp("mysql"))


def _lab(pair: Sandbox, folder: Path) -> Lab:
    """With what every sandbox accepts put right, so that a clean pair has nothing."""
    lab = Lab(pair, folder)
    for server in ("east", "west"):
        lab.run(server, ("SET GLOBAL sync_binlog=1", "SET GLOBAL innodb_flush_log_at_trx_commit=1"))
    return lab


@pytest.mark.parametrize("flavor", ["mariadb", "mysql"])
def test_a_clean_pair_has_no_finding_but_what_a_person_must_say(flavor: str, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue(flavor).audit(accepted=True)
    assert [one.says for one in report.findings if one.verdict is not AuditVerdict.PERSON] == []


@pytest.mark.parametrize("fault", _of("mariadb"))
def test_mariadb(mariadb: Lab, fault: Planted) -> None:
    _found_and_mended(mariadb, fault)


@pytest.mark.parametrize("fault", _of("mysql"))
def test_mysql(mysql: Lab, fault: Planted) -> None:
    _found_and_mended(mysql, fault)


def _found_and_mended(lab: Lab, fault: Planted) -> None:
    with planted(lab, fault):
        findings = found(lab.audit(), fault.rule, fault.object)
        assert findings, "it was not found"
        for one in findings:
            assert one.question == fault.question
            assert one.fix is not None
            assert fault.fix in one.fix.text
            lab.apply(one.fix)
        lab.caught_up()
        assert found(lab.audit(), fault.rule, fault.object) == []
