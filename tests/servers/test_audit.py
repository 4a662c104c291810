"""Each planted fault is found under its question with a fix, and the fix, applied as printed, makes the finding go."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pymysql
import pytest
import yaml

from interlock.losses.applied import PUT_BACK
from interlock.model.audit import AuditVerdict, FixKind
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from interlock.servers import canary
from interlock.servers.grants import audit_grants_sql
from servers.audit_faults import of_flavor
from servers.audit_lab import AUDITOR, Lab, Planted, found, merged, planted
from waiting import eventually

_GRANTED = re.compile(r"GRANT ([A-Z ,]+) ON \*\.\*")
PERSON, UNFIT = AuditVerdict.PERSON, AuditVerdict.UNFIT
SEGMENTS = {
    "eu": {"schemas": ["eu"], "accounts": ["app@%"], "owner": "east", "route": "writes"},
    "us": {"schemas": ["us"], "accounts": ["watch@%"], "owner": "west", "route": "writes"},
}


@pytest.fixture(scope="module")
def mariadb(pair: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return _lab(pair, tmp_path_factory.mktemp("mariadb"))


@pytest.fixture(scope="module")
def mysql(mysql_pair: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return _lab(mysql_pair, tmp_path_factory.mktemp("mysql"))


@pytest.fixture(params=["mariadb", "mysql"])
def lab(request: pytest.FixtureRequest) -> Lab:
    made = request.getfixturevalue(request.param)
    assert isinstance(made, Lab)
    return made


def _lab(pair: Sandbox, folder: Path) -> Lab:
    """Its commits are durable, which a sandbox's are not."""
    made = Lab(pair, folder)
    for server in ("east", "west"):
        made.run(server, ("SET GLOBAL sync_binlog=1", "SET GLOBAL innodb_flush_log_at_trx_commit=1"))
    return made


def test_a_clean_pair_has_no_finding_but_what_a_person_must_say(lab: Lab) -> None:
    report = lab.audit(changed=lab.own, accepted=True)
    assert [one.says for one in report.findings if one.verdict is not PERSON] == []
    assert len(report.questions) == 17


def test_what_grants_audit_prints_is_all_that_it_needs(lab: Lab) -> None:
    printed = _GRANTED.findall(audit_grants_sql(lab.sandbox.kind, AUDITOR))
    shown = [_GRANTED.match(str(next(iter(row.values())))) for row in sql.query(lab.sandbox, "west", f"SHOW GRANTS FOR {AUDITOR}@'%'")]
    assert {one for line in shown if line is not None for one in line[1].split(", ")} == set(printed), "it has these and nothing else"
    assert found(lab.audit(), "audit.sees_all") == []
    lab.run("west", ("REVOKE TRIGGER ON *.* FROM auditor@'%'",), apart=True)
    try:
        (one,) = found(lab.audit(), "audit.sees_all")
        assert (one.server, "TRIGGER" in one.says) == ("west", True)
    finally:
        lab.run("west", ("GRANT TRIGGER ON *.* TO auditor@'%'",), apart=True)


@pytest.mark.parametrize("fault", [pytest.param(one, id=one.id) for one in of_flavor("mariadb")])
def test_mariadb(mariadb: Lab, fault: Planted) -> None:
    _found_and_mended(mariadb, fault)


@pytest.mark.parametrize("fault", [pytest.param(one, id=one.id) for one in of_flavor("mysql")])
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
        assert eventually(lambda: _is_mended(lab, fault)), found(lab.audit(), fault.rule, fault.object)


def _is_mended(lab: Lab, fault: Planted) -> bool:
    """Not at once: a receiver that was started connects meanwhile."""
    after = lab.audit()
    return not found(after, fault.rule, fault.object) and not found(after, "integrity.events_once")


def _without(topology: Mapping[str, Any], *path: str) -> dict[str, Any]:
    key, *rest = path
    if not rest:
        return {name: value for name, value in topology.items() if name != key}
    return {**topology, key: _without(topology[key], *rest)}


