"""Twenty days of `watch --act failover` in memory, a look each second. `make endurance-watch`; it ends with 1 if a writer that lives is
failed over from, or a dead one is not, once; and prints its figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from random import Random

from interlock.clock import SystemClock
from interlock.simulated.network import TOOL
from interlock.simulated.pair import SimulatedPair
from interlock.simulated.store import MemoryStore
from interlock.simulated.watching import HOUR_S, Watched, day_of, watch_through

DEATHS = 10
"""A day: each of a pair of its own, after up to an hour of trouble."""


def _kill(pair: SimulatedPair, _store: MemoryStore) -> None:
    pair.east.crash()


def _power_off(pair: SimulatedPair, _store: MemoryStore) -> None:
    pair.east.hang()
    for party in (TOOL, "west"):
        pair.network.cut("east", party)
        pair.network.cut(party, "east")


def _is_replaced_once(watched: Watched) -> bool:
    one = [header.outcome for header in watched.runs] == ["succeeded"]
    return one and watched.pair.writers() == ("west",) and not watched.pair.violations


def _took_s(watched: Watched, died_at_s: float) -> float:
    return next(each.at_s for each in watched.said if each.text.endswith("has ended: succeeded")) - died_at_s


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--days", type=int, default=20)
    options = arguments.parse_args()
    clock = SystemClock()
    began_s = clock.monotonic_s()
    troubles: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    looks, wrong, took_s = 0, list[str](), list[float]()
    for seed in range(options.days):
        day = day_of(seed, hours=24.0)
        watched = watch_through(day)
        looks += watched.looks
        troubles.update(trouble.fault.kind.value for trouble in day.troubles)
        verdicts.update(each.text.partition(":")[0] for each in watched.said if each.subject == "east")
        if watched.runs or watched.pair.violations or watched.pair.writers() != ("east",):
            wrong.append(f"day {seed}: {[header.run for header in watched.runs]} {watched.pair.violations}")
        for number in range(DEATHS):
            draw = Random(seed * DEATHS + number)  # noqa: S311 - the same deaths each time
            died_at_s, die = draw.uniform(0.0, HOUR_S), (_kill, _power_off)[number % 2]
            watched = watch_through(day_of(draw.randrange(10**9), hours=1.1, calm_from_s=died_at_s), (died_at_s, die))
            if _is_replaced_once(watched):
                took_s.append(_took_s(watched, died_at_s))
            else:
                wrong.append(f"death {number} of day {seed} at {died_at_s:.0f}s: {[(h.run, h.outcome) for h in watched.runs]}")
    figures = {
        "days": options.days,
        "looks": looks,
        "troubles": dict(troubles.most_common()),
        "times that the writer came to look": dict(verdicts.most_common()),
        "deaths": options.days * DEATHS,
        "from death to the new writer, s": {"least": round(min(took_s, default=0), 1), "most": round(max(took_s, default=0), 1)},
        "not as it must be": wrong,
        "minutes": round((clock.monotonic_s() - began_s) / 60, 1),
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
