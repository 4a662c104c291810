"""Question 4: what refers to, or writes, data of the other master?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from interlock.audit.facts import PairSeen, StoredObject
from interlock.audit.rule import Chapter, Fault, Rule, here_only, quoted, replica, sql
from interlock.audit.rules.ownership import owner_of
from interlock.audit.rules.settings import of_question
from interlock.model.audit import AuditVerdict, Fix
from interlock.servers.quoting import name

_UNFIT, _ATTENTION = AuditVerdict.UNFIT, AuditVerdict.NEEDS_ATTENTION
_WRITES = re.compile(r"\b(?:INSERT\s+(?:IGNORE\s+)?INTO|REPLACE\s+INTO|UPDATE|DELETE\s+FROM)\s+`?(\w+)`?\.`?(\w+)`?", re.IGNORECASE)


def _across(pair: PairSeen) -> Iterator[Fault]:
    if not pair.topology.segments:
        return
    for key in pair.writer.foreign_keys:
        child, parent = owner_of(pair, key.table), owner_of(pair, key.refers_to)
        if child != parent:
            yield Fault(
                says=f"{key.table} refers to {key.refers_to}, which {parent or 'nobody'} owns",
                object=f"{key.table}.{key.name}",
                seen={pair.writer.name: f"{key.name}: {key.table} to {key.refers_to}"},
                fix=sql(pair.writer, f"ALTER TABLE {quoted(key.table)} DROP FOREIGN KEY {name(key.name)}"),
            )


def _cascades(pair: PairSeen) -> Iterator[Fault]:
    """The rows that a cascade changes are in no row log before MySQL 9.6."""
    for key in pair.writer.foreign_keys:
        if key.acts:
            table, parent = quoted(key.table), quoted(key.refers_to)
            yield Fault(
                says=f"{key.name} of {key.table} changes rows by {' and '.join(key.acts)} from {key.refers_to}",
                object=f"{key.table}.{key.name}",
                seen={pair.writer.name: ", ".join(key.acts)},
                fix=_without_action(pair, key.table, key.name, table, parent),
            )


def _without_action(pair: PairSeen, of: str, key: str, table: str, parent: str) -> Fix:
    told = pair.writer.definitions.get(("table", of), "")
    found = re.search(rf"CONSTRAINT `{re.escape(key)}` FOREIGN KEY (\([^)]*\)) REFERENCES \S+ (\([^)]*\))", told)
    again = f", ADD FOREIGN KEY {found[1]} REFERENCES {parent} {found[2]}" if found else ""
    return sql(pair.writer, f"ALTER TABLE {table} DROP FOREIGN KEY {name(key)}{again}")


def _writes_elsewhere(pair: PairSeen) -> Iterator[Fault]:
    """As far as its text names tables with their schemas."""
    if not pair.topology.segments:
        return
    for one in pair.writer.stored:
        its = owner_of(pair, one.on or one.name)
        others = sorted({f"{schema}.{table}" for schema, table in _WRITES.findall(one.body)})
        for table in others:
            if one.kind in {"trigger", "event"} and owner_of(pair, table) != its:
                yield Fault(
                    says=f"the {one.kind} {one.name} writes {table}, which {owner_of(pair, table) or 'nobody'} owns",
                    object=one.name,
                    seen={pair.writer.name: one.body[:200]},
                    fix=sql(pair.writer, f"DROP {one.kind.upper()} {quoted(one.name)}"),
                )


def _events_on_both(pair: PairSeen) -> Iterator[Fault]:
    for one in _enabled_on_both(pair):
        yield Fault(
            says=f"the event {one.name} is enabled on both masters",
            object=one.name,
            seen={each.name: f"ENABLED, event_scheduler={each.writes.event_scheduler}" for each in pair.masters},
            fix=here_only(pair.standby, f"ALTER EVENT {quoted(one.name)} DISABLE ON {replica(pair.standby)}"),
        )


def _enabled_on_both(pair: PairSeen) -> list[StoredObject]:
    there = {one.name for one in pair.standby.stored if one.kind == "event" and one.enabled}
    return [one for one in pair.writer.stored if one.kind == "event" and one.enabled and one.name in there]


def _tells(pair: PairSeen) -> Iterator[str]:
    keys, stored = pair.writer.foreign_keys, pair.writer.stored
    yield f"{len(keys)} foreign keys, {sum(bool(key.acts) for key in keys)} of them with an action"
    for kind in ("trigger", "event"):
        yield f"{sum(one.kind == kind for one in stored)} {kind}s"


CHAPTER = Chapter(
    question=4,
    title="Referential integrity between masters",
    tells=_tells,
    rules=(
        Rule(
            id="integrity.within_segments",
            question=4,
            title="Foreign keys stay within a segment",
            verdict=_UNFIT,
            why="each side checks against rows that the other one may delete at the same moment",
            source='MySQL manual, "FOREIGN KEY Constraints"',
            look=_across,
        ),
        Rule(
            id="integrity.cascades",
            question=4,
            title="No rows are changed by cascades",
            verdict=_ATTENTION,
            why="rows that a cascade changes are not in the row log before MySQL 9.6: a list of losses and a repair miss them",
            source='MySQL manual, "Replication and FOREIGN KEY"; release notes of 9.6',
            look=_cascades,
        ),
        Rule(
            id="integrity.stored_code_within_segments",
            question=4,
            title="Triggers and events write their own segment only",
            verdict=_UNFIT,
            why="they write on this side what the other side owns",
            source="docs/audit.md",
            look=_writes_elsewhere,
        ),
        Rule(
            id="integrity.events_once",
            question=4,
            title="Each event runs on one side",
            verdict=_UNFIT,
            why="it does its work twice, and on the standby through the fence if its definer may",
            source='MySQL manual, "Replication of Invoked Features"',
            look=_events_on_both,
        ),
        *of_question(4),
    ),
)
