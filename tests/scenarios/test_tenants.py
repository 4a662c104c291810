"""Tenants that share tables, each a segment of its own: moved on real pairs while both are written by one account."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest

from interlock.bootstrap import RealWorld, read_topology
from interlock.clock import SystemClock
from interlock.errors import BoundReached
from interlock.hosts.secrets import Secrets
from interlock.model.effects import CloseSegment, OpenSegment
from interlock.model.topology import Tenants
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import connect, query, rows
from interlock.servers.guard_words import triggers
from interlock.simulated.store import MemoryStore
from scenarios.command_line import environment
from scenarios.pair_state import behind_the_log
from scenarios.segment_lab import PASSWORD, Shop, Writer, writing
from waiting import eventually

_SEGMENTS = """\
segments:
  acme: {tenants: {column: tenant, values: [acme, "acme-2"], tables: [shop.writes]}, owner: east, route: writes}
  rest: {tenants: {column: tenant, values: [other], tables: [shop.writes]}, owner: west}
"""
_REFUSED = 1644  # ER_SIGNAL_EXCEPTION: what the guard says


@pytest.fixture(scope="module", params=["pair", "mysql_pair"], ids=["mariadb", "mysql"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    pair: Sandbox = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("shop")
    query(pair, "west", "SET GLOBAL read_only=0")
    with closing(connect(pair, "east")) as admin:
        for statement in (
            "CREATE DATABASE shop",
            "CREATE TABLE shop.writes (k VARCHAR(60) PRIMARY KEY, tenant VARCHAR(20) NOT NULL, server_id INT NOT NULL)",
            f"CREATE USER shop_app@'%' IDENTIFIED BY '{PASSWORD}'",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON shop.* TO shop_app@'%'",
        ):
            rows(admin, statement)
    topology = folder / "topology.yaml"
    topology.write_text(Path(pair.topology).read_text() + _SEGMENTS)
    made = Shop(pair=pair, env={**environment(pair, folder), "INTERLOCK_TOPOLOGY": str(topology)})
    assert eventually(lambda: bool(query(pair, "west", "SELECT 1 FROM mysql.user WHERE user='shop_app'")))
    _adopt(made)
    return made


def _adopt(shop: Shop) -> None:
    """MySQL believes who makes a trigger only if it is told to: what is wanting is said, and nothing is touched."""
    if shop.pair.kind == "mysql":
        refused = shop.run("run", "adopt-segment", "-i", "segment=acme", "-i", "owner=east")
        assert refused["outcome"] == "refused"
        assert "SET GLOBAL log_bin_trust_function_creators=1" in refused["problems"][0]["hint"]
        for server in shop.pair.members:
            query(shop.pair, server, "SET GLOBAL log_bin_trust_function_creators=1")
    for segment, owner in (("acme", "east"), ("rest", "west")):
        adopted = shop.run("run", "adopt-segment", "-i", f"segment={segment}", "-i", f"owner={owner}")
        assert adopted["outcome"] == "succeeded", adopted["problems"]


def _writers(shop: Shop) -> dict[str, Writer]:
    """`acme` by the route, the other tenant straight to west; both with the one account."""
    statement = "INSERT INTO shop.writes (k, tenant, server_id) VALUES (%s, '{}', @@server_id)"
    return {
        "acme": Writer(segment="acme", connect=lambda: shop.client("shop", user="shop_app"), statement=statement.format("acme")),
        "rest": Writer(segment="rest", connect=lambda: shop.client("shop", "west", user="shop_app"), statement=statement.format("other")),
    }


def _keys(shop: Shop, server: str) -> set[str]:
    return {row["k"] for row in query(shop.pair, server, "SELECT k FROM shop.writes")}


def _assert_nothing_lost(shop: Shop, writers: dict[str, Writer]) -> None:
    wanted = {key for writer in writers.values() for key in writer.acknowledged}
    for server in shop.pair.members:
        assert eventually(lambda server=server: wanted <= _keys(shop, server))  # type: ignore[misc]
    assert writers["rest"].errors == {}


def _assert_owned(shop: Shop, owner: str) -> None:
    seen = shop.status("acme")
    assert (seen["owner"], {name: each["open"] for name, each in seen["clusters"].items()}, seen["problems"]) == (
        owner,
        {"east": owner == "east", "west": owner == "west"},
        [],
    )


def _take_triggers_away(shop: Shop, server: str) -> None:
    """Of acme, on this server alone."""
    with closing(connect(shop.pair, server)) as admin:
        rows(admin, "SET SESSION sql_log_bin=0")
        for trigger in triggers("acme", Tenants(column="tenant", values=(), tables=()), ["shop.writes"]):
            rows(admin, f"DROP TRIGGER shop.{trigger.name}")


def test_where_a_guard_is_gone_everybody_says_so_and_adopting_makes_it_again(shop: Shop) -> None:
    _take_triggers_away(shop, "west")
    query(shop.pair, "west", "INSERT INTO shop.writes VALUES ('planted', 'acme', 0), ('its own', 'other', 0)")
    (problem,) = shop.status("acme")["problems"]
    assert "segment acme of east can be written on west, too: shop.writes has no guard" in problem["what"]
    refused = shop.run("segment", "move", "acme", "--to", "west")
    assert (refused["outcome"], "on west no trigger guards shop.writes" in refused["problems"][0]["what"]) == ("refused", True)
    found = shop.run("conflicts")["violations"]
    assert [(each["segment"], each["written"]["cluster"], each["key"]) for each in found] == [("acme", "west", {"k": "planted"})]
    adopted = shop.run("run", "adopt-segment", "-i", "segment=acme", "-i", "owner=east")
    assert adopted["outcome"] == "succeeded", adopted["problems"]
    _assert_owned(shop, "east")


def test_a_guard_that_somebody_deleted_is_told_and_made_again(shop: Shop) -> None:
    """As where the tables and their triggers were copied, and Interlock's own were not."""
    for server in shop.pair.members:
        with closing(connect(shop.pair, server)) as admin:
            rows(admin, "SET SESSION sql_log_bin=0")
            rows(admin, "DELETE FROM interlock.segment_guard WHERE segment='acme'")
    (problem,) = shop.status("acme")["problems"]
    assert "shop.writes has no guard" in problem["what"]
    adopted = shop.run("run", "adopt-segment", "-i", "segment=acme", "-i", "owner=east")
    assert adopted["outcome"] == "succeeded", adopted["problems"]
    _assert_owned(shop, "east")


