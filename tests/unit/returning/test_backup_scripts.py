"""What runs on the hosts of a copy, on directories of the test's own; systemctl, sync and id are stand-ins."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from interlock.returning.backup_hosts import why_of
from interlock.returning.backup_scripts import LOOK, SWAP

SYSTEMCTL = """#!/bin/sh
echo "systemctl $1" >> "$CALLS"
case $1 in
show) echo MainPID=0 ;;
stop) echo "Warning: the unit file changed on disk" >&2; [ ! -e "$CALLS.stop-fails" ] ;;
start) [ ! -e "$CALLS.start-fails" ] ;;
esac
"""
SYNC = """#!/bin/sh
echo "sync $*" >> "$CALLS"
"""
FAILURES = {
    "it can't be stopped": ("stop-fails", "mariadb can't be stopped", "old"),
    "it can't be started": ("start-fails", "mariadb can't be started with the new data; those of before are in {folder}/before", "new"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    folder: Path

    def swap(self, stderr: int = subprocess.PIPE) -> subprocess.CompletedProcess[bytes]:
        words = (self.folder / name for name in ("data", "new", "before"))
        return subprocess.run(
            ["sh", "-c", f"umask 077\n{SWAP}", "interlock", *words, "mariadb", self.folder / "x-copy.cnf", "[mysqld]\n"],
            env=self.environ(),
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            timeout=60,
            check=False,
        )

    def environ(self) -> dict[str, str]:
        return {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "CALLS": str(self.folder / "calls")}

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    def data(self) -> str:
        return (self.folder / "data" / "which").read_text()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    for name, text in (("bin/systemctl", SYSTEMCTL), ("bin/sync", SYNC), ("data/which", "old"), ("new/which", "new")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    return Host(folder=tmp_path)


def test_what_it_starts_with_can_be_read_by_its_account_whatever_roots_mask(host: Host) -> None:
    assert host.swap().returncode == 0
    assert (host.folder / "x-copy.cnf").stat().st_mode & 0o044 == 0o044


def test_the_new_data_are_on_the_disk_before_the_old_ones_go(host: Host) -> None:
    assert host.swap().returncode == 0
    calls = host.calls()
    assert calls.index(f"sync -f {host.folder}/new") < calls.index("systemctl stop")
    assert (host.data(), (host.folder / "before" / "which").read_text()) == ("new", "old")


def test_it_goes_on_to_its_end_when_nobody_hears_what_systemctl_says(host: Host) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        ended = host.swap(stderr=write)
    finally:
        os.close(write)
    assert (ended.returncode, host.data(), host.calls()[-1]) == (0, "new", "systemctl start")


def test_a_login_that_may_do_nothing_is_told_apart_from_another_host(host: Host) -> None:
    path = host.folder / "bin" / "id"
    path.write_text("#!/bin/sh\necho 1000\n")
    path.chmod(0o755)
    words = ("sh", "-c", LOOK, "interlock", str(host.folder / "data"), "1", "", "")
    ended = subprocess.run(words, env=host.environ(), capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, why_of(ended.stderr)) == (
        1,
        "the login can't do it: it is not root's, and the service does not say `sudo: true`",
    )


@pytest.mark.parametrize(("fails", "wanted", "data"), FAILURES.values(), ids=FAILURES)
def test_what_fails_is_told_and_the_service_is_tried(host: Host, fails: str, wanted: str, data: str) -> None:
    (host.folder / f"calls.{fails}").touch()
    ended = host.swap()
    assert (ended.returncode, ended.stderr.decode().splitlines()[-1]) == (1, wanted.format(folder=host.folder))
    assert (host.data(), host.calls()[-1]) == (data, "systemctl start")
