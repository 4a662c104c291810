"""The verdict on real servers, each in a network of its own: only the dead ones are dead."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pymysql
import pytest

import hanging
from faults.network import PLACES, Cables, cables
from interlock.actions.liveness import IsDead, SeenLiveness
from interlock.bootstrap import RealWorld, read_topology
from interlock.clock import Deadline, SystemClock
from interlock.hosts.secrets import Secrets
from interlock.model.liveness import Liveness, VantageKind, View
from interlock.model.topology import ClusterName
from interlock.model.verdict import Wait
from interlock.sandbox import pair as pairs
from interlock.sandbox import processes, sql
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from interlock.servers.session import MARGIN_S, READ_BOUND_S
from interlock.simulated.store import MemoryStore
from waiting import eventually

CLOCK = SystemClock()
CHECK = IsDead(cluster=ClusterName("east"), within_s=2.0)
_PATIENT_S = 30.0
HEARTBEAT_S = 0.3
HEARTBEATS = {
    "mariadb": ("STOP SLAVE", f"CHANGE MASTER TO MASTER_HEARTBEAT_PERIOD={HEARTBEAT_S}", "START SLAVE"),
    "mysql": ("STOP REPLICA", f"CHANGE REPLICATION SOURCE TO SOURCE_HEARTBEAT_PERIOD={HEARTBEAT_S}", "START REPLICA"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    sandbox: Sandbox
    cables: Cables

    @property
    def pid(self) -> int:
        return next(each.pid for each in processes.running(Path(self.sandbox.directory)) if each.name == "east")

    def verdict(self, within_s: float = CHECK.within_s) -> SeenLiveness:
        """As the check finds it, which looks again while it may settle."""
        check = replace(CHECK, within_s=within_s)
        topology = read_topology(Path(self.sandbox.topology))
        with self.cables.inside("tool"):
            world = RealWorld(topology, CLOCK, Secrets(CLOCK), MemoryStore(CLOCK))
            try:
                deadline = Deadline.after(CLOCK, within_s)
                while True:
                    seen = check.look(world)
                    if not isinstance(check.decide(seen), Wait) or deadline.is_over():
                        return seen
                    CLOCK.sleep(0.01)
            finally:
                world.close()


@contextmanager
def _lab(kind: str) -> Iterator[Lab]:
    """The proxy's socket is reached over the network: it is another machine's word then."""
    folder = Path(tempfile.mkdtemp(prefix="interlock-"))
    try:
        with cables() as made:
            sandbox = pairs.up(folder / "pair", clock=CLOCK, network=made.network(), kind=kind)
            try:
                _ask_proxy_by_network(sandbox)
                for word in HEARTBEATS[kind]:
                    sql.query(sandbox, "west", word)
                yield Lab(sandbox=sandbox, cables=made)
            finally:
                pairs.down(folder / "pair")
    finally:
        shutil.rmtree(folder)


def _ask_proxy_by_network(sandbox: Sandbox) -> None:
    path = Path(sandbox.topology)
    text, address = path.read_text(), f"tcp:{sandbox.proxy.host}:{sandbox.proxy.admin_port}"
    assert f"unix:{sandbox.proxy.admin_socket}" in text
    path.write_text(text.replace(f"unix:{sandbox.proxy.admin_socket}", address))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with _lab("mariadb") as made:
        yield made


@pytest.fixture(scope="module")
def mysql_lab() -> Iterator[Lab]:
    with _lab("mysql") as made:
        yield made


def views(seen: SeenLiveness) -> dict[VantageKind, View]:
    return {each.kind: each.view for each in seen.master.seen}


# -- what strikes it


@contextmanager
def untouched(_: Lab) -> Iterator[None]:
    yield


@contextmanager
def lost_between(lab: Lab, one: str, other: str) -> Iterator[None]:
    lab.cables.cut(one, other)
    try:
        yield
    finally:
        lab.cables.mend()


@contextmanager
def rejected_from(lab: Lab, place: str) -> Iterator[None]:
    """A firewall on east's host: to whoever comes from `place` it says that nobody listens."""
    rule = f"add rule ip test input ip saddr {PLACES[place]} tcp dport 3306 reject with tcp reset"
    with lab.cables.inside("east"):
        chain = "add chain ip test input { type filter hook input priority 0; }"
        subprocess.run(["nft", "-f", "-"], input=f"add table ip test\n{chain}\n{rule}\n", text=True, check=True)
        try:
            yield
        finally:
            subprocess.run(["nft", "delete", "table", "ip", "test"], check=True)


