"""etcd's v3 API, spoken through its JSON gateway: one bounded call that asks one member after the other.

The gateway is part of every etcd since 3.2 (etcd documentation, "gRPC gateway"; paths `/v3/…` since 3.4): POST of a JSON document, keys and
values in base64, whole numbers as texts. docs/adr/0010-etcd-store.md says why no client library stands between.

Two rules. A call has one bound for all of its tries, and a member that says nothing leaves time for the others. And a try that got no
answer may have had its effect all the same, so every write must be one that can be sent twice (see `etcd_words.py`).
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from threading import Lock
from typing import Any

from interlock.clock import Clock, Deadline, SystemClock
from interlock.errors import StoreFailed, UsageError
from interlock.stores.etcd_url import Endpoint, EtcdPlace

Document = Mapping[str, Any]

_PAUSE_S = 0.05
_FIRST_ROUND = 0.4
"""What the first round of tries may take of a call's time. A follower passes a write on to the leader, and says nothing where that one is
gone (etcd 3.5, raft.go: stepFollower): once another is elected, each must be asked anew."""

_REST_S, _SILENT_S = 0.5, 0.25
"""After a call that nobody answered, the next ones fail at once for so long, and then wait no longer than this, until one is answered:
clients wait for the way back, which has a dozen records to write and must not wait a dozen times."""

_ELSEWHERE = {1, 4, 14}
"""gRPC codes that say "not by me, not now": CANCELLED, DEADLINE_EXCEEDED, UNAVAILABLE. No leader and lost quorum come as the last one."""

NOT_FOUND, UNAUTHENTICATED = 5, 16

_HINT = "is the majority of etcd's members up, and reachable from here? See: etcdctl endpoint status --cluster"


class EtcdRefused(StoreFailed):
    """etcd's own no; `code` is gRPC's. It had no effect."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message, hint=_hint_for(message))
        self.code = code


class _NoAnswer(Exception):
    """This member did not say whether. `for_good`: nor will it, however often it is asked."""

    def __init__(self, message: str, *, for_good: bool = False) -> None:
        super().__init__(message)
        self.for_good = for_good


