"""Question 7: conflicting transactions, and whether they are tried again."""

from __future__ import annotations

from collections.abc import Iterator

from interlock.audit.facts import REHEARSED_WITHIN, PairSeen, RehearsalKind
from interlock.audit.rule import Chapter, Fault, Rule, command, replica, sql
from interlock.audit.rules.settings import of_question
from interlock.decisions.windows import hours_text
from interlock.model.audit import AuditVerdict

_UNFIT, _PERSON = AuditVerdict.UNFIT, AuditVerdict.PERSON
_RETRIES = ("slave_retried_transactions", "replica_retried_transactions")
_ON_EVERY = {
    1205: "lock wait time-out: the statement had no effect, the transaction is still open; roll it back and try again",
    1213: "deadlock: the transaction was rolled back",
    1290: "read_only: the writes have moved; connect again and try again",
    1317: "the statement was ended before COMMIT: roll back and try again",
    2013: "the connection was lost: before COMMIT was sent try again; after it, look first whether it took effect",
}
RETRY_IS_SAFE = {
    "mariadb": {**_ON_EVERY, 1020: "the row changed since it was read (innodb_snapshot_isolation): roll back and try again"},
    "mysql": {**_ON_EVERY, 3572: "a lock was not free with NOWAIT: the statement had no effect", 1836: "read only: as 1290"},
}
"""By flavor, the errors after which a transaction may be tried again (MySQL manual, "Server Error Message Reference"; MariaDB KB, "MariaDB
Error Codes"). A connection that is lost while COMMIT is under way is none: of such commits more than half had taken effect (docs/facts.md).
"""


def _errors(pair: PairSeen) -> Iterator[Fault]:
    for server in pair.masters:
        for one in server.channels:
            if one.error and one.source is not None:
                yield Fault(
                    says=f"replication into {server.name} has stopped: {one.error[:300]}",
                    server=server.name,
                    object=one.name or "the channel",
                    seen={server.name: one.error[:300]},
                    fix=sql(server, f"-- mend what the error names (interlock diff tells which rows), then\nSTART {replica(server)}"),
                )


def _application(pair: PairSeen) -> Iterator[Fault]:
    """A drill with the application answers it; else a person must."""
    tried = pair.last_rehearsal(RehearsalKind.CONFLICTS, application=True)
    if tried is not None and pair.at - tried.at <= REHEARSED_WITHIN:
        if not tried.good:
            yield Fault(
                says=f"in the drill of {tried.at:%Y-%m-%d} the application did not try again after every conflict: {tried.says}",
                object="retries",
                seen={"drill": tried.says},
                fix=command("interlock drill --conflicts --client COMMAND   # once it tries again after the errors that are safe"),
                verdict=AuditVerdict.NEEDS_ATTENTION,
            )
        return
    yield Fault(
        says="does the application try again after the errors that are safe to try again after?",
        object="retries",
        seen={str(number): what for number, what in RETRY_IS_SAFE.get(pair.writer.facts.flavor, _ON_EVERY).items()},
    )


def _tells(pair: PairSeen) -> Iterator[str]:
    tried = pair.last_rehearsal(RehearsalKind.CONFLICTS)
    yield (
        f"drill of {tried.at:%Y-%m-%d %H:%M} UTC: {tried.says}"
        if tried is not None
        else "no drill of conflicts was kept (interlock drill --conflicts)"
    )
    for server in pair.masters:
        yield (
            f"{server.name} in {hours_text(server.counters.get('uptime', 0))}: {server.counters.get('lock_deadlocks', 0)} deadlocks, "
            f"{server.counters.get('lock_timeouts', 0)} lock time-outs, "
            f"{max(server.counters.get(name, 0) for name in _RETRIES)} retries of the applier"
        )


CHAPTER = Chapter(
    question=7,
    title="Conflicting transactions and retry",
    tells=_tells,
    rules=(
        Rule(
            id="conflicts.none_stands",
            question=7,
            title="Replication has met no conflict",
            verdict=_UNFIT,
            why="until it is mended the sides drift apart, and no switchover is possible",
            source='MySQL manual, "Replication Errors"',
            look=_errors,
        ),
        *of_question(7),
        Rule(
            id="conflicts.application_retries",
            question=7,
            title="The application tries again",
            verdict=_PERSON,
            why="at a switchover, and at each deadlock, whoever does not try again loses a write that could have been made",
            source='MySQL manual, "How to Minimize and Handle Deadlocks"',
            look=_application,
        ),
    ),
)
