"""A team's own checks in SQL: bounded, in a transaction that can't write, and cut off after ROWS_AT_MOST."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from interlock.audit.facts import PairSeen, ServerSeen
from interlock.audit.reader import BOUND_S, reading
from interlock.audit.rule import Fault, Rule
from interlock.clock import Clock
from interlock.documents.audit_fields import read_checks
from interlock.errors import BoundReached, NotPermitted, StatementFailed
from interlock.model.audit import AuditVerdict, Fix, FixKind, SqlCheck
from interlock.model.topology import Topology
from interlock.servers.server import SqlServer
from interlock.servers.session import text_of

ROWS_AT_MOST = 100
Rows = tuple[Mapping[str, str], ...]
_ERROR = "\0"
"""In place of a column, which can't be called so: why a check could not be carried out."""


class Servers(Protocol):
    def sql_server(self, name: str, /) -> SqlServer: ...


def all_checks(topology: Topology) -> tuple[SqlCheck, ...]:
    """Of the topology file and of the files that it names. InvalidFile with every problem of one that is wrong."""
    servers = [str(one.name) for one in topology.servers()]
    return (*topology.audit.checks, *(check for file in topology.audit.files for check in read_checks(Path(file), servers)))


def carried_out(pair: PairSeen, checks: Sequence[SqlCheck], world: Servers, clock: Clock) -> Mapping[str, Rows]:
    """The rows of each check, by its id, each with the server's name in the column `server`."""
    return {
        check.id: tuple(row for server in _asked(pair, check) for row in _rows(world.sql_server(server.name), check, clock))
        for check in checks
    }


def rules_of(checks: tuple[SqlCheck, ...]) -> tuple[Rule, ...]:
    return tuple(_rule(check) for check in checks)


def _asked(pair: PairSeen, check: SqlCheck) -> tuple[ServerSeen, ...]:
    by_word = {"masters": pair.masters, "each": pair.servers, "writer": (pair.writer,), "standby": (pair.standby,)}
    return by_word.get(check.on) or tuple(one for one in pair.servers if one.name == check.on)


def _rows(server: SqlServer, check: SqlCheck, clock: Clock) -> Iterator[Mapping[str, str]]:
    """`sql_select_limit` cuts off what would be too much, before it is sent (MySQL manual, "sql_select_limit")."""
    before = f"SET SESSION sql_select_limit={ROWS_AT_MOST:d}", "START TRANSACTION READ ONLY"
    with reading(server, clock) as reader:
        try:
            reader.session.run(before, bound_s=BOUND_S, doing=f"begin check {check.id}")
            rows = reader.session.rows(check.sql, bound_s=BOUND_S, doing=f"check {check.id}")
        except (NotPermitted, StatementFailed, BoundReached) as error:
            yield {"server": server.name, _ERROR: error.message}
        else:
            for row in rows[:ROWS_AT_MOST]:
                yield {str(key).lower(): text_of(value) for key, value in row.items()} | {"server": server.name}


def _rule(check: SqlCheck) -> Rule:
    def look(pair: PairSeen) -> Iterator[Fault]:
        for row in pair.checked.get(check.id, ()):
            error = row.get(_ERROR)
            if error is not None:
                yield Fault(says=f"the check could not be carried out: {error}", server=row["server"], verdict=AuditVerdict.NEEDS_ATTENTION)
                continue
            fix = row.get("fix") or check.fix
            shown = ", ".join(f"{key}={value}" for key, value in row.items() if key not in {"server", "fix", "says", "object"})
            yield Fault(
                says=row.get("says") or f"{check.title}: {row.get('object') or shown}",
                server=row["server"],
                object=row.get("object") or shown,
                seen={row["server"]: row.get("says") or shown or row.get("object", "")},
                fix=Fix(kind=FixKind.SQL, on=row["server"], text=fix) if fix else None,
            )

    return Rule(
        id=check.id, question=check.question, title=check.title, verdict=check.verdict, why=check.why, source=check.source, look=look
    )