@contextmanager
def full(lab: Lab) -> Iterator[None]:
    """Every connection is taken, that of administrators too."""
    before = sql.query(lab.sandbox, "east", "SELECT @@GLOBAL.max_connections AS n")[0]["n"]
    sql.query(lab.sandbox, "east", "SET GLOBAL max_connections=10")
    with ExitStack() as stack:
        first = stack.enter_context(closing(sql.connect(lab.sandbox, "east")))
        for account in ("app", "admin"):
            while True:
                try:
                    stack.enter_context(closing(sql.connect(lab.sandbox, "east", account)))
                except pymysql.err.OperationalError as error:
                    if error.args[0] != 1040:
                        raise
                    break
        try:
            yield
        finally:
            sql.rows(first, f"SET GLOBAL max_connections={before}")


@contextmanager
def another_password(lab: Lab) -> Iterator[None]:
    """On east only."""
    with closing(sql.connect(lab.sandbox, "east")) as east:
        sql.rows(east, "SET SESSION sql_log_bin=0")
        sql.rows(east, "ALTER USER interlock@'%%' IDENTIFIED BY %s", "another")
        try:
            yield
        finally:
            sql.rows(east, "ALTER USER interlock@'%%' IDENTIFIED BY %s", lab.sandbox.password("interlock"))


@contextmanager
def host_down(lab: Lab) -> Iterator[None]:
    wire = f"{lab.cables.prefix}east"
    subprocess.run(["ip", "-n", wire, "link", "set", "wire", "down"], check=True)
    try:
        yield
    finally:
        lines = ["link set wire up", "route replace 169.254.1.1 dev wire", "route replace default via 169.254.1.1"]
        subprocess.run(["ip", "-n", wire, "-batch", "-"], input="\n".join(lines), text=True, check=True)


Strike = Callable[[Lab], AbstractContextManager[None]]


def lost_from(place: str) -> Strike:
    return lambda lab: lost_between(lab, place, "east")


def rejected(place: str) -> Strike:
    return lambda lab: rejected_from(lab, place)


ALIVE: dict[str, tuple[Strike, Liveness, View]] = {
    "untouched": (untouched, Liveness.ALIVE, View.ANSWERS),
    "SIGSTOP": (lambda lab: hanging.hung(lab.pid), Liveness.HUNG, View.HANGS),
    "lost from here only": (lost_from("tool"), Liveness.CUT_OFF, View.SILENT),
    "rejected from here only": (rejected("tool"), Liveness.CUT_OFF, View.CLOSED),
    "lost from the survivor only": (lost_from("west"), Liveness.ALIVE, View.ANSWERS),
    "rejected from the survivor only": (rejected("west"), Liveness.ALIVE, View.ANSWERS),
    "max_connections reached": (full, Liveness.REFUSING, View.REFUSES),
    "wrong password": (another_password, Liveness.REFUSING, View.REFUSES),
}


@pytest.mark.parametrize(("strike", "state", "here"), ALIVE.values(), ids=ALIVE.keys())
def test_a_master_that_lives_is_never_dead(lab: Lab, strike: Strike, state: Liveness, here: View) -> None:
    with strike(lab):
        seen = lab.verdict()
    assert seen.master.state is state, seen.master
    assert views(seen)[VantageKind.HERE] is here


@pytest.mark.parametrize("name", ["SIGSTOP", "rejected from here only", "wrong password"])
def test_the_same_on_mysql(mysql_lab: Lab, name: str) -> None:
    strike, state, here = ALIVE[name]
    with strike(mysql_lab):
        seen = mysql_lab.verdict()
    assert seen.master.state is state, seen.master
    assert views(seen)[VantageKind.HERE] is here


def test_a_host_that_is_down_is_dead_once_a_proxy_has_noticed(lab: Lab) -> None:
    with host_down(lab):
        seen = lab.verdict(_PATIENT_S)
    assert seen.master.state is Liveness.DEAD, seen.master
    assert views(seen)[VantageKind.HERE] is View.SILENT
    assert views(seen)[VantageKind.PROXY] is View.CUT
    assert_whole(lab)


@contextmanager
def killed(lab: Lab) -> Iterator[None]:
    """kill -9; afterwards it starts again, and is the writer."""
    os.kill(lab.pid, signal.SIGKILL)
    try:
        yield
    finally:
        pairs.restart(lab.sandbox, "east", clock=CLOCK, network=lab.cables.network())
        word = "super_read_only" if lab.sandbox.kind == "mysql" else "read_only"
        sql.query(lab.sandbox, "east", f"SET GLOBAL {word}=0")
        sql.query(lab.sandbox, "east", "SET GLOBAL read_only=0")
        assert_whole(lab)


