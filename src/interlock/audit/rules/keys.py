"""Question 6: can two inserts meet at one key?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import gcd

from interlock.audit.facts import AutoColumn, PairSeen
from interlock.audit.rule import Chapter, Fault, Rule, quoted, sql
from interlock.decisions.replication import keys_cannot_collide
from interlock.model.audit import AuditVerdict, Fix, FixKind
from interlock.model.verdict import Refuse
from interlock.servers.quoting import name

_UNFIT, _ATTENTION = AuditVerdict.UNFIT, AuditVerdict.NEEDS_ATTENTION
_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_FULL, _NEARLY = 0.95, 0.80
_SHORT_IDS = 256


def _apart(pair: PairSeen) -> Iterator[Fault]:
    first, second = pair.masters
    verdict = keys_cannot_collide(first.facts, second.facts)
    if not isinstance(verdict, Refuse):
        return
    for server, offset in ((first, 1), (second, 2)):
        if (server.facts.auto_increment_increment, server.facts.auto_increment_offset) != (2, offset):
            yield Fault(
                says=verdict.why,
                server=server.name,
                object="auto_increment",
                seen={
                    one.name: f"every {one.facts.auto_increment_increment} from {one.facts.auto_increment_offset}" for one in pair.masters
                },
                fix=Fix(
                    kind=FixKind.SQL,
                    on=server.name,
                    text=f"SET GLOBAL auto_increment_increment = 2;\nSET GLOBAL auto_increment_offset = {offset};\n"
                    f"-- and both under [mysqld] in the option file of {server.name}",
                ),
            )


def room_taken(column: AutoColumn, step: int) -> float:
    """The part of its range that is used once the next value is given, at this step."""
    word = re.match(r"[a-z]+", column.type)
    bits = _BITS.get(word[0] if word else "", 64)
    most: int = 2 ** (bits if "unsigned" in column.type else bits - 1) - 1
    return min(1.0, ((column.next or 0) + step) / most)


def _room(pair: PairSeen) -> Iterator[Fault]:
    for column in pair.writer.auto_columns:
        taken = room_taken(column, pair.writer.facts.auto_increment_increment)
        if column.next is None or taken < _NEARLY:
            continue
        yield Fault(
            says=f"{column.table}.{column.column} ({column.type}) has used {taken:.0%} of its values",
            object=f"{column.table}.{column.column}",
            seen={pair.writer.name: f"next {column.next}"},
            fix=sql(
                pair.writer, f"ALTER TABLE {quoted(column.table)} MODIFY {name(column.column)} BIGINT UNSIGNED NOT NULL AUTO_INCREMENT"
            ),
            verdict=_UNFIT if taken >= _FULL else _ATTENTION,
        )


def _explicit(pair: PairSeen) -> Iterator[Fault]:
    for server in pair.masters:
        for table, its in sorted(server.log.explicit.items()):
            if its.explicit:
                yield Fault(
                    says=f"{its.explicit} of {its.inserts} inserts into {table} on {server.name} brought an id, such as {its.example}",
                    server=server.name,
                    object=table,
                    seen={server.name: f"{its.explicit} of {its.inserts} in its newest log file"},
                )


def _sequences(pair: PairSeen) -> Iterator[Fault]:
    """INCREMENT 0 goes by auto_increment_increment and _offset of the server (MariaDB KB, "CREATE SEQUENCE")."""
    for one in pair.writer.sequences:
        if one.increment != 0:
            yield Fault(
                says=f"the sequence {one.name} counts by {one.increment} on both sides",
                object=one.name,
                seen={pair.writer.name: f"INCREMENT BY {one.increment}"},
                fix=sql(pair.writer, f"ALTER SEQUENCE {quoted(one.name)} INCREMENT BY 0"),
            )


def _more_uniques(pair: PairSeen) -> Iterator[Fault]:
    """Only where both sides insert into a table: with one writer the server itself sees each duplicate."""
    first, second = pair.masters
    for table, its in pair.writer.tables.items():
        if its.uniques and table in first.log.writes and table in second.log.writes and pair.topology.segments:
            yield Fault(
                says=f"{table} has {its.uniques} more unique key{'s' * (its.uniques > 1)}, and both sides write it",
                object=table,
                seen={one.name: f"{one.log.writes[table].events} row events" for one in pair.masters},
            )


def _short_uuids(pair: PairSeen) -> Iterator[Fault]:
    """UUID_SHORT() has eight bits for the server id (MySQL manual, "Miscellaneous Functions")."""
    first, second = (one.facts.server_id for one in pair.masters)
    if first != second and gcd(_SHORT_IDS, abs(first - second)) == _SHORT_IDS:
        for one in pair.writer.stored:
            if "uuid_short" in one.body.lower():
                yield Fault(
                    says=f"{one.kind} {one.name} uses UUID_SHORT(), and the server ids {first} and {second} are the same to it",
                    object=one.name,
                    seen={each.name: str(each.facts.server_id) for each in pair.masters},
                    fix=sql(pair.standby, f"SET GLOBAL server_id = {second + 1}"),
                )


def _tells(pair: PairSeen) -> Iterator[str]:
    for one in pair.masters:
        yield f"{one.name} counts every {one.facts.auto_increment_increment} from {one.facts.auto_increment_offset}"
    columns = pair.writer.auto_columns
    fullest = max((one for one in columns if one.next is not None), key=lambda one: room_taken(one, 2), default=None)
    yield f"{len(columns)} columns count up, {len(pair.writer.sequences)} sequences" + (
        f"; the fullest narrow one is {fullest.table}.{fullest.column}, {room_taken(fullest, 2):.1%} used" if fullest else ""
    )


CHAPTER = Chapter(
    question=6,
    title="Key collision on insert",
    tells=_tells,
    rules=(
        Rule(
            id="keys.apart",
            question=6,
            title="Auto-increment values of the two can't meet",
            verdict=_UNFIT,
            why="two inserts that no switchover kept apart get one key: replication stops, or one row replaces the other",
            source='MySQL manual, "auto_increment_increment"',
            look=_apart,
        ),
        Rule(
            id="keys.room",
            question=6,
            title="Each counting column has room left",
            verdict=_ATTENTION,
            why="at the doubled step a column is full in half the time, and then every insert fails",
            source='MySQL manual, "Integer Types"; "auto_increment_increment"',
            look=_room,
        ),
        Rule(
            id="keys.explicit_ids",
            question=6,
            title="Clients leave counting to the server",
            verdict=_ATTENTION,
            why="increment and offset keep apart what the servers count, not what clients bring with them",
            source='MySQL manual, "Using AUTO_INCREMENT"',
            look=_explicit,
        ),
        Rule(
            id="keys.sequences",
            question=6,
            title="Sequences count by the server's own step",
            verdict=_ATTENTION,
            why="both sides give the same values",
            source='MariaDB KB, "CREATE SEQUENCE"',
            look=_sequences,
        ),
        Rule(
            id="keys.more_uniques",
            question=6,
            title="Tables that both sides write have one unique key",
            verdict=_ATTENTION,
            why="auto-increment keeps the primary key apart, not the others",
            source='MySQL manual, "Replication FAQ"',
            look=_more_uniques,
        ),
        Rule(
            id="keys.short_uuids",
            question=6,
            title="UUID_SHORT() tells the servers apart",
            verdict=_UNFIT,
            why="both sides make the same values",
            source='MySQL manual, "Miscellaneous Functions"',
            look=_short_uuids,
        ),
    ),
)
