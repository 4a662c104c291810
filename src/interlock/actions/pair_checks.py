"""`pair.*`: are these two servers fit to hand the writes to each other?"""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.dataclass import dataclass
from interlock.decisions.mixed import can_replicate
from interlock.decisions.replication import keys_cannot_collide
from interlock.decisions.segments import has_segments
from interlock.decisions.writes import is_only_writer, writers
from interlock.documents.fields import Kind
from interlock.model.facts import ServerFacts, WriteFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Done, Refuse, Verdict
from interlock.playbook.catalogue import Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenWrites:
    """`segments` are there where both masters take writes, each of its own."""

    masters: tuple[WriteFacts, ...]
    segments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenServers:
    masters: tuple[ServerFacts, ...]


def _writes(world: World) -> SeenWrites:
    facts = world.gather([world.server(m.name).write_facts for m in world.topology.masters()])
    return SeenWrites(masters=tuple(facts), segments=tuple(world.topology.segments))


def _masters(world: World) -> SeenServers:
    return SeenServers(masters=tuple(world.gather([world.server(master.name).facts for master in world.topology.masters()])))


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWriter(NoOutputs):
    """Exactly one master takes writes, and it is the one that is expected."""

    server: ServerName = param(Kind.SERVER, "the master that must be the only writer")

    def look(self, world: World, /) -> SeenWrites:
        return _writes(world)

    def decide(self, seen: SeenWrites, /) -> Verdict:
        several = len(writers(seen.masters)) > 1
        return (has_segments(seen.segments) if several else None) or is_only_writer(self.server, seen.masters)


@dataclass(frozen=True, slots=True, kw_only=True)
class TellWriter:
    """Exactly one master takes writes, whichever it is; or none alone does, each those of its own segments: `writer` is empty then."""

    def look(self, world: World, /) -> SeenWrites:
        return _writes(world)

    def decide(self, seen: SeenWrites, /) -> Verdict:
        open_now = writers(seen.masters)
        if seen.segments and len(open_now) > 1:
            return Done("both masters take writes, each of its own segments")
        return is_only_writer(open_now[0] if open_now else seen.masters[0].server, seen.masters)

    def outputs(self, seen: SeenWrites, /) -> Mapping[str, object]:
        open_now = writers(seen.masters)
        return {"writer": open_now[0] if len(open_now) == 1 else ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class DistinctIdentities(NoOutputs):
    """Each master has a server id and a GTID domain of its own."""

    def look(self, world: World, /) -> SeenServers:
        return _masters(world)

    def decide(self, seen: SeenServers, /) -> Verdict:
        ids = [master.server_id for master in seen.masters]
        if len(set(ids)) < len(ids):
            return Refuse(
                f"the masters share the server id {ids[0]}", "give each its own server_id: events of one would be skipped by the other"
            )
        domains = [master.gtid_domain_id for master in seen.masters]
        if None not in domains and len(set(domains)) < len(domains):
            return Refuse(
                f"the masters share the GTID domain {domains[0]}",
                "give each its own gtid_domain_id: with one domain, what each wrote can't be told apart",
            )
        return Done(", ".join(map(_identity, seen.masters)))


def _identity(master: ServerFacts) -> str:
    domain = f", GTID domain {master.gtid_domain_id}" if master.gtid_domain_id is not None else ""
    return f"{master.server}: server id {master.server_id}{domain}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsUpdates(NoOutputs):
    """Each master writes a binary log, and logs what it applies."""

    def look(self, world: World, /) -> SeenServers:
        return _masters(world)

    def decide(self, seen: SeenServers, /) -> Verdict:
        for master in seen.masters:
            if not master.log_bin:
                return Refuse(f"{master.server} writes no binary log", "set log_bin in its option file and restart it")
            if not master.log_slave_updates:
                return Refuse(
                    f"{master.server} does not log what it applies (log_slave_updates is off)",
                    "set log_slave_updates=1 in its option file and restart it: without it the way back can't be proved",
                )
        return Done("both masters log what they write and what they apply")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysApart(NoOutputs):
    """Auto-increment values of the two masters can't collide."""

    def look(self, world: World, /) -> SeenServers:
        return _masters(world)

    def decide(self, seen: SeenServers, /) -> Verdict:
        first, second = seen.masters
        return keys_cannot_collide(first, second)


@dataclass(frozen=True, slots=True, kw_only=True)
class SameFilters(NoOutputs):
    """The replication filters of the two masters are the same."""

    def look(self, world: World, /) -> SeenServers:
        return _masters(world)

    def decide(self, seen: SeenServers, /) -> Verdict:
        first, second = seen.masters
        differing = sorted(
            name for name in {*first.filters, *second.filters} if first.filters.get(name, "") != second.filters.get(name, "")
        )
        if differing:
            name = differing[0]
            ours, theirs = first.filters.get(name, ""), second.filters.get(name, "")
            return Refuse(
                f"{name} differs: {ours!r} on {first.server}, {theirs!r} on {second.server}",
                "set the same filters on both: what one side drops is lost when the writes move",
            )
        return Done("the same replication filters on both" if first.filters else "no replication filters")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClocksAgree(NoOutputs):
    """The masters' clocks differ by less than a limit. Nothing here is decided by clocks; applications may decide by them."""

    within_s: float = param(Kind.DURATION, "the largest difference allowed", default=2.0)

    def look(self, world: World, /) -> SeenServers:
        return _masters(world)

    def decide(self, seen: SeenServers, /) -> Verdict:
        first, second = seen.masters
        apart_s = abs(first.clock_offset_s - second.clock_offset_s)
        if apart_s > self.within_s:
            return Refuse(
                f"the clocks of {first.server} and {second.server} are {apart_s:.1f}s apart, limit {self.within_s:g}s",
                "mend the time service on the one that is off",
            )
        return Done(f"the clocks are {apart_s:.2f}s apart")


@dataclass(frozen=True, slots=True, kw_only=True)
class CanReplicate(NoOutputs):
    """Each master can apply what the other logs. Two kinds of servers can't always, and some stop at the first row."""

    def look(self, world: World, /) -> SeenServers:
        return _masters(world)

    def decide(self, seen: SeenServers, /) -> Verdict:
        first, second = seen.masters
        warnings: list[str] = []
        passed: list[str] = []
        refused: list[Refuse] = []
        for source, replica in ((first, second), (second, first)):
            match can_replicate(source, replica):
                case Done(why, said):
                    passed.append(why)
                    warnings += said
                case Refuse(why, hint):
                    refused.append(Refuse(why, hint))
        if refused:  # all of them: mending one is in vain while another stands
            return Refuse("; ".join(one.why for one in refused), "; ".join(one.hint for one in refused))
        return Done("; ".join(passed if first.flavor != second.flavor else passed[:1]), tuple(warnings))


SPECS = (
    describe(OneWriter, "pair.one_writer", Verb.CHECK),
    describe(TellWriter, "pair.writer", Verb.CHECK, outputs={"writer": Kind.TEXT}),
    describe(DistinctIdentities, "pair.distinct_identities", Verb.CHECK),
    describe(LogsUpdates, "pair.logs_updates", Verb.CHECK),
    describe(KeysApart, "pair.keys_apart", Verb.CHECK),
    describe(SameFilters, "pair.same_filters", Verb.CHECK),
    describe(CanReplicate, "pair.can_replicate", Verb.CHECK),
    describe(ClocksAgree, "pair.clocks_agree", Verb.CHECK),
)
