"""What `ports.Server` promises, held by the server in memory and by the drivers alike."""

from __future__ import annotations

import uuid

import pymysql
import pytest

from contract.benches import Bench
from interlock.errors import PairBusy, StatementFailed, WriteRefused
from interlock.model.effects import Fence, KillSessions, Open, RunSql, ServerEffect, SetEventScheduler, StartReceiver, StopReceiver
from interlock.model.position import FilePosition, MariaDBPosition, Position, parse_position
from interlock.model.topology import ServerName
from interlock.ports import Server
from waiting import eventually

EAST, WEST = ServerName("east"), ServerName("west")
FENCE, OPEN = Fence(server=EAST, within_s=20.0), Open(server=EAST)
STOP_RECEIVER, START_RECEIVER = StopReceiver(server=WEST, channel=""), StartReceiver(server=WEST, channel="")
PATIENT_S = 60.0
"""How long something that must come may take: on a busy machine, longer than anybody thinks."""


def east(bench: Bench) -> Server:
    return bench.first.server("east")


def west(bench: Bench) -> Server:
    return bench.first.server("west")


def held(server: Server) -> Position:
    return server.write_facts().position


def has_received(server: Server, position: Position) -> bool:
    (channel,) = server.channels()
    return channel.received is not None and channel.received.contains(position)


def takes_lock(server: Server, lock: str) -> bool:
    try:
        server.take_lock(lock)
    except PairBusy:
        return False
    return True


def logged(server: Server) -> Position:
    """Without what it was told of its sources: without GTIDs, its own writes come back to it as part of their logs."""
    position = held(server)
    return position.only(server.name) if isinstance(position, FilePosition) else position


def test_write_facts_tell_who_takes_writes(bench: Bench) -> None:
    assert (east(bench).write_facts().read_only, west(bench).write_facts().read_only) == (False, True)
    assert east(bench).write_facts().server == "east"


@pytest.mark.parametrize(("effect", "read_only"), [(FENCE, True), (OPEN, False)], ids=["fence", "open"])
def test_fence_and_open_are_seen_on_the_next_look_and_twice_is_once(bench: Bench, effect: ServerEffect, *, read_only: bool) -> None:
    east(bench).apply(Open(server=EAST) if read_only else FENCE, mark="contract")
    for _ in range(2):
        east(bench).apply(effect, mark="contract")
        assert east(bench).write_facts().read_only is read_only


def test_a_fenced_server_refuses_clients_and_its_position_stands(bench: Bench) -> None:
    bench.write("east")
    east(bench).apply(FENCE, mark="contract")
    fenced = logged(east(bench))
    with pytest.raises((WriteRefused, pymysql.err.OperationalError), match="1290"):
        bench.write("east")
    bench.clock.sleep(0.05)
    assert logged(east(bench)) == fenced


def test_a_write_moves_the_position_by_one(bench: Bench) -> None:
    before = logged(east(bench))
    bench.write("east")
    after = logged(east(bench))
    assert (before.behind(after), after.behind(before)) == (1, 0)
    assert not before.contains(after)


def test_an_open_server_is_not_proved_fenced(bench: Bench) -> None:
    with pytest.raises(StatementFailed, match="east takes writes") as caught:
        east(bench).proof_of_fence()
    assert caught.value.hint == "fence it first"


def test_a_fence_is_proved_by_a_refused_canary_at_the_position_that_it_holds(bench: Bench) -> None:
    east(bench).apply(FENCE, mark="contract")
    proof = east(bench).proof_of_fence()
    assert (proof.server, proof.canary) == ("east", "refused")
    assert held(east(bench)).contains(proof.position)
    assert proof.position.contains(logged(east(bench)))


def test_a_canary_is_written_seen_and_arrives(bench: Bench) -> None:
    token = f"contract {uuid.uuid4().hex}"
    assert not west(bench).sees_canary(token)
    east(bench).write_canary(token)
    assert east(bench).sees_canary(token)
    assert west(bench).wait_applied(held(east(bench)), PATIENT_S)
    assert west(bench).sees_canary(token)


