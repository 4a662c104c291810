"""A copy by mariadb-backup: when it can be had, what is read of the programs, and how its stream is held to a rate."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from interlock.hosts.local import Here
from interlock.model.topology import Access, Account, ClusterName, ClusterSpec, ServerName, ServerSpec, SshSpec
from interlock.returning.backup import position_of, pump
from interlock.returning.backup_hosts import BackupHosts, Side, backup_hosts, parse_look, why_not, why_of
from interlock.returning.backup_scripts import LOCKS
from interlock.simulated.clock import SimulatedClock

VERSION = "10.11.6-MariaDB-log"
LOOK = """\
data=/var/lib/mysql
server=7
backup=mariadb-backup based on MariaDB server 10.11.6-MariaDB debian-linux-gnu (x86_64)
elsewhere=
bytes=8000000000
free=9000000000
folder=yes
LoadState=loaded
ActiveState=active
MainPID=7
"""
PLUGINS = frozenset({"InnoDB", "Aria"})
SETTINGS = {
    "ssl_cert": "/etc/mysql/server.pem",
    "datadir": "/var/lib/mysql/",
    "innodb_page_size": "16384",
    "innodb_data_file_path": "ibdata1:12M:autoextend",
    "lower_case_table_names": "0",
    "innodb_data_home_dir": "",
    "innodb_log_group_home_dir": "./",
    "innodb_undo_directory": "/var/lib/mysql",
}


def side(
    name: str, *, version: str = VERSION, settings: Mapping[str, str] | None = None, plugins: frozenset[str] = frozenset(), told: str = ""
) -> Side:
    variables = {**SETTINGS, **(settings or {})}
    return Side(name=name, version=version, variables=variables, plugins=PLUGINS | plugins, host=parse_look(f"{told}\n{LOOK}"))


EAST, WEST = side("east"), side("west")
REASONS: dict[str, tuple[Side, Side, str]] = {
    "nothing is in the way": (EAST, WEST, ""),
    "servers of two versions": (EAST, side("west", version="10.11.7-MariaDB"), "east is 10.11.6-MariaDB-log and west 10.11.7-MariaDB"),
    "a program is missing there": (side("east", told="missing=mbstream"), WEST, "the host of east has no mbstream"),
    "a program of another version": (
        EAST,
        side("west", told="backup=mariadb-backup based on MariaDB server 10.6.5-MariaDB Linux (x86_64)"),
        "west is 10.11.6-MariaDB-log, and its host has mariadb-backup based on MariaDB server 10.6.5-MariaDB Linux (x86_64)",
    ),
    "a table lies elsewhere": (
        EAST,
        side("west", told="elsewhere=/var/lib/mysql/a/t.isl"),
        "west has what can't be copied as it lies: /var/lib/mysql/a/t.isl",
    ),
    "another page size": (side("east", settings={"innodb_page_size": "8192"}), WEST, "innodb_page_size is 8192 on east and 16384 on west"),
    "the log lies elsewhere": (
        side("east", settings={"innodb_log_group_home_dir": "/redo"}),
        WEST,
        "innodb_log_group_home_dir of east is outside of its data directory: /redo",
    ),
    "the unit runs another server": (
        side("east", told="MainPID=8"),
        WEST,
        "east is not what mariadb.service runs (loaded, active)",
    ),
    "the unit does not run": (
        side("east", told="MainPID=0\nActiveState=inactive"),
        WEST,
        "east is not what mariadb.service runs (loaded, inactive)",
    ),
    "another host than the one that comes back has": (
        side("east", told="server="),
        WEST,
        "the `ssh` of east leads to another host: no server in /var/lib/mysql there has our connection",
    ),
    "another host than the writer's": (
        EAST,
        side("west", told="server="),
        "the `ssh` of west leads to another host: no server in /var/lib/mysql there has our connection",
    ),
    "a certificate that would go with the data": (
        side("east", settings={"ssl_key": "/var/lib/mysql/server-key.pem"}),
        WEST,
        "ssl_key of east lies in its data directory, which is replaced: /var/lib/mysql/server-key.pem",
    ),
    "the same, said without a place": (
        side("east", settings={"ssl_cert": "cert.pem"}),
        WEST,
        "ssl_cert of east lies in its data directory, which is replaced: cert.pem",
    ),
    "tables that it could not read": (
        EAST,
        side("west", plugins=frozenset({"file_key_management"})),
        "west has plugins that east lacks: file_key_management",
    ),
    "the system tablespace lies elsewhere": (
        side("east", settings={"innodb_data_file_path": "/srv/ibdata1:12M"}),
        side("west", settings={"innodb_data_file_path": "/srv/ibdata1:12M"}),
        "innodb_data_file_path of east names a place of its own: /srv/ibdata1:12M",
    ),
    "Aria's log lies elsewhere": (
        side("east", settings={"aria_log_dir_path": "/srv/aria/"}),
        WEST,
        "aria_log_dir_path of east is outside of its data directory: /srv/aria/",
    ),
    "the unit is barred": (side("east", told="LoadState=masked"), WEST, "east is not what mariadb.service runs (masked, active)"),
    "a mount point": (side("east", told="mount=yes"), WEST, "/var/lib/mysql on the host of east is a mount point, and can't be renamed"),
    "no folder of options": (side("east", told="folder="), WEST, "the host of east has no folder for /etc/x-copy.cnf"),
    "a disk that is too small": (side("east", told="free=8100000000"), WEST, "8100 MB are free beside /var/lib/mysql, of 8000 that come"),
}


@pytest.mark.parametrize(("target", "source", "wanted"), REASONS.values(), ids=REASONS)
def test_it_can_be_had_only_if_both_hosts_are_fit_for_it(target: Side, source: Side, wanted: str) -> None:
    found = why_not(target=target, source=source, unit="mariadb.service", options="/etc/x-copy.cnf")
    assert found.startswith(wanted)
    assert bool(found) == bool(wanted)


SSH = SshSpec(host="h", user="root")
SERVICE: Mapping[str, object] = {"type": "service", "unit": "mariadb", "option_file": "/etc/mysql/zz-interlock.cnf", "sudo": True}


def cluster(name: str, ssh: SshSpec | None, *fencing: Mapping[str, object]) -> ClusterSpec:
    access = Access(account=Account(user="interlock", password=None), tls=None)
    master = ServerSpec(name=ServerName(name), cluster=ClusterName(name), host="127.0.0.1", port=1, access=access)
    return ClusterSpec(name=ClusterName(name), master=master, ssh=ssh, fencing=fencing)


UNSAID = {
    "no host of the writer": (cluster("east", SSH, SERVICE), cluster("west", None), "west has no `ssh`"),
    "no service": (cluster("east", SSH), cluster("west", SSH), "east has no fencing of type `service` with an `option_file`"),
    "no option file": (
        cluster("east", SSH, {"type": "service", "unit": "mariadb"}),
        cluster("west", SSH),
        "east has no fencing of type `service` with an `option_file`",
    ),
}


@pytest.mark.parametrize(("target", "source", "wanted"), UNSAID.values(), ids=UNSAID)
def test_what_the_topology_does_not_say_is_told(target: ClusterSpec, source: ClusterSpec, wanted: str) -> None:
    assert backup_hosts(target, source, Here(SimulatedClock()), SimulatedClock()) == wanted


def test_its_option_file_stands_beside_the_fencings_own() -> None:
    found = backup_hosts(cluster("east", SSH, SERVICE), cluster("west", SSH), Here(SimulatedClock()), SimulatedClock())
    assert isinstance(found, BackupHosts)
    assert (found.unit, found.options) == ("mariadb.service", "/etc/mysql/zz-interlock-copy.cnf")
    assert found.target.words("true")[:4] == ("sudo", "-n", "sh", "-c")
    assert found.source.words("true")[:2] == ("sh", "-c")


POSITIONS = {
    "one domain": ("binlog.000001\t606\t1-1-1\n", "1-1-1"),
    "two domains": ("binlog.000002\t606\t1-1-4,2-2-9\n", "1-1-4,2-2-9"),
    "no transaction yet": ("binlog.000001\t330\t\n", None),
    "no binary log": ("", None),
}


@pytest.mark.parametrize(("told", "wanted"), POSITIONS.values(), ids=POSITIONS)
def test_the_position_is_told_by_the_backup(told: str, wanted: str | None) -> None:
    found = position_of(told)
    assert (str(found) if found is not None else None) == wanted


DENIED = "[00] 2026-11-23 20:16:26 Failed to connect to MariaDB server: Access denied for user 'interlock'@'h' (using password: YES)."
SAID = {
    "a login": (
        f"[00] 2026-11-23 20:16:26 Connecting to MariaDB server host: h\n{DENIED}\n",
        DENIED,
    ),
    "nothing that tells": ("one\ntwo\nthree\n", "two / three"),
    "nothing": ("", "it said nothing"),
}


@pytest.mark.parametrize(("said", "wanted"), SAID.values(), ids=SAID)
def test_of_what_a_program_says_the_reason_is_told(said: str, wanted: str) -> None:
    assert why_of(said) == wanted


NOISE = "sudo: unable to resolve host db-west: Name or service not known\n"


@dataclass(kw_only=True)
class Stream:
    """Of `parts`; it says that it locks once it has given `locks_after` of them. Its host has a word of its own at each login."""

    parts: list[bytes]
    locks_after: int = 99
    given: int = 0

    def read(self, at_most: int) -> bytes:
        assert at_most >= 1000
        self.given += 1
        return self.parts.pop(0) if self.parts else b""

    def said(self) -> str:
        return f"{NOISE}{LOCKS}\n" if self.given >= self.locks_after else NOISE


@dataclass(kw_only=True)
class Taker:
    full_after: int = 99
    taken: bytes = b""

    def write(self, part: bytes) -> bool:
        self.taken += part
        return len(self.taken) <= self.full_after * 1000


@dataclass(kw_only=True)
class Waits(threading.Event):
    """Waits for nobody, and remembers how long it would have."""

    waited_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def wait(self, timeout: float | None = None) -> bool:
        self.waited_s.append(timeout or 0.0)
        return False


RATES: dict[str, tuple[int, int, list[float]]] = {
    "as fast as it goes": (0, 99, []),
    "held to a rate": (500, 99, [2.0, 4.0, 6.0, 8.0]),
    "not once it locks something": (500, 3, [2.0, 4.0]),
}


@pytest.mark.parametrize(("rate", "locks_after", "wanted"), RATES.values(), ids=RATES)
def test_a_rate_is_kept_until_the_writers_clients_would_wait_for_it(rate: int, locks_after: int, wanted: list[float]) -> None:
    """On a clock that stands still, each part is so much further ahead."""
    source, target, waits, told = Stream(parts=[b"x" * 1000] * 4, locks_after=locks_after), Taker(), Waits(), list[int]()
    assert pump(source, target, bytes_per_s=rate, clock=SimulatedClock(), stopped=waits, tell=told.append)
    assert (waits.waited_s, told, len(target.taken)) == (wanted, [1000, 2000, 3000, 4000], 4000)


def test_a_taker_that_takes_no_more_ends_the_stream() -> None:
    source = Stream(parts=[b"x" * 1000] * 4)
    assert not pump(source, Taker(full_after=1), bytes_per_s=0, clock=SimulatedClock(), stopped=Waits(), tell=lambda _: None)
    assert len(source.parts) == 2
