"""The ProxySQL route on nodes of the stand-in (which says what it is in docs/routes/proxysql.md), in front of two real servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace

import pymysql
import pytest

import hanging
from interlock.actions.route_facts import SeenRoutes, lead_to
from interlock.actions.route_flip import FlipRoutes
from interlock.clock import Deadline
from interlock.errors import NotPermitted, OutcomeUnknown, RefusedButAlive, StatementFailed, Unreachable
from interlock.model.codec import from_plain, to_plain
from interlock.model.effects import Hold, PointTo, Release, RestoreRoute, RouteEffect
from interlock.model.facts import RouteFacts
from interlock.model.topology import ClusterName
from interlock.model.verdict import Done, Refuse
from interlock.ports import Route
from interlock.routes.contract import ROUTE_RULES, Bench, Rule
from interlock.routes.proxysql_words import HELD
from interlock.sandbox import sql
from interlock.sandbox.ledger import Entry, Told, acknowledged, balance, outage_ms, percentile
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from servers.proxysqls import CLOCK, KEPT, READERS, ROUTE, Fleet, fleet

EAST, WEST = ClusterName("east"), ClusterName("west")
HOLD, TO_WEST, TO_EAST = Hold(route=ROUTE), PointTo(route=ROUTE, cluster=WEST), PointTo(route=ROUTE, cluster=EAST)


@pytest.fixture(scope="module")
def nodes_of_the_pair(pair: Sandbox) -> Iterator[Fleet]:
    with fleet(pair) as made:
        yield made


@pytest.fixture
def two(nodes_of_the_pair: Fleet) -> Fleet:
    nodes_of_the_pair.reset()
    return nodes_of_the_pair


@pytest.fixture
def one(two: Fleet) -> Fleet:
    return two.of(1)


def move_writes(pair: Sandbox, old: str, new: str, *, pause_s: float = 0.0) -> None:
    """Fence, catch up, open: what stands between a hold and a flip. With a pause after each."""
    sql.query(pair, old, "SET GLOBAL read_only=1")
    CLOCK.sleep(pause_s)
    position = sql.query(pair, old, "SELECT @@gtid_binlog_pos AS p")[0]["p"]
    assert sql.query(pair, new, "SELECT MASTER_GTID_WAIT(%s, 10) AS w", position)[0]["w"] == 0
    sql.query(pair, new, "SET GLOBAL read_only=0")
    CLOCK.sleep(pause_s)


@contextmanager
def west_writes(pair: Sandbox) -> Iterator[None]:
    move_writes(pair, "east", "west")
    try:
        yield
    finally:
        move_writes(pair, "west", "east")


def attributes(made: Fleet) -> list[list[tuple[str, ...]]]:
    return [[tuple(str(row[name]) for name in ("hostname", *KEPT)) for row in made.table(node)] for node in made.nodes]


def test_twenty_flips_there_and_back_under_load_show_clients_no_error(
    two: Fleet, pair: Sandbox, record_property: Callable[[str, object], None]
) -> None:
    """With ProxySQL's own guard set, which lets nobody through while two servers are ONLINE."""
    for node in two.nodes:
        two.tell(node, "INSERT INTO mysql_hostgroup_attributes (hostgroup_id, max_num_online_servers) VALUES (10, 1)")
        two.tell(node, "LOAD MYSQL SERVERS TO RUNTIME", "SAVE MYSQL SERVERS TO DISK")
    before = [two.table(node) for node in two.nodes]
    writes = two.route()
    windows: list[tuple[float, float, int]] = []
    first, second = (node.before(pair) for node in two.nodes)
    with load(first, pooled=4, fresh=2) as one, load(second, pooled=4, fresh=2) as other:
        for _ in range(10):
            for old, new in (("east", "west"), ("west", "east")):
                windows.append(flip(pair, writes, old, new))
        entries = (*one.stop(), *other.stop())
    assert [two.table(node) for node in two.nodes] == before
    assert errors(entries) == []
    assert {entry.server for entry in entries} == {1, 2}
    keys = [row["k"] for row in sql.query(pair, "east", "SELECT k FROM app.ledger")]
    balanced = balance(entries, keys)
    assert (balanced.lost, balanced.duplicated) == ((), ())
    acks = acknowledged(entries)
    outages = [outage for window in windows if (outage := outage_ms(acks, window[0], window[1], window[2])) is not None]
    assert len(outages) == 20
    record_property("outage_p50_ms", percentile(outages, 0.5))
    assert max(outages) < 10_000  # what the hold lasts


