"""One HTTP request, bounded as a whole, that goes nowhere but to the host it names."""

from __future__ import annotations

import http.client
import ssl
import threading
import urllib.error
import urllib.request
from typing import IO
from urllib.parse import urlsplit

from interlock.errors import DriverError, OutcomeUnknown, StatementFailed, Unreachable
from interlock.model.effects import CallHttp
from interlock.model.facts import HttpResult

BODY_LIMIT = 64 << 10
_SCHEMES = {"http": 80, "https": 443}


class _SameHostOnly(urllib.request.HTTPRedirectHandler):
    """Follows a redirect of GET or HEAD within one scheme, host and port; any other is the answer itself. Headers may hold a secret."""

    def redirect_request(  # noqa: PLR0917 - urllib calls it so
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if req.get_method() not in {"GET", "HEAD"} or _origin(req.full_url) != _origin(newurl):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def call_http(effect: CallHttp, *, use_env_proxies: bool = False) -> HttpResult:
    """The answer, whatever its status. Unreachable if no connection was made; OutcomeUnknown if no whole answer came within the bound."""
    if urlsplit(effect.url).scheme not in _SCHEMES or not urlsplit(effect.url).hostname:
        raise StatementFailed(f"{effect.url!r} is no http or https address")
    answers: list[HttpResult | DriverError] = []

    def call() -> None:
        try:
            answers.append(_call(effect, use_env_proxies=use_env_proxies))
        except DriverError as error:
            answers.append(error)

    # A thread, because urllib bounds each read and not the whole; the one that is given up ends at its next read.
    worker = threading.Thread(target=call, name="http", daemon=True)
    worker.start()
    worker.join(effect.within_s)
    if not answers:
        raise OutcomeUnknown(
            f"{effect.method} {effect.url} gave no whole answer within {effect.within_s:g}s", hint="it may still take effect there"
        )
    if isinstance(answers[0], DriverError):
        raise answers[0]
    return answers[0]


def _call(effect: CallHttp, *, use_env_proxies: bool) -> HttpResult:
    proxies = urllib.request.ProxyHandler(None if use_env_proxies else {})
    opener = urllib.request.build_opener(proxies, _SameHostOnly(), *_own_authorities(effect))
    subject = f"{effect.method} {effect.url}"
    try:
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            effect.url, data=effect.body.encode() or None, headers=dict(effect.headers), method=effect.method
        )
        try:
            with opener.open(request, timeout=effect.within_s) as answer:
                return _result(effect, answer.status, answer)
        except urllib.error.HTTPError as answer:
            with answer:
                return _result(effect, answer.code, answer)
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise OutcomeUnknown(f"{subject}: no answer within {effect.within_s:g}s") from error
        reason = error.reason.verify_message if isinstance(error.reason, ssl.SSLCertVerificationError) else error.reason
        raise Unreachable(f"{subject}: {reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise OutcomeUnknown(f"{subject}: the answer broke off: {error!r}") from error
    except ValueError as error:
        raise StatementFailed(f"{subject}: {error}", hint="headers and method hold no line breaks") from error


def _own_authorities(effect: CallHttp) -> tuple[urllib.request.HTTPSHandler, ...]:
    if effect.ca is None:
        return ()
    try:
        return (urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=effect.ca)),)
    except OSError as error:  # ssl.SSLError is one too
        raise StatementFailed(f"{effect.ca} can't be used as authorities: {error}", hint="name a PEM file that you may read") from error


def _result(effect: CallHttp, status: int, answer: IO[bytes] | urllib.error.HTTPError) -> HttpResult:
    body = answer.read(BODY_LIMIT).decode(errors="replace")
    return HttpResult(method=effect.method, url=effect.url, status=status, body=body)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _SCHEMES.get(parts.scheme)
