"""`interlock sandbox up --like TOPOLOGY`: what of a pair is there again, and that the pair itself is only looked at."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest

from interlock.clock import SystemClock
from interlock.sandbox import pair as pairs
from interlock.sandbox import places, sql
from interlock.sandbox.accounts import write_private
from interlock.sandbox.kinds import kind_named, user_cache
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from interlock.servers.grants import audit_grants_sql
from scenarios.command_line import environment, interlock
from scenarios.pair_state import variables
from scenarios.segment_lab import active_active

_WITHIN_S = 240.0  # a busy machine takes its time
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
_HOOK = "{side}: fenced from outside by the sandbox's own hook here, by command there"
_BEFORE_THE_REST = (
    _SCHEMA[0],
    "CREATE TABLE shop.z (id INT PRIMARY KEY)",
    "CREATE FUNCTION shop.twice(given INT) RETURNS INT DETERMINISTIC BEGIN DECLARE found INT; SET found = 2 * given; RETURN found; END",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What `up --like` printed, and the sandbox."""

    document: Any
    sandbox: Sandbox
    env: Mapping[str, str]

    def query(self, server: str, statement: str) -> list[dict[str, Any]]:
        return query(self.sandbox, server, statement)


@contextmanager
def _like(topology: str, env: Mapping[str, str], folder: Path) -> Iterator[Made]:
    """Servers are where they are installed, whatever the home; the data directory is copied from the template that is there."""
    env = {**env, "INTERLOCK_TOPOLOGY": "", "XDG_CACHE_HOME": str(user_cache().parent)}
    directory = folder / "like"
    up = interlock("sandbox", "up", "--like", topology, "--dir", str(directory), "--json", env=env, within_s=_WITHIN_S)
    assert up.code == 0, up
    try:
        said = up.document
        used = {**env, "INTERLOCK_TOPOLOGY": said["topology"], "INTERLOCK_STORE": said["store"]}
        yield Made(document=said, sandbox=places.read(directory), env=used)
    finally:
        pairs.down(directory)


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
        with _like(topology, environment(None, folder), folder) as made:
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
            if kind == "mariadb":
                return
            words = ("--dir", made.sandbox.directory, "--count", "1", "--pooled", "1", "--fresh", "1")
            drilled = interlock("drill", *words, "--json", env=made.env, within_s=_WITHIN_S)
            (switch,) = drilled.document["switches"]
            assert (drilled.code, switch["to"], switch["outage_ms"] is not None) == (0, "oslo", True), drilled
            assert made.query("oslo", "SELECT paid FROM shop.orders") == [{"paid": 2}]


def _state(sandbox: Sandbox) -> dict[str, object]:
    """Every setting of each server, and what it has logged."""
    return {name: (variables(sandbox, name), query(sandbox, name, kind_named(sandbox.kind).position)) for name in sandbox.members}


def test_segments_are_closed_where_their_owner_is_not_and_can_be_moved(fresh_pair: Sandbox, folder: Path, tmp_path: Path) -> None:
    shop = active_active(fresh_pair, tmp_path)
    assert shop.move("west")["outcome"] == "succeeded"
    with _like(shop.env["INTERLOCK_TOPOLOGY"], shop.env, folder) as made:
        segments = {one["segment"]: one for one in interlock("segment", "list", "--json", env=made.env).document}
        assert made.document["not_alike"] == [_HOOK.format(side=side) for side in ("east", "west")]
        assert {name: (one["owner"], one["home"], one["problems"]) for name, one in segments.items()} == {
            "eu": ("west", "east", []),
            "us": ("west", "west", []),
        }
        password = Path(made.document["passwords"]["app_eu@%"]).read_text().strip()
        proxy = made.sandbox.proxy
        with closing(pymysql.connect(host=proxy.host, port=proxy.port, user="app_eu", password=password, autocommit=True)) as client:
            client.cursor().execute("INSERT INTO shop_eu.writes VALUES ('k', @@server_id)")
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            pymysql.connect(host=proxy.host, port=proxy.port, user="app_eu", password="only-In-This-Sandbox-1")
        moved = interlock("segment", "move", "eu", "--to", "east", "--json", env=made.env, within_s=_WITHIN_S)
        assert (moved.code, moved.outcome) == (0, "succeeded")
    assert shop.status("eu")["owner"] == "west"
    (test_bed,) = interlock("audit", "--question", "16", "--json", env=shop.env, within_s=_WITHIN_S).document["questions"]
    assert (test_bed["verdict"], test_bed["findings"]) == ("fits", [])
    assert "a sandbox like it was made" in test_bed["seen"][-1]


def test_a_pair_that_does_not_answer_leaves_nothing_behind(fresh_pair: Sandbox, folder: Path) -> None:
    text = Path(fresh_pair.topology).read_text().replace(f"host: {fresh_pair.members['west'].host}", "host: 127.250.250.250")
    (folder / "topology.yaml").write_text(text)
    env = {**environment(None, folder), "XDG_CACHE_HOME": str(user_cache().parent)}
    up = interlock("sandbox", "up", "--like", str(folder / "topology.yaml"), "--dir", str(folder / "like"), env=env, within_s=_WITHIN_S)
    assert (up.code, "west" in up.err, (folder / "like").exists()) == (3, True, False)
