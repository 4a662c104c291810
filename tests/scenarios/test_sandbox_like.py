"""`interlock sandbox up --like TOPOLOGY`: what of a pair is there again, and that the pair itself is only looked at."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from interlock.clock import SystemClock
from interlock.sandbox import pair as pairs
from interlock.sandbox import sql
from interlock.sandbox.accounts import write_private
from interlock.sandbox.kinds import kind_named
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from interlock.servers.grants import audit_grants_sql
from scenarios.command_line import environment, interlock
from scenarios.likeness_lab import WITHIN_S, like
from scenarios.pair_state import variables

_SETTINGS = {"auto_increment_increment": "10", "sql_mode": "ANSI_QUOTES", "default_time_zone": "+02:00", "max_connections": "150"}
_ONLY = {"mariadb": {"lower_case_table_names": "1"}, "mysql": {}}
_COUNTING = {"east": {"auto_increment_offset": "2"}, "west": {"auto_increment_offset": "1"}}
"""The other way round than a sandbox's."""
_SCHEMA = (
    "CREATE DATABASE shop CHARACTER SET latin1",
    "CREATE TABLE shop.orders (id INT AUTO_INCREMENT PRIMARY KEY, customer INT, paid INT, FOREIGN KEY (customer) REFERENCES shop.z (id))",
    "CREATE USER boss@'%' IDENTIFIED BY 'only-In-This-Sandbox-1'",
    "GRANT SELECT, EXECUTE ON shop.* TO boss@'%'",
    "CREATE VIEW shop.z_paid AS SELECT id, shop.twice(paid) AS paid FROM shop.orders",
    "CREATE DEFINER=boss@'%' VIEW shop.a_few AS SELECT id FROM shop.z_paid",
    "CREATE TRIGGER shop.counted BEFORE INSERT ON shop.orders FOR EACH ROW SET NEW.paid = shop.twice(NEW.paid)",
    "CREATE EVENT shop.cleared ON SCHEDULE EVERY 1 DAY DO DELETE FROM shop.orders",
    "INSERT INTO shop.z VALUES (1)",
    "INSERT INTO shop.orders (customer, paid) VALUES (1, 20)",
)
_BEFORE_THE_REST = (
    _SCHEMA[0],
    "CREATE TABLE shop.z (id INT PRIMARY KEY)",
    "CREATE FUNCTION shop.twice(given INT) RETURNS INT DETERMINISTIC BEGIN DECLARE found INT; SET found = 2 * given; RETURN found; END",
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """With a short path: sockets lie below it."""
    path = Path(tempfile.mkdtemp(prefix="interlock-"))
    yield path
    shutil.rmtree(path)


@contextmanager
def _original(folder: Path, kind: str, options: Mapping[str, str]) -> Iterator[Sandbox]:
    sandbox = pairs.up(folder / "pair", clock=SystemClock(), kind=kind, options=options, only=_COUNTING)
    try:
        with closing(sql.connect(sandbox, "east")) as admin:
            for statement in (*_BEFORE_THE_REST, *_SCHEMA[1:]):
                sql.rows(admin, statement)
            position = sql.value(admin, kind_named(kind).position)
        with closing(sql.connect(sandbox, "west")) as west:
            assert sql.value(west, kind_named(kind).wait, position, 30) == 0
        yield sandbox
    finally:
        pairs.down(folder / "pair")


def _with_an_auditor(sandbox: Sandbox, path: Path) -> str:
    """A topology whose account has what `interlock grants --audit` prints and no more, and whose sides and routes have other names."""
    write_private(path.parent / "password", "only-In-This-Sandbox-2\n")
    statements = ("CREATE USER auditor@'%' IDENTIFIED BY 'only-In-This-Sandbox-2'", *_audit_grants(sandbox))
    with closing(sql.connect(sandbox, "east")) as admin:
        for statement in statements:
            sql.rows(admin, statement)
        position = sql.value(admin, kind_named(sandbox.kind).position)
    with closing(sql.connect(sandbox, "west")) as west:
        assert sql.value(west, kind_named(sandbox.kind).wait, position, 30) == 0
    places_ = {name: f"{{host: {member.host}, port: {member.port}}}" for name, member in sandbox.members.items()}
    path.write_text(f"""\
topology: shop
access: {{user: auditor, password: {{file: {path.parent / "password"}}}, tls: off}}
clusters:
  oslo: {{master: {places_["west"]}}}
  rome: {{master: {places_["east"]}}}
routes:
  shop: {{type: command, flip: [/bin/true], show: [echo, rome]}}
""")
    return str(path)


def _audit_grants(sandbox: Sandbox) -> list[str]:
    return [line.partition(";")[0] for line in audit_grants_sql(sandbox.kind, "auditor").splitlines()]


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_settings_and_schema_are_there_again_and_the_pair_is_only_looked_at(kind: str, folder: Path) -> None:
    with _original(folder, kind, {**_SETTINGS, **_ONLY[kind]}) as original:
        topology = _with_an_auditor(original, folder / "shop.yaml")
        before = _state(original)
        with like(topology, environment(None, folder), folder) as made:
            assert _state(original) == before
            assert made.document["not_alike"] == [
                "route shop: HAProxy here, command there",
                "rome: max_connections is 200 here, 150 there",
                "oslo: max_connections is 200 here, 150 there",
            ]
            assert (list(made.sandbox.members), made.document["writer"], made.sandbox.name) == (["rome", "oslo"], "rome", "shop-like")
            for server in ("rome", "oslo"):
                (found,) = made.query(server, "SELECT @@auto_increment_increment AS step, @@GLOBAL.sql_mode AS mode, @@time_zone AS zone")
                assert found == {"step": 10, "mode": "ANSI_QUOTES", "zone": "+02:00"}
                assert made.query(server, "SELECT @@auto_increment_offset AS first") == [{"first": 2 if server == "rome" else 1}]
                assert made.query(server, "SELECT id FROM shop.orders") == []
                (event,) = made.query(server, "SELECT status FROM information_schema.events WHERE event_schema='shop'")
                assert (next(iter(event.values())) == "ENABLED") == (server == "rome")
            made.query("rome", "INSERT INTO shop.z VALUES (7)")
            made.query("rome", "INSERT INTO shop.orders (customer, paid) VALUES (7, 1)")
            assert made.query("rome", "SELECT paid FROM shop.z_paid WHERE id IN (SELECT id FROM shop.a_few)") == [{"paid": 4}]
            assert made.query("rome", "SELECT @@lower_case_table_names AS lower") == [
                {"lower": int("lower_case_table_names" in _ONLY[kind])}
            ]


def _state(sandbox: Sandbox) -> dict[str, object]:
    """Every setting of each server, and what it has logged."""
    return {name: (variables(sandbox, name), query(sandbox, name, kind_named(sandbox.kind).position)) for name in sandbox.members}


def test_a_pair_that_does_not_answer_leaves_nothing_behind(folder: Path) -> None:
    topology = folder / "topology.yaml"
    nobody = "{master: {host: 127.250.250.250, port: 9}}"
    topology.write_text(
        f"topology: shop\naccess: {{user: nobody, tls: off}}\nclusters:\n  east: {nobody}\n  west: {nobody.replace('9}', '10}')}\n"
    )
    words = ("sandbox", "up", "--like", str(topology), "--dir", str(folder / "like"))
    up = interlock(*words, env=environment(None, folder), within_s=WITHIN_S)
    assert (up.code, "127.250.250.250" in up.err, (folder / "like").exists()) == (3, True, False), up
