"""The program's entry: from words to a command, from its answer to what is printed, from an error to an exit code."""

from __future__ import annotations

import argparse
import atexit
import gc
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from interlock.cli.arguments import parse, parser
from interlock.cli.context import Answer, Context, width, write
from interlock.cli.signals import signals_to
from interlock.errors import ExitCode, InterlockError, InvalidFile, PairBusy, UsageError
from interlock.extras import part

_MOST_WORDS = 10_000

_NEW_OBJECTS = 100_000
"""How many there may be more before garbage is looked for."""


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command; returns the exit code."""
    _seldom_look_for_garbage()
    words = list(sys.argv[1:] if argv is None else argv)
    _escape_what_cannot_be_shown()
    with signals_to(_as_interrupt):
        context, answer = _answer(words)
    _print(answer, as_json=context.json if context else "--json" in words)
    return int(answer.exit_code)


def _seldom_look_for_garbage() -> None:
    """Of what a start-up makes nearly all is kept: to look through it again and again took 40 ms of it, and once more at the end 100 ms."""
    gc.set_threshold(_NEW_OBJECTS)
    atexit.register(gc.freeze)


def _answer(words: list[str]) -> tuple[Context | None, Answer]:
    """Whatever happens ends in an answer. The context is None if the words made no sense."""
    context: Context | None = None
    try:
        context = Context(options=_options(words))
        return context, _carry_out(context)
    except InterlockError as error:
        return context, _failed(error)
    except KeyboardInterrupt:
        return context, _stopped()
    except Exception as error:  # noqa: BLE001 - a crash ends in one line and a file, never in a traceback on the terminal
        from interlock.cli.crash import crashed  # noqa: PLC0415 - only then

        return context, crashed(error, context.redact if context else str)


def _options(words: list[str]) -> argparse.Namespace:
    """Argparse takes time with the square of their number: for a hundred thousand, ten seconds."""
    if len(words) > _MOST_WORDS:
        raise UsageError(f"the command line has {len(words)} words, at most {_MOST_WORDS} are read", hint="is it what you meant to type?")
    return parse(words)


def _carry_out(context: Context) -> Answer:
    options = context.options
    if options.version:
        return _version()
    if not hasattr(options, "does"):
        text = parser().format_help()
        raise UsageError("no command is given", hint=f"interlock --help\n\n{text}")
    command: Callable[[Context], Answer] = part(f"interlock.cli.{options.does}")
    return command(context)


def _version() -> Answer:
    from importlib.metadata import version  # noqa: PLC0415 - slow

    number = version("interlock-db")
    return Answer(plain={"version": number}, text=lambda _: f"interlock {number}")


def _failed(error: InterlockError) -> Answer:
    """What a command that could not be carried out says. Nothing was changed: a run that changed something has a report."""
    match error:
        case UsageError():
            code = ExitCode.USAGE
        case PairBusy():
            code = ExitCode.PAIR_BUSY
        case _:
            code = ExitCode.REFUSED
    if isinstance(error, InvalidFile):
        problems: list[dict[str, object]] = [
            {"what": str(p), "hint": p.hint, "file": p.file, "line": p.line, "column": p.column} for p in error.problems
        ]
    else:
        problems = [{"what": error.message, "hint": error.hint}]
    outcome = "refused" if code is ExitCode.REFUSED else None
    return Answer(
        plain={"outcome": outcome, "exit_code": int(code), "problems": problems},
        text=lambda _: _error_text(error),
        exit_code=code,
        complains=True,
    )


def _error_text(error: InterlockError) -> str:
    if isinstance(error, InvalidFile):
        return error.message
    return f"interlock: {error.message}" + (f"\n  hint: {error.hint}" if error.hint else "")


def _stopped() -> Answer:
    plain = {"outcome": None, "exit_code": int(ExitCode.STOPPED), "problems": [{"what": "stopped", "hint": ""}]}
    return Answer(plain=plain, text=lambda _: "interlock: stopped", exit_code=ExitCode.STOPPED, complains=True)


def _print(answer: Answer, *, as_json: bool) -> None:
    """JSON and results on stdout, complaints on stderr. A reader that left early (`| head`) is no error."""
    if as_json:
        write(sys.stdout, json.dumps(answer.plain, indent=2, ensure_ascii=True) + "\n")
    else:
        text = answer.text(width())
        write(sys.stderr if answer.complains else sys.stdout, text if text.endswith("\n") or not text else f"{text}\n")
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        # What is left in the buffer would be written again when the interpreter ends, with an error that nobody can catch.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _escape_what_cannot_be_shown() -> None:
    """A letter that the terminal has no place for must not end a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