@pytest.mark.parametrize(
    ("left_out", "rule", "question"),
    [
        pytest.param(("access", "canary"), "move.canary", 3, id="canary"),
        pytest.param(("clusters", "west", "fencing"), "plan.fencing", 12, id="fencing"),
        pytest.param(("clusters", "east", "logs"), "plan.logs", 12, id="logs"),
        pytest.param(("segments", "eu", "route"), "move.segments_complete", 3, id="route-of-a-segment"),
        pytest.param(("segments", "eu", "accounts"), "move.segments_complete", 3, id="accounts-of-a-segment"),
        pytest.param(("segments", "eu"), "segregation.every_schema_owned", 1, id="segment"),
    ],
)
def test_what_the_topology_lacks_is_printed_for_it(mariadb: Lab, left_out: tuple[str, ...], rule: str, question: int) -> None:
    whole = {**mariadb.topology, "segments": SEGMENTS} if left_out[0] == "segments" else mariadb.topology
    lacking = _without(whole, *left_out)
    mariadb.run("east", ("CREATE DATABASE eu", "CREATE TABLE eu.t (id INT PRIMARY KEY)"))
    mariadb.caught_up()
    try:
        findings = found(mariadb.audit(changed=lacking), rule)
        for one in findings:
            assert one.question == question
            assert one.fix is not None
            assert one.fix.kind is FixKind.TOPOLOGY
            printed = one.fix.text.replace("/etc/interlock/canary", str(mariadb.sandbox.password_file("interlock_canary")))
            lacking = merged(lacking, yaml.safe_load(printed))
        assert findings
        assert found(mariadb.audit(changed=lacking), rule) == []
    finally:
        mariadb.run("east", ("DROP DATABASE eu",))
        mariadb.caught_up()


def test_what_crosses_segments_is_found(lab: Lab) -> None:
    lab.run(
        "east",
        (
            "CREATE DATABASE eu",
            "CREATE DATABASE us",
            "CREATE TABLE us.parent (id INT PRIMARY KEY)",
            "CREATE TABLE eu.child (id INT PRIMARY KEY, p INT, CONSTRAINT up FOREIGN KEY (p) REFERENCES us.parent (id))",
            "CREATE TRIGGER eu.copies AFTER INSERT ON eu.child FOR EACH ROW INSERT INTO us.parent VALUES (NEW.id + 1)",
            "INSERT INTO us.parent VALUES (1)",
        ),
    )
    lab.caught_up()
    try:
        changed = {**lab.topology, "segments": SEGMENTS}
        report = lab.audit(changed=changed)
        keys, triggers = found(report, "integrity.within_segments"), found(report, "integrity.stored_code_within_segments")
        assert [(one.question, one.object) for one in (*keys, *triggers)] == [(4, "eu.child.up"), (4, "eu.copies")]
        assert [one.object for one in found(report, "segregation.written_by_owner")] == ["us.parent"]
        assert any("can be written on west, too" in one.says for one in found(report, "segregation.segments_hold", "eu"))
        for one in (*keys, *triggers):
            assert one.fix is not None
            lab.apply(one.fix)
        lab.caught_up()
        after = lab.audit(changed=changed)
        assert found(after, "integrity.within_segments") == found(after, "integrity.stored_code_within_segments") == []
    finally:
        lab.run("east", ("DROP DATABASE eu", "DROP DATABASE us"))
        lab.caught_up()


def test_a_manager_that_is_connected_is_named_and_the_printed_statement_ends_it(lab: Lab) -> None:
    lab.run("east", ("CREATE USER maxscale@'%' IDENTIFIED BY 'secret'",))
    try:
        with closing(
            pymysql.connect(unix_socket=lab.sandbox.members["east"].socket, user="maxscale", password="secret", ssl_disabled=True)
        ):
            (one,) = found(lab.audit(), "managers.sessions")
            assert (one.question, one.server, one.verdict) == (11, "east", UNFIT)
            assert one.fix is not None
            lab.apply(one.fix)
            assert eventually(lambda: found(lab.audit(), "managers.sessions") == [])  # a server shows an ended session a moment longer
    finally:
        lab.run("east", ("DROP USER maxscale@'%'",))
        lab.caught_up()


