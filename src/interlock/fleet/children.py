"""Programs that carry out one pair each. They share nothing with us but the store: what one of them meets, no other one feels.

Each is in a process group of its own, so that Ctrl-C at the terminal comes to the fleet alone, which passes it on. Their output goes into
files, not into pipes: they go on if the fleet's process is killed, and nobody has to read for them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from interlock.dataclass import dataclass
from interlock.decisions.leases import Liveness
from interlock.errors import StatementFailed
from interlock.ports import Holder

PROGRAM = (sys.executable, "-P", "-m", "interlock.cli.main")
"""Ourselves. `-P`: a folder called `interlock` in the working directory must not stand in for the program."""

_LONGEST_DOCUMENT = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a program ended: its exit code, or the number of the signal as a negative one; None if it was not our child, so nobody told."""

    exit_code: int | None
    document: Mapping[str, object]
    cpu_s: float | None = None
    memory_mib: float | None = None


class Child(Protocol):
    """A program under way."""

    def poll(self) -> End | None:
        """How it ended; None while it runs. Not called again once it has told."""
        ...

    def signal(self, number: signal.Signals, /) -> None:
        """Nothing happens if it is gone."""
        ...


class Programs(Protocol):
    """The door to processes."""

    def start(self, words: Sequence[str], name: str, /) -> Child:
        """StatementFailed if it can't be started. `name` is for its files."""
        ...


class Processes:
    """`Programs` on this machine. `NAME.json` and `NAME.log` in `folder` hold what each printed; 0600, like the journal."""

    def __init__(self, folder: Path, program: Sequence[str] = PROGRAM) -> None:
        self._folder = folder
        self._program = tuple(program)

    def start(self, words: Sequence[str], name: str, /) -> Child:
        out, log = self._folder / f"{name}.json", self._folder / f"{name}.log"
        try:
            with _private(out, "wb") as stdout, _private(log, "ab") as stderr:
                process = subprocess.Popen(  # noqa: S603 - ourselves
                    [*self._program, *words], stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, process_group=0
                )
        except OSError as error:
            raise StatementFailed(
                f"{name} can't be started: {error}", hint=f"is there room in {self._folder}, and for a process?"
            ) from error
        return OwnChild(process, out)


class OwnChild:
    """One that we started. Its CPU time and the most memory that it held come with its end (wait4(2), getrusage(2): KiB on Linux)."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path) -> None:
        self._process = process
        self._out = out

    def poll(self) -> End | None:
        pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
        if pid == 0:
            return None
        code = self._process.returncode = os.waitstatus_to_exitcode(status)
        cpu_s = round(usage.ru_utime + usage.ru_stime, 3)
        return End(exit_code=code, document=_document(self._out), cpu_s=cpu_s, memory_mib=round(usage.ru_maxrss / 1024, 1))

    def signal(self, number: signal.Signals, /) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)


@dataclass(frozen=True, slots=True)
class OtherChild:
    """One that outlived the process that started it. It is gone once `look` no longer sees it."""

    holder: Holder
    look: Callable[[Holder], Liveness]

    def poll(self) -> End | None:
        return None if self.look(self.holder) is Liveness.ALIVE else End(exit_code=None, document={})

    def signal(self, number: signal.Signals, /) -> None:
        if self.look(self.holder) is Liveness.ALIVE:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.holder.pid, number)


def _private(path: Path, mode: str) -> IO[bytes]:
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))


def _document(path: Path) -> dict[str, object]:
    """What it printed; empty if that is not one JSON object, which is so when it was killed."""
    try:
        if path.stat().st_size > _LONGEST_DOCUMENT:
            return {}
        read = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}
