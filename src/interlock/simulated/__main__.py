"""Play simulated nights, one seed after the other, or tell the story of one (`--seed N`). The exit code is 1 if a promise broke."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from interlock.playbook.load import load_playbook
from interlock.playbook.tree import Playbook
from interlock.simulated.play import Played, play
from interlock.simulated.schedules import schedule_of
from interlock.simulated.variants import drawn, known, playbooks


def main(argv: Sequence[str]) -> int:
    """0 if every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m interlock.simulated", description=__doc__)
    parser.add_argument("--seed", type=int, help="tell the story of this night")
    parser.add_argument("--nights", type=int, default=1000, help="how many to play (default: 1000)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed (default: 0)")
    parser.add_argument("--playbook", type=Path, help="a playbook of your own; else those that ship, and variants of them")
    given = parser.parse_args(argv)
    books: dict[str, Playbook] = dict(playbooks())
    if given.playbook is not None:
        own = load_playbook(given.playbook, known())
        books = {own.name: own}
    names = drawn() if given.playbook is None else tuple(books)
    if given.seed is not None:
        return _tell(play(schedule_of(given.seed, names), tell=True, books=books))
    return _soak(range(given.first, given.first + given.nights), books, names)


def _tell(played: Played) -> int:
    lines = [f"seed {played.schedule.seed}: {played.schedule}", *played.story, *(f"BROKEN {what}" for what in played.violations)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if played.violations else 0


def _soak(seeds: range, books: dict[str, Playbook], names: tuple[str, ...]) -> int:
    began_s, broken = time.process_time(), 0
    ends: Counter[str] = Counter()
    for seed in seeds:
        played = play(schedule_of(seed, names), books=books)
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