def test_a_plugin_on_one_side_is_installed_on_the_other_by_the_printed_statement(lab: Lab) -> None:
    plugin, library = ("validate_password", "validate_password.so") if lab.is_mysql else ("METADATA_LOCK_INFO", "metadata_lock_info.so")
    lab.run("east", (f"INSTALL PLUGIN {plugin} SONAME '{library}'",), apart=True)
    try:
        (one,) = found(lab.audit(), "identity.plugins", plugin)
        assert one.fix is not None
        lab.apply(one.fix)
        assert found(lab.audit(), "identity.plugins", plugin) == []
    finally:
        for server in ("east", "west"):
            lab.run(server, (f"UNINSTALL PLUGIN {plugin}",), apart=True)


_OWN = "INSERT INTO app.own VALUES"


def test_ids_that_clients_bring_are_seen_in_the_log(lab: Lab) -> None:
    lab.run("east", ("CREATE TABLE app.own (id INT AUTO_INCREMENT PRIMARY KEY, a INT)", "INSERT INTO app.own (a) VALUES (1), (2)"))
    try:
        assert found(lab.audit(), "keys.explicit_ids") == []
        lab.run("east", (f"{_OWN} (4, 3)",))
        (one,) = found(lab.audit(), "keys.explicit_ids")
        assert (one.question, one.object, "1 of 3 inserts" in one.says, "such as 4" in one.says) == (6, "app.own", True, True)
        lab.run("east", (canary.SCHEMA, PUT_BACK.table, "START TRANSACTION", PUT_BACK.note("r1", "1-1-9", [0]), f"{_OWN} (6, 3)", "COMMIT"))
        assert found(lab.audit(), "keys.explicit_ids") == [one], "a lost row that `repair` put back is nobody's habit"
    finally:
        lab.run("east", ("DROP TABLE app.own", "DELETE FROM interlock.repaired"))
        lab.caught_up()


def test_a_table_that_somebody_alters_holds_no_audit_up_and_no_audit_holds_it(lab: Lab) -> None:
    lab.run("east", ("CREATE TABLE app.busy (id INT PRIMARY KEY)",))
    lab.caught_up()
    with closing(sql.connect(lab.sandbox, "east")) as reading, closing(sql.connect(lab.sandbox, "east")) as altering:
        sql.rows(reading, "BEGIN")
        sql.rows(reading, "SELECT * FROM app.busy")
        background = threading.Thread(target=sql.rows, args=(altering, "ALTER TABLE app.busy ADD COLUMN a INT"))
        background.start()
        assert eventually(lambda: any("metadata lock" in str(row["State"]) for row in sql.query(lab.sandbox, "east", "SHOW PROCESSLIST")))
        report = lab.audit()
        assert found(report, "audit.sees_all") == []
        sql.rows(reading, "ROLLBACK")
        background.join(timeout=60)
        assert not background.is_alive()
    lab.run("east", ("DROP TABLE app.busy",))
    lab.caught_up()


def test_a_conflict_that_stopped_replication_is_named(mariadb: Lab) -> None:
    mariadb.run("east", ("CREATE TABLE app.t (id INT PRIMARY KEY)",))
    mariadb.caught_up()
    mariadb.run("west", ("INSERT INTO app.t VALUES (1)",), apart=True)
    mariadb.run("east", ("INSERT INTO app.t VALUES (1)",))
    try:
        with closing(sql.connect(mariadb.sandbox, "west")) as west:
            assert eventually(lambda: sql.rows(west, "SHOW SLAVE STATUS")[0]["Last_SQL_Errno"] != 0)
        report = mariadb.audit()
        (one,) = found(report, "conflicts.none_stands")
        assert (one.question, one.verdict, one.server) == (7, UNFIT, "west")
        assert "1062" in one.says or "Duplicate entry" in one.says
    finally:
        mariadb.run("west", ("DELETE FROM app.t",), apart=True)
        mariadb.run("west", ("START SLAVE",))
        mariadb.run("east", ("DROP TABLE app.t",))
        mariadb.caught_up()


