"""Lost rows on real servers: read from the log exactly, compared exactly, and written again exactly."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from interlock.clock import Deadline, SystemClock
from interlock.decisions.losses import fold
from interlock.errors import LeaseLost, StatementFailed, Unreachable
from interlock.losses.applied import PUT_BACK
from interlock.losses.applying import put_back, take_back
from interlock.losses.files import read_files
from interlock.losses.find import Losses, find_losses
from interlock.losses.folder import Keep
from interlock.losses.live import OldWriter, read_live
from interlock.losses.payload import mysqlbinlog
from interlock.losses.putting_back import planned, taken_back
from interlock.losses.raw import from_file
from interlock.losses.run_facts import RunFacts
from interlock.losses.salvage import copy_logs
from interlock.losses.sql import inverse, statement
from interlock.model.effects import CopyLogs
from interlock.model.facts import LoggedTransaction, ServerFacts, WriteFacts
from interlock.model.losses import Bound, Cell, Change, LossKind, LossReport, LossState, ReadTransaction, RowChange
from interlock.model.position import FilePosition, Position, parse_position
from interlock.model.topology import ClusterName, ServerName
from interlock.sandbox import sql
from interlock.sandbox.kinds import MYSQL, kind_named
from interlock.sandbox.places import Sandbox
from interlock.servers.server import SqlServer
from interlock.servers.session import Session
from servers.loss_lab import Emergency, as_lost, drivers, emergency, receive_all
from waiting import eventually

EVERY_TYPE = """CREATE TABLE app.types (id INT UNSIGNED NOT NULL, k2 VARCHAR(20) CHARACTER SET utf8mb4 NOT NULL,
 t1 TINYINT, t2 SMALLINT UNSIGNED, t3 MEDIUMINT, t4 BIGINT UNSIGNED, t5 BIGINT, z INT(8) ZEROFILL, t6 INT UNSIGNED,
 f FLOAT, d DOUBLE, de DECIMAL(20,5), de2 DECIMAL(65,30), de3 DECIMAL(9,9), de4 DECIMAL(10,0),
 b1 BIT(1), b10 BIT(10), b64 BIT(64), y YEAR,
 da DATE, dt DATETIME, dt3 DATETIME(3), dt6 DATETIME(6), ts TIMESTAMP NULL,
 ts6 TIMESTAMP(6) NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP(6), ti TIME, ti1 TIME(1), ti4 TIME(4), ti6 TIME(6),
 c CHAR(10), cl CHAR(5) CHARACTER SET latin1, cb BINARY(6), vb VARBINARY(300), tx TEXT CHARACTER SET utf8mb4, bl BLOB,
 lt LONGTEXT CHARACTER SET gbk, en ENUM('a','b''x','c'), se SET('p','q','r'), j JSON, g POINT, g2 GEOMETRY,
 gen INT GENERATED ALWAYS AS (t1+1) VIRTUAL, gs INT GENERATED ALWAYS AS (t1+2) STORED, PRIMARY KEY (id, k2))"""
COLUMNS = "id,k2,t1,t2,t3,t4,t5,z,t6,f,d,de,de2,de3,de4,b1,b10,b64,y,da,dt,dt3,dt6,ts,ts6,ti,ti1,ti4,ti6,c,cl,cb,vb,tx,bl,lt,en,se,j,g,g2"
INSERT = f"INSERT INTO app.types ({COLUMNS}) VALUES "
ROWS = (
    r"""(1,'one',-128,65535,-8388608,18446744073709551615,-9223372036854775808,42,4294967295,1.1,0.1,-12345.67891,
    -0.000000000000000000000000000001,-0.123456789,-1234567890,b'1',b'1000000001',0xFFFFFFFFFFFFFFFF,0,
    '0000-00-00','0000-00-00 00:00:00','2024-02-30 01:02:03.123','9999-12-31 23:59:59.999999','0000-00-00 00:00:00',
    '2037-12-31 23:59:59.000001','-838:59:59','-00:00:00.1','-01:02:03.0405','838:59:59.000000','abc ','é',0x610000620000,0x00FF,
    'it''s "q" \\ \n \0 ü 😀',0x00FF00,'中文','b''x','p,r',
    '{"b":1.5,"a":[1,true,null,"x\\n😀",-5,1e20,18446744073709551615],"é":{"z":{}}}',
    ST_GeomFromText('POINT(1 2)'),ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))'))""",
    r"""(0,'two''Ü',127,0,0,0,9223372036854775807,0,0,-3.4e38,1.7976931348623157e308,0,0,0,0,b'0',b'0',0,2155,
    '2024-00-00','1000-01-01 00:00:00','2024-02-29 01:02:03','2024-02-29 01:02:03','1970-01-01 00:00:01','1970-01-01 00:00:01.5',
    '00:00:00','00:00:00','838:59:58.9999','-838:59:58.999999','','','','','','','',1,'','[]',NULL,NULL)""",
    f"(3,'null',{','.join(['NULL'] * 39)})",
    """(4,'del',1,1,1,1,1,1,1,1e-20,5e-324,1,1,0.5,1,b'1',1,1,2000,'2024-01-01','2024-01-01','2024-01-01','2024-01-01','2024-01-01',
    '2024-01-01','1:1:1','1:1:1','1:1:1','1:1:1','x','y',0x01,0x02,'t',0x03,'l','a','q','1',ST_GeomFromText('POINT(1 2)'),NULL)""",
)
CHANGES = (
    "UPDATE app.types SET t1=5, f=1e-10, d=-1.2345678e-7, ts6=ts6 WHERE id=1",
    "UPDATE app.types SET id=33 WHERE id=3",
    "DELETE FROM app.types WHERE id=4",
)
SMALL = "CREATE TABLE app.small (id INT PRIMARY KEY, v VARCHAR(3000), n INT)"
BOTH = pytest.mark.parametrize("kind", ["mariadb", "mysql"])
ALL = pytest.mark.parametrize("kind", ["mariadb", "mariadb-11.8", "mysql"])
PAIRS = {"mariadb": "pair", "mariadb-11.8": "mariadb_11_pair", "mysql": "mysql_pair"}


