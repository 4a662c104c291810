"""What was seen of servers, routes and hooks, at one moment. Frozen, comparable, and stored in the journal as JSON.

`None` always means *not known*, which no decision may take for healthy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from interlock.dataclass import dataclass
from interlock.model.position import LogPoint, Position
from interlock.model.topology import ClusterName, RouteName, ServerName


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFacts:
    """Whether a server takes client writes, and where its log stands: read together, in one round trip.

    `position` is what the server holds: all that it logged or applied. `event_scheduler` is `ON`, `OFF` or `DISABLED`. `fence` says in the
    dialect's words how it is fenced, where there are several ways. A fence is `loose` if administrators write through it although this
    server could stop them too, and `fleeting` if a restart undoes it although this server could keep it. `offline`: it lets administrators
    in, and nobody else. `lacks` is what the topology wants of its fence besides, and it has not; empty if nothing, or if it is open.
    `lesser` is the fence through which administrators could write, and nobody else; empty if they can already.
    """

    server: ServerName
    read_only: bool
    position: Position
    event_scheduler: str
    fence: str = ""
    loose: bool = False
    fleeting: bool = False
    offline: bool = False
    lacks: str = ""
    lesser: str = ""

    @property
    def is_fully_fenced(self) -> bool:
        """As closely as the server can be, and as the topology wants it."""
        return self.read_only and not self.loose and not self.fleeting and not self.lacks


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceProof:
    """That a server refuses client writes: read back on another connection, and tried.

    `canary` says what happened to the write that was tried: `refused`, or `not tried: …` with the reason. `own` is the part of the position
    that the server wrote itself: if it grows after a fence, something writes through it. `loose`: see WriteFacts.
    """

    server: ServerName
    position: Position
    own: Position
    canary: str
    loose: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """Settings that decide whether two servers can be a pair. `clock_offset_s` is the server's clock less ours, to half a round trip.

    `collation` is what a client gets that asks for utf8mb4 and names none; empty where it is the same everywhere, or not known.
    `log_keeps_s` is how long the binary log is kept, in seconds: 0 for ever, None if it is not known.
    """

    server: ServerName
    flavor: str
    version: str
    server_id: int
    gtid_domain_id: int | None
    log_bin: bool
    log_slave_updates: bool
    binlog_format: str
    auto_increment_increment: int
    auto_increment_offset: int
    clock_offset_s: float
    filters: Mapping[str, str] = field(default_factory=dict)
    collation: str = ""
    log_keeps_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFacts:
    """Replication into `server`. `source` is the pair's server it comes from, None if its address is not in the topology.

    `receiver` is the dialect's word (`Yes`, `No`, `Connecting`); `lag_s` is the server's own figure, None when it does not know.
    `using` is the dialect's word for how it finds its place at its source (`slave_pos`, `current_pos`, `auto_position`, `position`), empty
    if it is not known; `applied` is how far it is in the source's log. `received` is all that came from the source so far, applied or not,
    in the kind of position that the channel uses; None if the server does not tell. `idle`: the applier has read all of it, but for the
    beginning of a transaction whose end never came. `heard` changes whenever anything comes from the source, a heartbeat too; empty if the
    server does not tell; `silent_s` is for how long nothing has, None if it does not tell that. `receiver_error` and `applier_error`
    are the numbers of the receiver's and the applier's last error, 0 if there is none. `until`: the applier stops by itself at a point that
    it was told. `delay_s`: it applies everything so much later than it was written, as it was told.
    """

    server: ServerName
    name: str
    source: ServerName | None
    source_address: str
    receiver: str
    applier: bool
    lag_s: int | None
    error: str
    filters: Mapping[str, str] = field(default_factory=dict)
    using: str = ""
    applied: LogPoint | None = None
    received: Position | None = None
    idle: bool = False
    heard: str = ""
    receiver_error: int = 0
    applier_error: int = 0
    silent_s: float | None = None
    until: bool = False
    delay_s: int = 0


def channel_from(source: ServerName, channels: Iterable[ChannelFacts]) -> ChannelFacts | None:
    """The one that comes from there; None if none does."""
    return next((one for one in channels if one.source == source), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaFacts:
    """A replica of the topology: what it holds and by which channels. `error` says why it could not be looked at: then it holds nothing
    that is known.
    """

    server: ServerName
    position: Position | None = None
    channels: tuple[ChannelFacts, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SemiSyncFacts:
    """Semi-synchronous replication at one server. `words` is the dialect's name for the sides (`master/slave`, `source/replica`), empty if
    the server has none of it: then nothing else counts.

    `waits`: its commits wait for an acknowledgement, `timeout_ms` at the most. `acknowledges`: so do others' commits for this server's,
    once its receiver has connected anew, and `active` once it has. `clients` are the servers connected here that acknowledge.
    """

    server: ServerName
    words: str
    waits: bool = False
    acknowledges: bool = False
    active: bool = False
    clients: int = 0
    timeout_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """A client's session; the server's own threads and Interlock's sessions are left out.

    `statement` is what it runs now, or ran last where the server tells, cut to 200 characters. `transaction_s` is the age of its open
    transaction, None if it has none. `passes_read_only` is None when it could not be found out. `administrator`: its account would pass a
    lesser fence than this server has.
    """

    id: int
    user: str
    host: str
    command: str
    state: str
    time_s: float
    statement: str
    transaction_s: float | None = None
    rows_modified: int = 0
    passes_read_only: bool | None = None
    administrator: bool = False

    def __str__(self) -> str:
        doing = self.statement or self.state or self.command
        open_for = "" if self.transaction_s is None else f", transaction open for {self.transaction_s:.0f}s"
        return f"session {self.id} of {self.user}@{self.host} ({doing}{open_for})"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFacts:
    """A scheduled event that is enabled on this server. A definer that passes `read_only` writes through a fence."""

    schema: str
    name: str
    definer: str
    passes_read_only: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedTransaction:
    """One transaction as a binary log has it: its GTID's text and originating server id, in the order of the log."""

    gtid: str
    server_id: int
    file: str
    offset: int


