"""`interlock watch --metrics ADDRESS:PORT`: the end that Prometheus asks. It knows no login; the address says who can reach it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from prometheus_client import start_http_server
from prometheus_client.registry import Collector, CollectorRegistry

from interlock.documents.problems import shown
from interlock.errors import UsageError


@contextlib.contextmanager
def served(metrics: Collector, where: str) -> Iterator[None]:
    """While it lasts. UsageError if `where` is no address and port, or can't be listened at."""
    host, port = _place_of(where)
    registry = CollectorRegistry()
    registry.register(metrics)
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise UsageError(f"--metrics {shown(where)} can't be listened at: {error.strerror or error}", hint="choose another port") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _place_of(where: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{where}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port or parts.path:
        raise UsageError(f"--metrics {shown(where)} is not ADDRESS:PORT", hint="such as --metrics 127.0.0.1:9478")
    return host, port
