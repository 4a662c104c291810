"""Looks after the servers while they are read: every reader waits here before each piece."""

from __future__ import annotations

from threading import Lock

from interlock.clock import Clock
from interlock.decisions.pace import Limits, Load, over_limit
from interlock.diff.ends import End
from interlock.servers.session import Session, text_of

_LOOK_EVERY_S = 0.5
_PAUSE_S = 0.25


class Governor:
    """One look at both servers serves all readers. `why` is what is waited for at the moment, empty if nothing is."""

    def __init__(self, writer: End, other: End, limits: Limits, *, clock: Clock) -> None:
        self._writer, self._other = writer, other
        self._limits = limits
        self._clock = clock
        self._turn = Lock()
        self._sessions: dict[str, Session] = {}
        self._looked_s = float("-inf")
        self.why = ""

    def look(self) -> str:
        """Why to wait now, empty if there is no reason."""
        with self._turn:
            if self._clock.monotonic_s() - self._looked_s >= _LOOK_EVERY_S:
                self.why = over_limit(self._load(), self._limits)
                self._looked_s = self._clock.monotonic_s()
            return self.why

    def pause(self) -> None:
        self._clock.sleep(_PAUSE_S)

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()

    def _load(self) -> Load:
        threads = []
        for end in (self._writer, self._other):
            told = self._session(end).rows("SHOW GLOBAL STATUS LIKE 'Threads_running'")
            threads.append((str(end.server.name), int(text_of(told[0]["Value"]))))
        lags = [channel.lag_s for channel in self._other.server.channels() if channel.source == self._writer.server.name]
        began_s = self._clock.monotonic_s()
        self._session(self._writer).ping()
        latency_s = self._clock.monotonic_s() - began_s
        return Load(threads=tuple(threads), lag_s=max((lag for lag in lags if lag is not None), default=None), latency_s=latency_s)

    def _session(self, end: End) -> Session:
        known = self._sessions.get(end.cluster)
        if known is None or not known.alive:
            known = self._sessions[end.cluster] = end.session()
        return known
