"""A marked write through a route, as a client would make it, and which server took it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from interlock.errors import DriverError, StatementFailed, WriteRefused
from interlock.model.facts import CanaryFacts
from interlock.model.topology import RouteSpec, ServerName
from interlock.routes.client import ClientSession, Connect

WITHIN_S = 3.0

_WHERE = "SELECT @@global.server_id, @@global.read_only, @@hostname, @@port"
WRITE = "INSERT INTO interlock.canary (token, server) VALUES (%s, %s) ON DUPLICATE KEY UPDATE server = VALUES(server), at = NOW(6)"


def send_canary(spec: RouteSpec, connect: Connect | None, server_ids: Callable[[], Mapping[int, ServerName]], token: str) -> CanaryFacts:
    """On a new connection. `server` is None, with the peer's words, when nobody took the write: refused, no connection, no answer.

    An account that may pass `read_only` writes only where `read_only` is off on the same session: its write proves no fence, and must not
    break one. StatementFailed when there is nothing to write through, or a server took it that is not of this pair.
    """
    if spec.clients is None or connect is None:
        missing = "`clients` address" if spec.clients is None else "account that clients could use"
        raise StatementFailed(f"route {spec.name} has no {missing}: no canary can be sent", hint="add it to the topology file")
    try:
        session = connect(*spec.clients, WITHIN_S)
    except DriverError as error:
        return CanaryFacts(route=spec.name, server=None, detail=error.message)
    try:
        server_id, where = _write(session, token, only_canary=connect.only_canary)
    except DriverError as error:
        return CanaryFacts(route=spec.name, server=None, detail=error.message)
    finally:
        session.close()
    known = server_ids()
    if server_id not in known:
        raise StatementFailed(
            f"route {spec.name} led to {where} with server_id {server_id}, which is none of this pair",
            hint="the write was taken there: see where the route leads",
        )
    return CanaryFacts(route=spec.name, server=known[server_id], detail=f"written on {where}")


def _write(session: ClientSession, token: str, *, only_canary: bool) -> tuple[int, str]:
    ((server_id, read_only, hostname, port),) = session.query(_WHERE)
    where = f"{hostname}:{port}"
    if str(read_only).upper() not in {"0", "OFF", "FALSE"} and not only_canary:
        raise WriteRefused(f"{where} is read-only (read_only={read_only}); not tried: the account could pass it")
    session.query(WRITE, (token, str(hostname)))
    return int(str(server_id)), where
