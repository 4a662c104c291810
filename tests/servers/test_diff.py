"""The data of two real servers compared: every kind of difference is found exactly, and nothing else."""

from __future__ import annotations

import pytest

from interlock.diff.compare import Before
from interlock.model.differences import Comparison, DifferenceKind
from interlock.model.losses import Cell
from interlock.sandbox.places import Sandbox
from servers.diff_lab import compared, compared_after, compared_in_ranges_of, plant, write
from servers.test_losses import EVERY_TYPE, INSERT, PAIRS, ROWS

ALL = pytest.mark.parametrize("kind", ["mariadb", "mariadb-11.8", "mysql"])
BOTH = pytest.mark.parametrize("kind", ["mariadb", "mysql"])


@pytest.fixture
def sandbox(kind: str, request: pytest.FixtureRequest) -> Sandbox:
    its: Sandbox = request.getfixturevalue(PAIRS[kind])
    return its


def told(comparison: Comparison) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Of the one table that was compared: kind, key, cluster and columns of each difference."""
    (table,) = comparison.tables
    assert table.complete
    assert table.not_compared == ()
    return sorted((one.kind.value, str(list(one.key.values())), one.cluster, one.columns) for one in table.differences)


NUMBERS = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM s WHERE i<900)"
CHANGES: dict[str, tuple[str, Cell, Cell]] = {
    # column: what is planted, the writer's value, the other's
    "t1": ("127", -128, 127),
    "t4": ("18446744073709551614", 18446744073709551615, 18446744073709551614),
    "f": ("1.1000001e0", float.fromhex("0x1.19999ap+0"), float.fromhex("0x1.19999cp+0")),
    "d": ("0.30000000000000004e0", 0.1, 0.30000000000000004),
    "de": ("-12345.67890", "-12345.67891", "-12345.67890"),
    "b10": ("b'1000000000'", 513, 512),
    "y": ("1901", 0, 1901),
    "da": ("'0000-00-01'", "0000-00-00", "0000-00-01"),
    "dt6": ("'9999-12-31 23:59:59.999998'", "9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999998"),
    "ts": ("'1970-01-01 00:00:01'", "0000-00-00 00:00:00", "1970-01-01 00:00:01"),
    "ti6": ("NULL", "838:59:59.000000", None),
    "c": ("'ABC'", "abc", "ABC"),
    "cl": ("'e'", "é", "e"),
    "cb": ("X'610000620001'", b"a\0\0b\0\0", b"a\0\0b\0\1"),
    "vb": ("X'00FF00'", b"\x00\xff", b"\x00\xff\x00"),
    "tx": ("CONCAT(tx, ' ')", 'it\'s "q" \\ \n \0 ü 😀', 'it\'s "q" \\ \n \0 ü 😀 '),
    "lt": ("''", "中文".encode("gbk"), b""),
    "en": ("'c'", 2, 3),
    "se": ("'r,q'", 5, 6),
    "g": ("ST_GeomFromText('POINT(1 2.0000000000000004)')", None, None),
}


@ALL
def test_every_kind_of_value_is_compared_byte_by_byte(sandbox: Sandbox) -> None:
    numbers = {column: 100 + number for number, column in enumerate(CHANGES)}
    write(sandbox, EVERY_TYPE, *(INSERT + row for row in ROWS))
    try:
        for number in numbers.values():
            write(sandbox, INSERT + ROWS[0].replace("(1,", f"({number},", 1))
        assert told(compared(sandbox, "app.types")) == []
        plant(sandbox, "west", *(f"UPDATE app.types SET ts6=ts6, {its}={CHANGES[its][0]} WHERE id={n}" for its, n in numbers.items()))
        (table,) = compared(sandbox, "app.types").tables
        found = {one.key["id"]: one for one in table.differences}
        assert {key: one.columns for key, one in found.items()} == {number: (column,) for column, number in numbers.items()}
        for column, number in numbers.items():
            one = found[number]
            assert (one.kind, one.cluster) == (DifferenceKind.CHANGED, "west")
            assert one.writer is not None
            assert one.other is not None
            if column != "g":
                assert (one.writer[column], one.other[column]) == CHANGES[column][1:], column
        assert table.generated == ("gen", "gs")
    finally:
        write(sandbox, "DROP TABLE app.types")


@BOTH
def test_rows_that_one_side_lacks_are_named_with_it(sandbox: Sandbox) -> None:
    write(
        sandbox,
        "CREATE TABLE app.t (id INT PRIMARY KEY, v VARCHAR(20))",
        f"INSERT INTO app.t {NUMBERS} SELECT i, CONCAT('v', i) FROM s",
    )
    try:
        plant(sandbox, "west", "DELETE FROM app.t WHERE id IN (1, 500)", "INSERT INTO app.t VALUES (-5, NULL), (99999, '')")
        plant(sandbox, "west", "UPDATE app.t SET v='' WHERE id=700", "UPDATE app.t SET v=NULL WHERE id=701")
        assert told(compared(sandbox, "app.t")) == [
            ("changed", "[700]", "west", ("v",)),
            ("changed", "[701]", "west", ("v",)),
            ("missing_on", "[-5]", "east", ()),
            ("missing_on", "[1]", "west", ()),
            ("missing_on", "[500]", "west", ()),
            ("missing_on", "[99999]", "east", ()),
        ]
    finally:
        write(sandbox, "DROP TABLE app.t")


@BOTH
def test_a_table_without_a_key_is_compared_by_how_often_each_row_is_there(sandbox: Sandbox) -> None:
    write(
        sandbox,
        "CREATE TABLE app.t (a INT, b TEXT)",
        f"INSERT INTO app.t {NUMBERS} SELECT i MOD 300, CONCAT('v', i MOD 300) FROM s",
    )
    try:
        assert told(compared(sandbox, "app.t")) == []
        plant(sandbox, "west", "DELETE FROM app.t WHERE a=7 LIMIT 2", "INSERT INTO app.t VALUES (8,'v8'), (-1,NULL), (-1,NULL)")
        (table,) = compared(sandbox, "app.t").tables
        found = {(one.cluster, one.copies, str(one.writer), str(one.other)) for one in table.differences}
        seven, eight, new = ({"a": 7, "b": "v7"}, {"a": 8, "b": "v8"}, {"a": -1, "b": None})
        assert found == {
            ("west", 2, str(seven), str(seven)),
            ("east", 1, str(eight), str(eight)),
            ("east", 2, "None", str(new)),
        }
    finally:
        write(sandbox, "DROP TABLE app.t")


KEYS = {
    "composite": ("a INT, b VARCHAR(10) COLLATE utf8mb4_general_ci, v INT, PRIMARY KEY (a, b)", "i MOD 3, CONCAT('k', i), i"),
    "text without regard to case": ("a VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY, v INT", "CONCAT('Key ', i), i"),
    "bytes": ("a VARBINARY(20) PRIMARY KEY, v INT", "UNHEX(SHA2(i, 256)), i"),
    "unique, not primary": ("a INT NULL, b INT NOT NULL UNIQUE, v INT", "i, i*3, i"),
    "date and time": ("a DATETIME(3), b TIME, v INT, PRIMARY KEY (a, b)", "'2020-01-01' + INTERVAL i HOUR, SEC_TO_TIME(i), i"),
    "enum first": ("a ENUM('z','b','a'), b INT, v INT, PRIMARY KEY (a, b)", "1 + i MOD 3, i, i"),
    "enum second": ("b INT, a ENUM('z','b','a'), v INT, PRIMARY KEY (b, a)", "i, 1 + i MOD 3, i"),
    "float": ("a FLOAT PRIMARY KEY, v INT", "i/7, i"),
    "decimal": ("a DECIMAL(20,10) PRIMARY KEY, v INT", "i/7, i"),
    "latin1": ("a VARCHAR(20) CHARACTER SET latin1 PRIMARY KEY, v INT", "CONCAT('é', i), i"),
    "bits": ("a BIT(20) PRIMARY KEY, v INT", "i, i"),
}


@BOTH
@pytest.mark.parametrize("what", KEYS)
def test_ranges_of_any_key_are_cut_without_a_gap(sandbox: Sandbox, what: str) -> None:
    """One row differs in every range: the first, the last, and those at the ends."""
    columns, values = KEYS[what]
    names = ", ".join(part.split()[0] for part in columns.split(", ") if part.split()[0] in {"a", "b", "v"})
    write(sandbox, f"CREATE TABLE app.t ({columns})", f"INSERT IGNORE INTO app.t ({names}) {NUMBERS} SELECT {values} FROM s")
    try:
        found = compared_in_ranges_of(100, sandbox)
        assert (found.rows, found.differences) == (900, ())
        plant(sandbox, "west", "UPDATE app.t SET v=-v WHERE v MOD 100 IN (0, 1, 50)")
        assert sorted(int(str(one.writer["v"])) for one in compared_in_ranges_of(100, sandbox).differences if one.writer) == [
            number for number in range(1, 901) if number % 100 in {0, 1, 50}
        ]
    finally:
        write(sandbox, "DROP TABLE app.t")


DECLARED = {
    "table": ("CREATE TABLE app.extra (i INT PRIMARY KEY)", ("extra_table", "app", "extra", "table", "east")),
    "column": ("ALTER TABLE app.t ADD COLUMN more INT", ("schema", "app", "t", "column more", "east")),
    "type": ("ALTER TABLE app.t MODIFY v VARCHAR(30)", ("schema", "app", "t", "column v", "west")),
    "null": ("ALTER TABLE app.t MODIFY v VARCHAR(20) NOT NULL", ("schema", "app", "t", "column v", "west")),
    "default": ("ALTER TABLE app.t ALTER v SET DEFAULT 'x'", ("schema", "app", "t", "column v", "west")),
    "collation": ("ALTER TABLE app.t MODIFY v VARCHAR(20) COLLATE utf8mb4_bin", ("schema", "app", "t", "column v", "west")),
    "key": ("ALTER TABLE app.t ADD KEY more (v)", ("schema", "app", "t", "key more", "east")),
    "unique": ("ALTER TABLE app.t DROP KEY v, ADD UNIQUE KEY v (v)", ("schema", "app", "t", "key v", "west")),
    "trigger": (
        "CREATE TRIGGER app.more BEFORE INSERT ON app.t FOR EACH ROW SET NEW.v='x'",
        ("schema", "app", "t", "trigger more", "east"),
    ),
    "check": ("ALTER TABLE app.t ADD CONSTRAINT positive CHECK (id > 0)", ("schema", "app", "t", "check positive", "east")),
    "view": ("CREATE OR REPLACE VIEW app.w AS SELECT 2 AS a", ("schema", "app", "", "view w", "west")),
    "routine": ("DROP PROCEDURE app.p", ("schema", "app", "", "routine p", "west")),
    "engine": ("ALTER TABLE app.t ENGINE=MyISAM", ("schema", "app", "t", "table", "west")),
}
_BACK = ("DROP VIEW IF EXISTS app.w", "DROP PROCEDURE IF EXISTS app.p", "DROP TABLE IF EXISTS app.t", "DROP TABLE IF EXISTS app.extra")


@BOTH
def test_what_is_declared_differently_is_named(sandbox: Sandbox) -> None:
    made = (
        "CREATE TABLE app.t (id INT PRIMARY KEY, v VARCHAR(20), KEY v (v)) COLLATE utf8mb4_general_ci",
        "CREATE VIEW app.w AS SELECT 1 AS a",
        "CREATE PROCEDURE app.p() SELECT 1",
    )
    for what, (planted, expected) in DECLARED.items():
        write(sandbox, *made, "INSERT INTO app.t VALUES (1, 'a'), (2, 'b')")
        try:
            plant(sandbox, "west", planted)
            found = compared(sandbox)
            assert [(one.kind.value, one.schema, one.table, one.what, one.cluster) for one in found.shapes] == [expected], what
            assert found.unseen == ()
            rows = [table for table in found.tables if table.name == "t"]
            assert [len(table.differences) for table in rows] == [0], what
        finally:
            plant(sandbox, "west", *_BACK)
            plant(sandbox, "east", *_BACK)


@BOTH
def test_columns_that_one_side_declares_otherwise_are_left_out_and_named(sandbox: Sandbox) -> None:
    write(sandbox, "CREATE TABLE app.t (id INT PRIMARY KEY, v INT, w INT)", "INSERT INTO app.t VALUES (1,1,1),(2,2,2)")
    try:
        plant(sandbox, "west", "ALTER TABLE app.t MODIFY v BIGINT, ADD COLUMN x INT FIRST", "UPDATE app.t SET v=9, w=9 WHERE id=2")
        (table,) = compared(sandbox, "app.t").tables
        assert [(one.key, one.columns) for one in table.differences] == [({"id": 2}, ("w",))]
        assert [one.what for one in table.not_compared] == ["column v", "column x"]
    finally:
        write(sandbox, "DROP TABLE app.t")


@BOTH
def test_tables_whose_engine_locks_no_rows_are_compared_while_nothing_is_written(sandbox: Sandbox) -> None:
    write(sandbox, "CREATE TABLE app.t (id INT PRIMARY KEY, v INT) ENGINE=MyISAM", "INSERT INTO app.t VALUES (1,1),(2,2)")
    try:
        plant(sandbox, "west", "UPDATE app.t SET v=3 WHERE id=2")
        assert told(compared(sandbox, "app.t")) == [("changed", "[2]", "west", ("v",))]
    finally:
        write(sandbox, "DROP TABLE app.t")


@BOTH
def test_partitions_and_invisible_columns_are_compared_too(sandbox: Sandbox) -> None:
    write(
        sandbox,
        "CREATE TABLE app.t (id INT PRIMARY KEY, v INT INVISIBLE DEFAULT 1) PARTITION BY HASH (id) PARTITIONS 4",
        f"INSERT INTO app.t (id, v) {NUMBERS} SELECT i, i FROM s",
    )
    try:
        plant(sandbox, "west", "UPDATE app.t SET v=0 WHERE id IN (1, 500, 900)")
        assert [one.key["id"] for one in compared_in_ranges_of(100, sandbox).differences] == [1, 500, 900]
    finally:
        write(sandbox, "DROP TABLE app.t")


@BOTH
def test_rows_that_have_too_much_text_to_be_hashed_as_one_are_hashed_each(sandbox: Sandbox) -> None:
    """18 MB in 300 rows of the second range, and the last of them differs: the server cuts before it."""
    few = "WITH RECURSIVE s(i) AS (SELECT 17001 UNION ALL SELECT i+1 FROM s WHERE i<17300)"
    write(
        sandbox,
        "CREATE TABLE app.t (id INT PRIMARY KEY, v TEXT NOT NULL) CHARACTER SET latin1",
        *(f"INSERT INTO app.t {NUMBERS} SELECT i+{begin}, '' FROM s" for begin in range(0, 34_200, 900)),
        f"UPDATE app.t JOIN ({few} SELECT i FROM s) AS n ON n.i=id SET v=REPEAT('x', 60000)",
    )
    try:
        assert compared_in_ranges_of(17_000, sandbox).differences == ()
        plant(sandbox, "west", "UPDATE app.t SET v=CONCAT(REPEAT('x', 59999), 'y') WHERE id=17300")
        assert [(one.key, one.columns) for one in compared_in_ranges_of(17_000, sandbox).differences] == [({"id": 17300}, ("v",))]
    finally:
        write(sandbox, "DROP TABLE app.t")


def test_what_was_compared_before_is_not_read_again(pair: Sandbox) -> None:
    """So a difference that comes about in a range already read is no error of the other side, nor of this comparison."""
    write(pair, "CREATE TABLE app.t (id INT PRIMARY KEY, v INT)", f"INSERT INTO app.t {NUMBERS} SELECT i, i FROM s")
    try:
        plant(pair, "west", "UPDATE app.t SET v=0 WHERE id IN (100, 700)")
        before = Before(reached={("app", "t"): {"id": 500}}, done=frozenset({("app", "ledger")}))
        assert [one.key for one in compared_after(pair, before)] == [{"id": 700}]
    finally:
        write(pair, "DROP TABLE app.t")


@BOTH
def test_wide_tables_and_long_values_fit_into_packets(sandbox: Sandbox) -> None:
    """300 columns make a statement of some 30 kB; what a text of megabytes adds to a row is its hash."""
    columns = [f"c{number} INT" for number in range(300)]
    write(
        sandbox,
        f"CREATE TABLE app.t (id INT PRIMARY KEY, {', '.join(columns)}, big LONGTEXT)",
        f"INSERT INTO app.t (id, c7) {NUMBERS} SELECT i, i FROM s",
        "UPDATE app.t SET big=REPEAT('x', 6000000) WHERE id IN (10, 11)",
    )
    try:
        plant(
            sandbox,
            "west",
            "UPDATE app.t SET big=CONCAT(REPEAT('x', 5999999), 'y') WHERE id=10",
            "UPDATE app.t SET c299=0 WHERE id=700",
            "UPDATE app.t SET c250=c7, c7=NULL WHERE id=800",
        )
        assert told(compared(sandbox, "app.t")) == [
            ("changed", "[10]", "west", ("big",)),
            ("changed", "[700]", "west", ("c299",)),
            ("changed", "[800]", "west", ("c7", "c250")),
        ]
    finally:
        write(sandbox, "DROP TABLE app.t")