def test_a_tenant_moves_there_and_back_with_nothing_lost_and_the_others_see_nothing(shop: Shop) -> None:
    writers = _writers(shop)
    with writing(tuple(writers.values())), closing(shop.client("shop", "east", user="shop_app")) as stale:
        stale.begin()
        rows(stale, "SELECT COUNT(*) FROM shop.writes")
        for to in ("west", "east"):
            moved = shop.run("segment", "move", "acme", "--to", to)
            assert moved["outcome"] == "succeeded", moved["problems"]
            _assert_owned(shop, to)
            if to == "west":
                with pytest.raises(pymysql.Error, match="is closed on this server"):  # its snapshot is from before
                    rows(stale, "INSERT INTO shop.writes VALUES ('stale', 'acme', 1)")
                stale.rollback()  # until then it holds the guard
    _assert_nothing_lost(shop, writers)
    # Refused by the guard, and moved by the route: 2003 if the proxy, without a server, closed it before its client looked after connect().
    assert writers["acme"].errors.keys() <= {_REFUSED, 2003, 2006, 2013}


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO shop.writes VALUES ('new', 'acme', 0)",
        "UPDATE shop.writes SET server_id=server_id+1 WHERE k='own'",
        "UPDATE shop.writes SET tenant='acme-2' WHERE k='foreign'",
        "UPDATE shop.writes SET tenant='other' WHERE k='own'",
        "DELETE FROM shop.writes WHERE k='own'",
        "REPLACE INTO shop.writes VALUES ('own', 'other', 0)",
        "INSERT INTO shop.writes VALUES ('foreign', 'other', 0) ON DUPLICATE KEY UPDATE tenant='acme'",
    ],
    ids=["insert", "update", "becomes one's", "is given away", "delete", "replace", "duplicate"],
)
def test_no_row_of_a_tenant_is_written_where_it_is_closed(shop: Shop, statement: str) -> None:
    with closing(shop.client("shop", "east", user="shop_app")) as owner:
        rows(owner, "REPLACE INTO shop.writes VALUES ('own', 'acme', 0)")
    with closing(shop.client("shop", "west", user="shop_app")) as stranger:
        rows(stranger, "REPLACE INTO shop.writes VALUES ('foreign', 'other', 0)")
        assert eventually(lambda: "own" in _keys(shop, "west"))
        with pytest.raises(pymysql.Error) as refused:
            rows(stranger, statement)
    assert refused.value.args == (_REFUSED, "segment acme is closed on this server")


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO shop.writes VALUES ('late', 'other', -1)", "UPDATE shop.writes SET server_id=-1 WHERE k='foreign'"],
    ids=["insert", "update"],
)
def test_a_row_that_a_later_trigger_gives_to_a_tenant_is_asked_for_as_what_it_becomes(shop: Shop, statement: str) -> None:
    """Of several triggers the one made last sees last what is written; an ENUM's own default comes after all of them."""
    late = "FOR EACH ROW SET NEW.tenant=IF(NEW.server_id=-1, 'acme', NEW.tenant)"
    with closing(connect(shop.pair, "west")) as admin, closing(shop.client("shop", "west", user="shop_app")) as stranger:
        rows(stranger, "REPLACE INTO shop.writes VALUES ('foreign', 'other', 0)")
        rows(admin, "SET SESSION sql_log_bin=0")
        for event in ("INSERT", "UPDATE"):
            rows(admin, f"CREATE TRIGGER shop.late_{event} BEFORE {event} ON shop.writes {late}")
        try:
            with pytest.raises(pymysql.Error) as refused:
                rows(stranger, statement)
        finally:
            for event in ("INSERT", "UPDATE"):
                rows(admin, f"DROP TRIGGER shop.late_{event}")
    assert refused.value.args == (_REFUSED, "segment acme is closed on this server")


