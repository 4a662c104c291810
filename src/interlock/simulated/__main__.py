"""Play simulated nights, one seed after the other, or tell the story of one (`--seed N`).

The exit code is 1 if a promise broke, 2 if the command line or the playbook is wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from interlock.dataclass import dataclass
from interlock.engine.states import FINAL, State
from interlock.errors import ExitCode, UsageError
from interlock.playbook.against import check_against
from interlock.playbook.load import load_playbook
from interlock.playbook.tree import Playbook
from interlock.simulated.own import Own, answer_of, input_of
from interlock.simulated.pair import simulated_pair
from interlock.simulated.play import Played, play
from interlock.simulated.schedules import Schedule, schedule_of
from interlock.simulated.variants import drawn, known, playbooks


@dataclass(frozen=True, slots=True, kw_only=True)
class _Theatre:
    """What is played: the playbooks, the names to draw from, and what somebody's own one needs."""

    books: dict[str, Playbook]
    names: tuple[str, ...]
    own: Own | None = None

    def night(self, seed: int, *, tell: bool = False) -> Played:
        return play(schedule_of(seed, self.names), tell=tell, books=self.books, own=self.own)


def main(argv: Sequence[str]) -> int:
    """0 if every promise was kept."""
    given = _parser().parse_args(argv)
    try:
        theatre = _theatre(given)
        broken = _quiet(theatre) if theatre.own is not None else 0
    except UsageError as error:
        sys.stderr.write(f"{error.message}\n" + (f"  hint: {error.hint}\n" if error.hint else ""))
        return int(ExitCode.USAGE)
    if given.seed is not None:
        return max(broken, _tell(theatre.night(given.seed, tell=True)))
    return max(broken, _soak(range(given.first, given.first + given.nights), theatre))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interlock.simulated", description=__doc__)
    parser.add_argument("--seed", type=int, help="tell the story of this night")
    parser.add_argument("--nights", type=int, default=1000, help="how many to play (default: 1000)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed (default: 0)")
    own = parser.add_argument_group("a playbook of your own")
    own.add_argument("--playbook", type=Path, metavar="FILE", help="its file; else those that ship, and variants of them")
    own.add_argument("-i", action="append", default=[], dest="inputs", metavar="NAME=VALUE", help="an input of it")
    own.add_argument(
        "--answer",
        action="append",
        default=[],
        dest="answers",
        metavar="[SERVER:]QUESTION=TEXT",
        help="what a query, a program (the end of its command line) or a URL answers; SERVER is east or west, else both",
    )
    ends = sorted(state.value for state in (*FINAL, State.HALTED))
    own.add_argument("--expect", choices=ends, help="how a night must end in which nothing happens (default: not judged)")
    return parser


def _theatre(given: argparse.Namespace) -> _Theatre:
    """UsageError: the playbook can't be read or played here, or an option makes no sense."""
    if given.playbook is None:
        if given.inputs or given.answers or given.expect:
            raise UsageError("-i, --answer and --expect are for a playbook of your own", hint="name it with --playbook FILE")
        return _Theatre(books=dict(playbooks()), names=drawn())
    book = load_playbook(given.playbook, known())
    check_against(book, simulated_pair(clients=0).topology)
    own = Own(inputs=dict(map(input_of, given.inputs)), answers=tuple(map(answer_of, given.answers)), expect=given.expect)
    return _Theatre(books={book.name: book}, names=(book.name,), own=own)


def _quiet(theatre: _Theatre) -> int:
    """What the playbook does in a night without any trouble: what ends it there ends it every night. UsageError if it can't even begin."""
    (name,) = theatre.names
    played = play(Schedule(playbook=name), books=theatre.books, own=theatre.own)
    end = played.ends[0]
    if end.startswith("UsageError: "):
        raise UsageError(f"{name} can't be played: {end.removeprefix('UsageError: ')}", hint="give its inputs with -i NAME=VALUE")
    lines = [f"A night without any trouble ends as {end.partition(':')[0]}", *(f"  {why}" for why in played.why)]
    lines += [f"BROKEN {what}" for what in played.violations]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if played.violations else 0


def _tell(played: Played) -> int:
    lines = [f"seed {played.schedule.seed}: {played.schedule}", *played.story, *(f"BROKEN {what}" for what in played.violations)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if played.violations else 0


def _soak(seeds: range, theatre: _Theatre) -> int:
    began_s, broken = time.process_time(), 0
    ends: Counter[str] = Counter()
    for seed in seeds:
        played = theatre.night(seed)
        ends[played.ends[-1].partition(":")[0]] += 1
        if played.violations:
            broken += 1
            sys.stdout.write(f"seed {seed}: {played.violations[0]}\n")
    took_s = time.process_time() - began_s
    told = ", ".join(f"{end} {count}" for end, count in ends.most_common())
    sys.stdout.write(
        f"{len(seeds)} nights, seeds {seeds.start} to {seeds.stop - 1}, {broken} with a broken promise; "
        f"{took_s:.1f}s of one core, {len(seeds) / took_s * 60:.0f} a minute. Last ends: {told}\n"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