@pytest.fixture
def sandbox(kind: str, request: pytest.FixtureRequest) -> Sandbox:
    its: Sandbox = request.getfixturevalue(PAIRS[kind])
    return its


def changes_of(read: Sequence[ReadTransaction]) -> list[RowChange]:
    assert [one.unreadable for one in read if one.unreadable] == []
    return [row for one in read for row in one.rows]


def facts_at(since: Position, *, was_closed: bool = True) -> RunFacts:
    return RunFacts(run="r1", old="east", survivor="west", position=since, was_closed=was_closed, bound=Bound(held=str(since)))


@ALL
def test_every_type_is_read_and_written_again_exactly(sandbox: Sandbox) -> None:
    with emergency(sandbox, [EVERY_TYPE]) as lost:
        lost.lose(*(INSERT + row for row in ROWS), *CHANGES)
        changes = there_and_back(lost, "types")
    assert [one.change for one in changes] == [*[Change.INSERT] * 4, Change.UPDATE, Change.UPDATE, Change.DELETE]


@pytest.mark.parametrize("kind", ["mariadb", "mariadb-11.8"])
def test_mariadb_s_own_types_are_read_and_written_again_exactly(sandbox: Sandbox) -> None:
    with emergency(sandbox, ["CREATE TABLE app.own (u UUID PRIMARY KEY, i6 INET6, i4 INET4, j JSON)"]) as lost:
        uuids = ("123e4567-e89b-12d3-a456-426655440000", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-4fff-bfff-ffffffffff00")
        for uuid, address in zip(uuids, ("2001:db8::1", "::ffff:1.2.3.4", "::"), strict=True):
            lost.lose(f"INSERT INTO app.own VALUES ('{uuid}', '{address}', '10.0.0.0', '{{\"a\": 1}}')")
        lost.lose(f"UPDATE app.own SET i4='0.0.0.1' WHERE u='{uuids[1]}'", f"DELETE FROM app.own WHERE u='{uuids[2]}'")
        changes = there_and_back(lost, "own")
    assert changes[0].after == {"u": uuids[0], "i6": "2001:db8::1", "i4": "10.0.0.0", "j": '{"a": 1}'}


def there_and_back(lost: Emergency, name: str) -> list[RowChange]:
    """The log's images are what the server itself shows; put back on the other side they are the same there; and taken back, nothing is."""
    changes = changes_of(read_live(lost.old, lost.since, lost.rows.table, not_by=None).transactions)
    chains = fold(changes)
    lasts = {row: chain.last for row, chain in chains.items() if chain.last is not None}
    session = lost.old.session("SET SESSION time_zone='+00:00'")
    try:
        assert type(lost.rows)(session).rows(chains) == lasts
    finally:
        session.close()
    table = lost.rows.table("app", name)
    assert table is not None
    for each in map(as_lost, changes):
        assert [lost.session.run((statement(each, table),), bound_s=5)[0].affected for _ in range(2)] == [1, 0], each
    assert lost.rows.rows(chains) == lasts
    for each in map(as_lost, reversed(changes)):
        assert lost.session.run((inverse(each, table),), bound_s=5)[0].affected == 1
    assert lost.rows.rows(chains) == {}
    return changes


def some(lost: Emergency) -> list[RowChange]:
    """A short text and one that is worth compressing."""
    lost.lose("INSERT INTO app.small VALUES (1,'a',1)", "INSERT INTO app.small VALUES (2,REPEAT('xy',1000),2)")
    lost.lose("UPDATE app.small SET n=-1 WHERE id=2", "DELETE FROM app.small WHERE id=1")
    long = "xy" * 1000
    first: dict[str, Cell] = {"id": 1, "v": "a", "n": 1}
    second: dict[str, Cell] = {"id": 2, "v": long, "n": 2}
    third: dict[str, Cell] = {"id": 2, "v": long, "n": -1}
    rows = [(None, first), (None, second), (second, third), (first, None)]
    return [RowChange(schema="app", table="small", key=("id",), before=before, after=after) for before, after in rows]


SETTINGS = {
    "no names in the log": {"mariadb": "SET GLOBAL binlog_row_metadata=NO_LOG", "mysql": "SET GLOBAL binlog_row_metadata=MINIMAL"},
    "no checksums": {"mariadb": "SET GLOBAL binlog_checksum=NONE", "mysql": "SET GLOBAL binlog_checksum=NONE"},
    "compressed": {"mariadb": "SET GLOBAL log_bin_compress=1"},
    "tagged GTIDs": {"mysql": "SET gtid_next='AUTOMATIC:some_tag'"},
    "a commented log": {"mysql": "SET SESSION binlog_rows_query_log_events=1"},
}
BACK = (
    "SET GLOBAL binlog_row_metadata=FULL",
    "SET GLOBAL binlog_checksum=CRC32",
)


@pytest.mark.parametrize(("what", "kind"), [(what, kind) for what, each in SETTINGS.items() for kind in each])
def test_rows_are_the_same_however_the_server_logs_them(what: str, kind: str, sandbox: Sandbox) -> None:
    """From the server and from its files alike."""
    with emergency(sandbox, [SMALL], [SETTINGS[what][kind]]) as lost:
        try:
            expected = some(lost)
            live = read_live(lost.old, lost.since, lost.rows.table, not_by=None)
            copied = read_copy(sandbox, lost, Path(sandbox.directory) / "kept", what.replace(" ", "-"))
            assert changes_of(live.transactions) == expected
            assert changes_of(copied) == expected
            assert [one.position for one in copied] == [one.position for one in live.transactions]
        finally:
            for option in (*BACK, *(["SET GLOBAL log_bin_compress=0"] if kind == "mariadb" else [])):
                sql.rows(lost.east, option)


def test_compressed_transactions_are_taken_apart_by_the_server_s_own_program(mysql_pair: Sandbox) -> None:
    program = mysqlbinlog({"INTERLOCK_MYSQLBINLOG": MYSQL.program_path(MYSQL.log_reader, "")})
    assert program is not None
    with emergency(mysql_pair, [SMALL], ["SET SESSION binlog_transaction_compression=1"]) as lost:
        expected = some(lost)
        lost.lose("SET SESSION binlog_transaction_compression=0", "UPDATE app.small SET n=7 WHERE id=2")
        read = read_live(lost.old, lost.since, lost.rows.table, not_by=None, program=program).transactions
        assert changes_of(read)[:-1] == expected
        assert len(read) == 5
        without = read_live(lost.old, lost.since, lost.rows.table, not_by=None).transactions
        assert [one.position for one in without] == [one.position for one in read]
        assert "compressed (binlog_transaction_compression)" in without[0].unreadable


def test_mariadb_s_program_of_that_name_is_not_taken_for_mysql_s() -> None:
    assert mysqlbinlog({"INTERLOCK_MYSQLBINLOG": "mariadb-binlog", "PATH": "/usr/bin"}) is None
    assert mysqlbinlog({"PATH": "/nowhere"}) is None


def read_copy(sandbox: Sandbox, lost: Emergency, folder: Path, run: str) -> Sequence[ReadTransaction]:
    keep = Keep(folder)
    effect = CopyLogs(run=run, cluster=ClusterName("east"), folder=sandbox.members["east"].data, base="binlog.", first="", within_s=20)
    copy_logs(effect, None, keep, SystemClock())
    manifest = keep.manifest(run)
    assert manifest is not None
    return read_files(keep.salvage_of(run), manifest, lost.since, lost.rows.table, not_by=None).transactions


UNREADABLE = {
    "minimal images": ("mariadb", ["SET SESSION binlog_row_image=MINIMAL"], "partial row images of app.small"),
    "minimal images of mysql": ("mysql", ["SET SESSION binlog_row_image=MINIMAL"], "partial row images of app.small"),
    "compressed by zstd": ("mysql", ["SET SESSION binlog_transaction_compression=1"], "compressed"),
}


@pytest.mark.parametrize(("kind", "options", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_named_and_never_dropped(options: list[str], said: str, sandbox: Sandbox, tmp_path: Path) -> None:
    with emergency(sandbox, [SMALL, "INSERT INTO app.small VALUES (1,'a',1)"], options) as lost:
        lost.lose(f"UPDATE app.small SET v='{'b' * 600}' WHERE id=1")
        report = losses_of(facts_at(lost.since), lost.old, lost.survivor, Keep(tmp_path)).report
        (only,) = report.transactions
        assert said in only.unreadable
        assert all(row.kind is LossKind.CONFLICTING for row in only.rows)


STRANGE = {
    "a compressed column": ("mariadb", "v TEXT COMPRESSED", "REPEAT('x', 500)"),
    "a vector": ("mysql", "v VECTOR(2)", "TO_VECTOR('[1,2]')"),
}


@pytest.mark.parametrize(("kind", "column", "value"), STRANGE.values(), ids=STRANGE)
def test_a_type_that_is_not_read_is_named_and_the_rest_of_its_transaction_is_told(
    sandbox: Sandbox, column: str, value: str, tmp_path: Path
) -> None:
    with emergency(sandbox, [SMALL, f"CREATE TABLE app.strange (id INT PRIMARY KEY, {column}, w VARCHAR(20))"]) as lost:
        lost.lose("BEGIN", f"INSERT INTO app.strange VALUES (1, {value}, 'w')", "INSERT INTO app.small VALUES (2,'b',2)", "COMMIT")
        (only,) = reported(lost, tmp_path).transactions
    assert "of type" in only.unreadable or "does not describe" in only.unreadable
    assert [dict(row.key) for row in only.rows] == [{"id": 2}]


@ALL
def test_who_wrote_a_row_later_is_told_by_the_survivor_s_own_log(sandbox: Sandbox, tmp_path: Path) -> None:
    with emergency(sandbox, [SMALL, "INSERT INTO app.small VALUES (1,'a',1), (2,'b',2)"]) as lost:
        lost.lose("UPDATE app.small SET n=5 WHERE id=1", "UPDATE app.small SET n=5 WHERE id=2")
        for statement in ("UPDATE app.small SET v='x' WHERE id=1", "SET timestamp=1700000000", "UPDATE app.small SET v='y' WHERE id=1"):
            sql.rows(lost.west, statement)
        last = str(sql.value(lost.west, kind_named(sandbox.kind).position)).replace("\n", "")
        whys = [row.why for one in reported(lost, tmp_path).transactions for row in one.rows]
    assert whys[0].startswith("written since: v (last by ")
    assert whys[0].endswith(", 2023-11-14 22:13:20 UTC)")
    position = parse_position(whys[0].partition("last by ")[2].partition(",")[0])
    assert parse_position(last).contains(position)
    assert whys[1] == "nobody wrote the row since"


@BOTH
def test_statements_and_tables_that_changed_are_a_persons_to_decide(sandbox: Sandbox, tmp_path: Path) -> None:
    tables = [
        SMALL,
        "CREATE TABLE app.nokey (a INT)",
        "CREATE TABLE app.moved (id INT PRIMARY KEY)",
        "CREATE TABLE app.fired LIKE app.small",
    ]
    with emergency(sandbox, [*tables, "CREATE TRIGGER app.fires BEFORE INSERT ON app.fired FOR EACH ROW SET NEW.n=1"]) as lost:
        lost.lose(
            "INSERT INTO app.nokey VALUES (1)",
            "ALTER TABLE app.moved ADD COLUMN x INT",
            "INSERT INTO app.moved VALUES (1, 2)",
            "INSERT INTO app.fired VALUES (1, 'a', 5)",
            "CREATE TABLE app.made (id INT PRIMARY KEY)",
            "INSERT INTO app.made VALUES (7)",
        )
        report = reported(lost, tmp_path)
        assert report.state is LossState.KNOWN
        assert [said.text.split()[0] for one in report.transactions for said in one.statements] == ["ALTER", "CREATE"]
        rows = [row for one in report.transactions for row in one.rows]
        assert {(row.table, row.kind) for row in rows} == {(table, LossKind.CONFLICTING) for table in ("nokey", "moved", "fired", "made")}
        whys = {row.table: row.why for row in rows}
        assert whys["nokey"] == "the table has no key: nobody can tell which row it is"
        assert whys["moved"] == "the table changed: 2 columns in the log, 1 now"
        assert whys["fired"] == "a trigger of the table would fire again"
        assert whys["made"] == "the survivor has no such table"


@ALL
def test_xa_transactions_are_told_and_a_person_decides(sandbox: Sandbox, tmp_path: Path) -> None:
    """Prepared and committed are two transactions of the log."""
    with emergency(sandbox, [SMALL]) as lost:
        steps = ("XA START 'x'", "INSERT INTO app.small VALUES (1,'a',1)", "XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'")
        lost.lose(*steps, "INSERT INTO app.small VALUES (2,'b',2)")
        report = reported(lost, tmp_path)
        rows = {row.key["id"]: (row.kind, row.why) for one in report.transactions for row in one.rows}
        assert rows[2][0] is LossKind.REAPPLICABLE
        assert rows[1] == (LossKind.CONFLICTING, "it was prepared by XA: look whether it was committed")
        said = [statement.text.split(" X")[0] for one in report.transactions for statement in one.statements]
        assert said == ["XA PREPARE", "XA COMMIT"]
        assert not [one.unreadable for one in report.transactions if one.unreadable]
        assert report.state is LossState.KNOWN


def test_values_that_cannot_be_written_again_exactly_are_a_persons_to_decide(mysql_pair: Sandbox, tmp_path: Path) -> None:
    with emergency(mysql_pair, ["CREATE TABLE app.documents (id INT PRIMARY KEY, d JSON)"]) as lost:
        lost.lose(
            "INSERT INTO app.documents VALUES (1, JSON_OBJECT('price', CAST(1.50 AS DECIMAL(5,2))))",
            "INSERT INTO app.documents VALUES (2, '1')",
        )
        rows = [row for one in reported(lost, tmp_path).transactions for row in one.rows]
    assert [row.kind for row in rows] == [LossKind.CONFLICTING, LossKind.REAPPLICABLE]
    assert rows[0].why == "a value can't be written again exactly: JSON with a value that is not of JSON (a decimal, a date, bytes)"


@BOTH
def test_a_zero_is_said_only_with_its_proof(sandbox: Sandbox, tmp_path: Path) -> None:
    with emergency(sandbox, [SMALL]) as lost:
        nothing = reported(lost, tmp_path)
        assert (nothing.state, nothing.transactions) == (LossState.KNOWN, ())
        assert "is held by west" in nothing.proof
        writes = losses_of(facts_at(lost.since), lost.old, lost.survivor, Keep(tmp_path / "other")).report
        assert (writes.state, writes.proof) == (LossState.PENDING, "east takes writes: more may be lost than is told here")


@BOTH
def test_a_log_that_begins_behind_the_opening_proves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """As of a server whose data was replaced. What an earlier report had found is kept, and told as kept."""
    with emergency(sandbox, [SMALL]) as lost:
        lost.lose("INSERT INTO app.small VALUES (1,'a',1)")
        early = reported(lost, tmp_path / "early")
        forget_log(lost)
        kept = reported(lost, tmp_path / "early")
        assert (kept.state, kept.transactions, kept.proof) == (LossState.KNOWN, early.transactions, early.proof)
        assert kept.source.startswith("an earlier report, which was kept: the binary log of east")
        late = reported(lost, tmp_path / "late")
        assert (late.state, late.transactions) == (LossState.PENDING, ())
        assert "begins behind the opening" in late.proof


def test_what_was_found_lost_stays_lost_when_a_later_position_seems_to_hold_it(pair: Sandbox, tmp_path: Path) -> None:
    """A MariaDB position has one number for each domain: once the old writer writes again, it contains what never came."""
    with emergency(pair, [SMALL]) as lost:
        lost.lose("INSERT INTO app.small VALUES (1,'a',1)")
        early = reported(lost, tmp_path)
        receive_all(pair, lost.east, lost.west)
        late = reported(lost, tmp_path)
    assert len(early.transactions) == 1
    assert (late.state, late.transactions) == (LossState.KNOWN, early.transactions)


@ALL
def test_a_dead_writer_s_copied_log_tells_what_was_lost(sandbox: Sandbox, tmp_path: Path) -> None:
    """Known only if it was proved closed before the copy was made."""
    with emergency(sandbox, [SMALL]) as lost:
        expected = some(lost)
        keep = Keep(tmp_path)
        nothing = losses_of(facts_at(lost.since), Dead(), lost.survivor, keep).report
        assert (nothing.state, nothing.transactions, nothing.bound.held) == (LossState.PENDING, (), str(lost.since))
        assert nothing.proof == "east is gone; nothing of east's log was copied"
        read_copy(sandbox, lost, tmp_path, "r1")
        report = losses_of(facts_at(lost.since), Dead(), lost.survivor, keep).report
        assert report.state is LossState.KNOWN
        assert report.source.startswith("the copy of east's binary log")
        assert [row.change for one in report.transactions for row in one.rows] == [row.change for row in expected]
        (tmp_path / "losses" / "r1.json").unlink()
        unsure = losses_of(facts_at(lost.since, was_closed=False), Dead(), lost.survivor, Keep(tmp_path)).report
        assert (unsure.state, len(unsure.transactions)) == (LossState.PENDING, 4)


@BOTH
def test_a_damaged_copy_is_named_and_not_read(sandbox: Sandbox, tmp_path: Path) -> None:
    with emergency(sandbox, [SMALL]) as lost:
        some(lost)
        read_copy(sandbox, lost, tmp_path, "r1")
        file = max(Keep(tmp_path).salvage_of("r1").glob("binlog.0*"))
        whole = bytearray(file.read_bytes())
        whole[len(whole) // 2] ^= 1
        file.write_bytes(whole)
        with pytest.raises(StatementFailed, match="is not as it was copied"):
            Keep(tmp_path).manifest("r1")
        with pytest.raises(StatementFailed, match=r"does not match its checksum|is damaged"):
            list(from_file(file))


def losses_of(facts: RunFacts, old: OldWriter, survivor: SqlServer, keep: Keep) -> Losses:
    return find_losses(facts, old, survivor, keep, clock=SystemClock())


class Dead:
    """A server that does not answer."""

    name = ServerName("east")

    def facts(self) -> ServerFacts:
        raise Unreachable("east is gone")

    def write_facts(self) -> WriteFacts:
        raise Unreachable("east is gone")

    def logged_since(self, position: Position, /, limit: int) -> tuple[LoggedTransaction, ...]:
        raise Unreachable(f"east is gone: {position} {limit}")

    def session(self, settings: str) -> Session:
        raise Unreachable(f"east is gone: {settings}")


def reported(lost: Emergency, folder: Path) -> LossReport:
    """With the old writer fenced, as it is when it comes back."""
    sql.rows(lost.east, "SET GLOBAL read_only=1")
    try:
        return losses_of(facts_at(lost.since), lost.old, lost.survivor, Keep(folder)).report
    finally:
        sql.rows(lost.east, "SET GLOBAL read_only=0")


def forget_log(lost: Emergency) -> None:
    """MariaDB keeps a file until what is in it has reached the storage engine's own log."""
    clock = SystemClock()
    deadline = Deadline.after(clock, 60)
    while True:
        sql.rows(lost.east, "FLUSH BINARY LOGS")
        last = sql.rows(lost.east, "SHOW BINARY LOGS")[-1]["Log_name"]
        sql.rows(lost.east, "PURGE BINARY LOGS TO %s", last)
        if len(sql.rows(lost.east, "SHOW BINARY LOGS")) == 1:
            return
        assert not deadline.is_over()
        clock.sleep(0.05)


def test_the_moment_of_a_transaction_is_told_in_utc(pair: Sandbox) -> None:
    with emergency(pair, [SMALL]) as lost:
        lost.lose("SET timestamp=1700000000", "INSERT INTO app.small VALUES (1,'a',1)")
        (only,) = read_live(lost.old, lost.since, lost.rows.table, not_by=None).transactions
        assert only.at == datetime.fromtimestamp(1700000000, UTC)


def test_without_gtids_the_log_s_file_and_offset_tell_what_was_lost(fresh_pair: Sandbox, tmp_path: Path) -> None:
    """What the survivor itself wrote stands in the old writer's log, too, and is no loss."""
    with closing(sql.connect(fresh_pair, "east")) as east, closing(sql.connect(fresh_pair, "west")) as west:
        sql.rows(east, SMALL)
        for side in (east, west):
            sql.rows(side, "STOP SLAVE")
            sql.rows(side, "CHANGE MASTER TO MASTER_USE_GTID=no")
            sql.rows(side, "START SLAVE")
        servers = drivers(fresh_pair)
        assert servers["west"].wait_applied(servers["east"].write_facts().position, 60)
        since = servers["west"].write_facts().position
        assert isinstance(since, FilePosition)
        sql.rows(west, "STOP SLAVE")
        sql.rows(east, "INSERT INTO app.small VALUES (1,'a',1)")
        sql.rows(west, "SET GLOBAL read_only=0")
        sql.rows(west, "INSERT INTO app.small VALUES (2,'b',2)")
        assert eventually(lambda: bool(sql.rows(east, "SELECT * FROM app.small WHERE id=2")))
        sql.rows(east, "SET GLOBAL read_only=1")
        live = losses_of(facts_at(since), servers["east"], servers["west"], Keep(tmp_path / "live")).report
        keep = Keep(tmp_path / "copied")
        data = fresh_pair.members["east"].data
        copy_logs(
            CopyLogs(run="r1", cluster=ClusterName("east"), folder=data, base="binlog.", first="", within_s=20), None, keep, SystemClock()
        )
        copied = losses_of(facts_at(since), Dead(), servers["west"], keep).report
        for server in servers.values():
            server.close()
    assert (live.state, copied.state) == (LossState.KNOWN, LossState.KNOWN)
    assert [dict(row.key) for one in live.transactions for row in one.rows] == [{"id": 1}]
    assert copied.transactions == live.transactions
    assert live.transactions[0].position.startswith("east=binlog.0")


def test_the_head_of_a_file_with_tagged_gtids_tells_that_the_log_reaches_back(mysql_pair: Sandbox, tmp_path: Path) -> None:
    with emergency(mysql_pair, [SMALL], ["SET gtid_next='AUTOMATIC:some_tag'"]) as lost:
        lost.lose("INSERT INTO app.small VALUES (1,'a',1)")
        receive_all(mysql_pair, lost.east, lost.west)
        since = lost.survivor.write_facts().position
        lost.lose("FLUSH BINARY LOGS", "INSERT INTO app.small VALUES (2,'b',2)")
        last = str(sql.rows(lost.east, "SHOW BINARY LOGS")[-1]["Log_name"])
        data = mysql_pair.members["east"].data
        copy = CopyLogs(run="r1", cluster=ClusterName("east"), folder=data, base="binlog.", first=last, within_s=20)
        copy_logs(copy, None, Keep(tmp_path), SystemClock())
        report = losses_of(facts_at(since), Dead(), lost.survivor, Keep(tmp_path)).report
    assert report.state is LossState.KNOWN
    assert [dict(row.key) for one in report.transactions for row in one.rows] == [{"id": 2}]


@BOTH
def test_a_row_written_meanwhile_ends_its_whole_transaction_without_effect(sandbox: Sandbox, tmp_path: Path) -> None:
    """Between the look and the statement, going there and going back; and what was put back already is not put back again."""
    with emergency(sandbox, [SMALL, "INSERT INTO app.small VALUES (1,'a',1)"]) as lost:
        lost.lose("BEGIN", "INSERT INTO app.small VALUES (5,'e',5)", "UPDATE app.small SET n=9 WHERE id=1", "COMMIT")
        lost.lose("INSERT INTO app.small VALUES (6,'f',6)")
        before = losses_of(facts_at(lost.since), lost.old, lost.survivor, Keep(tmp_path))
        sql.rows(lost.west, "UPDATE app.small SET v='west' WHERE id=1")

        def there() -> list[dict[str, Any]]:
            return sql.rows(lost.west, "SELECT id, v, n FROM app.small ORDER BY id")

        first, second = put_back(lost.session, "r1", planned(before), check=nothing)
        assert (first.rows, first.why) == (0, "update app.small id=1: the row was written since")
        assert (second.rows, second.why) == (1, "")
        assert there() == [{"id": 1, "v": "west", "n": 1}, {"id": 6, "v": "f", "n": 6}]
        again = list(put_back(lost.session, "r1", planned(before)[1:], check=nothing))
        assert (again[0].rows, "1062" in again[0].why) == (0, True)

        sql.rows(lost.west, "UPDATE app.small SET n=7 WHERE id=6")
        after = losses_of(facts_at(lost.since), lost.old, lost.survivor, Keep(tmp_path))
        plans = taken_back(after, PUT_BACK.rows(lost.session, "r1"))
        assert [plan.position for plan in plans] == [second.position]
        (kept,) = take_back(lost.session, "r1", plans, check=nothing)
        assert (kept.rows, kept.why) == (0, "insert app.small id=6: the row was written since")
        sql.rows(lost.west, "UPDATE app.small SET n=6 WHERE id=6")
        (gone,) = take_back(lost.session, "r1", plans, check=nothing)
        assert gone.rows == 1
        (twice,) = take_back(lost.session, "r1", plans, check=nothing)
        assert (twice.rows, twice.why) == (0, "it was not put back, or that was taken back already")
        assert there() == [{"id": 1, "v": "west", "n": 1}]


def nothing() -> None:
    """The pair is ours."""


@BOTH
def test_a_repair_that_may_no_longer_go_on_ends_between_two_transactions(sandbox: Sandbox, tmp_path: Path) -> None:
    with emergency(sandbox, [SMALL]) as lost:
        lost.lose("INSERT INTO app.small VALUES (1,'a',1)", "INSERT INTO app.small VALUES (2,'b',2)")
        plans = planned(losses_of(facts_at(lost.since), lost.old, lost.survivor, Keep(tmp_path)))
        asked: list[int] = []

        def check() -> None:
            asked.append(1)
            if len(asked) > 2:
                raise LeaseLost("another run has the pair")

        with pytest.raises(LeaseLost):
            list(put_back(lost.session, "r2", plans, check=check))
        assert [row["id"] for row in sql.rows(lost.west, "SELECT id FROM app.small")] == [1]
