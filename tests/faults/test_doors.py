"""Doors that do not open: each ends `refused` before anything was touched, and says which server, what is wrong, and what to mend."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from interlock.clock import SystemClock
from interlock.sandbox import pair as pairs
from interlock.sandbox import processes
from interlock.sandbox.accounts import write_private
from interlock.sandbox.places import Sandbox
from interlock.sandbox.sql import query
from scenarios.command_line import Ended, environment, interlock
from scenarios.pair_state import open_sides, pid_of, positions
from servers.certificates import Authority
from waiting import eventually

BOUND_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A pair that speaks TLS, and the authority of its certificates."""

    pair: Sandbox
    authority: Authority

    def show(self, certificate: Path, key: Path) -> None:
        """East shows this certificate from now on (MariaDB KB "FLUSH SSL": the files are read again)."""
        shutil.copy(certificate, self._shown)
        shutil.copy(key, self._shown.with_suffix(".key"))
        query(self.pair, "east", "FLUSH LOCAL SSL")

    @property
    def _shown(self) -> Path:
        return Path(self.pair.directory).parent / "shown.pem"

    def show_a_good_one(self) -> None:
        self.show(*self.authority.issue("good", *addresses(self.pair)))


def addresses(pair: Sandbox) -> tuple[str, ...]:
    """Of both servers, and of the proxy: whoever connects through it checks its name."""
    return (*(member.host for member in pair.members.values()), pair.proxy.host)


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    folder = Path(tempfile.mkdtemp(prefix="interlock-"))
    authority = Authority(folder)
    certificate, key = authority.issue("first", "192.0.2.1")
    shown = folder / "shown.pem"
    shutil.copy(certificate, shown)
    shutil.copy(key, shown.with_suffix(".key"))
    options = {"ssl_cert": str(shown), "ssl_key": str(shown.with_suffix(".key"))}
    try:
        made = Door(pair=pairs.up(folder / "pair", clock=SystemClock(), options=options), authority=authority)
        try:
            for name in made.pair.members:
                made.show_a_good_one()
                query(made.pair, name, "FLUSH LOCAL SSL")
            yield made
        finally:
            pairs.down(folder / "pair")
    finally:
        shutil.rmtree(folder)


def topology(pair: Sandbox, folder: Path, *changes: tuple[str, str]) -> dict[str, str]:
    """The environment of an operator whose topology file differs from the sandbox's by these texts."""
    text = Path(pair.topology).read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "topology.yaml"
    path.write_text(text)
    return {**environment(pair, folder), "INTERLOCK_TOPOLOGY": str(path)}


def assert_refused(pair: Sandbox, env: dict[str, str], *says: str, words: tuple[str, ...] = ("run",)) -> Ended:
    """In these words, within the bound; and nothing moved on either server."""
    clock = SystemClock()
    assert eventually(lambda: len(set(positions(pair).values())) == 1)
    before = (open_sides(pair), positions(pair))
    began_s = clock.monotonic_s()
    done = interlock(*words, "switchover", env=env, cwd=Path(env["HOME"]))
    assert done.code == 3, done
    assert clock.monotonic_s() - began_s < BOUND_S
    assert "Traceback" not in done.err
    flat = re.sub(r"\s+", " ", done.out + done.err)  # texts are wrapped at the terminal's width
    for said in says:
        assert said in flat, done
    assert (open_sides(pair), positions(pair)) == before
    return done


@pytest.mark.parametrize("words", [("plan",), ("run",)], ids=["plan", "run"])
def test_a_wrong_password_is_refused_and_stays_unseen(pair: Sandbox, tmp_path: Path, words: tuple[str, ...]) -> None:
    write_private(tmp_path / "wrong", "surely-not-this-one\n")
    changed = (str(pair.password_file("interlock")) + '"', f'{tmp_path / "wrong"}"')
    done = assert_refused(pair, topology(pair, tmp_path, changed), "log in as interlock", "1045", "check user and password", words=words)
    assert "surely-not-this-one" not in done.out + done.err


def test_a_wrong_password_of_the_canary_account_is_refused(pair: Sandbox, tmp_path: Path) -> None:
    """Found before the fence, not by the proof after it."""
    write_private(tmp_path / "wrong", "surely-not-this-one\n")
    changed = (str(pair.password_file("interlock_canary")), str(tmp_path / "wrong"))
    assert_refused(pair, topology(pair, tmp_path, changed), "log in as interlock_canary", "1045")


