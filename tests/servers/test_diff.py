"""The data of two real servers compared: every kind of difference is found exactly, and nothing else."""

from __future__ import annotations

import pytest

from interlock.model.differences import Comparison, DifferenceKind
from interlock.model.losses import Cell
from interlock.sandbox.places import Sandbox
from servers.diff_lab import compared, plant, write
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
