"""What a night must be told to play somebody's own playbook: its inputs, and what servers, programs and URLs of theirs answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from interlock.dataclass import dataclass
from interlock.errors import UsageError
from interlock.simulated.pair import SimulatedPair

_SERVERS = ("east", "west")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`question` is a SELECT, the end of a command line, or a URL; `server` is empty if both servers answer so."""

    question: str
    text: str
    server: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """`expect` is how a night must end in which nothing happens but the run; None if nobody has said it: then such an end is not judged."""

    inputs: Mapping[str, str] = field(default_factory=dict)
    answers: tuple[Answer, ...] = ()
    expect: str | None = None

    def prepare(self, pair: SimulatedPair) -> None:
        """Programs and URLs that nothing is said of succeed and print nothing."""
        for answer in self.answers:
            for name in (answer.server,) if answer.server else _SERVERS:
                pair.database(name).settings[_asked(answer.question)] = answer.text
        pair.programs.otherwise = self._run

    def _run(self, argv: Sequence[str]) -> tuple[int, str]:
        is_url = argv[0].startswith(("http://", "https://"))
        line = argv[0] if is_url else " ".join(argv)
        printed = next((answer.text for answer in self.answers if line.endswith(answer.question)), "")
        return (200 if is_url else 0), printed


def answer_of(text: str) -> Answer:
    """`[SERVER:]QUESTION=TEXT`; what follows the last `=` is the answer. UsageError if there is none."""
    question, equals, said = text.rpartition("=")
    server, colon, rest = question.partition(":")
    if server not in _SERVERS or not colon:
        server, rest = "", question
    if not equals or not rest.strip():
        raise UsageError(f"--answer {text!r} is not [SERVER:]QUESTION=TEXT", hint='such as --answer "SELECT COUNT(*) FROM shop.jobs=0"')
    return Answer(question=rest.strip(), text=said, server=server)


def input_of(text: str) -> tuple[str, str]:
    """`NAME=VALUE`. UsageError if it is something else."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"-i {text!r} is not NAME=VALUE", hint="such as -i to=west")
    return name, value


def _asked(question: str) -> str:
    """A simulated server looks up what follows SELECT."""
    verb, _, rest = question.partition(" ")
    return rest if verb == "SELECT" else question
