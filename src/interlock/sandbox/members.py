"""Start and stop single servers of a sandbox, as somebody who tries out a failover does."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

from interlock.clock import Clock
from interlock.errors import StatementFailed, UsageError
from interlock.sandbox import pair, places, processes
from interlock.sandbox.places import Sandbox
from interlock.sandbox.processes import Process

_STOP_S = 30.0


def start(directory: Path, server: str, *, clock: Clock, barred: bool = False) -> Process:
    """Start a server that does not run; it starts fenced. UsageError if it runs; Refused if it was fenced from outside and not `barred`."""
    sandbox = _with_server(directory, server)
    if (runs := _process(sandbox, server)) is not None:
        raise UsageError(f"{server} runs already (process {runs.pid})")
    pair.restart(sandbox, server, clock=clock, barred=barred)
    if (started := _process(sandbox, server)) is None:
        raise StatementFailed(f"{server} answered and ended again", hint=f"see {sandbox.members[server].log}", server=server)
    return started


def stop(directory: Path, server: str, *, kill: bool = False) -> Process:
    """End a server that runs: it shuts down, or with `kill` it is gone at once, as in a crash. UsageError if it does not run."""
    sandbox = _with_server(directory, server)
    runs = _process(sandbox, server)
    if runs is None:
        raise UsageError(f"{server} does not run", hint=f"interlock sandbox start {server}")
    handle = os.pidfd_open(runs.pid)
    try:
        if _process(sandbox, server) == runs:  # from here on the handle stands for this very process
            signal.pidfd_send_signal(handle, signal.SIGKILL if kill else signal.SIGTERM)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        if not poll.poll(_STOP_S * 1000):
            raise StatementFailed(f"{server} (process {runs.pid}) still runs after {_STOP_S:g}s", hint="--kill", server=server)
    except ProcessLookupError:
        pass  # it ended by itself
    finally:
        os.close(handle)
    processes.reap(runs.pid)
    return runs


def _with_server(directory: Path, server: str) -> Sandbox:
    sandbox = places.read(directory)
    if server not in sandbox.members:
        raise UsageError(f"the sandbox has no server {server!r}", hint=f"known: {', '.join(sandbox.members)}")
    return sandbox


def _process(sandbox: Sandbox, server: str) -> Process | None:
    return next((process for process in processes.running(Path(sandbox.directory)) if process.name == server), None)
