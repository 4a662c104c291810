"""A program of ours in a process of its own, so that it does not share the interpreter's lock with the switchover that is measured.

It reads its configuration from standard input, says `ready`, works until standard input ends, and prints its result as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from interlock.errors import StatementFailed

_END_S = 60.0


class Child:
    """A program that runs; `stop` ends it and gives its result."""

    def __init__(self, process: subprocess.Popen[str], name: str) -> None:
        self._process = process
        self._name = name

    def stop(self) -> Any:
        """StatementFailed if it ended with an error of its own. Call it once."""
        out, _ = self._process.communicate(timeout=_END_S)
        if self._process.returncode != 0:
            raise StatementFailed(f"{self._name} ended with exit code {self._process.returncode}", hint="what it said stands above")
        return json.loads(out)


@contextmanager
def child(module: str, config: Mapping[str, object]) -> Iterator[Child]:
    """Run `python -m module`. It is ready on entry; on leaving, it is killed if it was not stopped."""
    # a group of its own: Ctrl-C is the drill's to handle. It ends when we do, as standard input then ends
    argv = [sys.executable, "-m", module]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0) as process:  # noqa: S603 - ourselves
        try:
            assert process.stdin is not None  # noqa: S101 - for the type checker: PIPE was asked for
            assert process.stdout is not None  # noqa: S101 - as above
            process.stdin.write(json.dumps(config) + "\n")
            process.stdin.flush()
            if process.stdout.readline() != "ready\n":
                raise StatementFailed(f"{module} did not start", hint="what it said stands above")
            yield Child(process, module)
        finally:
            process.kill()


def serve(work: Callable[[dict[str, Any], Event], object]) -> None:
    """The other side: call `work` with the configuration and an event that is set once the parent wants the result, or is gone."""
    line = sys.stdin.readline()
    if not line:
        return  # the parent was stopped before it had said anything
    config = json.loads(line)
    stop = Event()

    def await_end() -> None:
        sys.stdin.read()
        stop.set()

    Thread(target=await_end, daemon=True).start()
    result = work(config, stop)
    sys.stdout.write(json.dumps(result) + "\n")


def say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
