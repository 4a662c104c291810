"""An active/active pair in memory: each side owns a segment, clients of both write, and promise 1 and 2 are watched for each segment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace

from interlock.dataclass import dataclass
from interlock.errors import Unreachable, WriteRefused
from interlock.model.segments import AccountState, Right
from interlock.model.topology import ClusterName, RouteName, SegmentSpec
from interlock.simulated.clients import Ledger
from interlock.simulated.database import Database
from interlock.simulated.pair import SimulatedPair
from interlock.simulated.parts import SegmentHere
from interlock.simulated.segments import sessions_of

_PAUSE_S = 0.01


@dataclass(slots=True, kw_only=True)
class SegmentClient:
    """One pooled connection of a segment's account. It connects where `place` says, and keeps its session as long as that lives."""

    user: str
    segment: str
    place: Callable[[], Database | None]
    ledger: Ledger
    database: Database | None = None
    session: int = 0
    written: int = 0

    def write(self) -> None:
        if (self.database is None or self.session not in self.database.sessions) and not self._connect():
            return
        self.written += 1
        key = f"{self.user}-{self.written}"
        if self.database is None:
            return
        try:
            transaction = self.database.commit(key)
        except (WriteRefused, Unreachable):
            self.ledger.errors["refused"] += 1
        else:
            self.ledger.acknowledged[key] = transaction.at_s

    def _connect(self) -> bool:
        self.database = self.place()
        if self.database is None:
            return False
        if all(each.locked for each in self.database.segments[self.segment].accounts):
            self.ledger.errors["locked"] += 1
            return False
        try:
            self.session = self.database.connect(self.user).id
        except Unreachable:
            self.ledger.errors["unreachable"] += 1
            return False
        return True


@dataclass(slots=True, kw_only=True)
class Segments:
    """The segments of a pair: what was acknowledged to the clients of each. Broken promises are noted in `violations`. `excused` are the
    servers for which a person gave up what they lack.
    """

    databases: tuple[Database, ...]
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    excused: set[str] = field(default_factory=set)

    def writable(self, segment: str) -> tuple[str, ...]:
        """The servers on which a client can write it: by an account that is let in, or by a session that is there."""
        return tuple(str(each.name) for each in self.databases if not each.faults.down and _is_open(each, segment))

    def missing(self, segment: str, server: str) -> set[str]:
        """The keys that were acknowledged and are not on this server."""
        database = next(each for each in self.databases if each.name == server)
        return self.ledgers[segment].acknowledged.keys() - database.rows

    def watch(self) -> None:
        for segment in self.ledgers:
            writable = self.writable(segment)
            if len(writable) > 1:
                self.violations.append(f"segment {segment} can be written on {' and '.join(writable)}")
            for server in writable:
                if server not in self.excused and (missing := self.missing(segment, server)):
                    self.violations.append(f"segment {segment} is open on {server} without {len(missing)} acknowledged keys")


def _is_open(database: Database, segment: str) -> bool:
    here = database.segments[segment]
    return any(not each.locked for each in here.accounts) or bool(sessions_of(database, here.accounts))


EU = SegmentSpec(name="eu", schemas=("shop_eu",), accounts=("app_eu@%",), owner=ClusterName("east"), route=RouteName("writes"))
US = SegmentSpec(name="us", schemas=("shop_us",), accounts=("app_us@%",), owner=ClusterName("west"), route=None)
RIGHTS = (Right(privileges=("ALL PRIVILEGES",), on="`shop`.*"),)


def with_segments(pair: SimulatedPair, *, clients: bool = True) -> Segments:
    """Make a pair without clients active/active: east owns `eu`, and its clients come by the route; west `us`, and they come straight."""
    pair.topology = replace(pair.topology, segments={each.name: each for each in (EU, US)})
    pair.west.read_only = False
    made = Segments(databases=(pair.east, pair.west), ledgers={EU.name: Ledger(), US.name: Ledger()})
    for spec in (EU, US):
        for database in made.databases:
            is_owner = str(database.name) == spec.owner
            states = (AccountState(account=account, locked=not is_owner, rights=RIGHTS if is_owner else ()) for account in spec.accounts)
            database.segments[spec.name] = SegmentHere(accounts=tuple(states))
    for database in made.databases:
        database.on_turn.append(made.watch)
    places = {EU.name: pair.proxy.target, US.name: lambda: pair.west if not pair.west.faults.down else None}
    for spec in (EU, US) if clients else ():
        user = spec.accounts[0].partition("@")[0]
        client = SegmentClient(user=user, segment=spec.name, place=places[spec.name], ledger=made.ledgers[spec.name])
        pair.clock.every(_PAUSE_S, client.write)
    return made
