"""Is a cluster quiet: nobody writes there, nothing sends writes there? And what is then certified, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from interlock.decisions.giving_up import broken_channel
from interlock.decisions.leases import utc
from interlock.decisions.writes import has_stayed_fenced
from interlock.model.facts import ChannelFacts, EventFacts, FenceProof, LoggedTransaction, RouteFacts, ServerFacts, SessionFacts, WriteFacts
from interlock.model.marks import Mark
from interlock.model.position import FilePosition, Position
from interlock.model.topology import ClusterName, ServerName
from interlock.model.verdict import Done, Refuse, Verdict

_HOUR_S = 3600.0


def keeps_log_for(facts: ServerFacts, for_s: float) -> Done | Refuse:
    """The survivor's binary log must outlast the hold: what the other side has not read when it is purged can't be sent any more."""
    server, keeps_s = facts.server, facts.log_keeps_s
    if keeps_s is None:
        why = f"how long {server} keeps its binary log is not known"
        return Done(why, warnings=(f"{why}: see that it is kept for {for_s / _HOUR_S:g}h",))
    if keeps_s == 0:
        return Done(f"{server} purges its binary log by itself never")
    if keeps_s >= for_s:
        return Done(f"{server} keeps its binary log for {keeps_s / _HOUR_S:g}h")
    return Refuse(
        f"{server} keeps its binary log for {keeps_s / _HOUR_S:g}h only, and the hold is to last {for_s / _HOUR_S:g}h",
        f"on {server}: {_keep_longer(facts, for_s)}; or a shorter --for",
    )


def _keep_longer(facts: ServerFacts, for_s: float) -> str:
    if facts.flavor == "mysql" and not facts.version.startswith("5."):
        return f"SET GLOBAL binlog_expire_logs_seconds={for_s:.0f}"
    return f"SET GLOBAL expire_logs_days={-(-for_s // (24 * _HOUR_S)):.0f}"


def is_quiet(
    cluster: ClusterName,
    fenced: Position,
    now: FenceProof,
    state: WriteFacts,
    routes: Sequence[RouteFacts],
    *,
    written: Sequence[LoggedTransaction] = (),
) -> Verdict:
    """`fenced` is where it was at its fence, `now` a proof of this moment; `written` what its log has of its own since, where positions are
    files: they move with what it applies, too.
    """
    since = has_stayed_fenced(replace(now, position=fenced), now)
    if isinstance(since, Refuse) and not isinstance(fenced, FilePosition):
        return since
    if written:
        return Refuse(
            f"{cluster} wrote {len(written)} transactions after its fence, the first at {written[0].file}:{written[0].offset}",
            f"find it on {cluster}: an event with a privileged definer, or a session of an account with READ ONLY ADMIN or ALL",
        )
    if state.event_scheduler == "ON":
        return Refuse(f"the event scheduler of {cluster} runs", f"SET GLOBAL event_scheduler=OFF on {cluster}")
    still = [route.route for route in routes if cluster in route.leads_to]
    if still:
        return Refuse(f"{', '.join(still)} still {'leads' if len(still) == 1 else 'lead'} to {cluster}", "`interlock status` shows where")
    unread = tuple(f"{_unread(route)}: see that it does not lead to {cluster}" for route in routes if not route.provable)
    return Done(f"{cluster} is quiet at {now.position}", warnings=unread)


def certificate(
    *,
    cluster: ClusterName,
    survivor: ServerName,
    at: datetime,
    proof: FenceProof,
    state: WriteFacts,
    flavor: str,
    channel: ChannelFacts | None,
    other: WriteFacts,
    routes: Sequence[RouteFacts],
    sessions: Sequence[SessionFacts],
    events: Sequence[EventFacts],
    mark: Mark | None,
    may_differ: str = "",
) -> str:
    """What was proved, line by line, and what may be done now. `may_differ`: tables of segments that need not have been equal when these
    moved.
    """
    lines = [
        f"{cluster} is quiet since its fence, seen at {utc(at)}",
        f"  {cluster} refuses writes: read back on a connection of its own, canary write {proof.canary}",
        f"  {cluster} at {proof.position}; {_applies(channel)}",
        f"  event scheduler of {cluster}: {state.event_scheduler}"
        + (f"; its {len(events)} enabled events don't run" if events and state.event_scheduler != "ON" else ""),
        f"  {_sessions(sessions)}",
        f"  {survivor} takes the writes, at {other.position}",
        *(f"  {_leads(route)}" for route in routes),
    ]
    if mark is not None:
        until = f" until {utc(mark.until)}" if mark.until is not None else ""
        lines.append(f"  held by {mark.by}{until}: {mark.reason}")
    beware = [f"segments were moved though these tables may differ from {survivor}'s: {may_differ}"] if may_differ else []
    lines += [f"  beware: {one}" for one in (*beware, *_restarts(cluster, state, flavor, channel))]
    if channel is not None and broken_channel([channel]) is not None:
        lines.append(f"what may let its applier go on: `interlock repair --channel {cluster}` shows the row that stopped it")
    lines += [
        f"what may be done now: read {cluster}; `interlock diff`, `interlock repair`; change {cluster} itself with sql_log_bin=0",
        f"what ends it: `interlock rejoin {cluster}`; the hold's end reminds, and opens nothing",
    ]
    return "\n".join(lines)


def _leads(route: RouteFacts) -> str:
    if not route.provable:
        return f"not proved: {_unread(route)}"
    return f"route {route.route} leads to {' and '.join(route.leads_to) or 'nowhere'}"


def _unread(route: RouteFacts) -> str:
    return f"where route {route.route} leads can't be read back"


def _applies(channel: ChannelFacts | None) -> str:
    if channel is None:
        return "it replicates from nobody"
    at = f" at {channel.applied} of {channel.source}" if channel.applied else ""
    if channel.error:
        return f"its applier stopped{at} with an error: {channel.error}"
    if channel.applier:
        return f"it goes on applying what {channel.source} writes"
    receives = "its receiver goes on" if channel.receiver in {"Yes", "Connecting"} else "its receiver is stopped too"
    return f"its applier is stopped{at}, and {receives}"


def _sessions(sessions: Sequence[SessionFacts]) -> str:
    passing = [session for session in sessions if session.passes_read_only]
    if passing:
        return f"{len(passing)} of its client sessions could write through read_only, and have not: {'; '.join(map(str, passing[:3]))}"
    return f"{len(sessions)} client sessions, none of which can write" if sessions else "no client session"


def _restarts(cluster: ClusterName, state: WriteFacts, flavor: str, channel: ChannelFacts | None) -> list[str]:
    """What a restart of the server would undo. MariaDB has no SET PERSIST (KB, "SET")."""
    found = []
    if flavor == "mariadb" or state.fleeting:
        found.append(f"a restart opens {cluster}, unless its option file says read_only=1")
    if channel is not None and not channel.applier and not channel.error:
        found.append(f"a restart starts its applier, unless its option file says {_SKIP.get(flavor, 'skip-slave-start')}")
    return found


_SKIP = {"mysql": "skip-replica-start", "mariadb": "skip-slave-start"}
