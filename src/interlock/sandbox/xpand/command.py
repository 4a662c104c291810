"""`python -m interlock.sandbox.xpand --dir DIR`: two clusters of the stand-in with an HAProxy in front, until Ctrl-C."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from interlock.clock import SystemClock
from interlock.errors import UsageError
from interlock.sandbox.until import until_stopped
from interlock.sandbox.xpand import pair as pairs


def main(argv: Sequence[str]) -> int:
    """0 once it was stopped; 2 if the folder is there already."""
    parser = argparse.ArgumentParser(prog="python -m interlock.sandbox.xpand", description=__doc__)
    parser.add_argument("--dir", required=True, type=Path, metavar="DIR", help="a new folder for it; it is removed at the end")
    given = parser.parse_args(argv)
    return until_stopped(partial(_running, given.dir.absolute()))


@contextmanager
def _running(directory: Path) -> Iterator[str]:
    """UsageError if the folder is there, or its path is too long for sockets. It begins empty, and nothing of it is kept."""
    if directory.exists():
        raise UsageError(f"{directory} exists", hint="choose a new folder: the whole of it is removed at the end")
    try:
        with pairs.pair(directory, clock=SystemClock()) as (sandbox, _):
            servers = "\n".join(f"{name}     {member.host}:{member.port}" for name, member in sandbox.members.items())
            clients = f"clients  {sandbox.proxy.host}:{sandbox.proxy.port}"
            yield f"{servers}\n{clients}\n\ninterlock switchover -t {sandbox.topology} --to west"
    finally:
        shutil.rmtree(directory, ignore_errors=True)
