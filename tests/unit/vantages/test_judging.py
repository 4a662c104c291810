"""What each vantage point makes of what it is told, and that none raises or overstays."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from interlock.clock import SystemClock
from interlock.errors import NotPermitted, StatementFailed, Unreachable
from interlock.model.effects import OutsideEffect
from interlock.model.facts import ChannelFacts, CommandResult, EndpointFacts, EndpointState, HttpResult
from interlock.model.fencing import AgentFacts
from interlock.model.liveness import VantageKind, View
from interlock.model.topology import ClusterName, RouteName, RouteSpec, ServerName
from interlock.vantages import host, peer, power, proxy
from interlock.vantages.point import Sight, Vantage, shortened
from interlock.vantages.points import _machine_of

EAST = ClusterName("east")
YES = ChannelFacts(
    server=ServerName("west"),
    name="",
    source=ServerName("east"),
    source_address="10.1.0.10:3306",
    receiver="Yes",
    applier=True,
    lag_s=0,
    error="",
    heard="binlog.000002 400 7",
)
CONNECTING = replace(YES, receiver="Connecting")
WORDS = "error reconnecting to master 'repl@10.1.0.10:3306' - retry-time: 60 maximum-retries: 100000 message: Can't connect (111)"

PEERS: dict[str, tuple[ChannelFacts | None, ChannelFacts | None, View]] = {
    "nothing came": (YES, YES, View.STALE),
    "a heartbeat came": (YES, replace(YES, heard="binlog.000002 400 8"), View.CONNECTED),
    "data came": (YES, replace(YES, heard="binlog.000002 900 7"), View.CONNECTED),
    "it has just connected": (CONNECTING, YES, View.CONNECTED),
    "it does not tell what came": (replace(YES, heard=""), replace(YES, heard=""), View.STALE),
    "can't connect": (YES, replace(CONNECTING, receiver_error=2003, error=WORDS), View.CUT),
    "lost it": (CONNECTING, replace(CONNECTING, receiver_error=2013, error="lost"), View.CUT),
    "only begins to connect": (YES, CONNECTING, View.STALE),
    "let in no more": (YES, replace(CONNECTING, receiver_error=1045, error="denied"), View.STALE),
    "too many connections": (YES, replace(CONNECTING, receiver_error=1040, error="too many"), View.STALE),
    "another certificate": (YES, replace(CONNECTING, receiver_error=2026, error="TLS"), View.STALE),
    "can't look its name up": (YES, replace(CONNECTING, receiver_error=2005, error=WORDS), View.STALE),
    "could not look its name up": (YES, replace(YES, receiver="No", receiver_error=2005, error=WORDS), View.UNKNOWN),
    "preparing": (YES, replace(YES, receiver="Preparing", receiver_error=2003), View.CUT),
    "stopped by hand": (replace(YES, receiver="No"), replace(YES, receiver="No"), View.UNKNOWN),
    "gave up, or was stopped then": (YES, replace(YES, receiver="No", receiver_error=2003, error=WORDS), View.GAVE_UP),
    "stopped by another error": (YES, replace(YES, receiver="No", receiver_error=1236, error="1236"), View.UNKNOWN),
    "another flavor's word": (YES, replace(YES, receiver="OFFLINE:ERROR"), View.UNKNOWN),
    "no channel": (None, None, View.UNKNOWN),
}


@pytest.mark.parametrize(("first", "now", "view"), PEERS.values(), ids=PEERS.keys())
def test_a_receiver_is_believed_only_for_what_it_hears_or_fails_to_reach(
    first: ChannelFacts | None, now: ChannelFacts | None, view: View
) -> None:
    assert peer.judged(first, now, 1.0).view is view


@pytest.mark.parametrize("words", [WORDS, WORDS.replace("message", "Message"), "Can't connect (111)"])
def test_a_receivers_words_are_the_reason_alone(words: str) -> None:
    assert peer.judged(YES, replace(CONNECTING, receiver_error=2003, error=words), 1.0).detail == "Can't connect (111)"


def test_a_receiver_that_has_not_noticed_is_looked_at_again_within_the_bound() -> None:
    looks = [YES, YES, CONNECTING]

    def channels() -> tuple[ChannelFacts, ...]:
        return (looks.pop(0),) if looks else (replace(CONNECTING, receiver_error=2003),)

    assert peer.overhear(channels, ServerName("east"), SystemClock())(2.0).view is View.CUT


def endpoint(*, healthy: bool | None, failing: bool = False, lb: str = "lb1") -> EndpointFacts:
    return EndpointFacts(
        proxy=lb, endpoint="a", cluster=EAST, state=EndpointState.READY, healthy=healthy, sessions=0, queued=0, failing=failing
    )


PROXIES: dict[str, tuple[list[EndpointFacts], View]] = {
    "up": ([endpoint(healthy=True)], View.STALE),
    "up, and its last check failed": ([endpoint(healthy=True, failing=True)], View.CUT),
    "down": ([endpoint(healthy=False)], View.CUT),
    "not checked": ([endpoint(healthy=None)], View.UNKNOWN),
    "not among its servers": ([], View.UNKNOWN),
    "one of two is up": ([endpoint(healthy=False), endpoint(healthy=True, lb="lb2")], View.STALE),
    "one of two does not check": ([endpoint(healthy=False), endpoint(healthy=None, lb="lb2")], View.UNKNOWN),
    "both are down": ([endpoint(healthy=False), endpoint(healthy=True, failing=True, lb="lb2")], View.CUT),
}


@pytest.mark.parametrize(("endpoints", "view"), PROXIES.values(), ids=PROXIES.keys())
def test_a_proxy_is_never_a_word_from_the_server(endpoints: list[EndpointFacts], view: View) -> None:
    assert proxy.judged(endpoints).view is view


UNITS = {
    "runs": ("LoadState=loaded\nActiveState=active\nMainPID=12\n", View.RUNS),
    "starts": ("LoadState=loaded\nActiveState=activating\nMainPID=0\n", View.RUNS),
    "stops": ("LoadState=loaded\nActiveState=deactivating\nMainPID=12\n", View.RUNS),
    "a process is left": ("LoadState=masked\nActiveState=failed\nMainPID=12\n", View.RUNS),
    "stopped": ("LoadState=loaded\nActiveState=inactive\nMainPID=0\n", View.STOPPED),
    "failed": ("LoadState=loaded\nActiveState=failed\nMainPID=0\n", View.STOPPED),
    "barred": ("LoadState=masked\nActiveState=inactive\nMainPID=0\n", View.STOPPED),
    "no such unit": ("LoadState=not-found\nActiveState=inactive\nMainPID=0\n", View.UNKNOWN),
    "nothing": ("", View.UNKNOWN),
}


@pytest.mark.parametrize(("printed", "view"), UNITS.values(), ids=UNITS.keys())
def test_a_unit_has_stopped_only_if_its_manager_knows_it_and_says_so(printed: str, view: View) -> None:
    assert host.by_unit(printed, "mariadb").view is view


HOSTS = {
    "a process, nobody listens": ("process mariadbd 12\nlooked\n", View.RUNS),
    "somebody listens": ("listens\nlooked\n", View.RUNS),
    "neither": ("looked\n", View.STOPPED),
    "it did not come to its end": ("", View.UNKNOWN),
    "another shell": ("sh: syntax error\n", View.UNKNOWN),
}


@pytest.mark.parametrize(("printed", "view"), HOSTS.values(), ids=HOSTS.keys())
def test_a_host_has_no_server_only_if_it_was_looked_at_to_the_end(printed: str, view: View) -> None:
    assert host.by_processes(printed, 3306).view is view


class Answering:
    """`ports.Outside` that gives one answer, or raises it."""

    def __init__(self, answer: str | Exception) -> None:
        self._answer = answer

    def script(self, effect: OutsideEffect, /) -> tuple[str, ...]:
        raise NotImplementedError(effect)

    def run(self, effect: OutsideEffect, /) -> CommandResult | HttpResult:
        del effect
        if isinstance(self._answer, Exception):
            raise self._answer
        return CommandResult(argv=("sh",), exit_code=0, stdout=self._answer, stderr="")


VISITS: dict[str, tuple[str | Exception, View]] = {
    "runs": ("process mysqld 7\nlistens\nlooked\n", View.RUNS),
    "does not answer": (Unreachable("host east:22 can't be reached"), View.SILENT),
    "another key": (NotPermitted("host east:22 shows another key"), View.UNKNOWN),
    "no systemctl": (StatementFailed("systemctl ended with 127"), View.UNKNOWN),
}


@pytest.mark.parametrize(("answer", "view"), VISITS.values(), ids=VISITS.keys())
def test_a_host_that_can_not_be_asked_is_not_one_without_a_server(answer: str | Exception, view: View) -> None:
    assert host.visit(Answering(answer), EAST, port=3306, unit=None)(1.0).view is view


def test_what_is_run_on_a_host_finds_no_server_where_there_is_none() -> None:
    """In a process and network namespace of its own, this machine's servers are not there."""
    inside = ["unshare", "--pid", "--fork", "--mount-proc", "--net", "sh", "-c", host._PROCESSES, "sh", "3306"]
    printed = subprocess.run(inside, check=True, capture_output=True, text=True).stdout
    assert host.by_processes(printed, 3306) == Sight(View.STOPPED, "no such process")


