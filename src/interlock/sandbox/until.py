"""A stand-in that somebody started at the terminal: what it says, and how it ends."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType

from interlock.errors import ExitCode, InterlockError


def until_stopped(begin: Callable[[], AbstractContextManager[str]]) -> int:
    """Begin it, print what it gives, and keep it until Ctrl-C or SIGTERM. The exit code: 0, or 2 if it could not begin."""
    for number in (signal.SIGINT, signal.SIGTERM):  # whatever a shell that put it in the background has them do
        signal.signal(number, _interrupt)
    try:
        with begin() as told:
            sys.stdout.write(f"{told}\nCtrl-C ends it.\n")
            sys.stdout.flush()
            while True:
                signal.pause()
    except KeyboardInterrupt:
        return int(ExitCode.SUCCEEDED)
    except InterlockError as error:
        sys.stderr.write(f"{error.message}\n" + (f"  hint: {error.hint}\n" if error.hint else ""))
        return int(ExitCode.USAGE)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