def test_proxysqls_own_guard_lets_nobody_through_while_two_servers_are_online(one: Fleet) -> None:
    (node,) = one.nodes
    one.tell(node, "INSERT INTO mysql_hostgroup_attributes (hostgroup_id, max_num_online_servers) VALUES (10, 1)")
    one.tell(node, "SET mysql-connect_timeout_server_max='200'", "LOAD MYSQL VARIABLES TO RUNTIME")
    one.tell(node, "UPDATE mysql_servers SET status='ONLINE'", "LOAD MYSQL SERVERS TO RUNTIME")
    with pytest.raises(pymysql.err.OperationalError, match="reaching hostgroup 10"):
        server_of_a_new_client(one)
    one.route().apply(TO_WEST)
    assert server_of_a_new_client(one) == 2


def flip(pair: Sandbox, writes: Route, old: str, new: str) -> tuple[float, float, int]:
    CLOCK.sleep(0.1)
    began_s = CLOCK.monotonic_s()
    writes.apply(HOLD)
    assert writes.facts().holding
    move_writes(pair, old, new)
    writes.apply(PointTo(route=ROUTE, cluster=ClusterName(new)))
    assert writes.facts().leads_to == (new,)
    CLOCK.sleep(0.1)
    return began_s, CLOCK.monotonic_s(), pair.members[new].server_id


def errors(entries: Sequence[Entry]) -> list[str]:
    return [f"{entry.worker} {entry.told} {entry.error}" for entry in entries if entry.told is not Told.OK]


def test_a_statement_that_comes_in_a_hold_waits_and_is_taken_by_the_new_writer(one: Fleet) -> None:
    writes = one.route()
    with closing(one.client(one.nodes[0])) as pooled, ThreadPoolExecutor(2) as pool:
        assert sql.value(pooled, "SELECT @@server_id") == 1
        writes.apply(HOLD)
        old = pool.submit(sql.value, pooled, "SELECT @@server_id")
        new = pool.submit(server_of_a_new_client, one)
        CLOCK.sleep(0.3)
        assert not old.done()
        assert not new.done()
        writes.apply(TO_WEST)
        assert (old.result(), new.result()) == (2, 2)


def server_of_a_new_client(made: Fleet) -> object:
    with closing(made.client(made.nodes[0])) as client:
        return sql.value(client, "SELECT @@server_id")


def test_the_hold_lasts_as_long_as_proxysql_lets_a_statement_wait(one: Fleet) -> None:
    one.tell(one.nodes[0], "SET mysql-connect_timeout_server_max='300'", "LOAD MYSQL VARIABLES TO RUNTIME")
    with closing(one.client(one.nodes[0])) as client:
        writes = one.route()
        assert writes.facts().hold_s == 0.3
        writes.apply(HOLD)
        began_s = CLOCK.monotonic_s()
        with pytest.raises(pymysql.err.OperationalError, match="reaching hostgroup 10 after 300ms") as expired:
            sql.value(client, "SELECT 1")
        assert expired.value.args[0] == 9001
        assert CLOCK.monotonic_s() - began_s > 0.25


def test_the_shortest_hold_of_several_nodes_counts(two: Fleet) -> None:
    two.tell(two.nodes[1], "SET mysql-connect_timeout_server_max='4000'", "LOAD MYSQL VARIABLES TO RUNTIME")
    assert two.route().facts().hold_s == 4.0


