"""The guard of tenants that share tables: pure words, for MariaDB and MySQL alike.

A trigger on each table asks a row of `interlock.segment_guard` on its own server whether the segment is closed there. It asks with a shared
lock, which its transaction keeps: who locks the guard waits until whoever was let through has ended, and a snapshot from before is asked
past. (At REPEATABLE READ InnoDB locks whatever a trigger reads in a statement that writes: there is no asking without a lock.) What is
applied row by row fires no trigger, so replication comes in all the same, and so does what is not logged: Interlock's own repair of one
side. All of it tried on MariaDB 10.11 and MySQL 9.7. Whoever writes other tenants' rows never touches the guard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from interlock.dataclass import dataclass
from interlock.model.topology import Tenants
from interlock.servers.canary import SCHEMA
from interlock.servers.quoting import name, text

GUARD = "`interlock`.`segment_guard`"
PREFIX = "interlock_guard_"
_TABLE = (
    f"CREATE TABLE IF NOT EXISTS {GUARD} (`segment` VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, "
    "`closed` TINYINT NOT NULL) ENGINE=InnoDB"
)
_ASKED = (
    ("BEFORE", "INSERT", ("NEW",)),
    ("AFTER", "INSERT", ("NEW",)),
    ("BEFORE", "UPDATE", ("OLD", "NEW")),
    ("AFTER", "UPDATE", ("NEW",)),
    ("BEFORE", "DELETE", ("OLD",)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardTrigger:
    """`table` is `schema.table`, `timing` BEFORE or AFTER; `body` as the server tells it (ACTION_STATEMENT)."""

    table: str
    timing: str
    event: str
    body: str
    name: str

    @property
    def schema(self) -> str:
        return parts_of(self.table)[0]


def parts_of(table: str) -> tuple[str, str]:
    schema, _, bare = table.partition(".")
    return schema, bare


def triggers(segment: str, tenants: Tenants, tables: Iterable[str]) -> tuple[GuardTrigger, ...]:
    """Five for each table. A name holds 64 letters: it is made of both by a digest."""
    return tuple(
        GuardTrigger(table=table, timing=timing, event=event, body=_body(segment, tenants, rows), name=_name(segment, table, timing, event))
        for table in tables
        for timing, event, rows in _ASKED
    )


def make(segment: str, wanted: Iterable[GuardTrigger], *, closed: bool) -> tuple[str, ...]:
    """A guard that was there is left as it was. One that was not is `closed` from its beginning, or open."""
    return (
        SCHEMA,
        _TABLE,
        f"INSERT IGNORE INTO {GUARD} (`segment`, `closed`) VALUES ({text(segment)}, {closed:d})",
        *(line for each in wanted for line in (_drop(each), _create(each))),
    )


def lock(segment: str, *, on: bool) -> str:
    """It waits for transactions that were let through, as long as its session waits for a lock; who comes meanwhile waits for it."""
    closed = f"{on:d}"
    return f"INSERT INTO {GUARD} (`segment`, `closed`) VALUES ({text(segment)}, {closed}) ON DUPLICATE KEY UPDATE `closed`={closed}"


def state_of(segment: str) -> str:
    return f"SELECT `closed` FROM {GUARD} WHERE `segment`={text(segment)}"


def _create(trigger: GuardTrigger) -> str:
    place, table = name(trigger.schema, trigger.name), name(*parts_of(trigger.table))
    return f"CREATE TRIGGER {place} {trigger.timing} {trigger.event} ON {table} FOR EACH ROW {trigger.body}"


def _drop(trigger: GuardTrigger) -> str:
    return f"DROP TRIGGER IF EXISTS {name(trigger.schema, trigger.name)}"


def _name(segment: str, table: str, timing: str, event: str) -> str:
    digest = hashlib.sha256(f"{segment}\0{table}".encode()).hexdigest()[:16]
    return f"{PREFIX}{digest}_{timing.lower()}_{event.lower()}"


def _body(segment: str, tenants: Tenants, rows: Iterable[str]) -> str:
    """Without the guard's row nobody is let through. What it says fits into the 128 letters of MESSAGE_TEXT."""
    values = ", ".join(map(text, tenants.values))
    its = " OR ".join(f"{row}.{name(tenants.column)} IN ({values})" for row in rows)
    asked = f"IFNULL(({state_of(segment)} LOCK IN SHARE MODE), 1)"
    refusal = text(f"segment {segment[:80]} is closed on this server")
    return (
        f"BEGIN IF @@sql_log_bin AND ({its}) THEN IF {asked} THEN "
        f"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO=1644, MESSAGE_TEXT={refusal}; END IF; END IF; END"
    )
