"""Compared while clients write as fast as they can: what differs is found, and nothing else is taken for a difference."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from threading import Event, Thread

import pytest

from interlock.diff.leading import lead_for
from interlock.diff.proof import Proof, Unsettled
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from interlock.servers.session import Session, text_of
from servers.diff_lab import CLOCK, caught_up, compare, compared, ends, plant, write
from servers.test_diff import NUMBERS
from servers.test_losses import PAIRS
from waiting import eventually

BOTH = pytest.mark.parametrize("kind", ["mariadb", "mysql"])
TABLE = "CREATE TABLE app.t (id INT PRIMARY KEY, v INT, w VARCHAR(20), flag INT)"
ROWS = f"INSERT INTO app.t {NUMBERS} SELECT i, i, CONCAT('w', i), 0 FROM s"
UNTOUCHED = (101, 450, 899)
TOGGLED, COUNTED = 300, 301


@pytest.fixture
def sandbox(kind: str, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    its: Sandbox = request.getfixturevalue(PAIRS[kind])
    write(its, TABLE, ROWS)
    yield its
    write(its, "DROP TABLE app.t")


@contextmanager
def clients(sandbox: Sandbox, count: int = 3) -> Iterator[None]:
    """Rows are changed, removed, added; one flag goes to and fro, one counter goes up without a pause."""
    stop, failed = Event(), list[BaseException]()

    def client(number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - which rows are written is no secret
        try:
            with closing(sql.connect(sandbox, "east")) as connection:
                while not stop.is_set():
                    key = chance.choice([one for one in range(1, 900) if one not in {*UNTOUCHED, TOGGLED, COUNTED}])
                    for statement in (
                        f"UPDATE app.t SET v=v+1 WHERE id={key}",
                        f"UPDATE app.t SET flag=1-flag WHERE id={TOGGLED}",
                        f"UPDATE app.t SET v=v+1 WHERE id={COUNTED}",
                        f"DELETE FROM app.t WHERE id={key + 1000 * number}",
                        f"INSERT INTO app.t VALUES ({key + 1000 * number}, 1, 'new', 0)"
                        if number
                        else f"UPDATE app.t SET w='x' WHERE id={key}",
                    ):
                        sql.rows(connection, statement)
                    CLOCK.sleep(0.002)
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [Thread(target=client, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed


@BOTH
def test_nothing_that_is_only_on_its_way_is_a_difference(sandbox: Sandbox) -> None:
    with clients(sandbox):
        for _ in range(2):
            (table,) = compared(sandbox, "app.t").tables
            assert (table.differences, table.not_compared, table.complete) == ((), (), True)


@BOTH
def test_what_differs_is_found_among_rows_that_are_written(sandbox: Sandbox) -> None:
    plant(
        sandbox,
        "west",
        f"UPDATE app.t SET w='other' WHERE id={UNTOUCHED[0]}",
        f"DELETE FROM app.t WHERE id={UNTOUCHED[1]}",
        "INSERT INTO app.t VALUES (-1, 0, 'extra', 0)",
    )
    with clients(sandbox):
        for _ in range(2):
            (table,) = compared(sandbox, "app.t").tables
            assert table.not_compared == ()
            assert sorted((str(one.key["id"]), one.kind.value, one.cluster) for one in table.differences) == [
                ("-1", "missing_on", "east"),
                ("101", "changed", "west"),
                ("450", "missing_on", "west"),
            ]


@BOTH
def test_rows_with_two_values_by_turns_are_not_taken_for_different(sandbox: Sandbox) -> None:
    """What the writer shows before and after may be the same, and the other side between: two looks without a position would be fooled."""
    with clients(sandbox), ends(sandbox) as (east, west), closing(Proof(east, west, clock=CLOCK)) as proof:
        for _ in range(15):
            try:
                found = proof.settle(lambda session: text_of(session.rows(f"SELECT flag FROM app.t WHERE id={TOGGLED}")[0]["flag"]))
            except Unsettled:
                continue
            assert found.writer == found.other


@BOTH
def test_the_other_side_s_rows_are_locked_and_the_writer_s_are_not(sandbox: Sandbox) -> None:
    asked_under_lock: list[str] = []

    def ask(session: Session) -> str:
        found = text_of(session.rows("SELECT v FROM app.t WHERE id=7")[0]["v"])
        if not asked_under_lock:  # on the other side, which is asked first
            with closing(sql.connect(sandbox, "east")) as client:
                sql.rows(client, "SET SESSION innodb_lock_wait_timeout=1")
                sql.rows(client, "UPDATE app.t SET v=v+1 WHERE id=7")
            asked_under_lock.append("written")
        return found

    with ends(sandbox) as (east, west), closing(Proof(east, west, clock=CLOCK)) as proof:
        with pytest.raises(Unsettled, match="west did not come to hold what the writer had, with these rows locked"):
            proof.settle(ask)
        asked_under_lock.clear()
    caught_up(sandbox)  # nothing is locked any more


@BOTH
def test_a_row_that_the_other_side_lacks_is_locked_by_its_gap(sandbox: Sandbox) -> None:
    first: list[int] = []

    def ask(session: Session) -> int:
        found = len(session.rows("SELECT v FROM app.t WHERE id=5000"))
        if not first:
            write_east(sandbox, "INSERT INTO app.t VALUES (5000, 1, '', 0)")
            first.append(found)
        return found

    with ends(sandbox) as (east, west), closing(Proof(east, west, clock=CLOCK)) as proof, pytest.raises(Unsettled, match="did not come"):
        proof.settle(ask)
    caught_up(sandbox)


def write_east(sandbox: Sandbox, statement: str) -> None:
    with closing(sql.connect(sandbox, "east")) as client:
        sql.rows(client, statement)


@BOTH
def test_an_applier_that_a_quiesce_stopped_is_led_on_and_stands_again_at_the_end(sandbox: Sandbox) -> None:
    plant(sandbox, "west", f"UPDATE app.t SET w='other' WHERE id={UNTOUCHED[0]}")
    noun = "REPLICA" if sandbox.kind == "mysql" else "SLAVE"
    sql.query(sandbox, "west", f"STOP {noun} SQL_THREAD")
    try:
        with clients(sandbox), ends(sandbox) as (east, west):
            led = replace(west, lead=lead_for(east.server, west.server, CLOCK))
            assert led.lead is not None
            (table,) = compare(sandbox, east, led, "app.t").comparison.tables
            assert [one.key for one in table.differences] == [{"id": UNTOUCHED[0]}]
            hot = {f"row id={COUNTED}", f"row id={TOGGLED}"}  # a machine that is busy may not see them meet
            assert {one.what for one in table.not_compared} <= hot
        with ends(sandbox) as (_, west):
            assert eventually(lambda: not any(channel.applier for channel in west.server.channels()))
    finally:
        sql.query(sandbox, "west", f"START {noun} SQL_THREAD")


@BOTH
def test_while_the_other_side_stands_still_what_was_written_since_is_not_called_different(sandbox: Sandbox) -> None:
    noun = "REPLICA" if sandbox.kind == "mysql" else "SLAVE"
    sql.query(sandbox, "west", f"STOP {noun} SQL_THREAD")
    try:
        write_east(sandbox, "UPDATE app.t SET v=-1 WHERE id IN (5, 6)")
        (table,) = compared(sandbox, "app.t").tables
        assert table.differences == ()
        assert [one.what for one in table.not_compared] == ["row id=5 and 1 more"]
        assert table.not_compared[0].why == "west does not hold what the writer has, and nothing comes to it: look at its channel"
    finally:
        sql.query(sandbox, "west", f"START {noun} SQL_THREAD")