def test_a_canary_is_refused_by_a_fenced_server_and_leaves_nothing(bench: Bench) -> None:
    assert west(bench).wait_applied(held(east(bench)), PATIENT_S)  # all of the tests before
    before = held(west(bench))
    with pytest.raises(WriteRefused):
        west(bench).write_canary("contract-2")
    assert not west(bench).sees_canary("contract-2")
    assert held(west(bench)) == before


def test_waiting_ends_true_once_the_position_is_applied(bench: Bench) -> None:
    bench.write("east")
    target = held(east(bench))
    assert west(bench).wait_applied(target, PATIENT_S)
    assert held(west(bench)).contains(target)
    assert west(bench).wait_applied(target, 0.0), "what is held is not waited for"


def test_waiting_ends_false_in_its_time_while_the_applier_is_stopped(bench: Bench) -> None:
    with bench.applier_stopped("west"):
        bench.write("east")
        began_s = bench.clock.monotonic_s()
        assert west(bench).wait_applied(held(east(bench)), 0.2) is False
        assert bench.clock.monotonic_s() - began_s > 0.15
        (channel,) = west(bench).channels()
        assert (channel.applier, channel.lag_s, channel.source) == (False, None, "east")
    assert west(bench).wait_applied(held(east(bench)), PATIENT_S)


def test_a_stopped_receiver_brings_nothing_more_until_it_is_started(bench: Bench) -> None:
    bench.write("east")
    came = logged(east(bench))
    assert west(bench).wait_applied(came, PATIENT_S)
    west(bench).apply(STOP_RECEIVER, mark="contract")
    bench.write("east")
    missed = logged(east(bench))
    assert west(bench).wait_applied(missed, 0.3) is False
    (channel,) = west(bench).channels()
    assert (channel.receiver, channel.applier, channel.lag_s) == ("No", True, None)
    assert channel.received is not None
    assert channel.received.contains(came)
    assert not channel.received.contains(missed)
    west(bench).apply(START_RECEIVER, mark="contract")
    assert west(bench).wait_applied(missed, PATIENT_S)


def test_what_was_received_is_applied_after_both_threads_stood_still_but_by_mariadbs_gtid(bench: Bench) -> None:
    """MariaDB throws its relay log away when a thread is started while neither ran, and fetches it again from the source, which a dead one
    can't send (KB, "Global Transaction ID", "Using MASTER_USE_GTID"; tried on 10.11).
    """
    with bench.applier_stopped("west"):
        bench.write("east")
        came = logged(east(bench))
        assert eventually(lambda: has_received(west(bench), came), clock=bench.clock)
        west(bench).apply(STOP_RECEIVER, mark="contract")
    thrown_away = isinstance(came, MariaDBPosition)
    assert west(bench).wait_applied(came, 0.5 if thrown_away else PATIENT_S) is not thrown_away
    west(bench).apply(START_RECEIVER, mark="contract")
    assert west(bench).wait_applied(came, PATIENT_S)


def test_an_empty_position_is_held_by_everyone(bench: Bench) -> None:
    assert west(bench).wait_applied(MariaDBPosition(), 0.1)


def test_channels_name_their_source_and_run(bench: Bench) -> None:
    bench.write("east")
    assert west(bench).wait_applied(held(east(bench)), PATIENT_S)
    (channel,) = west(bench).channels()
    assert (channel.server, channel.source, channel.receiver, channel.applier, channel.error) == ("west", "east", "Yes", True, "")
    assert channel.lag_s is not None
    assert eventually(lambda: west(bench).channels()[0].lag_s == 0, clock=bench.clock), "nothing is left to be applied"


def test_the_log_has_what_came_after_a_position_in_order_and_no_more_than_asked(bench: Bench) -> None:
    before = held(east(bench))
    for _ in range(3):
        bench.write("east")
    log = east(bench).logged_since(before, 10)
    assert len(log) == 3
    assert {entry.server_id for entry in log} == {east(bench).facts().server_id}
    assert [(entry.file, entry.offset) for entry in log] == sorted((entry.file, entry.offset) for entry in log)
    assert [held(east(bench)).contains(parse_position(entry.gtid)) for entry in log] == [True] * 3
    assert [before.contains(parse_position(entry.gtid)) for entry in log] == [False] * 3
    assert [entry.gtid for entry in east(bench).logged_since(before, 2)] == [entry.gtid for entry in log[:2]]
    assert east(bench).logged_since(held(east(bench)), 10) == ()


