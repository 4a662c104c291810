"""kill -9 of a run at every record of its journal and every change of its state, each taken up by `resume` and by `rollback`; under load.

Of a switchover, and at every record once more with the process that takes it up killed too: some four hundred runs on two pairs at once.
And of a failover, each on a pair of its own, for each needs a writer that dies; and of a rolling-ddl, each with a column of its own. `make
drill-crashes` runs the whole of it, `crashes.py [switchover|failover|rolling-ddl] [KIND…]` a part. It ends with 1 if a moment does not end
as it must.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from interlock.clock import SystemClock
from interlock.sandbox import pair
from interlock.sandbox.places import Sandbox
from scenarios import killed_failover
from scenarios.killer import TWICE, Killer, assert_survives
from scenarios.pair_state import switchover_with
from scenarios.rolling import RollingKiller

_AT_ONCE = 2
_CLOCK = SystemClock()
_WAYS = {
    "before": ("resume", "rollback", f"rollback{TWICE}"),
    "after": ("resume", "rollback", f"resume{TWICE}"),
    "state": ("resume", "rollback", f"resume{TWICE}", f"rollback{TWICE}"),
}
"""How a run is taken up, by the moments at which it is killed."""

_STEPS = {"resume": 1, "rollback": 2}
"""Of a failover, at how many of the moments: all, or every second one."""


def main(words: Sequence[str]) -> int:
    of, kinds = ((words[0],), words[1:]) if words and words[0] in _OF else (tuple(_OF), words)
    held = [_OF[each](kinds or tuple(_WAYS)) for each in of]
    return 0 if all(held) else 1


def _switchovers(kinds: Sequence[str]) -> bool:
    return _all_survive(
        "switchover", kinds, lambda pair, folder: Killer(pair=pair, folder=folder, playbook=switchover_with(folder / "whole.yaml"))
    )


def _changes_of_a_table(kinds: Sequence[str]) -> bool:
    return _all_survive("rolling-ddl", kinds, RollingKiller.of)


def _all_survive(playbook: str, kinds: Sequence[str], killer: Callable[[Sandbox, Path], Killer]) -> bool:
    ways = [(kind, then) for kind in kinds for then in _WAYS[kind]]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return all(list(pool.map(lambda way: _survives(playbook, way, killer), ways)))


def _survives(playbook: str, way: tuple[str, str], killer_of: Callable[[Sandbox, Path], Killer]) -> bool:
    """Every moment of this kind, on a pair of its own; says what came of it."""
    (kind, then), began_s = way, _CLOCK.monotonic_s()
    with _pair() as (sandbox, folder):
        killer = killer_of(sandbox, folder)
        try:
            report = assert_survives(killer, kind, range(1, killer.count(kind) + 1), then)
        except (AssertionError, subprocess.TimeoutExpired) as wrong:
            _say(f"{playbook}, {then} after a kill ({kind}): NOT AS IT MUST BE, after {killer.told}: {wrong}")
            return False
    again = f", {killer.twice} killed twice" if TWICE in then else ""
    samples = report.samples.one + report.samples.two + report.samples.none
    _say(
        f"{playbook}, {then} after a kill ({kind}): {len(killer.told)} moments{again}, exit codes {_codes(killer.told.values())}, "
        f"each within {killer.longest_s:.0f} s; {report.acknowledged} acknowledged, none lost; {samples} samples, none with two writers; "
        f"{_CLOCK.monotonic_s() - began_s:.0f} s"
    )
    return True


def _failovers(kinds: Sequence[str]) -> bool:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        held = [_failover_survives(kind, verb, pool) for kind in kinds for verb in _STEPS]
    return all(held)


def _failover_survives(kind: str, verb: str, pool: ThreadPoolExecutor) -> bool:
    began_s = _CLOCK.monotonic_s()
    with _pair() as (sandbox, folder):
        moments = range(1, killed_failover.moments_of(sandbox, folder, kind) + 1, _STEPS[verb])
    codes = list(pool.map(lambda number: _one_failover(kind, number, verb), moments))
    if None in codes:
        return False
    _say(
        f"failover, {verb} after a kill ({kind}): {len(codes)} moments, exit codes {_codes(code for code in codes if code is not None)}, "
        f"every lost write told, no sample with two writers; {_CLOCK.monotonic_s() - began_s:.0f} s"
    )
    return True


def _one_failover(kind: str, number: int, verb: str) -> int | None:
    with _pair() as (sandbox, folder):
        try:
            return killed_failover.assert_survives(sandbox, folder, kind, number, verb)
        except (AssertionError, subprocess.TimeoutExpired) as wrong:
            _say(f"failover, {verb} after a kill ({kind} {number}): NOT AS IT MUST BE: {wrong}")
            return None


_OF: dict[str, Callable[[Sequence[str]], bool]] = {"switchover": _switchovers, "failover": _failovers, "rolling-ddl": _changes_of_a_table}


@contextmanager
def _pair() -> Iterator[tuple[Sandbox, Path]]:
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        sandbox = pair.up(Path(folder) / "pair", clock=_CLOCK)
        try:
            yield sandbox, Path(folder)
        finally:
            pair.down(Path(sandbox.directory))


def _codes(codes: Iterable[int]) -> str:
    return ", ".join(f"{count} times {code}" for code, count in sorted(Counter(codes).items()))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
