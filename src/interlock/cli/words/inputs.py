"""The words in which a playbook's own command takes its inputs: `quiesce --onto west` says `-i onto=west`. `plan` and `run` take them too,
so that whoever wants to see a run first types one word more, and no other.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from interlock.cli.words.parser import add_inputs
from interlock.dataclass import dataclass
from interlock.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """How an input is said: its `option`, or by its place if it has none."""

    input: str
    option: str = ""
    metavar: str = "CLUSTER"
    help: str
    required: bool = True


_TO = Word(input="to", option="--to", help="the cluster that takes the writes")
_GIVEN_UP = Word(
    input="accept",
    option="--accept",
    metavar="SENTENCE",
    help="what a broken channel keeps back is given up, word for word as `plan` prints it",
    required=False,
)
WORDS: Mapping[str, tuple[Word, ...]] = {
    "switchover": (_TO,),
    "failover": (
        _TO,
        Word(
            input="accept",
            option="--accept",
            metavar="SENTENCE",
            help="what can't be proved, accepted word for word as `plan failover` prints it",
            required=False,
        ),
    ),
    "rejoin": (Word(input="cluster", help="the cluster that failed; its server runs again"),),
    "quiesce": (
        Word(input="onto", option="--onto", help="the cluster that takes all load"),
        Word(input="for", option="--for", metavar="TIME", help="how long it is meant to last, such as 4h"),
        Word(input="reason", option="--reason", metavar="TEXT", help="why, for whoever is refused because of it"),
        Word(
            input="applier",
            option="--applier",
            metavar="stopped|running",
            help="whether the quiet one goes on applying (default: stopped)",
            required=False,
        ),
        _GIVEN_UP,
    ),
    "repair": (
        Word(input="diff", metavar="NAME", help="the comparison, see `interlock diff`"),
        Word(input="onto", option="--onto", help="the side that is changed", required=False),
    ),
}
"""By playbook. `interlock repair` itself has words besides, which are for more than one playbook."""


def add_words(command: argparse.ArgumentParser, playbook: str) -> None:
    """Those of a playbook's own command, and `-i`."""
    for word in WORDS[playbook]:
        _add(command, word, help_=word.help, required=word.required)
    add_inputs(command)


def add_given_up(command: argparse.ArgumentParser) -> None:
    """`--accept`, and `-i`: for who moves a segment in words of his own."""
    _add(command, _GIVEN_UP, help_=_GIVEN_UP.help, required=False)
    add_inputs(command)


def add_all_words(command: argparse.ArgumentParser) -> None:
    """Every one of them, and `-i`: which of them a playbook takes, it says itself."""
    said = [(playbook, word) for playbook, words in WORDS.items() for word in words]
    placed = [f"{word.metavar} of {playbook}" for playbook, word in said if not word.option]
    command.add_argument("word", action=_ByPlace, nargs="?", metavar="WORD", help=f"what its command takes so: {', '.join(placed)}")
    for word in {word.option: word for _, word in said if word.option}.values():
        of = " and ".join(playbook for playbook, each in said if each.option == word.option)
        _add(command, word, help_=f"of {of}: the same as -i {word.input}={word.metavar}", required=False)
    add_inputs(command)


def _add(command: argparse.ArgumentParser, word: Word, *, help_: str, required: bool) -> None:
    if word.option:
        command.add_argument(word.option, action=_AsInput, dest=word.input, metavar=word.metavar, required=required, help=help_)
    else:
        command.add_argument(word.input, action=_AsInput, metavar=word.metavar, help=help_)


class _AsInput(argparse.Action):
    """Said in a word of its own, it is kept as `-i` keeps it. `input` is there: `add_inputs` has given its default."""

    def __init__(self, **words: Any) -> None:
        super().__init__(**{**words, "default": argparse.SUPPRESS})

    def __call__(self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, _option: str | None = None) -> None:
        _keep(namespace, self.dest, values)


class _ByPlace(_AsInput):
    """The same; which input it is, depends on the playbook before it."""

    def __call__(self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, _option: str | None = None) -> None:
        placed = next((word for word in WORDS.get(namespace.playbook, ()) if not word.option), None)
        if placed is None:
            raise UsageError(f"{namespace.playbook} takes no word like {values!r}", hint="inputs are given as -i NAME=VALUE")
        _keep(namespace, placed.input, values)


def _keep(namespace: argparse.Namespace, name: str, value: object) -> None:
    namespace.input = [*namespace.input, f"{name}={value}"]
