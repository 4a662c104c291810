"""HTTP calls against a server of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from interlock.clock import SystemClock
from interlock.errors import OutcomeUnknown, StatementFailed, Unreachable
from interlock.hosts.http import BODY_LIMIT
from interlock.hosts.local import Here
from interlock.model.effects import CallHttp
from interlock.model.facts import HttpResult

CLOCK = SystemClock()


class Hook(BaseHTTPRequestHandler):
    """Answers by path, and keeps what it was asked."""

    asked: list[tuple[str, str, str | None]]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        self.asked.append((self.command, self.path, self.headers.get("X-Token")))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        self.send_response(int(self.path.strip("/") or 200) if self.path.strip("/").isdigit() else 200)
        self.end_headers()
        if self.path == "/drip":
            try:
                for _ in range(2000):
                    self.wfile.write(b".")
                    CLOCK.sleep(0.05)
            except OSError:
                return
        self.wfile.write(b"x" * (BODY_LIMIT * 3) if self.path == "/big" else b"said: " + body)

    do_POST = do_GET  # noqa: N815


@pytest.fixture
def hook() -> Iterator[tuple[str, list[tuple[str, str, str | None]]]]:
    asked: list[tuple[str, str, str | None]] = []
    kind = type("Kept", (Hook,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def call(url: str, method: str = "GET", within_s: float = 60, **more: object) -> HttpResult:
    result = Here(CLOCK).run(CallHttp(method=method, url=url, within_s=within_s, **more))  # type: ignore[arg-type]
    assert isinstance(result, HttpResult)
    return result


def test_body_and_headers_arrive_and_the_answer_is_told(hook: tuple[str, list[tuple[str, str, str | None]]]) -> None:
    url, asked = hook
    assert call(f"{url}/x", "POST", body="flip", headers={"X-Token": "t"}) == HttpResult(
        method="POST", url=f"{url}/x", status=200, body="said: flip"
    )
    assert asked == [("POST", "/x", "t")]


def test_a_status_that_is_not_allowed_is_a_failure_and_one_that_is_passes(hook: tuple[str, list[tuple[str, str, str | None]]]) -> None:
    url, _ = hook
    with pytest.raises(StatementFailed, match="answered 503, allowed: 200, 201, 202, 204"):
        call(f"{url}/503")
    assert call(f"{url}/503", statuses=(503,)).status == 503


def test_a_redirect_within_the_host_is_followed_and_one_away_is_not(hook: tuple[str, list[tuple[str, str, str | None]]]) -> None:
    url, asked = hook
    assert call(f"{url}/to//here", headers={"X-Token": "t"}).status == 200
    assert asked[-1] == ("GET", "/here", "t")
    with pytest.raises(StatementFailed, match="answered 302") as failed:
        call(f"{url}/to/http://127.0.0.2:1/steal", headers={"X-Token": "t"})
    assert failed.value.hint == "a redirect to another host is not followed"
    with pytest.raises(StatementFailed, match="answered 302"):  # a POST is not turned into a GET
        call(f"{url}/to//here", "POST")


def test_an_answer_that_drips_is_bounded_as_a_whole(hook: tuple[str, list[tuple[str, str, str | None]]]) -> None:
    url, _ = hook
    began = CLOCK.monotonic_s()
    with pytest.raises(OutcomeUnknown, match=r"gave no whole answer within 0.3s"):
        call(f"{url}/drip", within_s=0.3)
    assert CLOCK.monotonic_s() - began < 50


def test_a_body_is_cut(hook: tuple[str, list[tuple[str, str, str | None]]]) -> None:
    assert len(call(f"{hook[0]}/big").body) == BODY_LIMIT


def test_a_proxy_of_the_environment_is_not_used(
    hook: tuple[str, list[tuple[str, str, str | None]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert call(f"{hook[0]}/x").status == 200


def test_nobody_listening_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="Connection refused"):
        call("http://127.0.0.1:1/")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://h/x", "/x", "http:///x"])
def test_only_http_and_https_are_called(url: str) -> None:
    with pytest.raises(StatementFailed, match="is no http or https address"):
        call(url)


def test_a_header_with_a_line_break_is_refused(hook: tuple[str, list[tuple[str, str, str | None]]]) -> None:
    with pytest.raises(StatementFailed, match="Invalid header value"):
        call(hook[0], headers={"X-A": "a\r\nX-Token: stolen"})
