"""The prober and the canary, on sessions that answer as told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from interlock.clock import SystemClock
from interlock.errors import DriverError, StatementFailed, Unreachable, WriteRefused
from interlock.model.topology import RouteName, RouteSpec, ServerName
from interlock.routes.canary import send_canary
from interlock.routes.client import ClientSession, Rows
from interlock.routes.prober import RouteProber, Silence
from waiting import eventually

CLOCK = SystemClock()
WRITES = RouteSpec(name=RouteName("writes"), kind="haproxy", settings={}, clients=("127.0.0.1", 3306))


@dataclass
class Peer:
    """A server behind a route. `mood` raises what a client is to feel; `hangs` makes each statement wait until it is cut."""

    mood: Callable[[], None] = lambda: None
    read_only: int = 0
    server_id: int = 1
    only_canary: bool = True
    hangs: bool = False
    logins: int = 0
    written: list[object] = field(default_factory=list)

    def __call__(self, host: str, port: int, within_s: float, /) -> ClientSession:
        assert (host, port) == WRITES.clients
        assert within_s > 0
        self.logins += 1
        return PeerSession(self)


class PeerSession:
    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.cut = threading.Event()

    def query(self, statement: str, args: Sequence[object] = (), /) -> Rows:
        if self.peer.hangs:
            self.cut.wait(60)
            raise Unreachable("cut")
        self.peer.mood()
        if statement.startswith("SELECT"):
            return ((self.peer.server_id, self.peer.read_only, "db1", 3306),)
        self.peer.written.append(args[0])
        return ()

    def abort(self) -> None:
        self.cut.set()

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("acknowledged", "longest"),
    [
        ([], None),
        ([1.0], None),
        ([1.0, 1.5], (1.0, 1.5)),
        ([1.0, 1.1, 3.1, 3.2, 4.2], (1.1, 3.1)),
        ([1.0, 2.0, 3.0], (1.0, 2.0)),
    ],
    ids=["none", "one", "two", "the longest", "the first of equals"],
)
def test_the_outage_is_the_longest_interval_between_two_acknowledged_writes(
    acknowledged: list[float], longest: tuple[float, float] | None
) -> None:
    silence = Silence()
    for at_s in acknowledged:
        silence.heard(at_s)
    assert silence.longest == longest
    assert silence.acknowledged == len(acknowledged)


def test_an_outage_is_measured_and_its_errors_are_counted_by_kind() -> None:
    peer, refused_at_s = Peer(), list[float]()

    def refuse_for_a_fifth_of_a_second() -> None:
        if len(peer.written) < 20 or (refused_at_s and CLOCK.monotonic_s() - refused_at_s[0] > 0.2):
            return
        refused_at_s.append(CLOCK.monotonic_s())
        raise WriteRefused("read-only")

    peer.mood = refuse_for_a_fifth_of_a_second
    prober = RouteProber([WRITES], peer, CLOCK)
    prober.start()
    assert eventually(lambda: len(peer.written) > 20)
    seen = prober.stop()

    assert seen.outage_ms is not None
    assert seen.last_write_before is not None
    assert seen.first_write_after is not None
    assert seen.outage_ms > 200
    assert (seen.first_write_after - seen.last_write_before).total_seconds() * 1000 == pytest.approx(seen.outage_ms, abs=0.01)
    assert set(seen.errors) == {"WriteRefused"}
    assert peer.logins == seen.errors["WriteRefused"] + 1
    assert seen.acknowledged == len(peer.written) > 20


def test_without_any_acknowledged_write_there_is_no_outage_to_tell() -> None:
    def refuse() -> None:
        raise WriteRefused("read-only")

    prober = RouteProber([WRITES], Peer(mood=refuse), CLOCK)
    prober.start()
    CLOCK.sleep(0.05)
    seen = prober.stop()
    assert (seen.outage_ms, seen.acknowledged) == (None, 0)


def test_a_write_more_is_waited_for_and_not_longer_than_was_said() -> None:
    peer = Peer()
    prober = RouteProber([WRITES], peer, CLOCK)
    prober.start()
    before = len(peer.written)
    prober.await_writes(20.0)
    assert len(peer.written) > before
    peer.hangs = True
    CLOCK.sleep(0.05)
    began_s = CLOCK.monotonic_s()
    prober.await_writes(0.1)
    assert CLOCK.monotonic_s() - began_s >= 0.1
    prober.stop()


def test_a_hung_server_does_not_hang_stop() -> None:
    prober = RouteProber([WRITES], Peer(hangs=True), CLOCK)
    prober.start()
    CLOCK.sleep(0.05)
    began = CLOCK.monotonic_s()
    seen = prober.stop()
    assert CLOCK.monotonic_s() - began < 60  # one second for a last write, one for the cut; the server hangs for good
    assert seen.errors == {}  # to be cut off by ourselves is none


def ids() -> dict[int, ServerName]:
    return {1: ServerName("east"), 2: ServerName("west")}


def test_a_canary_names_the_server_that_took_it() -> None:
    peer = Peer(server_id=2)
    seen = send_canary(WRITES, peer, ids, "t1")
    assert (seen.server, seen.detail, peer.written) == ("west", "written on db1:3306", ["t1"])


@pytest.mark.parametrize("error", [WriteRefused("db1: read-only (1290)"), Unreachable("no")], ids=["refused", "unreachable"])
def test_a_canary_that_nobody_took_has_the_peers_words(error: DriverError) -> None:
    def fail() -> None:
        raise error

    seen = send_canary(WRITES, Peer(mood=fail), ids, "t1")
    assert (seen.server, seen.detail) == (None, error.message)


@pytest.mark.parametrize(("read_only", "only_canary", "tried"), [(1, False, False), (1, True, True), (0, False, True)])
def test_an_account_that_could_pass_read_only_does_not_try_a_read_only_server(*, read_only: int, only_canary: bool, tried: bool) -> None:
    peer = Peer(read_only=read_only, only_canary=only_canary)
    seen = send_canary(WRITES, peer, ids, "t1")
    assert bool(peer.written) is tried
    assert (seen.server is not None) is tried
    if not tried:
        assert "not tried: the account could pass it" in seen.detail


def test_a_server_that_is_none_of_the_pair_is_an_error() -> None:
    with pytest.raises(StatementFailed, match="db1:3306 with server_id 9, which is none of this pair"):
        send_canary(WRITES, Peer(server_id=9), ids, "t1")


def test_a_route_without_a_clients_address_has_no_canary() -> None:
    with pytest.raises(StatementFailed, match="has no `clients` address"):
        send_canary(RouteSpec(name=RouteName("x"), kind="command", settings={}), Peer(), ids, "t1")