def test_only_its_own_tenants_rows_must_be_equal(shop: Shop) -> None:
    """Others' may differ in the same table, which is told."""
    behind_the_log(shop.pair, "west", "INSERT INTO shop.writes VALUES ('of others', 'other', 0)")
    for to in ("west", "east"):
        moved = shop.run("segment", "move", "acme", "--to", to)
        assert moved["outcome"] == "succeeded", moved["problems"]
        assert any("shop.writes: 1 row of other tenants differ" in warning for warning in moved["warnings"]), moved["warnings"]
    behind_the_log(shop.pair, "east", "INSERT INTO shop.writes VALUES ('on one side', 'acme-2', 0)")
    refused = shop.run("segment", "move", "acme", "--to", "west")
    behind_the_log(shop.pair, "east", "DELETE FROM shop.writes WHERE k='on one side'")
    assert refused["outcome"] == "refused"
    assert "segment acme differs on west from its owner's in shop.writes (1 row)" in refused["problems"][0]["what"]


def test_a_prepared_xa_transaction_of_it_is_waited_for(shop: Shop) -> None:
    """MariaDB lets the guard go at XA PREPARE, and whoever knows its name can commit it: on a connection that nobody closes."""
    clock = SystemClock()
    with (
        closing(RealWorld(read_topology(Path(shop.env["INTERLOCK_TOPOLOGY"])), clock, Secrets(clock), MemoryStore(clock))) as world,
        closing(shop.client("shop", "east", user="shop_app")) as client,
    ):
        segments, spec = world.server("east").segments, world.topology.segments["acme"]
        before = segments.facts(spec)
        for words in (
            "XA START 'branch'",
            "INSERT INTO shop.writes VALUES ('branch', 'acme', 1)",
            "XA END 'branch'",
            "XA PREPARE 'branch'",
        ):
            rows(client, words)
        close = CloseSegment(server=before.server, segment="acme", accounts=before.accounts, within_s=0.5)
        with pytest.raises(BoundReached):
            segments.apply(close, mark="test")
        assert segments.facts(spec).prepared == ("branch",)
        rows(client, "XA ROLLBACK 'branch'")
        segments.apply(replace(close, within_s=60), mark="test")
        segments.apply(OpenSegment(server=before.server, segment="acme", accounts=before.accounts), mark="test")