def test_a_session_is_seen_with_its_transaction_and_gone_once_killed(bench: Bench) -> None:
    with bench.session("east") as number:
        (seen,) = [session for session in east(bench).sessions() if session.id == number]
        assert (seen.user, seen.passes_read_only, seen.rows_modified) == ("app", False, 1)
        assert seen.transaction_s is not None
        assert 0 <= seen.transaction_s < 600
        for _ in range(2):  # one that is gone already is no error
            east(bench).apply(KillSessions(server=EAST, ids=(number,)), mark="contract")
            assert number not in {session.id for session in east(bench).sessions()}


def test_interlocks_own_sessions_are_not_clients(bench: Bench) -> None:
    bench.first.server("east").warm_up()
    bench.second.server("east").warm_up()
    assert [session for session in east(bench).sessions() if session.user.startswith("interlock")] == []


def test_the_event_scheduler_is_started_and_stopped(bench: Bench) -> None:
    for on, expected in ((True, "ON"), (True, "ON"), (False, "OFF")):
        east(bench).apply(SetEventScheduler(server=EAST, on=on), mark="contract")
        assert east(bench).write_facts().event_scheduler == expected


def test_a_lock_has_one_holder_and_the_other_is_told_who(bench: Bench) -> None:
    first, second, lock = bench.first.server("east"), bench.second.server("east"), "interlock:one-holder"
    assert not first.holds_lock(lock)
    first.take_lock(lock)
    first.take_lock(lock)  # what is held already is no error
    assert (first.holds_lock(lock), second.holds_lock(lock)) == (True, False)
    with pytest.raises(PairBusy, match=f"the lock {lock} is held by session") as caught:
        second.take_lock(lock)
    assert caught.value.server == "east"
    first.release_lock(lock)
    second.take_lock(lock)
    assert (first.holds_lock(lock), second.holds_lock(lock)) == (False, True)


def test_a_lock_ends_with_its_holder(bench: Bench) -> None:
    lock = "interlock:ends-with-its-holder"
    bench.first.server("east").take_lock(lock)
    bench.first.server("east").close()
    assert eventually(lambda: takes_lock(bench.second.server("east"), lock), clock=bench.clock)
    assert bench.second.server("east").holds_lock(lock)


def test_settling_keeps_the_lock_and_the_server_as_they_are(bench: Bench) -> None:
    lock = "interlock:settled"
    east(bench).take_lock(lock)
    before = east(bench).write_facts()
    east(bench).settle()
    assert east(bench).holds_lock(lock)
    assert east(bench).write_facts() == before


@pytest.mark.parametrize(
    "effect", [FENCE, OPEN, SetEventScheduler(server=EAST, on=True), KillSessions(server=EAST, ids=(7, 8))], ids=lambda e: type(e).__name__
)
def test_a_script_is_pure_and_names_what_is_sent(bench: Bench, effect: ServerEffect) -> None:
    before = east(bench).write_facts()
    assert east(bench).script(effect) == east(bench).script(effect) != ()
    assert east(bench).write_facts() == before
    word = {Fence: "read_only=1", Open: "read_only=0", SetEventScheduler: "event_scheduler=ON", KillSessions: "KILL"}[type(effect)]
    assert word in " ".join(east(bench).script(effect))


def test_a_teams_own_statement_that_fails_says_so(bench: Bench) -> None:
    with pytest.raises(StatementFailed, match="1064"):
        east(bench).apply(RunSql(server=EAST, statements=("FAIL now",), within_s=2.0), mark="contract")


def test_servers_of_a_pair_tell_each_other_apart(bench: Bench) -> None:
    first, second = east(bench).facts(), west(bench).facts()
    assert first.server_id != second.server_id
    assert first.gtid_domain_id is None or first.gtid_domain_id != second.gtid_domain_id
    assert (first.log_bin, first.log_slave_updates, first.auto_increment_increment) == (True, True, 2)
    assert abs(first.clock_offset_s) < 30
    assert (east(bench).missing_privileges(), east(bench).prepared_transactions(), east(bench).lock_holders()) == ((), (), ())
