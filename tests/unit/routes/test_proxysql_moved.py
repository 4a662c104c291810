"""What a flip says where ProxySQL's monitor moves servers by read_only, on ProxySQL's own tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.errors import StatementFailed, UsageError
from interlock.model.codec import from_plain, to_plain
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.facts import RouteFacts
from interlock.routes.proxysql_facts import Row, Seen
from interlock.routes.proxysql_words import HELD
from unit.routes.test_proxysql_words import EAST, ROUTE, WEST, Node, facts, row, seen, sent, settings

TO_WEST, TO_EAST = PointTo(route=ROUTE, cluster=WEST), PointTo(route=ROUTE, cluster=EAST)
FOREIGN = (row("10.3.0.10"), row("10.3.0.10", hostgroup_id="20"))
MOVER = {"mover": "mysql_replication_hostgroups", "writer": "10", "reader": "20"}


def reader(name: str, **columns: str) -> Row:
    return row(name, hostgroup_id="20", **columns)


def monitored(*memory: Row, runtime: tuple[Row, ...] | None = None) -> Seen:
    return replace(seen(*memory, runtime=runtime), movers=(MOVER, {**MOVER, "mover": "runtime_mysql_replication_hostgroups"}))


HELD_EAST = row("east", "OFFLINE_SOFT", comment=f"main{HELD}", weight="7")
WRITER, STANDBY = row("east", comment="main", weight="7"), reader("west", comment="standby", max_connections="40")
MOVED = (row("west", comment="standby", max_connections="40"), reader("east", comment="main", weight="7"))
BOTH_READ = (*MOVED, STANDBY)


@pytest.mark.parametrize(
    ("before", "effect", "also_reader", "after"),
    [
        pytest.param((WRITER, STANDBY), Hold(route=ROUTE), "false", (HELD_EAST, STANDBY), id="a-hold"),
        pytest.param((HELD_EAST, STANDBY), Release(route=ROUTE), "false", (WRITER, STANDBY), id="a-release"),
        pytest.param(
            (reader("east", comment=f"main{HELD}", weight="7"), STANDBY),
            Release(route=ROUTE),
            "false",
            (reader("east", comment="main", weight="7"), STANDBY),
            id="a-release-of-what-the-monitor-moved",
        ),
        pytest.param((HELD_EAST, STANDBY), TO_WEST, "false", MOVED, id="a-flip"),
        pytest.param((HELD_EAST, STANDBY), TO_WEST, "true", BOTH_READ, id="a-flip-where-writers-read-too"),
        pytest.param(MOVED, TO_WEST, "false", MOVED, id="the-monitor-was-first"),
        pytest.param((reader("east", comment=f"main{HELD}", weight="7"), STANDBY), TO_WEST, "false", MOVED, id="the-monitor-was-half-way"),
        pytest.param(MOVED, TO_EAST, "false", (WRITER, STANDBY), id="back"),
        pytest.param((HELD_EAST,), TO_WEST, "false", (HELD_EAST,), id="nobody-to-flip-to-and-nothing-is-taken-away"),
    ],
)
def test_rows_are_moved_as_the_monitor_would(
    before: tuple[Row, ...], effect: RouteEffect, also_reader: str, after: tuple[Row, ...]
) -> None:
    """With all their columns, no other row's, and the same again when it is said twice."""
    node = Node(*before, *FOREIGN, also_reader=also_reader)
    for _ in range(2):
        node.run(sent(effect, reader_hostgroup=20))
        assert node.rows() == sorted((*after, *FOREIGN), key=lambda each: (int(each["hostgroup_id"]), each["hostname"]))


@pytest.mark.parametrize("before", [(WRITER, STANDBY), MOVED, BOTH_READ], ids=["east", "west", "writers read, too"])
def test_a_restore_brings_back_the_rows_of_both_hostgroups(before: tuple[Row, ...]) -> None:
    node = Node(*before, *FOREIGN)
    whole = node.rows()
    recorded = from_plain(to_plain(facts(monitored(*before), reader_hostgroup=20)), RouteFacts)
    for effect in (Hold(route=ROUTE), TO_WEST, TO_EAST):
        node.run(sent(effect, reader_hostgroup=20))
    for _ in range(2):
        node.run(sent(RestoreRoute(route=ROUTE, seen=recorded), reader_hostgroup=20))
        assert node.rows() == whole


@pytest.mark.parametrize(
    ("look", "leads", "holding", "held_in_part"),
    [
        pytest.param(monitored(WRITER, STANDBY), ("east",), False, False, id="open"),
        pytest.param(monitored(HELD_EAST, STANDBY), ("east",), True, False, id="held"),
        pytest.param(
            monitored(HELD_EAST, STANDBY, runtime=(reader("east"), STANDBY)),
            ("east",),
            True,
            False,
            id="held-and-taken-away-by-the-monitor",
        ),
        pytest.param(
            monitored(HELD_EAST, STANDBY, runtime=(MOVED[0], reader("east"))),
            ("east", "west"),
            False,
            True,
            id="let-through-by-the-monitor",
        ),
        pytest.param(monitored(WRITER, STANDBY, runtime=(reader("east"), STANDBY)), (), False, False, id="fenced-without-a-hold"),
        pytest.param(monitored(*MOVED), ("west",), False, False, id="flipped"),
        pytest.param(monitored(*BOTH_READ), ("west",), False, False, id="flipped-where-writers-read-too"),
    ],
)
def test_a_hold_is_one_also_when_the_monitor_has_taken_the_writer_away(
    look: Seen, leads: tuple[str, ...], *, holding: bool, held_in_part: bool
) -> None:
    told = facts(look, reader_hostgroup=20)
    assert (told.leads_to, told.holding, told.held_in_part) == (leads, holding, held_in_part)


@pytest.mark.parametrize(
    ("reader_hostgroup", "movers", "what", "hint"),
    [
        pytest.param(None, (MOVER,), "with hostgroup 20 for readers", "write `reader_hostgroup: 20`", id="not-said"),
        pytest.param(21, (MOVER,), "with hostgroup 20 for readers", "write `reader_hostgroup: 20`", id="another-one"),
        pytest.param(20, ({**MOVER, "writer": "9", "reader": "10"},), "names it", "delete that row", id="the-writers-are-anothers-readers"),
        pytest.param(20, (MOVER, {**MOVER, "mover": "mysql_galera_hostgroups"}), "mysql_galera_hostgroups names", "delete", id="galera"),
        pytest.param(20, (), "moves no servers to hostgroup 20", "leave `reader_hostgroup` out", id="no-monitor"),
    ],
)
def test_the_route_and_proxysqls_tables_must_say_the_same(
    reader_hostgroup: int | None, movers: tuple[Row, ...], what: str, hint: str
) -> None:
    with pytest.raises(StatementFailed, match=what) as refused:
        facts(replace(seen(WRITER, STANDBY), movers=movers), reader_hostgroup=reader_hostgroup)
    assert hint in refused.value.hint


@pytest.mark.parametrize("number", [-1, 10], ids=["negative", "the writers' own"])
def test_a_reader_hostgroup_that_cannot_be_one_is_refused(number: int) -> None:
    with pytest.raises(UsageError, match=f"reader_hostgroup is {number}"):
        settings(reader_hostgroup=number)
