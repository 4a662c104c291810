"""The doors to the world. Drivers stand behind them; the engine and the actions know nothing else.

Every method that talks to a peer is bounded, and raises a `DriverError` (see `errors.py`). A method whose name is a noun reads; it changes
nothing. `script` is pure: the same words that `apply` sends, for `plan`, the journal and the operator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field
from datetime import datetime
from typing import Protocol, TypeVar

from interlock.dataclass import dataclass
from interlock.model.comparing import BeginComparison, CompareEffect, ComparingFacts
from interlock.model.effects import (
    ChannelEffect,
    FencingEffect,
    MarkEffect,
    OutsideEffect,
    RouteEffect,
    SegmentEffect,
    ServerEffect,
    TableEffect,
)
from interlock.model.facts import (
    CanaryFacts,
    ChannelFacts,
    CommandResult,
    EventFacts,
    FenceProof,
    HttpResult,
    LoggedTransaction,
    OutageFacts,
    RouteFacts,
    SemiSyncFacts,
    ServerFacts,
    SessionFacts,
    WriteFacts,
)
from interlock.model.fencing import AgentFacts
from interlock.model.liveness import SeenFrom, VantageKind
from interlock.model.marks import Mark
from interlock.model.mending import DifferenceFacts, MendedFacts, MendEffect, MendFacts, Mending
from interlock.model.position import Position
from interlock.model.returning import CopyFacts, ReturnEffect, ReturnFacts
from interlock.model.segments import SegmentFacts, SegmentSurroundings
from interlock.model.tables import TableFacts
from interlock.model.topology import ClusterName, RouteName, SegmentSpec, ServerName, ServerSpec, Topology

R = TypeVar("R")


class Segments(Protocol):
    """The segments of an active/active pair at one server. A flavor that has none of it refuses by name: StatementFailed."""

    def facts(self, spec: SegmentSpec, /) -> SegmentFacts:
        """Its accounts, their rights and sessions, and the owner's note; the position is read last."""
        ...

    def surroundings(self, spec: SegmentSpec, /) -> SegmentSurroundings:
        """What else could write its schemas. It reads every account's grants, so it is for a preflight."""
        ...

    def script(self, effect: SegmentEffect, /) -> tuple[str, ...]: ...
    def apply(self, effect: SegmentEffect, /, mark: str) -> None:
        """BoundReached once `within_s` is over and a session that was ended is still there."""
        ...


class Tables(Protocol):
    """The declarations of tables at one server. A flavor that changes none of them on one side alone refuses by name: StatementFailed."""

    def facts(self, table: str, /) -> TableFacts:
        """Of `schema.table`, one that is not there too."""
        ...

    def script(self, effect: TableEffect, /) -> tuple[str, ...]: ...
    def apply(self, effect: TableEffect, /, mark: str) -> None:
        """Carry it out whole or not at all. BoundReached if it had no effect in its time."""
        ...


