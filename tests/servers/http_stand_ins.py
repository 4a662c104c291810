"""Stand-ins for what can't be had here: Consul, MaxScale, HAProxy's Data Plane API, and a team's own service. They speak HTTP, keep their
state, and answer as the documentation named beside each says. None of this was seen on the real programs.

One can be ended as a process would be: `stop` before a request, `dies_in` during one (it takes effect, and its answer never comes), and
started again with its state kept, as from a disk.
"""

from __future__ import annotations

import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from interlock.clock import SystemClock
from interlock.routes.haproxy_socket import ask, parse_address


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str


Answer = tuple[int, object]


class StandIn:
    """`handle` judges one request at a time, after `before`. `seen` has every request; `dies_in` says in which one it ends, its effect done
    and its answer not given, `dies_after` after which; while it is `deaf` it answers none.
    """

    def __init__(self, host: str, port: int, handle: Callable[[Request], Answer]) -> None:
        self.host, self.port = host, port
        self.url = f"http://{host}:{port}"
        self.handle = handle
        self.before: Callable[[Request], None] = lambda _: None
        self.seen: list[Request] = []
        self.dies_in: Callable[[Request], bool] = lambda _: False
        self.dies_after: Callable[[Request], bool] = lambda _: False
        self.deaf = threading.Event()
        self._turn = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> StandIn:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def _answer(self) -> None:
                stand_in._one(self)

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - their names there

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                """Nobody reads it."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            allow_reuse_address = True
            request_queue_size = 128

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that hung up is its own affair."""

        self._server = Server((self.host, self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.socket.close()  # nobody connects from now on, also while the loop ends
            threading.Thread(target=server.shutdown, daemon=True).start()

    def _one(self, handler: BaseHTTPRequestHandler) -> None:
        split = urlsplit(handler.path)
        request = Request(
            method=handler.command,
            path=split.path,
            query={name: values[0] for name, values in parse_qs(split.query, keep_blank_values=True).items()},
            headers={name.lower(): value for name, value in handler.headers.items()},
            body=handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode(),
        )
        if self.deaf.is_set():
            while self.deaf.is_set():
                self.deaf.wait(0.01)
            return
        self.before(request)
        with self._turn:
            if self._server is None:
                return
            self.seen.append(request)
            status, body = self.handle(request)
            if self.dies_in(request):
                self.stop()
                handler.close_connection = True
                return
            ends = self.dies_after(request)
        text = body if isinstance(body, str) else json.dumps(body)
        handler.send_response(status)
        handler.end_headers()
        handler.wfile.write(b"" if status == 204 else text.encode())
        if ends:
            self.stop()


@dataclass(slots=True, kw_only=True)
class Entry:
    value: str
    flags: int
    created: int
    modified: int


@dataclass(slots=True, kw_only=True)
class Consul:
    """Consul HTTP API, "KV Store"; agent/kvs_endpoint.go. `token` may read and write everything, nobody else anything."""

    token: str = ""
    keys: dict[str, Entry] = field(default_factory=dict)
    index: int = 10
    leader: bool = True

    def handle(self, request: Request) -> Answer:
        if self.token and request.headers.get("x-consul-token") != self.token:
            return 403, "Permission denied: anonymous token lacks permission 'key:read'"
        if not self.leader:
            return 500, "No cluster leader"
        key = request.path.removeprefix("/v1/kv/")
        entry = self.keys.get(key)
        expected = request.query.get("cas")
        if request.method == "GET":
            return (404, "") if entry is None else (200, [self._shown(key, entry)])
        if expected is not None and int(expected) != (0 if entry is None else entry.modified):
            return 200, False
        self.index += 1
        if request.method == "DELETE":
            self.keys.pop(key, None)
            return 200, True
        created = self.index if entry is None else entry.created
        flags = int(request.query.get("flags", "0"))
        self.keys[key] = Entry(value=request.body, flags=flags, created=created, modified=self.index)
        return 200, True

    @staticmethod
    def _shown(key: str, entry: Entry) -> dict[str, object]:
        value = b64encode(entry.value.encode()).decode() if entry.value else None
        return {
            "LockIndex": 0,
            "Key": key,
            "Flags": entry.flags,
            "Value": value,
            "CreateIndex": entry.created,
            "ModifyIndex": entry.modified,
        }


def _logged_in(request: Request, account: tuple[str, str]) -> bool:
    kind, _, coded = request.headers.get("authorization", "").partition(" ")
    return kind == "Basic" and tuple(b64decode(coded).decode().split(":", 1)) == account


@dataclass(slots=True, kw_only=True)
class MaxScale:
    """MaxScale REST API, "Service", "Server" and "Listener Resource"; one service, one listener. `cut` counts `force=yes`."""

    account: tuple[str, str] = ("admin", "mariadb")
    router: str = "readconnroute"
    options: str = "running"
    states: dict[str, str] = field(default_factory=lambda: {"e": "Master, Running", "w": "Slave, Running", "other": "Running"})
    listed: list[str] = field(default_factory=lambda: ["e"])
    listener: str = "Running"
    cut: int = 0

    def handle(self, request: Request) -> Answer:
        if not _logged_in(request, self.account):
            return 401, ""
        match request.method, request.path.removeprefix("/v1").strip("/").split("/"):
            case "GET", ["services", "rw"]:
                return 200, {"data": self._service()}
            case "GET", ["servers"]:
                return 200, {"data": [{"id": n, "type": "servers", "attributes": {"state": s}} for n, s in self.states.items()]}
            case "GET", ["listeners", "in"]:
                return 200, {"data": {"id": "in", "type": "listeners", "attributes": {"state": self.listener}}}
            case "PATCH", ["services", "rw", "relationships", "servers"]:
                wanted = [str(each["id"]) for each in json.loads(request.body)["data"]]
                if not set(wanted) <= set(self.states):
                    return 400, {"errors": [{"detail": "Could not find server"}]}
                self.listed = wanted
                return 204, ""
            case "PUT", ["listeners", "in", "stop" | "start" as what]:
                self.listener = "Stopped" if what == "stop" else "Running"
                self.cut += request.query.get("force") == "yes"
                return 204, ""
            case _:
                return 404, {"errors": [{"detail": f"no such resource: {request.path}"}]}

    def _service(self) -> dict[str, Any]:
        servers = {"data": [{"id": name, "type": "servers"} for name in self.listed]} if self.listed else {}
        return {
            "id": "rw",
            "type": "services",
            "attributes": {
                "router": self.router,
                "state": "Started",
                "connections": 0,
                "parameters": {"router_options": self.options},
            },
            "relationships": {"servers": servers} if servers else {},
        }


@dataclass(slots=True, kw_only=True)
class DataPlane:
    """Data Plane API, runtime servers, in front of a real HAProxy: it asks the runtime socket at `socket` (handlers/runtime_server.go)."""

    socket: str
    account: tuple[str, str] = ("dataplane", "secret")
    backend: str = "db"

    def handle(self, request: Request) -> Answer:
        if not _logged_in(request, self.account):
            return 401, {"code": 401, "message": "unauthenticated for invalid credentials"}
        rest = request.path
        if rest.startswith("/v2/services/haproxy/runtime/servers"):
            backend, name = request.query.get("backend", ""), rest.removeprefix("/v2/services/haproxy/runtime/servers").strip("/")
        else:
            backend, _, name = rest.removeprefix("/v3/services/haproxy/runtime/backends/").partition("/servers")
            name = name.strip("/")
        rows = self._rows(backend)
        if not name:
            return 200, list(rows.values())
        if name not in rows:
            return 404, {"code": 404, "message": f"Runtime server {name} not found in backend {backend}"}
        if request.method == "PUT":
            self._ask(f"set server {backend}/{name} state {json.loads(request.body)['admin_state']}")
        return 200, self._rows(backend)[name]

    def _rows(self, backend: str) -> dict[str, dict[str, object]]:
        states: dict[str, dict[str, object]] = {}
        for words in (line.split() for line in self._ask(f"show servers state {backend}").splitlines()):
            if len(words) < 7 or not words[0].isdigit():
                continue
            admin = int(words[6])
            state = "maint" if admin & 0x63 else "drain" if admin & 0x18 else "ready"
            states[words[3]] = {
                "id": words[2],
                "name": words[3],
                "address": words[4],
                "admin_state": state,
                "operational_state": "up" if words[5] == "2" else "down",
            }
        return states

    def _ask(self, command: str) -> str:
        return ask(parse_address(self.socket), [command], clock=SystemClock(), within_s=60)


@dataclass(slots=True, kw_only=True)
class Switchboard:
    """A team's own service: `POST /switch` and `/hold`, `GET /state`; whoever has the token."""

    token: str = "t0ken"
    to: str = "pool-east"
    holding: bool = False

    def handle(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return 401, "who are you?"
        match request.method, request.path:
            case "POST", "/switch":
                self.to = json.loads(request.body)["to"]
                return 202, {"ok": True}
            case "POST", "/hold":
                self.holding = json.loads(request.body)["hold"]
                return 204, ""
            case "GET", "/state":
                return 200, {"pools": [{"active": self.to, "holding": self.holding}]}
            case "GET", "/plain":
                return 200, f"{self.to}\n"
            case _:
                return 404, "no such page"