@pytest.mark.parametrize(
    "pins",
    [("START TRANSACTION", "INSERT INTO app.ledger (k, server_id) VALUES ('pinned', 1)"), ("SET @mine = 1",)],
    ids=["transaction", "user variable"],
)
def test_a_hold_names_the_session_it_cannot_hold_and_does_not_wait_for_it(one: Fleet, pins: tuple[str, ...]) -> None:
    writes = one.route(drain="60s")
    with closing(one.client(one.nodes[0])) as client:
        for statement in pins:
            sql.rows(client, statement)
        CLOCK.sleep(0.15)
        began_s = CLOCK.monotonic_s()
        writes.apply(HOLD)
        assert CLOCK.monotonic_s() - began_s < 30
        east = next(endpoint for endpoint in writes.facts().endpoints if endpoint.cluster == EAST)
        assert east.sessions == 1
        (named,) = east.pinned
        assert "of app@127.0.0.1:" in named
        sql.rows(client, "ROLLBACK")


def test_a_hold_waits_for_a_statement_in_flight(one: Fleet) -> None:
    writes = one.route(drain="60s")
    with closing(one.client(one.nodes[0])) as client, ThreadPoolExecutor(1) as pool:
        running = pool.submit(sql.value, client, "SELECT SLEEP(0.6)")
        await_statement(one)
        writes.apply(HOLD)
        assert running.result() == 0


def test_a_hold_waits_for_no_longer_than_drain(one: Fleet) -> None:
    writes = one.route(drain="200ms")
    with closing(one.client(one.nodes[0])) as client, ThreadPoolExecutor(1) as pool:
        running = pool.submit(sql.value, client, "SELECT SLEEP(60)")
        number = await_statement(one)
        writes.apply(HOLD)
        assert not running.done()
        assert writes.facts().endpoints[0].sessions == 1
        sql.query(one.sandbox, "east", f"KILL QUERY {number}")


def await_statement(made: Fleet) -> int:
    """Until a SLEEP runs on east; the number of its session there."""
    deadline = Deadline.after(CLOCK, 60)
    while not (found := sql.query(made.sandbox, "east", "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%%'")):
        assert not deadline.is_over(), "it does not begin"
        CLOCK.sleep(0.01)
    return int(found[0]["id"])


def test_a_flip_ends_the_sessions_that_stayed_on_the_old_server(one: Fleet) -> None:
    writes = one.route()
    with closing(one.client(one.nodes[0])) as client:
        sql.rows(client, "SET @mine = 1")
        writes.apply(TO_WEST)
        with pytest.raises(pymysql.err.OperationalError, match="Lost connection"):
            sql.value(client, "SELECT 1")


def test_row_attributes_survive_there_and_back_in_memory_at_run_time_and_on_disk(two: Fleet) -> None:
    writes = two.route()
    kept = attributes(two)
    assert {row[1:] for rows in kept for row in rows} == {tuple(str(value) for value in KEPT.values())}
    for effect in (HOLD, TO_WEST, HOLD, TO_EAST, TO_WEST):
        writes.apply(effect)
        assert attributes(two) == kept or isinstance(effect, Hold)
    for node in two.nodes:
        online = [row for row in two.table(node, "runtime_mysql_servers") if row["status"] == "ONLINE"]
        assert [(row["hostname"], row["comment"], row["weight"]) for row in online] == [
            (two.sandbox.members["west"].host, KEPT["comment"], "7")
        ]
        assert two.table(node, "disk.mysql_servers") == two.table(node)


