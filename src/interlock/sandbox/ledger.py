"""What clients were told, against what is there. Pure.

Each key is written once and never tried again. So a key that was acknowledged must be there once; one whose write failed must not; of one
whose outcome is unknown (the connection ended under it) either is right.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise

from interlock.dataclass import dataclass


class Told(StrEnum):
    """What the client was told of a write."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One write. Times are monotonic seconds, the same for all processes of a machine; `server` is the id of the one that acknowledged."""

    key: str
    worker: str
    kind: str
    told: Told
    begun_s: float
    ended_s: float
    server: int | None = None
    error: str = ""

    def to_line(self) -> str:
        server = "" if self.server is None else str(self.server)
        return (
            "\t".join([self.key, self.worker, self.kind, self.told, f"{self.begun_s:.6f}", f"{self.ended_s:.6f}", server, self.error])
            + "\n"
        )

    @classmethod
    def from_line(cls, line: str) -> Entry:
        """ValueError if it is no line of a ledger."""
        key, worker, kind, told, begun, ended, server, error = line.rstrip("\n").split("\t")
        return cls(
            key=key,
            worker=worker,
            kind=kind,
            told=Told(told),
            begun_s=float(begun),
            ended_s=float(ended),
            server=int(server) if server else None,
            error=error,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The ledger against one server's keys. All three tuples are empty when all is well."""

    lost: tuple[str, ...]
    duplicated: tuple[str, ...]
    resurrected: tuple[str, ...]


def balance(entries: Iterable[Entry], found: Iterable[str]) -> Balance:
    """`found`: the key of each row on a server that has caught up, as often as it is there."""
    there = Counter(found)
    told: dict[Told, list[str]] = {kind: [] for kind in Told}
    for entry in entries:
        told[entry.told].append(entry.key)
    return Balance(
        lost=tuple(sorted(key for key in told[Told.OK] if key not in there)),
        duplicated=tuple(sorted(key for key, times in there.items() if times > 1)),
        resurrected=tuple(sorted(key for key in told[Told.FAILED] if key in there)),
    )


def acknowledged(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """In the order of their acknowledgement."""
    return tuple(sorted((entry for entry in entries if entry.told is Told.OK), key=lambda entry: entry.ended_s))


def outage_ms(acks: Sequence[Entry], begun_s: float, ended_s: float, to: int | None = None) -> float | None:
    """How long no client was acknowledged, in the window of one switchover. `acks` as `acknowledged` gives them.

    With `to`, the id of the server the writes went to: from the last acknowledgement by another one to the first by it. Without, as when
    it was rolled back: the longest time between two. None if nothing was acknowledged on one of the two sides of the window.
    """
    times = [entry.ended_s for entry in acks]
    first, last = bisect_left(times, begun_s) - 1, bisect_right(times, ended_s)
    if first < 0 or last >= len(acks):
        return None
    window = acks[first : last + 1]
    before = [entry.ended_s for entry in window if entry.server != to]
    after = [entry.ended_s for entry in window if entry.server == to]
    if to is not None and before and after:
        return max(0.0, min(after) - max(before)) * 1000
    return max(later.ended_s - earlier.ended_s for earlier, later in pairwise(window)) * 1000


def errors_by_kind(entries: Iterable[Entry]) -> Mapping[str, Mapping[str, int]]:
    """For each kind of client, how often each error came."""
    counted: dict[str, Counter[str]] = {}
    for entry in entries:
        of_kind = counted.setdefault(entry.kind, Counter())
        if entry.told is not Told.OK:
            of_kind[entry.error] += 1
    return {kind: dict(sorted(errors.items())) for kind, errors in sorted(counted.items())}


def longest_by_kind(entries: Iterable[Entry]) -> Mapping[str, float]:
    """For each kind of client, how long its longest write took, in ms: acknowledged or not, with connecting."""
    longest: dict[str, float] = {}
    for entry in entries:
        longest[entry.kind] = max(longest.get(entry.kind, 0.0), (entry.ended_s - entry.begun_s) * 1000)
    return dict(sorted(longest.items()))


def most_errors_of_one(entries: Iterable[Entry], kind: str, begun_s: float, ended_s: float) -> int:
    """The most errors that one client of a kind met in a window."""
    met = Counter(
        entry.worker for entry in entries if entry.kind == kind and entry.told is not Told.OK and begun_s <= entry.ended_s <= ended_s
    )
    return max(met.values(), default=0)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` (0 to 1) of them do not exceed (nearest rank); None of none."""
    if not values:
        return None
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * share // 1))
    return ordered[int(rank) - 1]