class EtcdClient:
    """Several threads may use it: each call has a connection of its own, kept for the next one.

    Names are resolved by the system, which has its own bounds: give addresses where a second counts.
    """

    def __init__(self, place: EtcdPlace, clock: Clock | None = None) -> None:
        self._place = place
        self._clock = clock or SystemClock()
        self._tls = _tls(place) if place.tls else None
        self._idle: dict[Endpoint, list[http.client.HTTPConnection]] = {endpoint: [] for endpoint in place.endpoints}
        self._turn = Lock()
        self._preferred = 0
        self._silent_since_s: float | None = None
        self._token = ""

    def call(self, path: str, body: Document, *, within_s: float) -> dict[str, Any]:
        """The answer. EtcdRefused if etcd says no; StoreFailed if no member answers in time."""
        if self._place.user and not self._token:
            self._log_in(within_s)
        try:
            return self._ask_all(path, body, within_s)
        except EtcdRefused as refused:
            if not self._place.user or refused.code != UNAUTHENTICATED:
                raise
        self._log_in(within_s)  # tokens end, and members that restart forget them
        return self._ask_all(path, body, within_s)

    def close(self) -> None:
        with self._turn:
            for idle in self._idle.values():
                while idle:
                    idle.pop().close()

    def _log_in(self, within_s: float) -> None:
        account = {"name": self._place.user, "password": self._place.password}
        self._token = ""
        self._token = str(self._ask_all("auth/authenticate", account, within_s)["token"])

    def _ask_all(self, path: str, body: Document, within_s: float) -> dict[str, Any]:
        silent_s = self._silent_for_s()
        if silent_s is not None and silent_s < _REST_S:
            raise StoreFailed(f"etcd gave no answer {silent_s:.1f}s ago", hint=_HINT)
        deadline = Deadline.after(self._clock, within_s if silent_s is None else min(within_s, _SILENT_S))
        endpoints = self._place.endpoints
        said: dict[Endpoint, _NoAnswer] = {}
        round_ends = Deadline.after(self._clock, _FIRST_ROUND * deadline.left_s())
        while True:
            first = self._preferred
            for turn in range(len(endpoints)):
                number = (first + turn) % len(endpoints)
                endpoint = endpoints[number]
                try:
                    answer = self._ask(endpoint, path, body, round_ends.left_s() / (len(endpoints) - turn))
                except _NoAnswer as error:
                    said[endpoint] = error
                    continue
                self._preferred, self._silent_since_s = number, None
                return answer
            if deadline.left_s() <= _PAUSE_S or all(error.for_good for error in said.values()):
                break
            self._clock.sleep(_PAUSE_S)
            round_ends = deadline
        self._silent_since_s = self._clock.monotonic_s()
        what = "; ".join(f"{endpoint}: {error}" for endpoint, error in said.items())
        raise StoreFailed(f"etcd gave no answer within {within_s:g}s ({what})", hint=_HINT)

    def _silent_for_s(self) -> float | None:
        """Seconds since a call was in vain; None if one was answered since."""
        since_s = self._silent_since_s
        return None if since_s is None else self._clock.monotonic_s() - since_s

    def _ask(self, endpoint: Endpoint, path: str, body: Document, bound_s: float) -> dict[str, Any]:
        if bound_s <= 0:
            raise _NoAnswer("no time was left for it")
        connection = self._connection(endpoint, bound_s)
        headers = {"Content-Type": "application/json"} | ({"Authorization": self._token} if self._token else {})
        try:
            connection.request("POST", f"/v3/{path}", json.dumps(body).encode(), headers)
            response = connection.getresponse()
            status, text = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _NoAnswer(str(error) or type(error).__name__, for_good=isinstance(error, ssl.SSLCertVerificationError)) from error
        with self._turn:
            self._idle[endpoint].append(connection)
        return _understood(status, text)

    def _connection(self, endpoint: Endpoint, bound_s: float) -> http.client.HTTPConnection:
        """One that is open, if the other side has not hung up meanwhile; else a new one."""
        while True:
            with self._turn:
                idle = self._idle[endpoint].pop() if self._idle[endpoint] else None
            if idle is None or idle.sock is None:
                break
            if not _has_word(idle.sock):
                idle.sock.settimeout(bound_s)
                return idle
            idle.close()
        if self._tls is None:
            return http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=bound_s)
        return http.client.HTTPSConnection(endpoint.host, endpoint.port, timeout=bound_s, context=self._tls)


def _has_word(sock: socket.socket) -> bool:
    """An idle connection has nothing to say but its end."""
    sock.settimeout(0)
    try:
        sock.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    return True


def _understood(status: int, text: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _NoAnswer(f"HTTP {status}, and no JSON: is this etcd?") from error
    if not isinstance(answer, dict):
        raise _NoAnswer(f"HTTP {status}, and no JSON object: is this etcd?")
    if status == http.client.OK:
        return answer
    message, code = str(answer.get("error") or answer.get("message") or f"HTTP {status}"), answer.get("code")
    if not isinstance(code, int) or code in _ELSEWHERE:
        raise _NoAnswer(message)
    raise EtcdRefused(f"etcd refuses: {message}", code)


def _tls(place: EtcdPlace) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=place.ca)
        if place.cert and place.key:
            context.load_cert_chain(place.cert, place.key)
    except OSError as error:  # ssl.SSLError is one too
        named = ", ".join(file for file in (place.ca, place.cert, place.key) if file)
        raise UsageError(f"the certificates for etcd can't be used ({named}): {error}", hint="name PEM files that you may read") from error
    return context


def _hint_for(message: str) -> str:
    for part, hint in (
        ("database space exceeded", "make room in etcd: compact, defragment, then `etcdctl alarm disarm`"),
        ("request is too large", "raise etcd's --max-request-bytes"),
        ("user name is empty", "export INTERLOCK_ETCD_USER and INTERLOCK_ETCD_PASSWORD"),
        ("authentication failed", "look at INTERLOCK_ETCD_USER and INTERLOCK_ETCD_PASSWORD"),
        ("permission denied", "give this user read and write on the keys below the store's prefix"),
    ):
        if part in message:
            return hint
    return "look at etcd's log"