@pytest.mark.parametrize(
    "effects", [[HOLD], [TO_WEST], [HOLD, TO_WEST], [HOLD, TO_WEST, HOLD]], ids=["held", "flipped", "held and flipped", "and held again"]
)
@pytest.mark.parametrize("rows", [2, 1], ids=["a row for each", "one row"])
def test_undo_is_exact_on_every_node(two: Fleet, effects: list[RouteEffect], rows: int) -> None:
    first, second = two.nodes
    two.tell(second, "UPDATE mysql_servers SET weight=3")
    for node in (first, second):
        kept = "SELECT hostname FROM mysql_servers WHERE status='ONLINE'" if rows == 1 else "SELECT hostname FROM mysql_servers"
        two.tell(node, f"DELETE FROM mysql_servers WHERE hostname NOT IN ({kept})")
        two.tell(node, "LOAD MYSQL SERVERS TO RUNTIME", "SAVE MYSQL SERVERS TO DISK")
    writes = two.route()
    before = everything(two)
    seen = from_plain(to_plain(writes.facts()), RouteFacts)  # as a resumed run has it, out of the journal
    for effect in effects:
        writes.apply(effect)
    assert everything(two) != before
    for _ in range(2):
        writes.apply(RestoreRoute(route=ROUTE, seen=seen))
        assert everything(two) == before
        assert writes.facts() == seen


def everything(made: Fleet) -> list[list[dict[str, str]]]:
    return [made.table(node, table) for node in made.nodes for table in ("mysql_servers", "runtime_mysql_servers", "disk.mysql_servers")]


def test_another_process_releases_a_hold_and_nothing_else(one: Fleet) -> None:
    (node,) = one.nodes
    one.tell(node, "UPDATE mysql_servers SET status='OFFLINE_SOFT' WHERE status='OFFLINE_HARD'", "LOAD MYSQL SERVERS TO RUNTIME")
    before = one.table(node)
    one.route().apply(HOLD)
    later = one.route()
    assert later.facts().holding
    later.apply(Release(route=ROUTE))
    assert not later.facts().holding
    assert one.table(node) == before


@pytest.mark.parametrize("cluster", [None, WEST], ids=["a stranger", "the standby"])
def test_a_second_writer_is_seen_and_refused_on_whichever_node_it_is(two: Fleet, cluster: ClusterName | None) -> None:
    stranger = "127.9.9.9:3306"
    second = two.nodes[1]
    if cluster is None:
        two.tell(second, "INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (10, '127.9.9.9', 3306)")
    else:
        two.tell(second, f"UPDATE mysql_servers SET status='ONLINE' WHERE hostname='{two.sandbox.members['west'].host}'")
    two.tell(second, "LOAD MYSQL SERVERS TO RUNTIME", "SAVE MYSQL SERVERS TO DISK")
    seen = two.route().facts()
    assert seen.leads_to == (EAST, cluster or stranger)
    verdict = lead_to(SeenRoutes(routes=(seen,)), EAST)  # the judgement of the check `route.leads_to`
    assert isinstance(verdict, Refuse)
    assert verdict.why == f"route writes leads to east and {cluster or stranger}, not to east"


@pytest.mark.parametrize("loaded", [False, True], ids=["in the table", "at run time"])
def test_a_hostgroup_that_the_monitor_fills_is_refused(one: Fleet, loaded: bool) -> None:  # noqa: FBT001
    (node,) = one.nodes
    one.tell(node, "INSERT INTO mysql_replication_hostgroups (writer_hostgroup, reader_hostgroup) VALUES (10, 20)")
    if loaded:
        one.tell(node, "LOAD MYSQL SERVERS TO RUNTIME")
    with pytest.raises(StatementFailed, match="moves the servers of hostgroup 10 by itself"):
        one.route().facts()
    one.tell(node, "DELETE FROM mysql_replication_hostgroups", "LOAD MYSQL SERVERS TO RUNTIME")
    assert one.route().facts().leads_to == (EAST,)


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["UPDATE mysql_servers SET weight=99"], "what runtime_mysql_servers has, and a flip would load it"),
        (["UPDATE mysql_servers SET weight=99", "LOAD MYSQL SERVERS TO RUNTIME"], "what disk.mysql_servers has, and a flip would save it"),
        (["INSERT INTO mysql_servers (hostgroup_id, hostname) VALUES (20, 'reader')"], "reader:3306 in hostgroup 20"),
    ],
    ids=["not loaded", "not saved", "another hostgroup"],
)
def test_what_somebody_left_half_done_is_met_before_the_first_effect(one: Fleet, statements: list[str], words: str) -> None:
    one.route().warm_up()
    one.tell(one.nodes[0], *statements)
    with pytest.raises(StatementFailed, match=words):
        one.route().warm_up()