class EndpointState(StrEnum):
    """How a proxy treats one server: it sends clients there, lets the established ones end, or sends none."""

    READY = "ready"
    DRAIN = "drain"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFacts:
    """One server as one proxy (or resolver, or host) of a route sees it. `raw` is what the driver needs to put it back exactly.

    `pinned` names the clients' sessions that stay on this server whatever the route is told, until they end by themselves. `failing`: its
    last check failed, though the proxy does not count it as unhealthy yet.
    """

    proxy: str
    endpoint: str
    cluster: ClusterName | None
    state: EndpointState
    healthy: bool | None
    sessions: int
    queued: int
    raw: Mapping[str, str] = field(default_factory=dict)
    pinned: tuple[str, ...] = ()
    failing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFacts:
    """Where a route leads. `leads_to` holds every cluster that some proxy of it sends new clients to: more than one is a split route.

    `hold_s` is how long it can keep clients waiting, None if it cannot; `holding` whether every proxy of it does, `held_in_part` whether
    only some do (one was restarted, or did not take the word). `provable` is False when the route can't be read back. `lost` are proxies
    that were left out because they have not answered for so long that the others must not wait for them.
    """

    route: RouteName
    leads_to: tuple[ClusterName, ...]
    holding: bool
    hold_s: float | None
    provable: bool
    endpoints: tuple[EndpointFacts, ...] = ()
    held_in_part: bool = False
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryFacts:
    """One marked write through a route: which server took it (None: refused), and in the peer's words what happened."""

    route: RouteName
    server: ServerName | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """How a command ended. Output is cut to 64 KiB each, undecodable bytes replaced; `exit_code` is negative for a signal."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResult:
    """An HTTP answer; the body is cut to 64 KiB."""

    method: str
    url: str
    status: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageFacts:
    """What the prober saw through the routes. `outage_ms` is None if there was no write to measure with; times are wall times."""

    outage_ms: float | None
    last_write_before: datetime | None
    first_write_after: datetime | None
    acknowledged: int
    errors: Mapping[str, int] = field(default_factory=dict)
