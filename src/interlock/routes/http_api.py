"""What the routes behind an HTTP API share: their keys in the topology file, the headers that log in, asking one member after another."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any, cast

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.documents.fields import Field, Kind
from interlock.errors import DriverError, OutcomeUnknown, StatementFailed, Unreachable, UsageError
from interlock.model.effects import CallHttp
from interlock.model.facts import HttpResult
from interlock.model.topology import RouteSpec, SecretRef
from interlock.ports import Outside
from interlock.routes.parts import RouteParts


def no_address(urls: tuple[str, ...]) -> str:
    """What is wrong with the addresses of an API; empty if nothing is. An account in one would be shown by every plan."""
    for url in urls:
        if not url.startswith(("http://", "https://")) or "@" in url or "?" in url or any(char.isspace() for char in url):
            return f"{url!r} is no address of an API: http://host:port, or https, without an account"
    return ""


def no_name(pattern: re.Pattern[str], whose: str) -> Callable[[Any], str]:
    """A field's rule: what is wrong with a name, or with one for each cluster. A name stands in an address, and must not end it."""

    def wrong(value: Any) -> str:
        names = value.values() if isinstance(value, Mapping) else (value,)
        return next((f"{name!r} is no name of {whose}" for name in names if not pattern.fullmatch(str(name))), "")

    return wrong


URL = Field(name="url", kind=Kind.TEXTS, required=True, doc="http(s)://host:port, or a list.", rule=no_address)
TIMEOUT = Field(name="timeout", kind=Kind.DURATION, default=2.0, doc="How long an answer may take.")
CA = Field(name="ca", kind=Kind.TEXT, doc="For https: file with the authorities to trust; the system's own if it is left out.")
USER = Field(name="user", kind=Kind.TEXT, doc="Who logs in.")
PASSWORD = Field(name="password", kind=Kind.SECRET, doc="Where the password is to be had.")

_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One HTTP API of one or several members, any of which may be asked."""

    outside: Outside
    clock: Clock
    urls: tuple[str, ...]
    timeout_s: float
    ca: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    redact: Callable[[str], str] = str

    def call(self, method: str, path: str, body: object = None, *, url: str = "", statuses: tuple[int, ...] = (200,)) -> CallHttp:
        """A request to `url`, or to the first member. A body that is no text is sent as JSON."""
        text = "" if body is None else body if isinstance(body, str) else json.dumps(body)
        kind = {"Content-Type": "application/json"} if text and not isinstance(body, str) else {}
        return CallHttp(
            method=method,
            url=f"{url or self.urls[0]}{path}",
            within_s=self.timeout_s,
            headers={**kind, **self.headers},
            body=text,
            statuses=statuses,
            ca=self.ca,
        )

    def order(self, call: CallHttp) -> HttpResult:
        """Carry it out, at the member that the call names."""
        answer = self.outside.run(call)
        if not isinstance(answer, HttpResult):
            raise StatementFailed(f"{call.method} {call.url} gave no HTTP answer")
        return answer

    def read(self, call: CallHttp) -> HttpResult:
        """Like `order`, for what changes nothing: an answer that did not come is Unreachable."""
        return _question(lambda: self.order(call))

    def read_members(self, call: CallHttp) -> HttpResult:
        """Like `ask_members`, for what changes nothing: no good answer is Unreachable."""
        return _question(lambda: self.ask_members(call))

    def ask_members(self, call: CallHttp) -> HttpResult:
        """One member after the other until one answers otherwise than by 5xx, which says *not by me, not now*; all within the time-out.

        Only for what can be sent twice. OutcomeUnknown if a try may have had its effect; Unreachable if nobody was reached.
        """
        path = call.url.removeprefix(self.urls[0])
        deadline = Deadline.after(self.clock, self.timeout_s)
        errors: list[DriverError] = []
        while True:
            for number, url in enumerate(self.urls):
                bound_s = max(0.05, deadline.left_s() / (len(self.urls) - number))
                each = replace(call, url=f"{url}{path}", within_s=bound_s, statuses=(*call.statuses, *range(500, 600)))
                try:
                    answer = self.order(each)
                except (Unreachable, OutcomeUnknown) as error:
                    errors.append(error)
                    continue
                if answer.status in call.statuses:
                    return answer
                errors.append(
                    OutcomeUnknown(f"{call.method} {url}{path} answered {answer.status}: {self.redact(answer.body.strip())[:200]}")
                )
            if deadline.left_s() <= _PAUSE_S:
                break
            self.clock.sleep(_PAUSE_S)
        unknown = [error for error in errors if isinstance(error, OutcomeUnknown)]
        raise (unknown or errors)[-1]


def _question(ask: Callable[[], HttpResult]) -> HttpResult:
    try:
        return ask()
    except OutcomeUnknown as unknown:
        raise Unreachable(unknown.message, hint=unknown.hint) from unknown  # a question leaves nothing behind


def api_of(spec: RouteSpec, parts: RouteParts, headers: Mapping[str, str] | None = None) -> Api:
    """From the settings `url`, `timeout`, `ca`."""
    said = spec.settings
    urls = tuple(url.rstrip("/") for url in cast("tuple[str, ...]", said["url"]))
    return Api(
        outside=parts.outside,
        clock=parts.clock,
        urls=urls,
        timeout_s=float(str(said.get("timeout") or TIMEOUT.default)),
        ca=None if said.get("ca") is None else str(said["ca"]),
        headers=headers or {},
        redact=parts.redact,
    )


def account_of(spec: RouteSpec, parts: RouteParts) -> tuple[str, str] | None:
    """From the settings `user` and `password`; UsageError if there is one without the other."""
    user, password = spec.settings.get("user"), spec.settings.get("password")
    if user is None and password is None:
        return None
    if user is None or password is None:
        raise UsageError(f"route {spec.name}: `user` and `password` come together")
    account = str(user), parts.secrets(cast("SecretRef", password))
    parts.hide(_coded(account))  # a service may repeat the headers of a request in its error
    return account


def basic(account: tuple[str, str] | None) -> dict[str, str]:
    """The header of HTTP's basic authentication (RFC 7617)."""
    return {} if account is None else {"Authorization": f"Basic {_coded(account)}"}


def _coded(account: tuple[str, str]) -> str:
    return b64encode(":".join(account).encode()).decode()


def json_of(answer: HttpResult) -> Any:
    """StatementFailed if the answer is no JSON."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise StatementFailed(f"{answer.method} {answer.url} answered no JSON: {answer.body.strip()[:100]!r}") from error
