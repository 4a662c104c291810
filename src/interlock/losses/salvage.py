"""Copying the old writer's binary log from its host before anything else happens to it: by SFTP, or from a folder of this machine.

A file that is still written to is copied as far as it goes. Every file is read back whole, checksum by checksum, before its copy counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Protocol

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.errors import BoundReached, StatementFailed
from interlock.losses.folder import CopiedFile, Keep, Manifest, sha256_of
from interlock.losses.raw import from_file, version_in
from interlock.model.effects import CopyLogs
from interlock.model.facts import CommandResult
from interlock.model.position import LogPoint
from interlock.model.topology import SshSpec

_PART_BYTES = 1 << 18


class Folder(Protocol):
    """Where the logs are."""

    def sizes(self) -> dict[str, int]:
        """Every file's size in bytes, by name."""
        ...

    def open(self, name: str) -> IO[bytes]: ...


@dataclass(frozen=True, slots=True)
class LocalFolder:
    folder: Path

    def sizes(self) -> dict[str, int]:
        return {entry.name: entry.stat().st_size for entry in os.scandir(self.folder) if entry.is_file()}

    def open(self, name: str) -> IO[bytes]:
        return (self.folder / name).open("rb")


def copy_logs(effect: CopyLogs, ssh: SshSpec | None, keep: Keep, clock: Clock) -> CommandResult:
    """Into the run's folder beside the store, with a manifest. DriverError if nothing could be copied, or a copy is damaged."""
    deadline = Deadline.after(clock, effect.within_s)
    to = keep.salvage_of(effect.run)
    try:
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _folder(effect, ssh, deadline.left_s()) as folder:
            sizes = folder.sizes()
            names = wanted(list(sizes), effect.base, effect.first)
            if not names:
                raise StatementFailed(
                    f"{effect.folder} has no file {effect.base}NNNNNN from {effect.first or 'the first'} on", hint="see `logs`"
                )
            copied = [_copy(folder, name, to / name, deadline) for name in names]
            after = folder.sizes()
        copied = [replace(one, grew=after.get(one.name, 0) != sizes[one.name]) for one in copied]
    except TimeoutError as error:
        raise BoundReached(f"{effect.cluster}: its host stopped answering while its binary log was copied") from error
    except OSError as error:
        raise StatementFailed(f"{effect.cluster}: its binary log can't be copied: {error}", hint="may the user read there?") from error
    for one in copied:
        sum(1 for _ in from_file(to / one.name))  # reads every event; a damaged one is StatementFailed
    manifest = Manifest(
        run=effect.run,
        server=str(effect.cluster),
        flavor="mariadb" if "mariadb" in version_in(to / names[0]).lower() else "mysql",
        origin=f"{ssh.host}:{effect.folder}" if ssh is not None else effect.folder,
        at=f"{clock.wall():%Y-%m-%d %H:%M:%S} UTC",
        files=tuple(copied),
    )
    keep.write_manifest(manifest)
    told = f"copied {', '.join(names)} ({sum(one.size for one in copied)} bytes) from {manifest.origin} to {to}"
    return CommandResult(argv=("copy", effect.folder), exit_code=0, stdout=told, stderr="")


def wanted(names: list[str], base: str, first: str) -> list[str]:
    """The files of the log in their order, from the `first` on; without a base, of the log that has that file."""
    base = base or (LogPoint.of(first, 4).base if first else "")
    points = []
    for name in names:
        try:
            point = LogPoint.of(name, 4)
        except ValueError:
            continue
        if point.base == base or (not base and "relay" not in name):
            points.append(point)
    least = LogPoint.of(first, 4).number if first else 0
    return [point.file for point in sorted(points, key=lambda one: one.number) if point.number >= least]


@contextmanager
def _folder(effect: CopyLogs, ssh: SshSpec | None, within_s: float) -> Iterator[Folder]:
    if ssh is None:
        yield LocalFolder(Path(effect.folder))
        return
    from interlock.hosts.ssh import remote_folder  # noqa: PLC0415 - paramiko takes a quarter of a second to import

    with remote_folder(ssh, effect.folder, within_s) as folder:
        yield folder


def _copy(folder: Folder, name: str, to: Path, deadline: Deadline) -> CopiedFile:
    size = 0
    with folder.open(name) as source, os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as copy:
        while part := source.read(_PART_BYTES):
            if deadline.is_over():
                raise BoundReached(f"{name}: {size} bytes were copied in time, not all of it", hint="give it more time: `within`")
            copy.write(part)
            size += len(part)
        copy.flush()
        os.fsync(copy.fileno())
    return CopiedFile(name=name, size=size, sha256=sha256_of(to))
