"""A pair of two flavors, which replicate by file and offset: compared like any other, whichever of them is the writer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from servers.diff_lab import compare, ends, plant
from servers.mixed_lab import mixed
from waiting import eventually

TABLE = (
    "CREATE TABLE app.t (id INT PRIMARY KEY, v VARCHAR(20), f FLOAT, d DOUBLE, n DECIMAL(10,3), at DATETIME(3), b VARBINARY(20), "
    "bits BIT(5), e ENUM('a','b')) CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci"
)


def row(number: int) -> str:
    values = f"{number}, 'é{number}', {number / 8}, {number / 8}, {number / 8}, '2024-01-01', X'00FF', {number % 32}, 'b'"
    return f"INSERT INTO app.t VALUES ({values})"


@pytest.fixture(scope="module")
def pair() -> Iterator[Sandbox]:
    with mixed({"east": "mysql", "west": "mariadb"}, mariadb_logs="ROW") as sandbox:
        sql.query(sandbox, "east", TABLE)
        for number in range(1, 40):
            sql.query(sandbox, "east", row(number))
        assert eventually(lambda: sql.query(sandbox, "west", "SELECT COUNT(*) AS n FROM app.t")[0]["n"] == 39, 20.0)
        yield sandbox


@pytest.mark.parametrize("writer", ["east", "west"])
def test_rows_of_two_flavors_are_compared(pair: Sandbox, writer: str) -> None:
    with ends(pair) as (east, west):
        first, second = (east, west) if writer == "east" else (west, east)
        equal = compare(pair, first, second, "app.t").comparison
        plant(pair, "west", "UPDATE app.t SET f=1.1000001e0 WHERE id=3", "DELETE FROM app.t WHERE id=4")
        plant(pair, "west", "UPDATE app.t SET v='e5' WHERE id=5")
        try:
            found = compare(pair, first, second, "app.t").comparison
        finally:
            plant(pair, "west", "DELETE FROM app.t WHERE id IN (3, 5)", *map(row, (3, 4, 5)))
    assert (equal.shapes, equal.differences, equal.not_compared, equal.rows) == ((), 0, 0, 39)
    assert (found.shapes, found.not_compared) == ((), 0)
    assert sorted((str(one.key["id"]), one.kind.value, one.cluster, one.columns) for one in found.tables[0].differences) == [
        ("3", "changed", str(second.cluster), ("f",)),
        ("4", "missing_on", "west", ()),
        ("5", "changed", str(second.cluster), ("v",)),
    ]


def test_json_is_declared_differently_by_the_two_and_so_named(pair: Sandbox) -> None:
    for server in ("east", "west"):
        plant(pair, server, "CREATE TABLE app.j (id INT PRIMARY KEY, j JSON) COLLATE utf8mb4_bin", "INSERT INTO app.j VALUES (1, '[1]')")
    with ends(pair) as (east, west):
        found = compare(pair, east, west, "app.j").comparison
    assert [one.what for one in found.shapes] == ["column j"]
    assert [one.what for one in found.tables[0].not_compared] == ["column j"]
