"""The contract of servers, held by the driver of Xpand against the stand-in, as far as Xpand has what a rule speaks of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from contract import test_server
from contract.benches import RealBench
from interlock.errors import StatementFailed
from interlock.model.effects import SetEventScheduler, StartReceiver, StopReceiver
from interlock.model.position import FilePosition
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from servers.xpands import xpands

_NOT_OF_XPAND = {
    "test_a_fenced_server_refuses_clients_and_its_position_stands": "its errors have other numbers: tests/scenarios/test_xpand.py",
    "test_the_event_scheduler_is_started_and_stopped": "it has none: below",
    "test_a_script_is_pure_and_names_what_is_sent": "its words are others: tests/unit/servers/test_xpand_words.py",
    "test_a_write_moves_the_position_by_one": "the other cluster's log moves too, once it has logged what it applied: below",
    "test_a_teams_own_statement_that_fails_says_so": "its errors have other numbers",
    "test_a_stopped_receiver_brings_nothing_more_until_it_is_started": "its replication is not changed by Interlock: below",
    "test_what_was_received_is_applied_after_both_threads_stood_still_but_by_mariadbs_gtid": "the same",
    "test_a_session_is_seen_with_its_transaction_and_gone_once_killed": "who passes read_only is not known: below",
}


class XpandBench(RealBench):
    @contextmanager
    def applier_stopped(self, server: str) -> Iterator[None]:
        (name,) = (row["Slave_Name"] for row in sql.query(self.sandbox, server, "SHOW SLAVE STATUS"))
        sql.query(self.sandbox, server, f"STOP SLAVE '{name}'")
        try:
            yield
        finally:
            sql.query(self.sandbox, server, f"START SLAVE '{name}'")

    def put_back(self) -> None:
        for name, read_only in (("west", "true"), ("east", "false")):
            sql.query(self.sandbox, name, f"SET GLOBAL read_only={read_only}")
        for world in self._worlds:
            world.close()


@pytest.fixture(scope="module")
def xpand_pair() -> Iterator[Sandbox]:
    with xpands() as made:
        yield made.sandbox


@pytest.fixture
def bench(xpand_pair: Sandbox) -> Iterator[XpandBench]:
    made = XpandBench(xpand_pair)
    yield made
    made.put_back()


globals().update({name: rule for name, rule in vars(test_server).items() if name.startswith("test_") and name not in _NOT_OF_XPAND})


def test_what_is_left_out_is_there_to_be_left_out() -> None:
    assert vars(test_server).keys() >= _NOT_OF_XPAND.keys()


def test_there_are_no_events_to_start_and_nothing_to_stop(bench: XpandBench) -> None:
    east = bench.first.server("east")
    assert (east.events(), east.write_facts().event_scheduler) == ((), "DISABLED")
    assert east.script(SetEventScheduler(server=east.name, on=False)) == ()
    with pytest.raises(StatementFailed, match="Xpand has no events that could run"):
        east.apply(SetEventScheduler(server=east.name, on=True), mark="contract")


@pytest.mark.parametrize("effect", [test_server.STOP_RECEIVER, test_server.START_RECEIVER], ids=["stop", "start"])
def test_its_replication_is_left_to_a_person(bench: XpandBench, effect: StopReceiver | StartReceiver) -> None:
    with pytest.raises(StatementFailed, match="the replication of xpand is not changed by Interlock"):
        bench.first.server("west").apply(effect, mark="contract")


def test_a_session_is_seen_with_its_transaction_and_whether_it_passes_read_only_is_not_known(bench: XpandBench) -> None:
    with bench.session("east") as number:
        (seen,) = [session for session in bench.first.server("east").sessions() if session.id == number]
        assert (seen.user, seen.passes_read_only, seen.rows_modified, seen.transaction_s) == ("app", None, 1, 0.0)


def test_a_write_moves_the_position_in_its_own_log(bench: XpandBench) -> None:
    before = bench.first.server("east").write_facts().position
    bench.write("east")
    after = bench.first.server("east").write_facts().position
    assert after.contains(before)
    assert not before.contains(after)
    assert isinstance(after, FilePosition)
    assert not before.contains(after.only("east"))
