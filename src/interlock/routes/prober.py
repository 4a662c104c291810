"""Measures the outage as clients have it: writes through the routes all the time, and looks for the longest silence.

The outage is the longest interval between two acknowledged writes that follow each other, from `start` to `stop`, through the worst route;
a silence that has not ended by then counts as far as it went.
A prober behaves like a pooled client: it keeps its connection, and makes a new one after any error. It shares the interpreter with
the run that it measures, so its loop does one statement every few milliseconds and nothing else.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import field
from datetime import datetime, timedelta

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.errors import DriverError
from interlock.model.facts import OutageFacts
from interlock.model.topology import RouteSpec
from interlock.routes.canary import WRITE
from interlock.routes.client import ClientSession, Connect

_PAUSE_S = 0.003
# Longer than a route holds its clients at the most: a probe that waits in a hold is no error.
_PROBE_WITHIN_S = 30.0
_STOP_WITHIN_S = 1.0
_FIRST_WITHIN_S = 1.0
_LAST_WITHIN_S = 1.0


@dataclass(slots=True, kw_only=True)
class Silence:
    """Acknowledgements on the monotonic clock, in order; keeps the longest interval and nothing else."""

    acknowledged: int = 0
    last_s: float | None = None
    longest: tuple[float, float] | None = None

    def heard(self, at_s: float) -> None:
        if self.last_s is not None and (self.longest is None or at_s - self.last_s > self.longest[1] - self.longest[0]):
            self.longest = (self.last_s, at_s)
        self.last_s = at_s
        self.acknowledged += 1

    def longest_until(self, end_s: float) -> tuple[float, float] | None:
        """With the silence that had not ended by `end_s`, if that is the longest."""
        if self.last_s is not None and (self.longest is None or end_s - self.last_s > self.longest[1] - self.longest[0]):
            return (self.last_s, end_s)
        return self.longest


@dataclass(slots=True, kw_only=True)
class _Probe:
    """One route's thread. Written by it alone, read after it ended (or was given up)."""

    address: tuple[str, int]
    token: str
    silence: Silence = field(default_factory=Silence)
    errors: Counter[str] = field(default_factory=Counter)
    session: ClientSession | None = None
    thread: threading.Thread | None = None


class RouteProber:
    """`start`, then `stop` for the result; both once. Threads are daemons, so that a hung peer can't keep the program alive."""

    def __init__(self, routes: Sequence[RouteSpec], connect: Connect, clock: Clock) -> None:
        self._probes = [_Probe(address=spec.clients, token=f"probe {spec.name}"[:64]) for spec in routes if spec.clients is not None]
        self._connect = connect
        self._clock = clock
        self._ended = threading.Event()
        self._began: tuple[datetime, float] = (clock.wall(), clock.monotonic_s())

    def start(self, *, in_outage: bool = False) -> None:
        """Returns once every probe was heard, or after a second: an outage can't be measured without a write before it. With `in_outage`
        at once: then it is measured from now on.
        """
        self._began = (self._clock.wall(), self._clock.monotonic_s())
        for probe in self._probes:
            if in_outage:
                probe.silence.last_s = self._began[1]
            probe.thread = threading.Thread(target=self._run, args=(probe,), name=probe.token, daemon=True)
            probe.thread.start()
        if not in_outage:
            self.await_writes(_FIRST_WITHIN_S)

    def stop(self) -> OutageFacts:
        """Within about two seconds: the last silence is given one to end, and a probe that waits for a hung server is cut off."""
        self.await_writes(_LAST_WITHIN_S)
        ended_s = self._clock.monotonic_s()
        self._ended.set()
        for probe in self._probes:
            if probe.thread is not None:
                probe.thread.join(_PAUSE_S * 20)
                session = probe.session  # its thread may take it away meanwhile
                if probe.thread.is_alive() and session is not None:
                    session.abort()
        for probe in self._probes:
            if probe.thread is not None:
                probe.thread.join(_STOP_WITHIN_S)
        return self._result(ended_s)

    def await_writes(self, within_s: float) -> None:
        heard = [probe.silence.acknowledged for probe in self._probes]
        deadline = Deadline.after(self._clock, within_s)
        while not deadline.is_over() and any(p.silence.acknowledged <= n for p, n in zip(self._probes, heard, strict=True)):
            self._ended.wait(_PAUSE_S)

    def _run(self, probe: _Probe) -> None:
        ended, clock = self._ended, self._clock
        while not ended.is_set():
            try:
                session = probe.session = self._connect(*probe.address, _PROBE_WITHIN_S)
                try:
                    while not ended.is_set():
                        session.query(WRITE, (probe.token, ""))
                        probe.silence.heard(clock.monotonic_s())
                        ended.wait(_PAUSE_S)
                finally:
                    probe.session = None
                    session.close()
            except DriverError as error:
                if not ended.is_set():
                    probe.errors[type(error).__name__] += 1
                ended.wait(_PAUSE_S)

    def _result(self, ended_s: float) -> OutageFacts:
        heard = [probe.silence for probe in self._probes]
        silences = [silence for each in heard if (silence := each.longest_until(ended_s))]
        longest = max(silences, key=lambda ends: ends[1] - ends[0], default=None)
        errors: Counter[str] = sum((probe.errors for probe in self._probes), Counter())
        return OutageFacts(
            outage_ms=None if longest is None else (longest[1] - longest[0]) * 1000,
            last_write_before=None if longest is None or longest[0] == self._began[1] else self._wall(longest[0]),
            first_write_after=None if longest is None or longest[1] == ended_s else self._wall(longest[1]),
            acknowledged=sum(silence.acknowledged for silence in heard),
            errors=dict(errors),
        )

    def _wall(self, at_s: float) -> datetime:
        wall, monotonic_s = self._began
        return wall + timedelta(seconds=at_s - monotonic_s)
