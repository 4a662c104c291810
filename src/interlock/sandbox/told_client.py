"""A client command at work in a drill, and what it says of itself, a line for each: `done`, `error CODE`, `gave_up CODE`.

Every other line is passed over. What it says on stderr is shown as it is.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import field
from threading import Lock, Thread
from typing import IO

from interlock.dataclass import dataclass
from interlock.errors import UsageError

_LINE = re.compile(r"(done|error|gave_up)(?:\s+(\S{1,40}))?\s*")
_END_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Transactions that were `done`, errors that were seen, and transactions that were given up after one, both by code."""

    done: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
    gave_up: Mapping[str, int] = field(default_factory=dict)

    @property
    def retried(self) -> int:
        """Errors after which the transaction was tried again."""
        return max(0, sum(self.errors.values()) - sum(self.gave_up.values()))


class ToldClient:
    """A client that runs. Any thread may ask."""

    def __init__(self, process: subprocess.Popen[str], stdout: IO[str]) -> None:
        self._process = process
        self._counts: dict[str, Counter[str]] = {word: Counter() for word in ("done", "error", "gave_up")}
        self._turn = Lock()
        self._reader = Thread(target=self._read, args=(stdout,), name="interlock-client", daemon=True)
        self._reader.start()

    def tally(self) -> Tally:
        with self._turn:
            done, errors, gave_up = (dict(self._counts[word]) for word in ("done", "error", "gave_up"))
        return Tally(done=sum(done.values()), errors=errors, gave_up=gave_up)

    def ended(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    def stop(self) -> Tally:
        """End it with all that it started, and read what it said to its end."""
        _signal(self._process, signal.SIGTERM)
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            _signal(self._process, signal.SIGKILL)
            self._process.wait(_END_S)
        self._reader.join(_END_S)
        return self.tally()

    def _read(self, stdout: IO[str]) -> None:
        for line in stdout:
            found = _LINE.fullmatch(line)
            if found is not None:
                with self._turn:
                    self._counts[found[1]][found[2] or "-"] += 1


@contextmanager
def told_client(argv: Sequence[str], environ: Mapping[str, str]) -> Iterator[ToldClient]:
    """Start it in a process group of its own; on leaving, what is left of it is killed. UsageError if there is no such command."""
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator's own command, without a shell
            [*argv], env={**os.environ, **environ}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, process_group=0
        )
    except OSError as error:
        raise UsageError(f"{argv[0]} can't be started: {error.strerror}", hint="--client takes a command and its words") from error
    with process:
        try:
            assert process.stdout is not None  # noqa: S101 - for the type checker: PIPE was asked for
            yield ToldClient(process, process.stdout)
        finally:
            _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """To its whole group, which has its number as long as it was not waited for, or a child of it is left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