def test_what_is_run_on_a_host_finds_a_listener_and_a_process() -> None:
    serve = (
        "import socket, time; open('/proc/self/comm', 'w').write('mariadbd'); "
        "s = socket.create_server(('127.0.0.1', 3306)); print('', flush=True); time.sleep(60)"
    )
    command = [
        *("unshare", "--pid", "--fork", "--mount-proc", "--net", "bash", "-c"),
        'ip link set lo up; coproc python3 -c "$1"; read -r _ <&"${COPROC[0]}"; sh -c "$2" sh 3306; kill "$COPROC_PID"',
        *("bash", serve, host._PROCESSES),
    ]
    printed = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60).stdout
    assert host.by_processes(printed, 3306).view is View.RUNS
    assert "process mariadbd" in printed
    assert "listens" in printed


AGENTS = {
    "off": (True, True, View.OFF),
    "on": (False, True, View.UNKNOWN),
    "not whole": (True, False, View.UNKNOWN),
    "blind": (None, True, View.UNKNOWN),
}


@pytest.mark.parametrize(("fenced", "whole", "view"), AGENTS.values(), ids=AGENTS.keys())
def test_a_fencing_command_tells_only_that_it_is_off(fenced: bool | None, whole: bool, view: View) -> None:  # noqa: FBT001 - a table
    facts = AgentFacts(agent="power", cluster=EAST, fenced=fenced, whole=whole)
    assert power.show(lambda: facts)(1.0).view is view