def test_a_disk_that_is_left_alone_may_differ(one: Fleet) -> None:
    (node,) = one.nodes
    one.tell(node, "UPDATE mysql_servers SET weight=99", "LOAD MYSQL SERVERS TO RUNTIME")
    saved = one.table(node, "disk.mysql_servers")
    writes = one.route(save="false")
    writes.warm_up()
    writes.apply(TO_WEST)
    assert one.table(node, "disk.mysql_servers") == saved


def test_what_plan_prints_is_what_is_sent(two: Fleet) -> None:
    """The printed statements, given to a node by hand, have the same effect as the driver on the other."""
    writes = two.route()
    prefix = f"proxysql {two.nodes[1].admin}: "
    (line,) = (line for line in writes.script(TO_WEST) if line.startswith(prefix))
    two.tell(two.nodes[1], *line.removeprefix(prefix).split("; "))
    by_hand = two.table(two.nodes[1])
    writes.apply(TO_WEST)
    assert two.table(two.nodes[0]) == by_hand == two.table(two.nodes[1])


@pytest.mark.parametrize("rule", ROUTE_RULES, ids=lambda rule: rule.name)
def test_a_rule_of_the_contract(two: Fleet, rule: Rule) -> None:
    rule.check(Bench(route=two.route(), here=EAST, there=WEST))


# -- a node that goes away -----------------------------------------------------------------------------------------------------------


def test_with_a_node_down_before_its_flip_the_error_names_it_and_the_way_back_leads_to_one_server(two: Fleet) -> None:
    first, second = two.nodes
    writes = two.route()
    seen = writes.facts()
    two.stop(second)
    with pytest.raises((Unreachable, OutcomeUnknown), match=second.admin) as failed:
        writes.apply(TO_WEST)
    assert first.admin not in failed.value.message
    with pytest.raises(Unreachable, match=second.admin):
        writes.facts()  # a node that is not seen is not taken for one that was flipped
    two.start(second)
    assert writes.facts().leads_to == (EAST, WEST)
    writes.apply(RestoreRoute(route=ROUTE, seen=seen))
    assert writes.facts() == seen


@pytest.mark.parametrize("forward", [True, False], ids=["finished", "rolled back"])
def test_a_node_that_hangs_in_its_flip_leaves_an_unknown_outcome_and_is_led_either_way(two: Fleet, forward: bool) -> None:  # noqa: FBT001
    writes = two.route(timeout="1s")
    seen = writes.facts()
    with hung(two, 1), pytest.raises(OutcomeUnknown, match=rf"{two.nodes[1].admin} did not answer within 1s"):
        writes.apply(TO_WEST)
    assert WEST in writes.facts().leads_to
    if forward:
        writes.apply(TO_WEST)
        assert writes.facts().leads_to == (WEST,)
    else:
        writes.apply(RestoreRoute(route=ROUTE, seen=seen))
        assert writes.facts() == seen


