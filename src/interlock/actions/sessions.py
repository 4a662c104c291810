"""`sessions.*`: let transactions in flight end, then remove the sessions that are left."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
from interlock.documents.fields import Kind
from interlock.model.effects import Effect, KillSessions
from interlock.model.facts import SessionFacts
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done, Verdict, Wait
from interlock.playbook.catalogue import Verb
from interlock.ports import World


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSessions:
    """`all_ids` of every client session, where a step gives them on."""

    sessions: tuple[SessionFacts, ...]
    all_ids: tuple[int, ...] = ()


def named(sessions: tuple[SessionFacts, ...], most: int = 5) -> str:
    """The first few sessions by name, and how many more there are."""
    more = f" and {len(sessions) - most} more" if len(sessions) > most else ""
    return "; ".join(str(session) for session in sessions[:most]) + more


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainTransactions:
    """Give transactions in flight time to end. Those that are left when the time is over are named; the fence rolls them back."""

    server: ServerName = param(Kind.SERVER, "the server that is about to be fenced")
    within_s: float = param(Kind.DURATION, "how long to wait at the most", default=2.0)
    older_than_s: float = param(
        Kind.DURATION, "younger ones come and go all the time; servers tell a transaction's age to the second", default=1.0
    )

    def look(self, world: World, /) -> SeenSessions:
        sessions = world.server(self.server).sessions()
        return SeenSessions(
            sessions=tuple(session for session in sessions if (session.transaction_s or 0.0) > self.older_than_s),
            all_ids=tuple(session.id for session in sessions),
        )

    def decide(self, seen: SeenSessions, /) -> Verdict:
        if not seen.sessions:
            return Done(f"no transaction on {self.server} is older than {self.older_than_s:g}s")
        left = f"{named(seen.sessions)}: will be rolled back by the fence"
        return Wait(
            f"{len(seen.sessions)} transactions on {self.server} are still open",
            otherwise=Done(f"{len(seen.sessions)} transactions are still open", (left,)),
        )

    def effects(self, seen: SeenSessions, /) -> tuple[Effect, ...]:
        del seen
        return ()

    def undo(self, before: SeenSessions, now: SeenSessions | None, /) -> tuple[Effect, ...]:
        del before, now
        return ()

    def outputs(self, seen: SeenSessions, /) -> Mapping[str, object]:
        return {"left": len(seen.sessions), "sessions": seen.all_ids}


@dataclass(frozen=True, slots=True, kw_only=True)
class LetNewcomersEnd:
    """Once the routes hold, give clients that connect for one transaction the few milliseconds to end it, so that the fence meets none.

    Sessions that were there before (`known`) are pooled ones, which never end; those that came since are waited for.
    """

    server: ServerName = param(Kind.SERVER, "the server that is about to be fenced")
    known: tuple[int, ...] = param(Kind.INTEGERS, "the sessions that were there before the hold, such as ${drained.sessions}")
    within_s: float = param(Kind.DURATION, "how long to wait at the most; clients wait too", default=0.1)

    def look(self, world: World, /) -> SeenSessions:
        sessions = world.server(self.server).sessions()
        return SeenSessions(sessions=tuple(session for session in sessions if session.id not in self.known))

    def decide(self, seen: SeenSessions, /) -> Verdict:
        if not seen.sessions:
            return Done("no client is on its way")
        still = f"{len(seen.sessions)} sessions that came lately are still there"
        return Wait(still, otherwise=Done(still))

    def effects(self, seen: SeenSessions, /) -> tuple[Effect, ...]:
        del seen
        return ()

    def undo(self, before: SeenSessions, now: SeenSessions | None, /) -> tuple[Effect, ...]:
        del before, now
        return ()

    def outputs(self, seen: SeenSessions, /) -> Mapping[str, object]:
        return {"left": len(seen.sessions)}


@dataclass(frozen=True, slots=True, kw_only=True)
class KillClientSessions:
    """End the client sessions that are left on a server; clients connect again, to where the route leads.

    Replication and the server's own threads are never touched. Accounts that pass `read_only` are administrators' and monitors': they are
    left alone unless `administrators: kill` says otherwise.
    """

    server: ServerName = param(Kind.SERVER, "the server whose clients must go")
    keep: tuple[str, ...] = param(Kind.TEXTS, "accounts to leave alone", default=())
    administrators: str = param(Kind.TEXT, "what to do with accounts that pass read_only", default="keep", choices=("keep", "kill"))

    def look(self, world: World, /) -> SeenSessions:
        return SeenSessions(sessions=tuple(s for s in world.server(self.server).sessions() if not self._stays(s)))

    def decide(self, seen: SeenSessions, /) -> Verdict:
        if seen.sessions:
            # Once: a client that keeps connecting straight to the fenced server is refused there, and must not hold the run up.
            return Act(f"{len(seen.sessions)} client sessions are left on {self.server}", once=True)
        return Done(f"no client session is left on {self.server}")

    def effects(self, seen: SeenSessions, /) -> tuple[Effect, ...]:
        return (KillSessions(server=self.server, ids=tuple(session.id for session in seen.sessions)),) if seen.sessions else ()

    def undo(self, before: SeenSessions, now: SeenSessions | None, /) -> tuple[Effect, ...]:
        """A session that was ended can't be brought back."""
        del before, now
        return ()

    def outputs(self, seen: SeenSessions, /) -> Mapping[str, object]:
        return {"killed": len(seen.sessions)}

    def _stays(self, session: SessionFacts) -> bool:
        is_administrator = session.passes_read_only is True or session.administrator
        return session.user in self.keep or (self.administrators == "keep" and is_administrator)


SPECS = (
    describe(DrainTransactions, "sessions.drain", Verb.DO, outputs={"left": Kind.INTEGER, "sessions": Kind.INTEGERS}),
    describe(LetNewcomersEnd, "sessions.let_newcomers_end", Verb.DO, outputs={"left": Kind.INTEGER}),
    describe(KillClientSessions, "sessions.kill", Verb.DO, outputs={"killed": Kind.INTEGER}),
)
