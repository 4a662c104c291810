"""A service that repeats a request in its error tells nobody how the request logged in."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import pytest

from interlock.clock import SystemClock
from interlock.errors import DriverError
from interlock.hosts.local import Here
from interlock.hosts.secrets import Secrets
from interlock.model.effects import PointTo
from interlock.model.topology import RouteSpec, SecretRef, SecretSource
from interlock.routes.parts import RouteParts
from interlock.routes.registry import make_route
from servers.http_stand_ins import Request, StandIn
from servers.route_benches import EAST, ROUTE, WEST, address, topology

CLOCK = SystemClock()
USER, PASSWORD = "switcher", 'p"ss w/rd+ten'
CODED = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
SETTINGS: dict[str, dict[str, object]] = {
    "webhook": {"flip": {"url": "URL/{to}"}},
    "haproxy_api": {"url": ("URL",), "backend": "b", "servers": {EAST: "a", WEST: "b"}},
    "maxscale": {"url": ("URL",), "service": "s", "servers": {EAST: "a", WEST: "b"}},
}


def echo(request: Request, padding: int) -> tuple[int, object]:
    """The longer the padding, the later in a secret a message is cut short."""
    forms = [PASSWORD, quote(PASSWORD), quote(PASSWORD, safe=""), json.dumps(PASSWORD)]
    return 500, "." * padding + request.headers.get("authorization", "") + " ".join(forms) + request.body


@pytest.mark.parametrize("padding", [0, 170, 270])
@pytest.mark.parametrize("kind", SETTINGS)
def test_what_a_service_echoes_of_a_login_is_struck_out(tmp_path: Path, kind: str, padding: int) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    file.chmod(0o600)
    secrets = Secrets(CLOCK)
    stand_in = StandIn(address(), 8087, lambda request: echo(request, padding)).start()
    try:
        said = json.loads(json.dumps(SETTINGS[kind]).replace("URL", stand_in.url))
        account = {"user": USER, "password": SecretRef(source=SecretSource.FILE, place=(str(file),)), "timeout": 10.0}
        here = Here(CLOCK, redact=secrets.redact)
        parts = RouteParts(
            topology=topology(None), outside=here, clock=CLOCK, secrets=secrets.read, hide=secrets.hide, redact=secrets.redact
        )
        route = make_route(RouteSpec(name=ROUTE, kind=kind, settings={**said, **account}), parts)
        with pytest.raises(DriverError) as error:
            route.apply(PointTo(route=ROUTE, cluster=WEST))
    finally:
        stand_in.stop()
    assert "***" in error.value.message
    told = secrets.redact(error.value.message)
    for secret in (CODED, PASSWORD, quote(PASSWORD), quote(PASSWORD, safe=""), json.dumps(PASSWORD)[1:-1]):
        assert secret[:6] not in told, told
