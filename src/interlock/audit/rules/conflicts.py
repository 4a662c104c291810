"""Question 7: conflicting transactions, and whether they are tried again."""

from __future__ import annotations

from collections.abc import Iterator

from interlock.audit.facts import PairSeen
from interlock.audit.rule import Chapter, Fault, Rule, replica, sql
from interlock.audit.rules.settings import of_question
from interlock.model.audit import AuditVerdict

_UNFIT, _PERSON = AuditVerdict.UNFIT, AuditVerdict.PERSON
_RETRIES = ("slave_retried_transactions", "replica_retried_transactions")
RETRY_IS_SAFE = {
    1205: "lock wait time-out: the statement had no effect, and the transaction is open still: roll it back, then try again",
    1213: "deadlock: the transaction was rolled back",
    1290: "read_only or super_read_only: the writes moved; connect again, then try again",
    1836: "read only: as above",
    3572: "a lock was not free with NOWAIT: the statement had no effect",
    1158: "network errors before a COMMIT was sent: connect again, then try again (after a COMMIT look first whether it took effect)",
}


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
    yield Fault(
        says="does the application try again after the errors that are safe to try again after?",
        object="retries",
        seen={"errors": ", ".join(str(number) for number in RETRY_IS_SAFE), "flavor": pair.writer.facts.flavor},
    )


def _tells(pair: PairSeen) -> Iterator[str]:
    for server in pair.masters:
        hours = server.counters.get("uptime", 0) / 3600
        yield (
            f"{server.name} in {hours:.1f}h: {server.counters.get('lock_deadlocks', 0)} deadlocks, "
            f"{server.counters.get('lock_timeouts', 0)} lock time-outs, "
            f"{max(server.counters.get(name, 0) for name in _RETRIES)} retries of the applier"
        )
    yield "a retry is safe after " + "; ".join(f"{number} ({what})" for number, what in RETRY_IS_SAFE.items())


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
