"""The pair as it is now, for people."""

from __future__ import annotations

from interlock.engine.status import ChannelStatus, ClusterStatus, RouteStatus, StatusReport
from interlock.report.durations import span
from interlock.report.problems_text import problem_lines
from interlock.report.segments_text import segments_table
from interlock.report.tables import Column, printable, table

_UNKNOWN = "unknown"


def status_text(report: StatusReport, width: int) -> str:
    """A table each of the clusters, the channels and the routes; then what is wrong."""
    writer = "each side takes the writes of its own segments" if report.segments else report.who_writes
    parts = [
        f"{printable(report.topology)}: {printable(writer)}",
        _clusters(report, width),
        _channels(report, width),
        _replicas(report, width),
        _routes(report, width),
        segments_table(report.segments, width),
    ]
    if report.problems:
        problems = [(each["what"], each.get("hint", "")) for each in report.problems]
        parts.append("\n".join(["problems", *problem_lines(problems, width)]))
    else:
        parts.append("no problems seen")
    return "\n\n".join(part for part in parts if part)


def _clusters(report: StatusReport, width: int) -> str:
    columns = [
        Column(title="cluster"),
        Column(title="role"),
        Column(title="server", wraps=True),
        Column(title="writes"),
        Column(title="position", wraps=True),
    ]
    columns += [Column(title="sessions", right=True), Column(title="in transactions", right=True)]
    rows = [
        [
            name,
            _owned(name, report) if report.segments else _role(name, cluster, report.writer),
            f"{cluster.flavor or _UNKNOWN} {cluster.version or ''}".strip() if cluster.reachable else _silent(cluster),
            _writes(cluster),
            cluster.position or _UNKNOWN,
            _count(cluster.sessions),
            _count(cluster.open_transactions),
        ]
        for name, cluster in report.clusters.items()
    ]
    return table(columns, rows, width)


def _silent(cluster: ClusterStatus) -> str:
    return "does not answer" if cluster.liveness is None else f"does not answer: {cluster.liveness.state.value}"


def _role(name: str, cluster: ClusterStatus, writer: str | None) -> str:
    if not cluster.reachable or writer is None:
        return _UNKNOWN
    return "writer" if name == writer else "standby"


def _owned(name: str, report: StatusReport) -> str:
    return ", ".join(f"owns {each.segment}" for each in report.segments if each.owner == name) or "owns no segment"


def _writes(cluster: ClusterStatus) -> str:
    if cluster.read_only is None:
        return _UNKNOWN
    if not cluster.read_only:
        return "open"
    said = cluster.fence
    if said is None or not (said.loose or said.fleeting or said.lacks):
        return "fenced"
    return f"fenced: {'administrators write' if said.loose else 'until a restart' if said.fleeting else said.lacks}"


def _channels(report: StatusReport, width: int) -> str:
    if not report.channels:
        return ""
    columns = [Column(title="channel"), Column(title="state"), Column(title="behind", right=True), Column(title="error", wraps=True)]
    return table(columns, [_channel(channel) for channel in report.channels], width)


def _channel(channel: ChannelStatus) -> list[str]:
    source = channel.from_ or f"{channel.source_address} (not of this pair)"
    return [f"{source} → {channel.to}", "runs" if channel.running else "does not run", span(channel.lag_s), channel.error]


def _replicas(report: StatusReport, width: int) -> str:
    if not report.replicas:
        return ""
    columns = [Column(title="replica"), Column(title="follows"), Column(title="state"), Column(title="behind", right=True)]
    rows = [
        [each.replica, each.from_ or _UNKNOWN, "runs" if each.running else "does not run", span(each.lag_s)] for each in report.replicas
    ]
    return table(columns, rows, width)


def _routes(report: StatusReport, width: int) -> str:
    if not report.routes:
        return ""
    columns = [Column(title="route"), Column(title="leads to"), Column(title="clients"), Column(title="endpoints", wraps=True)]
    return table(columns, [_route(route) for route in report.routes], width)


def _route(route: RouteStatus) -> list[str]:
    if route.error:
        return [route.route, _UNKNOWN, _UNKNOWN, route.error]
    leads_to = " and ".join(route.leads_to) or ("nowhere" if route.provable else "can't be read back")
    held = {None: _UNKNOWN, True: "held", False: "let through"}[route.holding]
    endpoints = [f"{each.get('endpoint')}: {each.get('state')}, {each.get('sessions')} sessions" for each in route.endpoints]
    return [route.route, leads_to, held, "; ".join(endpoints)]


def _count(number: int | None) -> str:
    return _UNKNOWN if number is None else str(number)
