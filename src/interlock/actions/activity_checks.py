"""`transactions.*`, `server.*`, `sessions.*`, `events.*`: what goes on on a server that is about to be fenced?"""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.actions.check import NoOutputs
from interlock.actions.sessions import SeenSessions, named
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.facts import EventFacts, WriteFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Done, Refuse, Verdict
from interlock.playbook.catalogue import Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTexts:
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoOldTransaction(NoOutputs):
    """No transaction is older than a limit: the fence would roll it back, or wait for it."""

    server: ServerName = param(Kind.SERVER, "the server to look at")
    age_s: float = param(Kind.DURATION, "the oldest transaction allowed", default=5.0)

    def look(self, world: World, /) -> SeenSessions:
        return SeenSessions(sessions=world.server(self.server).sessions())

    def decide(self, seen: SeenSessions, /) -> Verdict:
        old = tuple(session for session in seen.sessions if (session.transaction_s or 0.0) > self.age_s)
        if old:
            return Refuse(
                f"{len(old)} transactions on {self.server} are older than {self.age_s:g}s: {named(old)}",
                f"let it end, or KILL {old[0].id} on {self.server}",
            )
        return Done(f"no transaction on {self.server} is older than {self.age_s:g}s")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoDdl(NoOutputs):
    """No DDL runs: it can hold the fence up, and the standby for as long as it took here."""

    server: ServerName = param(Kind.SERVER, "the server to look at")

    def look(self, world: World, /) -> SeenSessions:
        return SeenSessions(sessions=world.server(self.server).ddl_running())

    def decide(self, seen: SeenSessions, /) -> Verdict:
        if seen.sessions:
            return Refuse(f"DDL runs on {self.server}: {named(seen.sessions)}", "wait for its end")
        return Done(f"no DDL runs on {self.server}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoLockHolder(NoOutputs):
    """Nobody holds table locks or a global read lock: the fence would wait for them."""

    server: ServerName = param(Kind.SERVER, "the server to look at")

    def look(self, world: World, /) -> SeenTexts:
        return SeenTexts(found=world.server(self.server).lock_holders())

    def decide(self, seen: SeenTexts, /) -> Verdict:
        if seen.found:
            return Refuse(f"tables are locked on {self.server}: {'; '.join(seen.found)}", "let the holder UNLOCK TABLES, or KILL it")
        return Done(f"no table lock is seen on {self.server}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPreparedTransaction(NoOutputs):
    """No XA branch is prepared: it can neither be committed on a fenced server nor be forgotten."""

    server: ServerName = param(Kind.SERVER, "the server to look at")

    def look(self, world: World, /) -> SeenTexts:
        return SeenTexts(found=world.server(self.server).prepared_transactions())

    def decide(self, seen: SeenTexts, /) -> Verdict:
        if seen.found:
            names = ", ".join(seen.found)
            return Refuse(f"prepared XA transactions on {self.server}: {names}", "let its coordinator commit it or roll it back")
        return Done(f"no XA transaction is prepared on {self.server}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivilegedSessions(NoOutputs):
    """Name the sessions that can write through `read_only`; refuse while one of them has a transaction that wrote something."""

    server: ServerName = param(Kind.SERVER, "the server to look at")
    strict: bool = param(Kind.FLAG, "refuse if there is any such session", default=False)

    def look(self, world: World, /) -> SeenSessions:
        return SeenSessions(sessions=world.server(self.server).sessions())

    def decide(self, seen: SeenSessions, /) -> Verdict:
        passing = tuple(session for session in seen.sessions if session.passes_read_only is True)
        writing = passing if self.strict else tuple(session for session in passing if session.rows_modified > 0)
        if writing:
            return Refuse(
                f"{len(writing)} sessions on {self.server} can write through read_only: {named(writing)}",
                f"close them, or take READ ONLY ADMIN away from {writing[0].user}",
            )
        unknown = sum(session.passes_read_only is None for session in seen.sessions)
        warnings = (f"can write through read_only on {self.server}: {named(passing)}",) if passing else ()
        if unknown:
            warnings = (*warnings, f"of {unknown} sessions on {self.server} it is not known whether they pass read_only")
        return Done(f"{len(passing)} sessions on {self.server} can write through read_only, none with an open write", warnings)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEvents:
    scheduler: str
    events: tuple[EventFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsNamed:
    """Name the scheduled events; the fence stops the scheduler, because a privileged definer writes through `read_only`."""

    server: ServerName = param(Kind.SERVER, "the server to look at")

    def look(self, world: World, /) -> SeenEvents:
        server = world.server(self.server)
        seen: WriteFacts = server.write_facts()
        return SeenEvents(scheduler=seen.event_scheduler, events=server.events())

    def decide(self, seen: SeenEvents, /) -> Verdict:
        if not seen.events or seen.scheduler != "ON":
            return Done(f"events on {self.server}: {len(seen.events)}, scheduler {seen.scheduler}")
        names = ", ".join(f"{event.schema}.{event.name}" for event in seen.events)
        return Done(
            f"{len(seen.events)} events run on {self.server}; the fence stops them",
            (f"events on {self.server} stop at the fence; on the other side each must be ENABLED to run there: {names}",),
        )

    def outputs(self, seen: SeenEvents, /) -> Mapping[str, object]:
        return {"scheduler": seen.scheduler}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivilegesComplete(NoOutputs):
    """Interlock's own account has what it needs, on every master."""

    def look(self, world: World, /) -> SeenTexts:
        names = [master.name for master in world.topology.masters()]
        missing = world.gather([world.server(name).missing_privileges for name in names])
        return SeenTexts(found=tuple(f"{name}: {grant}" for name, grants in zip(names, missing, strict=True) for grant in grants))

    def decide(self, seen: SeenTexts, /) -> Verdict:
        if seen.found:
            return Refuse(f"privileges are missing: {'; '.join(seen.found)}", "`interlock grants` prints them all as SQL")
        return Done("Interlock's account has every privilege that it needs")


SPECS = (
    describe(NoOldTransaction, "transactions.none_older_than", Verb.CHECK),
    describe(NoDdl, "server.no_ddl", Verb.CHECK),
    describe(NoLockHolder, "server.no_table_locks", Verb.CHECK),
    describe(NoPreparedTransaction, "transactions.none_prepared", Verb.CHECK),
    describe(PrivilegedSessions, "sessions.privileged_named", Verb.CHECK),
    describe(EventsNamed, "events.named", Verb.CHECK, outputs={"scheduler": Kind.TEXT}),
    describe(PrivilegesComplete, "privileges.complete", Verb.CHECK),
)
