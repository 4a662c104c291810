"""What HAProxy's answers say: `show servers state` has the administrative state, `show stat` the sessions, the queue and the health.

Sources: HAProxy management guide 9.1 (columns of `show stat`) and 9.3 (`show servers state`: srv_admin_state is a bit mask, 0x01 forced
maintenance, 0x02 inherited, 0x04 in the file, 0x08 forced drain, 0x10 inherited, 0x20 by name resolution, 0x40 by host name).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping

from interlock.errors import StatementFailed
from interlock.model.facts import EndpointFacts, EndpointState
from interlock.model.topology import ClusterName
from interlock.routes.haproxy_settings import HAProxySettings, HoldBy

# 0x04 only remembers that the file says `disabled`; it stays set after `state ready` (seen on 2.6.12).
_MAINTENANCE = 0x01 | 0x02 | 0x20 | 0x40
_DRAIN = 0x08 | 0x10

_FAILED = "2"
"""Of srv_check_result: 0 unknown, 1 neutral, 2 failed, 3 passed (management guide 9.3, `show servers state`)."""

_HOLD = re.compile(r"proc\.hold: type=\w+ value=<(\d+)>")


def read_endpoints(settings: HAProxySettings, proxy: str, answer: str) -> tuple[EndpointFacts, ...]:
    """Every server of the backend as `proxy` has it. StatementFailed, in the proxy's words, if a server of ours is not among them."""
    states, stats = _states(answer), _stats(answer, settings.backend)
    missing = [name for name in settings.servers.values() if name not in states or name not in stats]
    if missing:
        words = next((line for line in answer.splitlines() if line.strip() and not line.startswith(("#", "1"))), "it lists others")
        wanted = ", ".join(f"{settings.backend}/{name}" for name in missing)
        seen = ", ".join(states) or "none"
        raise StatementFailed(
            f"HAProxy at {proxy} has no server {wanted}: {words if not states else 'it lists others'}",
            hint=f"compare `backend` and `servers` of the route with haproxy.cfg; servers seen: {seen}",
        )
    matched = _HOLD.search(answer)
    held = settings.hold is HoldBy.LUA and matched is not None and matched[1] != "0"
    return tuple(_endpoint(settings, proxy, states[name], stats[name], held=held) for name in states if name in stats)


def leads_to(endpoints: Iterable[EndpointFacts], order: Iterable[ClusterName]) -> tuple[ClusterName, ...]:
    """The clusters that some proxy sends new clients to. Only the first `backup` server gets them, and only when no other is usable."""
    found: set[ClusterName] = set()
    seen = tuple(endpoints)
    for proxy in dict.fromkeys(endpoint.proxy for endpoint in seen):
        usable = [e for e in seen if e.proxy == proxy and e.state is EndpointState.READY and e.healthy is not False]
        active = [e for e in usable if e.raw["backup"] == "0"]
        found |= {e.cluster for e in (active or usable[:1]) if e.cluster is not None}
    return tuple(cluster for cluster in order if cluster in found)


def is_holding(settings: HAProxySettings, endpoints: Iterable[EndpointFacts]) -> bool:
    """Whether every proxy holds: one that does not lets its clients through to a fenced server."""
    held = _held(settings, endpoints)
    return bool(held) and all(held)


def is_held_in_part(settings: HAProxySettings, endpoints: Iterable[EndpointFacts]) -> bool:
    """Whether some proxy keeps clients waiting, but not all do: one was reloaded, which ends its hold."""
    held = _held(settings, endpoints)
    return any(held) and not all(held)


def _held(settings: HAProxySettings, endpoints: Iterable[EndpointFacts]) -> tuple[bool, ...]:
    """For each endpoint of the pair's."""
    ours = tuple(endpoint for endpoint in endpoints if endpoint.cluster is not None)
    match settings.hold:
        case HoldBy.LUA:
            return tuple(endpoint.raw["hold"] == "1" for endpoint in ours)
        case HoldBy.QUEUE:
            return tuple(endpoint.raw["maxconn"] == "1" for endpoint in ours)
        case HoldBy.NONE:
            return ()


def _endpoint(settings: HAProxySettings, proxy: str, state: Mapping[str, str], stat: Mapping[str, str], *, held: bool) -> EndpointFacts:
    admin = int(state["srv_admin_state"])
    word = "maint" if admin & _MAINTENANCE else "drain" if admin & _DRAIN else "ready"
    return EndpointFacts(
        proxy=proxy,
        endpoint=state["srv_name"],
        cluster=settings.cluster_of(state["srv_name"]),
        state=_state(word, state["srv_uweight"]),
        healthy=_healthy(word, state, stat),
        sessions=int(stat["scur"] or 0),
        queued=int(stat["qcur"] or 0),
        raw={
            "state": word,
            "weight": state["srv_uweight"],
            "configured_weight": state["srv_iweight"],
            "maxconn": stat["slim"] or "0",
            "backup": stat["bck"] or "0",
            "hold": str(int(held)),
        },
        failing=word != "maint" and state.get("srv_check_result") == _FAILED,
    )


def _state(word: str, weight: str) -> EndpointState:
    """A server of weight 0 takes no new clients, whatever its state says."""
    if word == "maint":
        return EndpointState.MAINTENANCE
    return EndpointState.DRAIN if word == "drain" or weight == "0" else EndpointState.READY


def _healthy(word: str, state: Mapping[str, str], stat: Mapping[str, str]) -> bool | None:
    """None in maintenance, where HAProxy does not check, and where no check is configured."""
    if word == "maint" or not stat["check_status"]:
        return None
    return state["srv_op_state"] != "0"


def _states(answer: str) -> dict[str, dict[str, str]]:
    """Rows of `show servers state`, by the server's name; its header begins `# be_id`, and a blank line ends it."""
    rows = _table(answer, "# be_id")
    names = rows[0].removeprefix("# ").split() if rows else []
    parsed = (dict(zip(names, row.split(), strict=False)) for row in rows[1:])
    return {row["srv_name"]: row for row in parsed if "srv_name" in row and "srv_iweight" in row}


def _stats(answer: str, backend: str) -> dict[str, dict[str, str]]:
    """Rows of `show stat` of one backend, by the server's name; its header begins `# pxname`."""
    rows = _table(answer, "# pxname")
    if not rows:
        return {}
    parsed = csv.DictReader([rows[0].removeprefix("# "), *rows[1:]])
    return {row["svname"]: row for row in parsed if row.get("pxname") == backend and row.get("check_status") is not None}


def _table(answer: str, header: str) -> list[str]:
    lines = answer.splitlines()
    begin = next((number for number, line in enumerate(lines) if line.startswith(header)), None)
    if begin is None:
        return []
    end = next((number for number in range(begin, len(lines)) if not lines[number].strip()), len(lines))
    return lines[begin:end]