def vantage(see: Callable[[float], Sight]) -> Vantage:
    return Vantage(name="here", kind=VantageKind.HERE, see=see, clock=SystemClock())


def test_an_error_is_what_it_could_not_tell() -> None:
    def see(_: float) -> Sight:
        raise StatementFailed("no such socket")

    seen = vantage(see).look(1.0)
    assert (seen.view, seen.detail) == (View.UNKNOWN, "no such socket")


def test_a_look_that_does_not_come_back_is_left_behind() -> None:
    never = threading.Event()

    def see(_: float) -> Sight:
        never.wait(60)
        return Sight(View.ANSWERS)

    seen = vantage(see).look(0.05)
    never.set()
    assert seen.view is View.UNKNOWN
    assert seen.ms < 50_000


def test_words_are_one_short_line() -> None:
    assert shortened("a\n  b") == "a b"
    assert len(shortened("x" * 500)) == 160


MACHINES = {
    "a socket file": ({"socket": ("unix:/run/haproxy.sock",)}, ""),
    "a bare path": ({"socket": ("/run/haproxy.sock",)}, ""),
    "over the network": ({"socket": ("tcp:10.0.0.5:9999",)}, "10.0.0.5"),
    "this machine's loopback": ({"socket": ("tcp:127.0.0.1:9999",)}, ""),
    "two, one of them here": ({"socket": ("tcp:10.0.0.5:9999", "unix:/run/haproxy.sock")}, ""),
    "two": ({"socket": ("tcp:10.0.0.6:9999", "tcp:10.0.0.5:9999")}, "10.0.0.5 10.0.0.6"),
    "an admin interface": ({"admin": {"host": "10.0.0.5", "port": 6032}}, "10.0.0.5"),
    "nodes": ({"nodes": ({"host": "a", "port": 6032}, {"host": "b", "port": 6032})}, "a b"),
    "a URL": ({"url": ("http://10.0.0.5:8989",)}, "10.0.0.5"),
    "another package's": ({"place": "x"}, ""),
}


@pytest.mark.parametrize(("settings", "machine"), MACHINES.values(), ids=MACHINES.keys())
def test_a_proxy_that_is_asked_on_this_machine_looks_from_here(settings: dict[str, object], machine: str) -> None:
    assert _machine_of(RouteSpec(name=RouteName("writes"), kind="haproxy", settings=settings)) == machine
