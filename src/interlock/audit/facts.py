"""What an audit collects, frozen. Rules read these and nothing else.

Tables and other objects are named `schema.name`; settings by their lower-case names, with the server's own text as value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum

from interlock.dataclass import dataclass
from interlock.engine.segment_status import SegmentStatus
from interlock.model.conflicts import Turn
from interlock.model.facts import ChannelFacts, RouteFacts, ServerFacts, WriteFacts
from interlock.model.topology import ServerName, ServerSpec, Topology
from interlock.model.verdict import Refuse
from interlock.ports import RunHeader

OWN_SCHEMA = "interlock"
REHEARSED_WITHIN = timedelta(days=90)
"""So long a rehearsal tells something of the pair as it is now."""
SYSTEM_SCHEMAS = ("mysql", "sys", "information_schema", "performance_schema", OWN_SCHEMA)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSeen:
    """`digest` tells two definitions apart, on servers of one flavor and release; `shape` only names and data types, on any. `row_format`
    and `indexes` (a digest) are InnoDB's, empty for other engines. `uniques` counts unique keys besides the primary one.
    """

    engine: str
    digest: str
    shape: str
    has_key: bool
    row_format: str = ""
    indexes: str = ""
    uniques: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoColumn:
    """A column that counts up. `next` is what it gives next where that was asked (columns narrower than BIGINT), else None."""

    table: str
    column: str
    type: str
    next: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """`acts` are the actions other than RESTRICT, such as `DELETE CASCADE`."""

    name: str
    table: str
    refers_to: str
    acts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """A trigger, event, routine or view. `on` is a trigger's table, `enabled` counts for events only."""

    kind: str
    name: str
    digest: str
    body: str = ""
    definer: str = ""
    on: str = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceSeen:
    name: str
    increment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSeen:
    """`name` is as SQL writes it. `digest` tells two sets of privileges apart. `passes`: it may pass the fence of this flavor."""

    name: str
    user: str
    host: str
    digest: str
    locked: bool = False
    passes: bool = False
    super: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How replication logs in at its source, by the channel's name."""

    channel: str
    source_address: str
    user: str
    tls: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSeen:
    id: int
    user: str
    host: str
    program: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a setting's value came from, in the server's own word, and the file if it was one."""

    word: str
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableWrites:
    """What one server itself wrote to a table: row events, and the minutes (since 1970) in which it did."""

    events: int
    minutes: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDdl:
    at: datetime
    schema: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplicitIds:
    """Of a server's own inserts into a table, those whose id is not of its series; `example` is the last of them."""

    inserts: int
    explicit: int
    example: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSeen:
    """A server's own binary log. `begins` holds, for each file from the oldest on, when it began and its bytes. What the server itself
    wrote (not what it applied) was read from `since` to `until`; None if nothing was.
    """

    begins: tuple[tuple[datetime, int], ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    writes: Mapping[str, TableWrites] = field(default_factory=dict)
    ddl: tuple[LoggedDdl, ...] = ()
    explicit: Mapping[str, ExplicitIds] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSeen:
    """One server. `missing` says what could not be looked at and why, a sentence each. `counters` are of SHOW GLOBAL STATUS and InnoDB."""

    spec: ServerSpec
    facts: ServerFacts
    writes: WriteFacts
    channels: tuple[ChannelFacts, ...] = ()
    links: tuple[Link, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)
    schemas: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, TableSeen] = field(default_factory=dict)
    auto_columns: tuple[AutoColumn, ...] = ()
    moving_columns: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    stored: tuple[StoredObject, ...] = ()
    sequences: tuple[SequenceSeen, ...] = ()
    accounts: tuple[AccountSeen, ...] = ()
    sessions: tuple[SessionSeen, ...] = ()
    plugins: Mapping[str, str] = field(default_factory=dict)
    engines: frozenset[str] = frozenset()
    counters: Mapping[str, int] = field(default_factory=dict)
    log: LogSeen = LogSeen()
    zones: int = 0
    definitions: Mapping[tuple[str, str], str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def name(self) -> ServerName:
        return self.spec.name

    @property
    def is_mysql(self) -> bool:
        return self.facts.flavor == "mysql"

    def setting(self, *names: str) -> str | None:
        """The first of these that the server has: a setting has several names over the versions."""
        return next((self.settings[name] for name in names if name in self.settings), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSeen:
    """`facts` is None if it could not be looked at, for the reason in `error`."""

    name: str
    facts: RouteFacts | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSeen:
    """The host of a cluster's master: lines of jobs that set read_only (`file:line:text`), and of option files that do; `unread` are the
    places that may not be read. `error` says why it could not be looked at.
    """

    cluster: str
    jobs: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastComparison:
    """One that `interlock diff` kept: whether it found the sides equal, and what came of it in words."""

    name: str
    at: datetime
    good: bool
    says: str


class RehearsalKind(StrEnum):
    """Stored words, never renamed."""

    SWITCHOVERS = "switchovers"
    CONFLICTS = "conflicts"
    TEST_BED = "test_bed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What was tried on a sandbox like the pair: whether it ended well, and what came of it in words. `application`: with the application
    itself, or a client that the operator gave.
    """

    kind: RehearsalKind
    at: datetime
    good: bool
    says: str
    application: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSeen:
    """Everything. `masters` come in the topology's order. `runs` are the pair's, newest first. `refusals` say by cluster why a quiesce onto
    it would be refused now, empty if it would not; `unmovable` by segment why it could not be moved. `checked` holds the rows of a team's
    own checks. `hosts` are those that can be reached by SSH. `turns` tell from the pair's runs when a segment was closed and opened where.
    `rehearsals` come newest first.
    """

    topology: Topology
    at: datetime
    masters: tuple[ServerSeen, ServerSeen]
    replicas: tuple[ServerSeen, ...] = ()
    unreached: Mapping[str, str] = field(default_factory=dict)
    routes: tuple[RouteSeen, ...] = ()
    runs: tuple[RunHeader, ...] = ()
    comparisons: tuple[PastComparison, ...] = ()
    rehearsals: tuple[Rehearsal, ...] = ()
    refusals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hosts: tuple[HostSeen, ...] = ()
    segments: tuple[SegmentStatus, ...] = ()
    unmovable: Mapping[str, Refuse] = field(default_factory=dict)
    turns: tuple[Turn, ...] = ()
    checked: Mapping[str, tuple[Mapping[str, str], ...]] = field(default_factory=dict)

    @property
    def servers(self) -> tuple[ServerSeen, ...]:
        return (*self.masters, *self.replicas)

    @property
    def writer(self) -> ServerSeen:
        """The master that takes writes; if both or none do, the topology's first one, which is as good to compare with."""
        opened = [one for one in self.masters if not one.writes.read_only]
        return opened[0] if len(opened) == 1 else self.masters[0]

    @property
    def standby(self) -> ServerSeen:
        writer = self.writer
        return next(one for one in self.masters if one.name != writer.name)

    @property
    def has_one_writer(self) -> bool:
        return sum(not one.writes.read_only for one in self.masters) == 1

    @property
    def is_told_by_the_writer(self) -> bool:
        """Whether one side is right where the two differ, so that the other one can be mended to it."""
        return self.has_one_writer and not self.topology.segments

    def last_rehearsal(self, kind: RehearsalKind, *, application: bool = False) -> Rehearsal | None:
        """The newest of the kind; with `application`, of those with it."""
        return next((one for one in self.rehearsals if one.kind is kind and (one.application or not application)), None)

    def saw(self, *what: str) -> bool:
        """Whether these were looked at on both masters: what was not seen on one is not missing there."""
        return not any(one.partition(":")[0] in what for server in self.masters for one in server.missing)

    def server(self, name: str) -> ServerSeen:
        return next(one for one in self.servers if one.name == name)
