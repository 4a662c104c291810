"""How a call goes from member to member. What is said is etcd's own in `tests/servers/test_etcd_store.py`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from interlock.errors import StoreFailed
from interlock.stores.etcd_client import EtcdClient
from interlock.stores.etcd_url import etcd_place
from waiting import eventually


@dataclass(slots=True, kw_only=True)
class Silence:
    """How many requests a member still takes without a word, as a follower does that passes them on to a leader that is gone."""

    requests: int
    is_over: Event


class Member(BaseHTTPRequestHandler):
    silence: Silence

    def do_POST(self) -> None:
        if self.silence.requests:
            self.silence.requests -= 1
            self.silence.is_over.wait()
        text = json.dumps({"answered": True}).encode()
        with contextlib.suppress(OSError):  # nobody waits for it any more
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's word
        pass


@contextlib.contextmanager
def members(silent_for: Sequence[int]) -> Iterator[EtcdClient]:
    """One for each: it says nothing to so many requests."""
    over = Event()
    servers = []
    for requests in silent_for:
        handler = type("Member", (Member,), {"silence": Silence(requests=requests, is_over=over)})
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
    for server in servers:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    hosts = ",".join(f"127.0.0.1:{server.server_port}" for server in servers)
    client = EtcdClient(etcd_place(f"etcd://{hosts}/test", {}))
    try:
        yield client
    finally:
        client.close()
        over.set()
        for server in servers:
            server.shutdown()
            server.server_close()


def test_members_that_waited_for_a_leader_that_is_gone_are_asked_again() -> None:
    with members([1, 1, 1 << 30]) as client:
        assert client.call("kv/range", {}, within_s=4)


def test_a_call_ends_in_its_time_with_each_ones_reason() -> None:
    with members([1 << 30, 1 << 30]) as client, pytest.raises(StoreFailed, match=r"no answer within 0\.3s \(.*timed out; .*timed out\)"):
        client.call("kv/range", {}, within_s=0.3)


def test_after_silence_the_next_call_fails_at_once_and_a_later_one_is_answered() -> None:
    with members([2]) as client:
        with pytest.raises(StoreFailed, match="no answer within"):
            client.call("kv/range", {}, within_s=0.3)
        with pytest.raises(StoreFailed, match=r"gave no answer .* ago"):  # the way back does not wait for each record
            client.call("kv/range", {}, within_s=0.3)
        assert eventually(lambda: _is_answered(client))


def _is_answered(client: EtcdClient) -> bool:
    with contextlib.suppress(StoreFailed):
        return bool(client.call("kv/range", {}, within_s=0.3))
    return False
