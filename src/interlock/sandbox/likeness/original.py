"""The pair that a sandbox is made like: read with the privileges of an audit, and changed in nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from interlock.audit.accounts import unseen
from interlock.audit.look import AUDITED
from interlock.audit.objects import grants
from interlock.audit.pair import Place
from interlock.audit.reader import Reader, reading
from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.engine.segment_status import segments_now
from interlock.errors import UsageError
from interlock.model.topology import ClusterName, Topology
from interlock.sandbox import accounts
from interlock.sandbox.likeness.schema import Declared, declared
from interlock.servers.segment_words import account_of, sql_of
from interlock.servers.server import SqlServer
from interlock.servers.session import text_of

_READ_S = 600.0
"""Each statement is bounded on its own; this is for all definitions of one server."""
_SANDBOX_HAS = {f"{user}@%" for user in accounts.ACCOUNTS if user != accounts.CLIENT}
"""Of the same names as the sandbox's own, which keep the rights that they have in it."""
_THERE = re.compile(r"GRANT USAGE ON \*\.\* TO .*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One master. `missing` says what could not be read of it."""

    name: ClusterName
    flavor: str
    version: str
    is_open: bool
    settings: Mapping[str, str]
    declared: tuple[Declared, ...]
    missing: tuple[str, ...]

    @property
    def release(self) -> str:
        """`10.11.6`, without what its builder adds."""
        return self.version.partition("-")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """`sides` begin with the one that takes the writes. `owners` say by segment who owns it now; `granted` holds the GRANT lines of each
    account that a segment or a definer needs, by the account as `user@host`.
    """

    topology: Topology
    sides: tuple[Side, Side]
    owners: Mapping[str, str]
    granted: Mapping[str, tuple[str, ...]]


def read_original(world: Place, clock: Clock) -> Original:
    """DriverError if a master does not answer. UsageError if its flavor is none that a sandbox can run."""
    topology = world.topology
    owners = {one.segment: one.owner for one in segments_now(world)}
    first, second = (world.sql_server(master.name) for master in topology.masters())
    sides = tuple(world.gather([lambda: read_side(first, clock), lambda: read_side(second, clock)]))
    if not sides[0].is_open and sides[1].is_open:
        sides = sides[::-1]
    granted: dict[str, tuple[str, ...]] = {}
    for side in sides:
        owned = {account for name, spec in topology.segments.items() if owners[name] == side.name for account in spec.accounts}
        closed = {account for spec in topology.segments.values() for account in spec.accounts} - owned
        with reading(world.sql_server(side.name), clock) as reader:
            granted = dict(_grants(reader, (owned | _definers(side)) - closed - _SANDBOX_HAS)) | granted
    return Original(topology=topology, sides=(sides[0], sides[1]), owners=owners, granted=granted)


def read_side(server: SqlServer, clock: Clock) -> Side:
    facts = server.facts()
    if facts.flavor not in AUDITED:
        raise UsageError(f"{server.name} is {facts.flavor}, which a sandbox can't run", hint=f"it can run {', '.join(AUDITED)}")
    with reading(server, clock, _READ_S) as reader:
        reader.missing += unseen(reader)
        return Side(
            name=server.spec.cluster,
            flavor=facts.flavor,
            version=facts.version,
            is_open=not server.write_facts().read_only,
            settings={
                text_of(row["Variable_name"]).lower(): text_of(row["Value"]) for row in reader.rows("settings", "SHOW GLOBAL VARIABLES")
            },
            declared=declared(reader),
            missing=tuple(dict.fromkeys(reader.missing)),
        )


def _definers(side: Side) -> set[str]:
    return {f"{user}@{host}" for one in side.declared if (found := one.definer) is not None for user, host in (found,)}


def _grants(reader: Reader, wanted: Collection[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Of those that are there; the lines that only say so are left out."""
    for account in sorted(wanted):
        user, host = account_of(account)
        lines = grants(reader, sql_of(f"{user}@{host}")).splitlines()
        if lines:
            yield account, tuple(line for line in lines if not _THERE.fullmatch(line))