def _waiting(shop: Shop) -> int:
    """How many wait for a lock of InnoDB on east. Its table of transactions is kept for 0.1 s after each look; this is not."""
    (told,) = query(shop.pair, "east", "SHOW ENGINE INNODB STATUS")
    return str(told["Status"]).count("\nLOCK WAIT ")


def test_clients_that_wait_for_each_other_and_for_the_guard_between_them_end_and_it_closes(shop: Shop) -> None:
    """One was let through and wants a row of another one, who waits for the guard: a deadlock, of which the least is the closing."""
    clock = SystemClock()
    with (
        closing(RealWorld(read_topology(Path(shop.env["INTERLOCK_TOPOLOGY"])), clock, Secrets(clock), MemoryStore(clock))) as world,
        closing(shop.client("shop", "east", user="shop_app")) as first,
        closing(shop.client("shop", "east", user="shop_app")) as second,
        ThreadPoolExecutor() as pool,
    ):
        segments, spec = world.server("east").segments, world.topology.segments["acme"]
        before = segments.facts(spec)
        rows(first, "REPLACE INTO shop.writes VALUES ('one', 'acme', 0), ('two', 'acme', 0)")
        first.begin()
        rows(first, "UPDATE shop.writes SET server_id=1 WHERE k='one'")
        close = CloseSegment(server=before.server, segment="acme", accounts=before.accounts, within_s=60)
        closing_it = pool.submit(segments.apply, close, mark="test")
        assert eventually(lambda: _waiting(shop) == 1)
        behind_it = pool.submit(rows, second, "UPDATE shop.writes SET server_id=2 WHERE k='two'")
        assert eventually(lambda: _waiting(shop) == 2)
        rows(first, "UPDATE shop.writes SET server_id=3 WHERE k='two'")
        behind_it.result()
        first.commit()
        closing_it.result()
        assert segments.facts(spec).is_closed
        segments.apply(OpenSegment(server=before.server, segment="acme", accounts=before.accounts), mark="test")


@pytest.mark.parametrize(
    ("spoiled", "mended", "says"),
    [
        ("ALTER TABLE shop.writes ENGINE=MyISAM", "ALTER TABLE shop.writes ENGINE=InnoDB", "shop.writes is kept by MyISAM"),
        (
            "SET GLOBAL innodb_flush_log_at_trx_commit=0",
            "SET GLOBAL innodb_flush_log_at_trx_commit=2",
            "innodb_flush_log_at_trx_commit is 0: a crash would open a guard again",
        ),
    ],
    ids=["takes nothing back", "forgets"],
)
def test_where_a_guard_would_not_hold_nothing_is_moved(shop: Shop, spoiled: str, mended: str, says: str) -> None:
    with closing(connect(shop.pair, "west")) as admin:
        rows(admin, "SET SESSION sql_log_bin=0")
        rows(admin, spoiled)
        try:
            refused = shop.run("segment", "move", "acme", "--to", "west")
        finally:
            rows(admin, mended)
    assert (refused["outcome"], f"west: {says}" in refused["problems"][0]["what"]) == ("refused", True), refused["problems"]


def test_who_was_let_through_is_waited_for_and_a_transaction_that_does_not_end_takes_it_all_back(shop: Shop) -> None:
    with closing(shop.client("shop", "east", user="shop_app")) as slow:
        rows(slow, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        slow.begin()
        rows(slow, "INSERT INTO shop.writes VALUES ('slow', 'acme', 1)")
        report = shop.run("segment", "move", "acme", "--to", "west", "-i", "fence=1s")
        assert report["outcome"] == "rolled_back", report["problems"]
        slow.commit()
    _assert_owned(shop, "east")
