"""A crash: an error that nobody foresaw. One line on the terminal, the traceback in a file."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

from interlock.cli.context import Answer
from interlock.clock import SystemClock
from interlock.errors import ExitCode


def crashed(error: Exception, redact: Callable[[str], str]) -> Answer:
    """The answer; its traceback is written with every known secret struck out."""
    name = type(error).__name__
    try:
        where = str(_write(redact("".join(traceback.format_exception(error)))))
    except OSError as unwritable:
        where = f"(it could not be written: {unwritable.strerror})"
    what = f"crashed: {name}; the traceback is in {where}"
    hint = "this is a fault of interlock: report it with that file. If a run was under way: interlock runs"
    return Answer(
        plain={"outcome": None, "exit_code": int(ExitCode.CRASHED), "problems": [{"what": what, "hint": hint}]},
        text=lambda _: f"interlock: {what}\n  hint: {hint}",
        exit_code=ExitCode.CRASHED,
        complains=True,
    )


def _write(text: str) -> Path:
    from interlock.stores.open import default_path  # noqa: PLC0415 - may itself be what is broken

    at = SystemClock().wall().astimezone(UTC)
    folder = default_path().parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"crash-{at:%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    path.touch(mode=0o600)
    path.write_text(text)
    return path
