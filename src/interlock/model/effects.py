"""Everything that Interlock can do to the world, as data.

An action *says* which effects it wants; the engine records them, checks the lease and the interlock, and has a driver carry them out. A
driver turns an effect into its script (the statements or commands, word for word), and `plan` prints the same script that `run` executes.
`Open` is the one effect that lets a server take client writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from interlock.dataclass import dataclass
from interlock.model.comparing import BeginComparison, CompareEffect, StopComparison
from interlock.model.facts import RouteFacts
from interlock.model.fencing import AgentFacts
from interlock.model.marks import Mark
from interlock.model.mending import MendEffect, MendRows, TakeRowsBack
from interlock.model.position import LogPoint
from interlock.model.returning import BeginCopy, EndReturn, KeepLosses, ReturnEffect, SetHeld, StopCopy, TakeBack
from interlock.model.segments import AccountState, SegmentNote
from interlock.model.tables import AlterTable
from interlock.model.topology import ClusterName, RouteName, ServerName, Tenants


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """Make a server refuse client writes. The server itself gives up after `within_s` seconds.

    `as_was` is a `WriteFacts.fence` that was seen, to be put back exactly; empty for the closest fence that the server has.
    """

    server: ServerName
    within_s: float
    as_was: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Let a server take client writes. Only the interlock lets this through. `as_was`: see Fence."""

    server: ServerName
    within_s: float = 2.0
    as_was: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEventScheduler:
    """Start or stop a server's event scheduler: `on` True or False."""

    server: ServerName
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSessions:
    """End these client sessions. A session that is gone already is no error."""

    server: ServerName
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSql:
    """A team's own statements, one after the other on one connection, each bounded by `within_s`."""

    server: ServerName
    statements: tuple[str, ...]
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteNote:
    """Keep a note of the store on the server too, in a table of Interlock's own, for whoever has another store. It is replicated."""

    server: ServerName
    mark: Mark
    within_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseNote:
    """Take it away there. None of that kind and subject is no error."""

    server: ServerName
    mark: Mark
    within_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Repoint:
    """Let a channel of a replica lead from another server, account and options as they are.

    `using` is the dialect's word for how it finds its place there; `at` is that place where it is told one, in the new source's log.
    `starts` False: it stands still, and of what had come by it nothing is left.
    """

    server: ServerName
    channel: str
    source: ServerName
    host: str
    port: int
    using: str
    at: LogPoint | None = None
    starts: bool = True
    within_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StopApplier:
    """Let a channel apply nothing more. Its receiver goes on."""

    server: ServerName
    channel: str
    within_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StartApplier:
    """Let it apply again; up to a point in the source's log, if one is given: there it stops by itself."""

    server: ServerName
    channel: str
    within_s: float = 5.0
    until: LogPoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReceiver:
    """Let a channel receive nothing more. Its applier goes on with what it has."""

    server: ServerName
    channel: str
    within_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StartReceiver:
    """Let it receive again."""

    server: ServerName
    channel: str
    within_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SendHeartbeat:
    """Have a replicator of its own write a mark on the channel's source, and wait until it has applied it here: BoundReached if not."""

    server: ServerName
    channel: str
    within_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSemiSync:
    """Whether the server's commits wait for an acknowledgement, and whether it acknowledges others'; None leaves it as it is.

    `words` are the dialect's names for the two sides. `channels` are its receivers that connect anew: else what it acknowledges does not
    change.
    """

    server: ServerName
    words: str
    waits: bool | None = None
    acknowledges: bool | None = None
    channels: tuple[str, ...] = ()
    within_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSegment:
    """Keep the accounts of a segment out of a server: locked, without the rights to write its schemas, their sessions ended and seen gone.

    `accounts` are as they were seen: what is taken from them. Not in the binary log: the other side has the same accounts.
    """

    server: ServerName
    segment: str
    accounts: tuple[AccountState, ...]
    within_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSegment:
    """Let the accounts of a segment write it on a server, with these rights. Only the interlock lets it through. Not in the binary log.

    `as_was`: it was open there when this run closed it.
    """

    server: ServerName
    segment: str
    accounts: tuple[AccountState, ...]
    within_s: float = 5.0
    as_was: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardTables:
    """Make the triggers by which the guard of a segment keeps its tenants out of `tables`. A guard that was not there is `closed`, or open;
    one that was there is as it was. Not in the binary log.
    """

    server: ServerName
    segment: str
    tenants: Tenants
    tables: tuple[str, ...]
    closed: bool = False
    within_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteOwner:
    """Write down on one server who owns a segment; None: nothing is noted. Not in the binary log."""

    server: ServerName
    segment: str
    note: SegmentNote | None
    within_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Keep clients that connect through the route waiting."""

    route: RouteName


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Let the clients go that the route keeps waiting."""

    route: RouteName