def test_a_node_that_stays_silent_is_waited_for_then_left_out_and_named(two: Fleet) -> None:
    """So that one that is dead does not keep the others from going back, or on."""
    first, second = two.nodes
    writes = two.route(lost_after="600ms")
    writes.apply(HOLD)
    seen = writes.facts()
    two.stop(second)
    with pytest.raises(Unreachable, match=second.admin):
        writes.facts()
    CLOCK.sleep(0.7)
    held = writes.facts()
    assert (held.lost, held.holding, held.leads_to) == ((second.admin,), True, (EAST,))
    writes.apply(TO_WEST)
    flipped = writes.facts()
    assert (flipped.lost, flipped.holding, flipped.leads_to) == ((second.admin,), False, (WEST,))
    verdict = lead_to(SeenRoutes(routes=(flipped,)), WEST)
    assert isinstance(verdict, Done)
    assert f"{second.admin} does not answer and was left out" in verdict.warnings[0]
    assert FlipRoutes(route=(ROUTE,), to=WEST).undo(SeenRoutes(routes=(seen,)), SeenRoutes(routes=(flipped,))) != ()
    writes.apply(RestoreRoute(route=ROUTE, seen=seen))
    assert FlipRoutes(route=(ROUTE,), to=WEST).undo(SeenRoutes(routes=(seen,)), SeenRoutes(routes=(writes.facts(),))) == ()
    with pytest.raises(Unreachable, match=second.admin):
        writes.warm_up()  # a run does not begin without it
    two.start(second)
    assert writes.facts().lost == ()
    two.stop(first)
    two.stop(second)
    CLOCK.sleep(0.7)
    for _ in range(2):
        with pytest.raises(Unreachable, match="2 of 2 proxies failed"):
            writes.facts()


def test_a_node_that_dies_after_its_flip_comes_back_flipped(two: Fleet) -> None:
    writes = two.route()
    writes.apply(HOLD)
    writes.apply(TO_WEST)
    two.stop(two.nodes[1])
    two.start(two.nodes[1])
    assert writes.facts().leads_to == (WEST,)
    assert not writes.facts().holding


def test_a_node_that_dies_in_a_hold_comes_back_to_the_old_writer_and_is_not_taken_for_held(two: Fleet) -> None:
    writes = two.route()
    writes.apply(HOLD)
    two.stop(two.nodes[1])
    two.start(two.nodes[1])
    seen = writes.facts()
    assert (seen.leads_to, seen.holding, seen.held_in_part) == ((EAST,), False, True)
    writes.apply(HOLD)
    assert writes.facts().holding


@contextmanager
def hung(made: Fleet, number: int) -> Iterator[None]:
    with hanging.hung(made.process(made.nodes[number]).pid):
        yield
    CLOCK.sleep(0.5)  # the time in which what lies in its sockets lands


# -- with ProxySQL's monitor, which moves servers by read_only


MONITORED = {"reader_hostgroup": str(READERS)}


def placed(made: Fleet, table: str = "runtime_mysql_servers") -> list[list[tuple[str, str, str]]]:
    """Of each node: hostgroup, server and status."""
    names = {member.host: name for name, member in made.sandbox.members.items()}
    return [[(r["hostgroup_id"], names[r["hostname"]], r["status"]) for r in made.table(node, table)] for node in made.nodes]


def eventually_placed(made: Fleet, *rows: tuple[str, str, str]) -> None:
    deadline = Deadline.after(CLOCK, 60)
    while placed(made) != [list(rows)] * len(made.nodes):
        assert not deadline.is_over(), placed(made)
        CLOCK.sleep(0.02)


GALERA = (
    "INSERT INTO mysql_galera_hostgroups (writer_hostgroup, backup_writer_hostgroup, reader_hostgroup, offline_hostgroup) "
    "VALUES (10, 11, 20, 13)"
)
EAST_WRITES = (("10", "east", "ONLINE"), ("20", "west", "ONLINE"))
WEST_WRITES = (("10", "west", "ONLINE"), ("20", "east", "ONLINE"))