class Server(Protocol):
    """One server. Connections are made when first needed and kept; after a client time-out the connection is never used again."""

    @property
    def name(self) -> ServerName: ...
    @property
    def spec(self) -> ServerSpec: ...

    # -- facts
    def facts(self) -> ServerFacts: ...
    def write_facts(self) -> WriteFacts:
        """In one round trip."""
        ...

    def channels(self) -> tuple[ChannelFacts, ...]: ...
    def semi_sync(self) -> SemiSyncFacts: ...
    def sessions(self) -> tuple[SessionFacts, ...]:
        """Every client session with its open transaction, if it has one. Not replication's, not the server's own, not Interlock's."""
        ...

    def ddl_running(self) -> tuple[SessionFacts, ...]: ...
    def lock_holders(self) -> tuple[str, ...]:
        """Who holds table or global read locks, or what shows that somebody does, a sentence each."""
        ...

    @property
    def segments(self) -> Segments: ...
    @property
    def tables(self) -> Tables: ...
    def prepared_transactions(self) -> tuple[str, ...]:
        """XA branches that are prepared, as `XA RECOVER` names them."""
        ...

    def events(self) -> tuple[EventFacts, ...]:
        """Scheduled events that are enabled here."""
        ...

    def missing_privileges(self) -> tuple[str, ...]:
        """What the account lacks of what Interlock needs, each as the GRANT that gives it."""
        ...

    def noted(self, topology: str, /) -> tuple[Mark, ...]:
        """The notes on the pair of this name that are kept on the server (WriteNote)."""
        ...

    def logged_since(self, position: Position, /, limit: int) -> tuple[LoggedTransaction, ...]:
        """The transactions in this server's binary log after `position`, in the order of the log, at most `limit`."""
        ...

    # -- proofs
    def proof_of_fence(self) -> FenceProof:
        """Read back on another connection than the one that acts, and a canary write refused. StatementFailed if it takes writes."""
        ...

    def write_canary(self, token: str, /) -> None:
        """Write a marked row, with its own account. WriteRefused if the server is read-only."""
        ...

    def sees_canary(self, token: str, /) -> bool:
        """Whether the row of `write_canary` is here."""
        ...

    def wait_applied(self, position: Position, within_s: float, /) -> bool:
        """Block in the server until it holds `position`; False after `within_s` seconds (never less than 1 ms)."""
        ...

    # -- effects
    def script(self, effect: ServerEffect | ChannelEffect, /) -> tuple[str, ...]: ...
    def apply(self, effect: ServerEffect | ChannelEffect, /, mark: str) -> Mapping[str, object]:
        """Carry it out; returns outputs (`rows` of RunSql…). `mark` is put into a comment of each statement, for the process list."""
        ...

    def settle(self) -> None:
        """End every statement of Interlock's own that may still land here, prove it gone, and start with fresh connections."""
        ...

    # -- one operator at a time
    def take_lock(self, name: str, /, *, owner: str = "", again: bool = False) -> None:
        """GET_LOCK on a connection of its own, which is marked as `owner`'s. PairBusy, naming the holder's session, if another has it.

        `again`: if the session that has it is marked as this owner's, it is a connection that broke, or of a process that is gone. It is
        ended first. Only who holds the owner's lease may say so.
        """
        ...

    def holds_lock(self, name: str, /) -> bool: ...
    def release_lock(self, name: str, /) -> None: ...

    def warm_up(self) -> Mapping[str, object] | None:
        """Open and check every connection that a fence, an opening or a proof needs, so that none is opened in the outage.

        What it returns is kept in the journal, and is for `recall`: plain JSON, or None if there is nothing to keep.
        """
        ...

    def recall(self, kept: Mapping[str, object], /) -> None:
        """What `warm_up` returned to an earlier process of the run. It spares work and changes no answer; nothing is connected."""
        ...

    def close(self) -> None: ...


class Route(Protocol):
    """What sends clients to a server."""

    @property
    def name(self) -> RouteName: ...
    def facts(self) -> RouteFacts: ...
    def script(self, effect: RouteEffect, /) -> tuple[str, ...]: ...
    def apply(self, effect: RouteEffect, /) -> None:
        """Carry it out on every proxy. StatementFailed names each proxy that did not take it; read back with `facts`."""
        ...

    def canary(self, token: str, /) -> CanaryFacts:
        """A marked write through the route, as a client would make it. StatementFailed if the route has no `clients` address."""
        ...

    def warm_up(self) -> None: ...
    def close(self) -> None: ...


class Prober(Protocol):
    """Writes through the routes the whole time of a run's critical part, as a client would, to measure the outage."""

    def start(self, *, in_outage: bool = False) -> None:
        """`in_outage`: nobody takes writes as it is, so the outage counts from now on, and no write is waited for."""
        ...

    def await_writes(self, within_s: float, /) -> None:
        """Until every route has taken a write more, or the time is over."""
        ...

    def stop(self) -> OutageFacts: ...


