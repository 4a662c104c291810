"""The words of the command line. Nothing heavy is imported here, so that `--help` answers at once.

Options that hold for every command may stand before its name or after it. Each command names the function that carries it out as
`module:function`; `main` imports it when it is needed. What the commands are is told by families, in `words`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from interlock.cli.words.data import add_diff, add_losses
from interlock.cli.words.fleet import add_fleet
from interlock.cli.words.pair import add_audit, add_segments, add_watch
from interlock.cli.words.parser import Parser, add_global
from interlock.cli.words.runs import add_playbooks, add_runs
from interlock.cli.words.sandbox import add_sandbox
from interlock.errors import UsageError

PROGRAM = "interlock"
_EPILOG = """\
exit codes: 0 succeeded · 2 bad usage or invalid file · 3 refused, nothing was changed · 4 rolled back, as before ·
5 halted, everything is fenced and a person is needed · 6 another run holds the pair · 1 a crash · 130 stopped"""


class _Unasked:
    """Stands for a command that nobody asks for: whatever is added to it is left out."""

    def __getattr__(self, _: str) -> Callable[..., _Unasked]:
        return lambda *_, **__: self


class _Only:
    """Of all commands the one that is asked for: to make them all takes as long as to read the topology."""

    def __init__(self, commands: Any, name: str) -> None:
        self._commands, self._name = commands, name

    def add_parser(self, name: str, **words: Any) -> Any:
        return self._commands.add_parser(name, **words) if name == self._name else _Unasked()


def parse(words: Sequence[str]) -> argparse.Namespace:
    """UsageError for what makes no sense."""
    made = parser(words[0]) if words and not words[0].startswith("-") else parser()
    options, left = (made if any(commands_of(made)) else parser()).parse_known_args(words)
    if left:
        named = [options.command_name, getattr(options, "inner_name", None)]
        raise UsageError(f"unrecognized arguments: {' '.join(left)}", hint=f"{' '.join(filter(None, [PROGRAM, *named]))} --help")
    return options


def parser(only: str | None = None) -> Parser:
    """The whole command line, or of its commands the `only` one."""
    top = Parser(prog=PROGRAM, description="Move the writes of a master-master pair, and never let both sides take the same write.")
    top.epilog = _EPILOG
    add_global(top, after=False)
    top.add_argument("--version", action="store_true", help="print the version and exit")
    every = top.add_subparsers(metavar="COMMAND", dest="command_name", title="commands")
    commands = every if only is None else _Only(every, only)
    add_runs(commands)
    add_losses(commands)
    add_diff(commands)
    add_audit(commands)
    add_playbooks(commands)
    add_segments(commands)
    add_watch(commands)
    add_fleet(commands)
    add_sandbox(commands)
    return top


def commands_of(parent: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every parser below `parent`, depth first, in the order in which help lists them."""
    for action in parent._actions:  # noqa: SLF001 - argparse has no other way to ask
        if isinstance(action.choices, dict):
            for child in action.choices.values():
                yield child
                yield from commands_of(child)
