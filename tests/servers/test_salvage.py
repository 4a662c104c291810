"""A dead master's binary log, copied from its host by SFTP, or from a folder of this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from interlock.clock import Clock, SystemClock
from interlock.errors import BoundReached, DriverError, NotPermitted, StatementFailed
from interlock.losses.folder import MANIFEST, Keep
from interlock.losses.raw import from_file
from interlock.losses.salvage import copy_logs
from interlock.model.effects import CopyLogs
from interlock.model.topology import ClusterName, SshSpec
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from servers.sshd_lab import Sshd, sshd


class Hasty(SystemClock):
    """Whose seconds pass between one look and the next: there is time to log in, however busy the machine, and none to copy."""

    def __init__(self) -> None:
        self._looks = count()

    def monotonic_s(self) -> float:
        return 10.0 * next(self._looks)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture(scope="module")
def logs(pair: Sandbox) -> Path:
    """East's data: three files of a log, and all else that lies there."""
    for statement in ("INSERT INTO app.ledger (k, server_id) VALUES ('a', 1)", "FLUSH BINARY LOGS", "FLUSH BINARY LOGS"):
        sql.query(pair, "east", statement)
    return Path(pair.members["east"].data)


def effect(folder: Path | str, *, first: str = "", base: str = "") -> CopyLogs:
    return CopyLogs(run="r1", cluster=ClusterName("east"), folder=str(folder), base=base, first=first, within_s=20.0)


@pytest.mark.parametrize("by_ssh", [True, False], ids=["by SFTP", "from this machine"])
def test_files_are_copied_from_the_first_that_was_not_read_and_kept_with_their_sums(
    *, by_ssh: bool, host: Sshd, logs: Path, tmp_path: Path
) -> None:
    keep, ssh = Keep(tmp_path), host.spec if by_ssh else None
    told = copy_logs(effect(logs, first="binlog.000002"), ssh, keep, SystemClock())
    manifest = keep.manifest("r1")
    assert manifest is not None
    assert [one.name for one in manifest.files] == ["binlog.000002", "binlog.000003"]
    assert (manifest.server, manifest.flavor) == ("east", "mariadb")
    assert manifest.origin == (f"{host.spec.host}:{logs}" if by_ssh else str(logs))
    for one in manifest.files:
        copy = keep.salvage_of("r1") / one.name
        assert copy.read_bytes() == (logs / one.name).read_bytes()
        assert hashlib.sha256(copy.read_bytes()).hexdigest() == one.sha256
        assert copy.stat().st_mode & 0o077 == 0
    assert told.stdout.startswith("copied binlog.000002, binlog.000003 (")


FAILS = {
    "no such folder": (effect("/nowhere"), SystemClock(), "can't be copied"),
    "no such log": (effect("LOGS", base="other-bin."), SystemClock(), "has no file other-bin.NNNNNN from the first on"),
    "no time": (effect("LOGS", base="binlog."), Hasty(), "not all of it"),
}


@pytest.mark.parametrize("by_ssh", [True, False], ids=["by SFTP", "from this machine"])
@pytest.mark.parametrize(("wanted", "clock", "said"), FAILS.values(), ids=FAILS)
def test_what_cannot_be_copied_is_said_and_leaves_no_manifest(
    *, wanted: CopyLogs, clock: Clock, said: str, by_ssh: bool, host: Sshd, logs: Path, tmp_path: Path
) -> None:
    wanted = replace(wanted, folder=wanted.folder.replace("LOGS", str(logs)))
    with pytest.raises(DriverError, match=said) as error:
        copy_logs(wanted, host.spec if by_ssh else None, Keep(tmp_path), clock)
    assert isinstance(error.value, StatementFailed | BoundReached)
    assert not (tmp_path / "salvage" / "r1" / MANIFEST).exists()


def test_a_host_that_lets_us_not_in_is_no_copy(host: Sshd, logs: Path, tmp_path: Path) -> None:
    stranger: SshSpec = replace(host.spec, key=str(host.folder / "stranger"))
    with pytest.raises(NotPermitted):
        copy_logs(effect(logs), stranger, Keep(tmp_path), SystemClock())


def test_a_damaged_log_is_no_copy_and_one_that_is_cut_off_ends_there(logs: Path, tmp_path: Path) -> None:
    whole = (logs / "binlog.000001").read_bytes()
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "binlog.000001").write_bytes(whole[:-5])
    copy_logs(effect(folder, base="binlog."), None, Keep(tmp_path), SystemClock())
    cut = list(from_file(Keep(tmp_path).salvage_of("r1") / "binlog.000001"))
    assert cut == list(from_file(logs / "binlog.000001"))[:-1]
    (folder / "binlog.000001").write_bytes(whole[:500] + b"\xff" + whole[501:])
    with pytest.raises(StatementFailed, match=r"does not match its checksum|is damaged"):
        copy_logs(effect(folder, base="binlog."), None, Keep(tmp_path), SystemClock())