class Outside(Protocol):
    """Commands, on this machine or by SSH, and HTTP."""

    def script(self, effect: OutsideEffect, /) -> tuple[str, ...]: ...
    def run(self, effect: OutsideEffect, /) -> CommandResult | HttpResult:
        """Carry it out. StatementFailed if the exit code or status is not one that the effect allows; BoundReached once the program was
        ended at its bound and seen gone.
        """
        ...


class VantagePoint(Protocol):
    """One place from which a cluster's master is looked at."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> VantageKind: ...
    def look(self, within_s: float, /) -> SeenFrom:
        """Bounded. What can't be seen is `unknown`; it raises nothing."""
        ...


class FenceAgent(Protocol):
    """One way of fencing a cluster's master from outside. `whole`: see AgentFacts."""

    @property
    def name(self) -> str: ...
    @property
    def whole(self) -> bool: ...
    def facts(self) -> AgentFacts:
        """By a look of its own, never by what `apply` said."""
        ...

    def script(self, effect: FencingEffect, /) -> tuple[str, ...]: ...
    def apply(self, effect: FencingEffect, /) -> None: ...


class Returning(Protocol):
    """A cluster's master on its way back to being the standby, seen together with the writer."""

    def facts(self) -> ReturnFacts: ...
    def copying(self) -> CopyFacts | None:
        """How far the copy has come that this process began; None if it began none."""
        ...

    def closed_with(self) -> tuple[AgentFacts, ...]:
        """How the ways of fencing stood that the failover closed it with, before that; nothing if no such failover is known."""
        ...

    def script(self, effect: ReturnEffect, /) -> tuple[str, ...]: ...
    def apply(self, effect: ReturnEffect, /, mark: str) -> None:
        """Carry it out; BeginCopy only begins. Nothing is thrown away unless what the writer lacks of it is kept: StatementFailed."""
        ...


class Comparer(Protocol):
    """Compares a cluster's data with the writer's, beside whoever waits for it."""

    def facts(self, begun: BeginComparison, /) -> ComparingFacts | None:
        """Of the comparison that the present run began so, in this process; None if it began none."""
        ...

    def script(self, effect: CompareEffect, /) -> tuple[str, ...]: ...
    def apply(self, effect: CompareEffect, /) -> None: ...


class Mender(Protocol):
    """Makes rows of one side as the other one's, where a kept comparison found that they differ."""

    def found(self, wanted: Mending, /) -> DifferenceFacts: ...
    def facts(self, wanted: Mending, /) -> MendFacts:
        """The other side need not answer."""
        ...

    def mended(self, wanted: Mending, /) -> MendedFacts:
        """Some rows more are looked at on both sides, each time."""
        ...

    def script(self, effect: MendEffect, /) -> tuple[str, ...]: ...
    def apply(self, effect: MendEffect, /) -> None:
        """Carry out a part of it that takes a few seconds at the most, in transactions of their own, each with a note on the server. The
        fence must let us through.
        """
        ...


class Marks(Protocol):
    """The notes on this pair in the store. StoreFailed if they can't be had."""

    @property
    def author(self) -> str:
        """Who sets marks here: user@host."""
        ...

    def now(self) -> datetime:
        """The time that a hold's end is judged by."""
        ...

    def all(self) -> tuple[Mark, ...]: ...
    def script(self, effect: MarkEffect, /) -> tuple[str, ...]: ...
    def apply(self, effect: MarkEffect, /) -> None: ...