def test_flips_with_the_monitor_at_work_show_clients_no_error_and_leave_it_nothing_to_move(two: Fleet, pair: Sandbox) -> None:
    """It looks ten times a second: some flips it makes first, at some it takes the fenced writer out of the hold."""
    two.let_the_monitor_move_servers()
    before = [two.table(node) for node in two.nodes]
    writes = two.route(**MONITORED)
    first, second = (node.before(pair) for node in two.nodes)
    with load(first, pooled=3, fresh=2) as one, load(second, pooled=3, fresh=2) as other:
        for number in range(6):
            old, new = ("east", "west") if number % 2 == 0 else ("west", "east")
            writes.apply(HOLD)
            assert writes.facts().holding
            move_writes(pair, old, new, pause_s=0.05 * number)
            writes.apply(PointTo(route=ROUTE, cluster=ClusterName(new)))
            seen = writes.facts()
            assert (seen.leads_to, seen.holding, seen.held_in_part) == ((new,), False, False)
            CLOCK.sleep(0.25)
            assert placed(two) == placed(two, "mysql_servers") == [list(EAST_WRITES if new == "east" else WEST_WRITES)] * 2
        entries = (*one.stop(), *other.stop())
    assert [two.table(node) for node in two.nodes] == before
    assert errors(entries) == []
    assert {entry.server for entry in entries} == {1, 2}
    balanced = balance(entries, [row["k"] for row in sql.query(pair, "east", "SELECT k FROM app.ledger")])
    assert (balanced.lost, balanced.duplicated) == ((), ())


def test_a_hold_stands_while_the_monitor_takes_the_fenced_writer_away(one: Fleet, pair: Sandbox) -> None:
    one.let_the_monitor_move_servers()
    writes = one.route(**MONITORED)
    with closing(one.client(one.nodes[0])) as pooled, ThreadPoolExecutor(1) as pool:
        assert sql.value(pooled, "SELECT @@server_id") == 1
        writes.apply(HOLD)
        sql.query(pair, "east", "SET GLOBAL read_only=1")
        waits = pool.submit(sql.value, pooled, "SELECT @@server_id")
        eventually_placed(one, ("20", "east", "ONLINE"), ("20", "west", "ONLINE"))
        seen = writes.facts()
        assert (seen.holding, seen.leads_to, waits.done()) == (True, (EAST,), False)
        writes.warm_up()  # as a run does that is taken up in the middle
        sql.query(pair, "east", "SET GLOBAL read_only=0")
        writes.apply(Release(route=ROUTE))
        assert waits.result() == 1
    eventually_placed(one, *EAST_WRITES)
    assert HELD not in str(one.table(one.nodes[0])) + str(one.table(one.nodes[0], "runtime_mysql_servers"))


@pytest.mark.parametrize("also_reader", [False, True], ids=["writers-only", "writers-read-too"])
def test_a_flip_that_is_taken_back_leaves_every_row_as_it_was(two: Fleet, pair: Sandbox, *, also_reader: bool) -> None:
    """At run time, the monitor follows the servers; with `also_reader`, a writer that it once saw fenced stays among the readers, too."""
    two.let_the_monitor_move_servers(also_reader=also_reader)
    before = [two.table(node) for node in two.nodes]
    writes = two.route(**MONITORED)
    seen = writes.facts()
    writes.apply(HOLD)
    move_writes(pair, "east", "west")
    writes.apply(TO_WEST)
    assert writes.facts().leads_to == (WEST,)
    assert (("20", "west", "ONLINE") in placed(two)[0]) is also_reader
    undo = FlipRoutes(route=(ROUTE,), to=WEST)
    while effects := undo.undo(SeenRoutes(routes=(seen,)), SeenRoutes(routes=(writes.facts(),))):
        for effect in effects:
            writes.apply(effect)  # type: ignore[arg-type]
    assert [two.table(node) for node in two.nodes] == before
    eventually_placed(two, *sorted({*WEST_WRITES, *([("20", "west", "ONLINE")] if also_reader else [])}))
    move_writes(pair, "west", "east")
    eventually_placed(two, *sorted({*EAST_WRITES, *([("20", "east", "ONLINE")] if also_reader else [])}))
    assert [two.table(node) for node in two.nodes] == before