def test_a_right_that_the_account_lacks_is_a_finding_and_no_silence(lab: Lab) -> None:
    lab.run("east", (f"REVOKE TRIGGER ON *.* FROM {AUDITOR}@'%'", "CREATE TABLE app.t (id INT PRIMARY KEY)"))
    lab.run("east", ("CREATE TRIGGER app.g BEFORE INSERT ON app.t FOR EACH ROW SET NEW.id=1",), apart=True)
    lab.caught_up()
    try:
        report = lab.audit()
        assert [(one.server, one.object) for one in found(report, "audit.sees_all")] == [("east", "triggers"), ("west", "triggers")]
        assert found(report, "ddl.stored_code_alike") == []
        lab.run("east", (f"GRANT TRIGGER ON *.* TO {AUDITOR}@'%'",))
        lab.caught_up()
        after = lab.audit()
        assert found(after, "audit.sees_all") == []
        assert [one.object for one in found(after, "ddl.stored_code_alike")] == ["trigger app.g"]
    finally:
        lab.run("east", (f"GRANT TRIGGER ON *.* TO {AUDITOR}@'%'", "DROP TABLE app.t"))
        lab.caught_up()


def test_a_persons_answer_stands_until_what_it_rests_on_changes(mariadb: Lab) -> None:
    asked = next(one for one in mariadb.audit().questions if one.question == 16)
    assert asked.verdict is PERSON
    today = f"{date.today():%Y-%m-%d}"  # noqa: DTZ011 - as a person would write it
    given = {"answer": "yes, in the lab", "by": "ann", "on": today, "rests_on": asked.rests_on}
    answered = mariadb.audit(changed={**mariadb.topology, "answers": {"16": given}})
    assert next(one for one in answered.questions if one.question == 16).verdict is AuditVerdict.FITS
    old = mariadb.audit(changed={**mariadb.topology, "answers": {"16": {**given, "rests_on": "of-another-release"}}})
    (again,) = next(one for one in old.questions if one.question == 16).findings
    assert "what it rested on has changed" in again.says
    assert again.fix is not None
    assert asked.rests_on in again.fix.text


def test_what_is_accepted_is_set_aside_until_its_day(mariadb: Lab) -> None:
    tomorrow, yesterday = (date.today() + timedelta(days=days) for days in (1, -1))  # noqa: DTZ011 - as above
    mariadb.run("east", ("CREATE TABLE app.t (a INT)",))
    mariadb.caught_up()
    try:

        def audited(until: date, **more: object) -> tuple[list[str], list[str]]:
            said = {"tables.have_a_key": {"reason": "it is a log", "until": f"{until:%Y-%m-%d}", **more}}
            report = mariadb.audit(changed={**mariadb.topology, "accepted": said}, accepted=True)
            return [one.object for one in found(report, "tables.have_a_key")], [one.finding.object for one in report.accepted]

        assert audited(tomorrow) == ([], ["app.t"])
        assert audited(tomorrow, objects="app.t") == ([], ["app.t"])
        assert audited(tomorrow, objects="app.other") == (["app.t"], [])
        assert audited(yesterday) == (["app.t", "accepted"], [])
    finally:
        mariadb.run("east", ("DROP TABLE app.t",))
        mariadb.caught_up()


CHECK = {"id": "shop.no_orphans", "question": 6, "title": "No row without a k", "why": "billing counts them"}


def test_a_teams_own_check_in_sql_finds_and_can_not_write(lab: Lab) -> None:
    query = "SELECT 'app.ledger' AS object, 'it is there' AS says, 'DO 0' AS fix FROM app.ledger RIGHT JOIN (SELECT 1 AS one) o ON 1"
    (one, other) = found(lab.audit(changed={**lab.topology, "audit": [{**CHECK, "sql": query}]}), CHECK["id"])  # type: ignore[arg-type]
    assert (one.server, other.server, one.says, one.question, one.why) == ("east", "west", "it is there", 6, "billing counts them")
    assert one.fix is not None
    assert one.fix.text == "DO 0"
    many = " UNION ALL ".join(f"SELECT {number} AS object" for number in range(150))
    assert len(found(lab.audit(changed={**lab.topology, "audit": [{**CHECK, "on": "west", "sql": many}]}), "shop.no_orphans")) == 100
    slow = lab.audit(changed={**lab.topology, "audit": [{**CHECK, "on": "writer", "sql": "SELECT app.nothing()"}]})
    assert "could not be carried out" in found(slow, "shop.no_orphans")[0].says
