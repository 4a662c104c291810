"""Clients that write unique keys through a route, and the ledger of what was acknowledged to them."""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from datetime import timedelta
from itertools import pairwise

from interlock.dataclass import dataclass
from interlock.errors import Unreachable, WriteRefused
from interlock.model.facts import OutageFacts
from interlock.simulated.clock import SimulatedClock
from interlock.simulated.database import Database
from interlock.simulated.route import Proxy


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What clients were told of each key: `acknowledged` with the moment of it, `failed` for good, or never told (`unknown`). `errors`
    counts what they saw, by its kind.
    """

    acknowledged: dict[str, float] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    errors: Counter[str] = field(default_factory=Counter)

    def outage(self, clock: SimulatedClock, since_s: float) -> OutageFacts:
        """The longest silence since then, if anything was acknowledged after it."""
        moments = [at_s for at_s in self.acknowledged.values() if at_s >= since_s]
        longest = max(pairwise(moments), key=lambda pair: pair[1] - pair[0], default=None)
        now = clock.wall()
        ends = [now - timedelta(seconds=clock.monotonic_s() - at_s) for at_s in longest or ()]
        return OutageFacts(
            outage_ms=None if longest is None else (longest[1] - longest[0]) * 1000,
            last_write_before=ends[0] if ends else None,
            first_write_after=ends[1] if ends else None,
            acknowledged=len(moments),
            errors=dict(self.errors),
        )


@dataclass(slots=True, kw_only=True)
class Client:
    """One pooled connection: it writes a new key each time, keeps its session as long as that lives, and reconnects by the route."""

    name: str
    proxy: Proxy
    ledger: Ledger
    database: Database | None = None
    session: int = 0
    written: int = 0

    def write(self) -> None:
        if self.database is None or self.session not in self.database.sessions:
            self.database = self.proxy.target()
            if self.database is None:
                return  # it waits in the proxy's queue
            try:
                self.session = self.database.connect().id
            except Unreachable:
                self.database = None
                self.ledger.errors["unreachable"] += 1
                return
        self.written += 1
        key = f"{self.name}-{self.written}"
        try:
            transaction = self.database.commit(key)
        except WriteRefused:
            self.ledger.errors["read_only"] += 1
        except Unreachable:
            self.ledger.errors["unreachable"] += 1
        else:
            self.ledger.acknowledged[key] = transaction.at_s


class SimulatedProber:
    """The ledger's own view of the outage: the clients write all the time anyway."""

    def __init__(self, ledger: Ledger, clock: SimulatedClock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._since_s = 0.0
        self.runs = False

    def start(self, *, in_outage: bool = False) -> None:
        del in_outage  # its ledger knows the last write anyway
        self._since_s, self.runs = self._clock.monotonic_s(), True

    def await_writes(self, within_s: float) -> None:
        """Its clients write whenever time passes, and nobody else wants their processor."""

    def stop(self) -> OutageFacts:
        self.runs = False
        return self._ledger.outage(self._clock, self._since_s)
