"""What a command is given, and what it gives back. A command prints nothing itself: so there is one JSON document, or one text."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from interlock.dataclass import dataclass
from interlock.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from interlock.bootstrap import Wiring
    from interlock.ports import Store

_NARROWEST, _WIDEST = 60, 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`plain` is what `--json` prints; `text` makes what people read, at a width in columns; on stderr if it
    `complains` that the command could not be carried out.
    """

    plain: object
    text: Callable[[int], str]
    exit_code: int = ExitCode.SUCCEEDED
    complains: bool = False


@dataclass(slots=True, kw_only=True)
class Context:
    """One call of the program. `redact` knows the secrets once they have been read. `program` is what a fleet starts for each pair, if
    that is not this program itself.
    """

    options: argparse.Namespace
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    redact: Callable[[str], str] = str
    program: tuple[str, ...] = ()

    @property
    def json(self) -> bool:
        return bool(self.options.json)

    def topology_path(self) -> Path | None:
        """The file that the option or the environment names."""
        told = self.options.topology or self.environ.get("INTERLOCK_TOPOLOGY")
        return Path(told) if told else None

    def store_url(self) -> str | None:
        return self.options.store or self.environ.get("INTERLOCK_STORE") or None

    def said(self, *, topology: str | None = None) -> str:
        """The topology and the store as the command line named them, for the commands that are to be typed next; or another topology."""
        words = [("-t", topology or self.options.topology), ("--store", self.options.store)]
        return self.redact("".join(f" {option} {shlex.quote(str(value))}" for option, value in words if value))

    def tell(self, text: str) -> None:
        """Progress that is the command's own output: on stdout, unless JSON stands there."""
        write(sys.stderr if self.json else sys.stdout, f"{text}\n")


def note(text: str) -> None:
    """A line for people, on stderr."""
    write(sys.stderr, f"{text}\n")


def write(stream: object, text: str) -> None:
    """What nobody reads any more (a closed pipe, a terminal that is gone) must not end a run."""
    with contextlib.suppress(OSError, ValueError):
        print(text, end="", flush=True, file=stream)  # type: ignore[call-overload]


def here() -> Path:
    """The working directory. UsageError if it was removed meanwhile."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise UsageError("the working directory does not exist any more", hint="cd to another one") from error


def width() -> int:
    import shutil  # noqa: PLC0415 - its formats of archives take their time

    return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((100, 24)).columns))


@contextlib.contextmanager
def wired(context: Context, *, about: str | None = None) -> Iterator[Wiring]:
    """The pair of the topology file, wired. Warns of its unfinished runs, but not of the run that the command is `about`."""
    from interlock.bootstrap import Wiring, read_topology  # noqa: PLC0415 - takes longer than --help may

    path = context.topology_path()
    if path is None:
        raise UsageError(
            "no topology file is given",
            hint="-t FILE, or export INTERLOCK_TOPOLOGY=FILE; `interlock sandbox up` makes a pair to try, `interlock sandbox status` "
            "says what to export for one that is up",
        )
    wiring = Wiring(read_topology(path), context.store_url())
    context.redact = wiring.secrets.redact
    try:
        _warn(wiring.store, wiring.topology.name, about)
        yield wiring
    finally:
        wiring.close()


@contextlib.contextmanager
def stored(context: Context) -> Iterator[tuple[Store, str | None]]:
    """The store alone, and the name of the pair if a topology is given."""
    from interlock.bootstrap import read_topology  # noqa: PLC0415 - as above
    from interlock.clock import SystemClock  # noqa: PLC0415 - as above
    from interlock.stores.open import open_store  # noqa: PLC0415 - as above

    path = context.topology_path()
    topology = read_topology(path).name if path is not None else None
    store = open_store(context.store_url(), SystemClock())
    try:
        yield store, topology
    finally:
        store.close()


def _warn(store: Store, topology: str, about: str | None) -> None:
    """Of every run without an outcome, and of those that halted and after which no run opened a server: the pair is as they left it."""
    from interlock.engine.identity import overtaken_by  # noqa: PLC0415 - `--help` needs none of the engine

    headers = store.runs(topology)
    for header in headers:
        is_open = header.outcome is None or (header.outcome == "halted" and overtaken_by(store, header, headers) is None)
        if is_open and not (about and header.run.startswith(about)):
            word = "unfinished" if header.outcome is None else "halted"
            note(
                f"warning: run {header.run} ({header.playbook}) is {word}: interlock resume {header.run} | interlock rollback {header.run}"
            )