@dataclass(frozen=True, slots=True, kw_only=True)
class PointTo:
    """Send clients to this cluster and to no other, end the sessions that lead elsewhere, and release a hold."""

    route: RouteName
    cluster: ClusterName


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRoute:
    """Put every endpoint of a route back as it was seen: state, weight, address, hold."""

    route: RouteName
    seen: RouteFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCommand:
    """Run a program on this machine (no shell), or on a cluster's host by SSH when `host` names the cluster."""

    argv: tuple[str, ...]
    within_s: float
    env: Mapping[str, str] = field(default_factory=dict)
    exits: tuple[int, ...] = (0,)
    host: ClusterName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallHttp:
    """Send one HTTP request. `ca` is a file with the authorities to trust for https; the system's own if it is left out."""

    method: str
    url: str
    within_s: float
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    statuses: tuple[int, ...] = (200, 201, 202, 204)
    ca: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceOutside:
    """Have one of a cluster's ways of fencing close its master to clients, and keep it closed when it is started again."""

    cluster: ClusterName
    agent: str
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOutside:
    """Put a way of fencing back as it was seen. It may let a server start; it never makes one take writes."""

    cluster: ClusterName
    agent: str
    seen: AgentFacts
    within_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMark:
    """Note something on the pair in the store."""

    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearMark:
    """Take a note away. None of that kind and subject is no error."""

    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyLogs:
    """Copy the files of a binary log from the host of a cluster's master (from this machine, if the cluster has no `ssh`), from `first` on,
    and keep them for the run. `base` is how their names begin; empty: as that of `first`. It changes nothing there.
    """

    run: str
    cluster: ClusterName
    folder: str
    base: str
    first: str
    within_s: float


ServerEffect = Fence | Open | SetEventScheduler | KillSessions | RunSql | WriteNote | EraseNote
ChannelEffect = Repoint | StopApplier | StartApplier | StopReceiver | StartReceiver | SendHeartbeat | SetSemiSync
"""On replication at a server. None of them lets it take writes."""
SegmentEffect = CloseSegment | OpenSegment | NoteOwner | GuardTables
"""On the accounts of one segment at a server, or the guard of its tenants' tables, and on the note of its owner there."""
TableEffect = AlterTable
"""On a table's declaration, at one server alone."""
RouteEffect = Hold | Release | PointTo | RestoreRoute
OutsideEffect = RunCommand | CallHttp | CopyLogs
FencingEffect = FenceOutside | ReleaseOutside
MarkEffect = SetMark | ClearMark
Effect = (
    ServerEffect
    | ChannelEffect
    | SegmentEffect
    | TableEffect
    | RouteEffect
    | OutsideEffect
    | FencingEffect
    | MarkEffect
    | ReturnEffect
    | CompareEffect
    | MendEffect
)


def target_of(effect: Effect) -> str:
    """What an effect touches; effects on different targets may be carried out at the same time."""
    match effect:
        case Fence() | Open() | SetEventScheduler() | KillSessions() | RunSql() | WriteNote() | EraseNote():
            return f"server {effect.server}"
        case Repoint() | StopApplier() | StartApplier() | StopReceiver() | StartReceiver() | SendHeartbeat() | SetSemiSync():
            return f"server {effect.server}"
        case CloseSegment() | OpenSegment() | NoteOwner() | GuardTables() | AlterTable():
            return f"server {effect.server}"
        case Hold() | Release() | PointTo() | RestoreRoute():
            return f"route {effect.route}"
        case FenceOutside() | ReleaseOutside():
            return f"fencing of {effect.cluster}"
        case SetMark() | ClearMark():
            return "marks"
        case RunCommand():
            return f"host {effect.host or 'here'}"
        case CallHttp():
            return f"url {effect.url}"
        case CopyLogs():
            return f"logs of {effect.cluster}"
        case KeepLosses() | TakeBack() | BeginCopy() | StopCopy() | SetHeld() | EndReturn():
            return f"return of {effect.cluster}"
        case BeginComparison() | StopComparison():
            return f"comparison of {effect.cluster}"
        case MendRows() | TakeRowsBack():
            return f"server {effect.server}"


def only_reads(effect: Effect) -> bool:
    """Whether the pair is as it was, whatever comes of it: a run that did nothing else is refused, and not rolled back."""
    return isinstance(effect, BeginComparison | StopComparison)


def is_repeatable(effect: Effect) -> bool:
    """Whether carrying it out twice is the same as once. A team's own statements, commands and requests are not ours to repeat."""
    return not isinstance(effect, RunSql | RunCommand | CallHttp)
