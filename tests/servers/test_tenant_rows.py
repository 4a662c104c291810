"""Whose a row is, of tables that tenants share, is told as the guard judges it: by the column's kind and collation, on real servers."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace

import pytest

from interlock.losses.now import Survivor
from interlock.losses.sql import SETTINGS
from interlock.losses.tenants import TenantRows
from interlock.model.topology import ClusterName, SegmentSpec, Tenants
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from servers.loss_lab import drivers

PAIRS = {"mariadb": "pair", "mysql": "mysql_pair"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """How it is declared, what is written there, what the topology names, and which of that is the tenant's, parted by blanks."""

    declared: str
    written: tuple[str | None, ...]
    named: str = "acme"
    its: str


COLUMNS = {
    "a text of any case": Column(
        declared="VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", written=("ACME", "Äcme", "acme2"), its="ACME Äcme"
    ),
    "a text of one case": Column(declared="VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", written=("ACME", "acme"), its="acme"),
    "another character set": Column(declared="CHAR(20) CHARACTER SET latin1", written=("Acme ", "a cme"), its="Acme"),
    "one of a list": Column(declared="ENUM('other','acme')", written=("acme", "other"), its="acme"),
    "bytes": Column(declared="VARBINARY(20)", written=("acme", "ACME"), its="acme"),
    "a number": Column(declared="INT", written=("7", "70"), named="7", its="7"),
    "a decimal": Column(declared="DECIMAL(8,2)", written=("7.00", "7.10"), named="7", its="7.00"),
    "nobody's": Column(declared="VARCHAR(20)", written=(None,), its=""),
}


def make_shared(sandbox: Sandbox, declared: str, written: tuple[str | None, ...]) -> Tenants:
    with closing(sql.connect(sandbox, "east")) as admin:
        sql.rows(admin, "DROP TABLE IF EXISTS app.shared")
        sql.rows(admin, f"CREATE TABLE app.shared (id INT PRIMARY KEY, told VARCHAR(20), tenant {declared})")
        for number, value in enumerate(written):
            sql.rows(admin, "INSERT INTO app.shared VALUES (%s, %s, %s)", number, value, value)
    return Tenants(column="tenant", values=("acme",), tables=("app.shared",))


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
@pytest.mark.parametrize("kind", PAIRS)
def test_whose_a_row_is(kind: str, column: Column, request: pytest.FixtureRequest) -> None:
    sandbox: Sandbox = request.getfixturevalue(PAIRS[kind])
    tenants = replace(make_shared(sandbox, column.declared, column.written), values=(column.named,))
    with closing(drivers(sandbox)["east"].session(SETTINGS)) as session:
        server = Survivor(session)
        images = server.rows([("app", "shared", (number,)) for number in range(len(column.written))])
        rows = TenantRows(server)
        found = [str(image["told"]).strip() for image in images.values() if rows.has("app", "shared", image, tenants)]
    assert sorted(found) == sorted(column.its.split())


NEVER_EQUAL = {
    "padded bytes": ("BINARY(20)", ("is a BINARY, which is never equal to acme",)),
    "bytes of that length": ("BINARY(4)", ()),
    "a short float": ("FLOAT", ("is a FLOAT, which is never equal to acme",)),
    "a text": ("VARCHAR(20)", ()),
}


@pytest.mark.parametrize(("declared", "why"), NEVER_EQUAL.values(), ids=NEVER_EQUAL)
@pytest.mark.parametrize("kind", PAIRS)
def test_a_column_in_which_the_guard_would_find_no_tenant_is_named(
    kind: str, declared: str, why: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    sandbox: Sandbox = request.getfixturevalue(PAIRS[kind])
    tenants = make_shared(sandbox, declared, ())
    spec = SegmentSpec(name="acme", schemas=(), accounts=(), owner=ClusterName("east"), route=None, tenants=tenants)
    with closing(drivers(sandbox)["east"]) as server:
        found = server.segments.surroundings(spec).fires_wrongly
    assert [each.startswith(f"tenant of app.shared {one}") for each, one in zip(found, why, strict=True)] == [True] * len(why)