@pytest.mark.parametrize(
    ("said", "told", "what", "hint"),
    [
        pytest.param({}, (), "names it, with hostgroup 20 for readers", "write `reader_hostgroup: 20`", id="not-said"),
        pytest.param({"reader_hostgroup": "21"}, (), "with hostgroup 20 for readers", "write `reader_hostgroup: 20`", id="another-one"),
        pytest.param(
            MONITORED,
            ("DELETE FROM mysql_replication_hostgroups", "LOAD MYSQL SERVERS TO RUNTIME"),
            "moves no servers to hostgroup 20",
            "leave `reader_hostgroup` out",
            id="no-monitor",
        ),
        pytest.param(
            MONITORED,
            (GALERA,),
            "mysql_galera_hostgroups names it",
            "delete that row",
            id="another-monitor",
        ),
    ],
)
def test_a_monitor_that_the_route_does_not_know_of_is_refused(
    one: Fleet, said: dict[str, str], told: tuple[str, ...], what: str, hint: str
) -> None:
    one.let_the_monitor_move_servers()
    one.tell(one.nodes[0], "SELECT 1", *told)
    with pytest.raises(StatementFailed, match=what) as refused:
        one.route(**said).facts()
    assert hint in refused.value.hint


def test_tables_that_the_monitor_has_left_behind_are_to_be_saved_first(one: Fleet, pair: Sandbox) -> None:
    """A load would put the old writer back for a moment, here and in every other hostgroup of this ProxySQL."""
    one.let_the_monitor_move_servers()
    with west_writes(pair):
        eventually_placed(one, *WEST_WRITES)
        writes = one.route(**MONITORED)
        with pytest.raises(StatementFailed, match="a flip would load it") as refused:
            writes.warm_up()
        assert "SAVE MYSQL SERVERS FROM RUNTIME" in refused.value.hint
        one.tell(one.nodes[0], "SAVE MYSQL SERVERS FROM RUNTIME", "SAVE MYSQL SERVERS TO DISK")
        writes.warm_up()
        assert writes.facts().leads_to == (WEST,)


# -- the admin interface --------------------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_said_with_what_to_see(one: Fleet, pair: Sandbox) -> None:
    with pytest.raises(RefusedButAlive, match="Access denied for user 'radmin'") as refused:
        one.route(password=f"{{file: {pair.password_file('app')}}}").facts()
    assert "admin-admin_credentials" in refused.value.hint
    assert pair.password("app") not in refused.value.message


def test_an_error_of_the_admin_interface_is_no_refused_login(one: Fleet) -> None:
    """ProxySQL has one number, 1045, for both."""
    writes = one.route()
    seen = writes.facts()
    odd = replace(seen, endpoints=tuple(replace(e, raw={**e.raw, "weight": "-1"}) for e in seen.endpoints))
    with pytest.raises(StatementFailed, match="CHECK constraint failed"):
        writes.apply(RestoreRoute(route=ROUTE, seen=odd))


def test_a_read_only_account_is_not_permitted(one: Fleet) -> None:
    one.tell(one.nodes[0], "PRAGMA query_only=1")
    with pytest.raises(NotPermitted, match="readonly database"):
        one.route().apply(HOLD)


def test_a_node_that_was_restarted_since_is_asked_and_ordered_anew(one: Fleet) -> None:
    writes = one.route()
    writes.facts()
    one.stop(one.nodes[0])
    one.start(one.nodes[0])
    assert writes.facts().leads_to == (EAST,)


def test_a_canary_goes_where_clients_go(one: Fleet, pair: Sandbox) -> None:
    writes = one.route()
    assert writes.canary("proxysql-1").server == "east"
    writes.apply(TO_WEST)
    refused = writes.canary("proxysql-2")
    assert refused.server is None
    assert "1290" in refused.detail
    with west_writes(pair):
        assert writes.canary("proxysql-3").server == "west"