def assert_whole(lab: Lab) -> None:
    """A write on east arrives on west, so that the next test begins with a pair."""
    sql.query(lab.sandbox, "east", "INSERT INTO app.ledger (k, server_id) VALUES ('whole', 1)")
    deadline = Deadline.after(CLOCK, 60)
    counted = "SELECT COUNT(*) AS n FROM app.ledger WHERE k='whole'"
    while sql.query(lab.sandbox, "west", counted) != sql.query(lab.sandbox, "east", counted):
        assert not deadline.is_over(), "west does not follow east any more"
        CLOCK.sleep(0.05)


@pytest.mark.parametrize("kind", ["lab", "mysql_lab"])
def test_kill_9_under_load_is_a_death_told_at_once(kind: str, request: pytest.FixtureRequest) -> None:
    lab: Lab = request.getfixturevalue(kind)
    with lab.cables.inside("proxy"), load(lab.sandbox, pooled=8, fresh=2) as writing:
        CLOCK.sleep(0.3)
        began_s = CLOCK.monotonic_s()
        with killed(lab):
            seen = lab.verdict(_PATIENT_S)
            took_s = CLOCK.monotonic_s() - began_s
            writing.stop()
    assert seen.master.state is Liveness.DEAD, seen.master
    assert views(seen)[VantageKind.PEER] is View.CUT
    assert took_s < _PATIENT_S  # it did not wait for anything to settle: 50 ms, on an idle machine


def test_a_receiver_counts_only_what_it_hears_now(lab: Lab) -> None:
    """Nobody writes: its heartbeats are all that comes; without them it tells nothing."""
    with lost_between(lab, "tool", "east"):
        assert views(lab.verdict())[VantageKind.PEER] is View.CONNECTED
        sql.query(lab.sandbox, "west", "STOP SLAVE")
        sql.query(lab.sandbox, "west", "CHANGE MASTER TO MASTER_HEARTBEAT_PERIOD=0")
        sql.query(lab.sandbox, "west", "START SLAVE")
        try:
            assert eventually(lambda: views(lab.verdict())[VantageKind.PEER] is View.STALE)
        finally:
            for word in HEARTBEATS["mariadb"]:
                sql.query(lab.sandbox, "west", word)


def test_a_receiver_that_was_stopped_by_hand_is_no_witness(lab: Lab) -> None:
    sql.query(lab.sandbox, "west", "STOP SLAVE IO_THREAD")
    try:
        assert views(lab.verdict())[VantageKind.PEER] is View.UNKNOWN
    finally:
        sql.query(lab.sandbox, "west", "START SLAVE IO_THREAD")


def test_each_look_is_bounded_by_itself(lab: Lab) -> None:
    """The survivor is stopped too: the driver's own bounds are seconds, the look's is its own."""
    west = next(each.pid for each in processes.running(Path(lab.sandbox.directory)) if each.name == "west")
    with hanging.hung(lab.pid), hanging.hung(west):
        seen = lab.verdict()
    assert views(seen)[VantageKind.PEER] is View.UNKNOWN
    assert max(each.ms for each in seen.master.seen) < (READ_BOUND_S + MARGIN_S) * 1000


def test_a_receiver_that_gave_up_is_a_witness_beside_a_host_that_refuses_now(mysql_lab: Lab) -> None:
    """MySQL's receiver tries SOURCE_RETRY_COUNT times, then its thread ends."""
    _try_times(mysql_lab, 1)
    assert_whole(mysql_lab)  # one that is killed while it greets the receiver has said something
    with killed(mysql_lab):
        try:
            deadline = Deadline.after(CLOCK, 60)
            while views(seen := mysql_lab.verdict())[VantageKind.PEER] is View.CUT:
                assert not deadline.is_over(), "it does not give up"
                CLOCK.sleep(0.2)
        finally:
            _try_times(mysql_lab, 100)
    assert views(seen)[VantageKind.PEER] is View.GAVE_UP
    assert seen.master.state is Liveness.DEAD, seen.master


def _try_times(lab: Lab, times: int) -> None:
    for word in ("STOP REPLICA", f"CHANGE REPLICATION SOURCE TO SOURCE_RETRY_COUNT={times}", "START REPLICA"):
        sql.query(lab.sandbox, "west", word)