class World(Protocol):
    """All that an action may look at."""

    @property
    def topology(self) -> Topology: ...
    def server(self, name: str, /) -> Server: ...
    def route(self, name: str, /) -> Route: ...
    @property
    def outside(self) -> Outside: ...
    @property
    def marks(self) -> Marks: ...
    def vantage_points(self, cluster: str, /) -> tuple[VantagePoint, ...]:
        """Every place from which the cluster's master can be looked at, its own cluster's and the other's."""
        ...

    def fence_agents(self, cluster: str, /) -> tuple[FenceAgent, ...]:
        """The ways of fencing it from outside, in the topology's order."""
        ...

    def returning(self, cluster: str, /) -> Returning:
        """The cluster's master, which is to follow the other one's again."""
        ...

    def comparer(self, cluster: str, /) -> Comparer: ...
    @property
    def mender(self) -> Mender: ...

    def gather(self, calls: Sequence[Callable[[], R]], /) -> list[R]:
        """Run independent reads or effects at the same time; the first error (in the order of the calls) is raised after all have ended."""
        ...

    def prober(self) -> Prober | None:
        """None when no route says where clients connect, or no canary account is known."""
        ...

    @property
    def turn(self) -> AbstractContextManager[object]:
        """Held by one thread at a time of those that `gather` makes; the same thread may take it again."""
        ...

    present_run: str
    """The run of this process, empty while there is none."""

    def unfinished_runs(self) -> tuple[str, ...]:
        """Runs of this pair, other than the present one, that have no outcome yet, newest first."""
        ...


# -- the store ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of a run's journal. `seq` counts from 1 without a gap; `kind` is a stored word, never renamed; `body` is plain JSON."""

    seq: int
    kind: str
    at: datetime
    body: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeader:
    """What is known of a run without reading its journal. `outcome` is None while it has none."""

    run: str
    playbook: str
    topology: str
    started_at: datetime
    state: str
    outcome: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lease: enough to tell whether that process still lives, and to name it to the other operator."""

    user: str
    host: str
    pid: int
    process_started: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to change one pair. Every taking of it raises `epoch`, so that an old holder that wakes up is told from the new one."""

    topology: str
    epoch: int
    holder: Holder


class Store(Protocol):
    """Journal and lease. All errors are StoreFailed, except those named."""

    def create_run(self, header: RunHeader, /) -> None: ...
    def append(self, run: str, records: Sequence[Record], /, *, durable: bool) -> None:
        """All or none. `durable`: on the disk when this returns; otherwise it survives the end of this process, not of the machine."""
        ...

    def set_state(self, run: str, state: str, outcome: str | None, /) -> None: ...
    def records(self, run: str, /) -> tuple[Record, ...]:
        """In order. A journal with a gap or a broken record is StoreFailed, naming the run and the record."""
        ...

    def header(self, run: str, /) -> RunHeader:
        """UsageError, naming the nearest known runs, if there is none of that name."""
        ...

    def runs(self, topology: str | None, /) -> tuple[RunHeader, ...]:
        """Newest first."""
        ...

    def reserve(self, run: str, size_bytes: int, /) -> None:
        """Make room for the records of one run, so that a full disk is met before the first effect and not between two."""
        ...

    def take_lease(self, topology: str, holder: Holder, /) -> Lease:
        """PairBusy names the holder. A holder proved gone loses it at once; one that can't be looked at, after its time."""
        ...

    def check_lease(self, lease: Lease, /) -> None:
        """Renew it; LeaseLost if it is not ours any more. Called before each effect: cheap."""
        ...

    def release_lease(self, lease: Lease, /) -> None: ...
    def marks(self, topology: str, /) -> tuple[Mark, ...]:
        """Every mark of a pair, oldest first."""
        ...

    def change_marks(self, topology: str, seen: Sequence[Mark], /, *, add: Sequence[Mark] = (), take: Sequence[Mark] = ()) -> bool:
        """All of it, durable when this returns; or nothing, and False, if the pair's marks are not as they were `seen` any more. One that
        stands for the same kind and subject is replaced; only these count for one that is taken away, and none such is no error.
        """
        ...

    def close(self) -> None: ...


# -- routes' vocabulary for the topology file --------------------------------------------------------------------------------------------

ClusterOf = Mapping[str, ClusterName]
