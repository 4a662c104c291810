"""What every command's words are made with: the parser, the options that hold for all, and those that several share."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterable
from functools import cache
from typing import Any, NoReturn

from interlock.errors import UsageError


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide as argparse makes it; but argparse asks the terminal again for every option that is added."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


@cache
def _columns() -> int:
    return shutil.get_terminal_size().columns


class Parser(argparse.ArgumentParser):
    """Raises UsageError instead of ending the program, and names what a wrong word may have meant."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Formatter, **kwargs)

    def error(self, message: str) -> NoReturn:
        shortest = f"{self._shortest()}; all of it: " if "required" in message else ""
        raise UsageError(message, hint=f"{shortest}{self.prog} --help")

    def _shortest(self) -> str:
        """The command with nothing but what it can't do without: `interlock switchover --to CLUSTER`."""
        wanted = sorted((action for action in self._actions if action.required), key=lambda action: bool(action.option_strings))
        words = [" ".join((*action.option_strings[-1:], str(action.metavar or action.dest))) for action in wanted]
        return " ".join((self.prog, *words))

    def _match_arguments_partial(self, actions: Any, arg_strings_pattern: str) -> list[int]:
        """Before Python 3.12.7 a word that may be left out is given up at the first option, and refused behind it: `plan rejoin --json
        east` (python/cpython issue 59317). Here it is looked for again behind each option, and at the end.
        """
        counts: list[int] = super()._match_arguments_partial(actions, arg_strings_pattern)
        while counts and not counts[-1] and "O" in arg_strings_pattern:
            counts.pop()
        return counts

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        import difflib  # noqa: PLC0415 - only for a mistake

        known = [str(choice) for choice in action.choices]
        near = difflib.get_close_matches(str(value), known, n=1)
        what = "command" if isinstance(action.choices, dict) else action.metavar or action.dest
        raise UsageError(f"there is no {what} {str(value)!r}", hint=f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}")


def add_global(parser: argparse.ArgumentParser, *, after: bool) -> None:
    """`after`: stands behind the command's name, and must not take away what stood before it."""
    absent: Any = argparse.SUPPRESS if after else None
    flag: Any = argparse.SUPPRESS if after else False
    group = parser.add_argument_group("for every command")
    group.add_argument("-t", "--topology", metavar="FILE", default=absent, help="the pair's topology file (INTERLOCK_TOPOLOGY)")
    group.add_argument(
        "--store",
        metavar="URL",
        default=absent,
        help="where runs are recorded: sqlite:///FILE or etcd://HOST:PORT,… (INTERLOCK_STORE; by default your state folder)",
    )
    group.add_argument("--json", action="store_true", default=flag, help="one JSON document on stdout; progress goes to stderr")
    group.add_argument("--yes", action="store_true", default=flag, help="let every gate pass without asking")


def command(commands: Any, name: str, does: str, help_: str, description: str = "") -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(name, help=help_, description=description or f"{help_[0].upper()}{help_[1:]}.")
    if does:
        made.set_defaults(does=does)
    add_global(made, after=True)
    return made


def add_inputs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-i", "--input", metavar="NAME=VALUE", action="append", default=[], help="an input of the playbook; may be given several times"
    )


def add_pages(command: argparse.ArgumentParser) -> None:
    for name in ("html", "markdown"):
        command.add_argument(f"--{name}", metavar="FILE", help="write a page into this file")


def add_counts(command: argparse.ArgumentParser, options: Iterable[tuple[str, int, str]]) -> None:
    for name, default, what in options:
        command.add_argument(f"--{name}", type=positive, default=default, metavar="N", help=f"{what} (default: {default})")


def positive(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:9]) <= 10_000 or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number from 1 to 10000")
    return int(text)