def test_a_name_that_does_not_resolve_is_refused(pair: Sandbox, tmp_path: Path) -> None:
    changed = (f"host: {pair.members['west'].host},", "host: west.invalid,")  # RFC 2606: never in the DNS
    assert_refused(pair, topology(pair, tmp_path, changed), "west: ", "west.invalid", "check host")


def test_a_server_that_wants_tls_refuses_a_topology_without(door: Door, tmp_path: Path) -> None:
    query(door.pair, "east", "SET GLOBAL require_secure_transport=1")
    try:
        assert_refused(door.pair, topology(door.pair, tmp_path), "east: ", "1045", "whether it must by TLS (`tls:`)")
    finally:
        query(door.pair, "east", "SET GLOBAL require_secure_transport=0")


@pytest.mark.parametrize(
    ("expired", "by_itself", "elsewhere", "says"),
    [
        pytest.param(True, False, False, "certificate has expired", id="expired"),
        pytest.param(False, True, False, "self-signed certificate", id="self-signed"),
        pytest.param(False, False, True, "IP address mismatch", id="of another host"),
    ],
)
def test_a_certificate_that_can_not_be_trusted_is_refused(
    door: Door, tmp_path: Path, *, expired: bool, by_itself: bool, elsewhere: bool, says: str
) -> None:
    wrong = door.authority.issue("wrong", *(["192.0.2.1"] if elsewhere else addresses(door.pair)), expired=expired, by_itself=by_itself)
    door.show(*wrong)
    try:
        env = topology(door.pair, tmp_path, ("tls: off", f"tls: {{ca: {door.authority.ca}}}"))
        assert_refused(door.pair, env, "east: ", says, "check the server's certificate")
    finally:
        door.show_a_good_one()


def test_with_certificates_of_the_named_authority_a_switchover_succeeds(door: Door, tmp_path: Path) -> None:
    """All of it by TLS: the tool, its probe and its canaries through the proxy, on servers that take nothing else."""
    for name in door.pair.members:
        query(door.pair, name, "SET GLOBAL require_secure_transport=1")
    try:
        env = topology(door.pair, tmp_path, ("tls: off", f"tls: {{ca: {door.authority.ca}}}"))
        to = next(name for name in door.pair.members if name not in open_sides(door.pair))
        done = interlock("run", "switchover", env=env)
        assert (done.code, open_sides(door.pair)) == (0, [to]), done
    finally:
        for name in door.pair.members:
            query(door.pair, name, "SET GLOBAL require_secure_transport=0")


def test_a_server_whose_clock_is_an_hour_off_is_refused_with_the_difference(fresh_pair: Sandbox, tmp_path: Path) -> None:
    _an_hour_ahead(fresh_pair, "west")
    assert_refused(fresh_pair, environment(fresh_pair, tmp_path), "the clocks of east and west are 36", "mend the time service")


def _an_hour_ahead(pair: Sandbox, name: str) -> None:
    """The server again, on a clock of its own (faketime(1); its monotonic clock stays the machine's)."""
    pid = pid_of(pair, name)
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: processes.started(pid) is None)
    processes.reap(pid)
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    fake = [f"LD_PRELOAD={library}", "FAKETIME=+1h", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
    pairs.restart(pair, name, clock=SystemClock(), wrapper=["/usr/bin/env", *fake])
    assert eventually(lambda: all(_replicates(pair, each) for each in pair.members))


def _replicates(pair: Sandbox, name: str) -> bool:
    (channel,) = query(pair, name, "SHOW ALL SLAVES STATUS")
    return bool(channel["Slave_IO_Running"] == channel["Slave_SQL_Running"] == "Yes")


def test_a_store_on_a_full_file_system_refuses_before_the_first_effect(pair: Sandbox, tmp_path: Path) -> None:
    """A real one: a file system of 256 KiB in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(disk)], check=True)
    try:
        env = {**environment(pair, tmp_path), "INTERLOCK_STORE": f"sqlite://{disk}/runs.db"}
        before = (open_sides(pair), positions(pair))
        done = interlock("run", "switchover", env=env)
        assert (done.code, open_sides(pair), positions(pair)) == (3, *before), done
        assert "Traceback" not in done.err
        assert "make room in" in done.err
    finally:
        subprocess.run(["umount", str(disk)], check=True)
