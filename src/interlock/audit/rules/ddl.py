"""Questions 8 and 9: are the two sides declared alike, and how are changes rolled out?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from interlock.audit.facts import PairSeen, ServerSeen
from interlock.audit.objects import differing
from interlock.audit.rule import Chapter, Fault, Rule, command, here_only, quoted, replica, sql
from interlock.audit.rules.settings import of_question
from interlock.decisions.declarations import lines_of, name_in, only_in, without_counter
from interlock.model.audit import AuditVerdict, Fix
from interlock.model.versions import version_of

_UNFIT, _ATTENTION, _PERSON = AuditVerdict.UNFIT, AuditVerdict.NEEDS_ATTENTION, AuditVerdict.PERSON
_OF_TABLES = ("tables", "columns", "indexes", "columns of indexes", "names of tables")
_NOT_THERE = "not there"
_EVENT_RUNS = re.compile(r"\bPRESERVE ENABLE\b")


def _tables(pair: PairSeen) -> Iterator[Fault]:
    writer, standby = pair.writer, pair.standby
    if not pair.saw(*_OF_TABLES):
        return
    for table in sorted(writer.tables.keys() - standby.tables.keys()):
        if ("table", table) in standby.definitions:
            continue  # it came between the two looks
        told = without_counter(writer.definitions.get(("table", table), ""))
        schema = table.partition(".")[0]
        made = told.replace("CREATE TABLE ", f"CREATE TABLE {quoted(table).partition('.')[0]}.", 1)
        yield Fault(
            says=f"{table} is on {writer.name} and not on {standby.name}",
            object=table,
            seen={writer.name: "there", standby.name: _NOT_THERE},
            fix=here_only(standby, f"CREATE DATABASE IF NOT EXISTS {_name(schema)}", made) if told and pair.is_told_by_the_writer else None,
        )
    for table in sorted(standby.tables.keys() - writer.tables.keys()):
        if ("table", table) in writer.definitions:
            continue
        yield Fault(
            says=f"{table} is on {standby.name} and not on {writer.name}",
            object=table,
            seen={writer.name: _NOT_THERE, standby.name: "there"},
            fix=here_only(standby, f"DROP TABLE {quoted(table)}") if pair.is_told_by_the_writer else None,
        )


def _shapes(pair: PairSeen) -> Iterator[Fault]:
    writer, standby = pair.writer, pair.standby
    if not pair.saw(*_OF_TABLES):
        return
    for table in differing(writer.tables, standby.tables, alike=_alike(pair)):
        ours, theirs = (without_counter(one.definitions.get(("table", table), "")) for one in (writer, standby))
        if ours and ours == theirs:
            continue  # it was changed between the two looks
        changes = alterations(ours, theirs) if ours and theirs and pair.is_told_by_the_writer else []
        yield Fault(
            says=f"{table} is not declared alike on {writer.name} and {standby.name}",
            object=table,
            seen={writer.name: only_in(ours, theirs), standby.name: only_in(theirs, ours)},
            fix=here_only(standby, f"ALTER TABLE {quoted(table)} {', '.join(changes)}") if changes else None,
        )


def alterations(wanted: str, there: str) -> list[str]:
    """What makes a table of the definition `there` like `wanted`, by the lines of SHOW CREATE TABLE: columns, keys, constraints, engine."""
    ours, theirs = lines_of(wanted), lines_of(there)
    changes = [_dropped(line) for name, line in theirs.items() if name not in ours]
    after = ""
    for name, line in ours.items():
        is_column = line.startswith("`")
        if name not in theirs:
            changes.append(f"ADD {'COLUMN ' if is_column else ''}{line}{_place(after) if is_column else ''}")
        elif theirs[name] != line:
            changes += [f"MODIFY COLUMN {line}"] if is_column else [_dropped(theirs[name]), f"ADD {line}"]
        after = line.partition("` ")[0] + "`" if is_column else after
    engine = [re.search(r"\) (ENGINE=\w+)", text) for text in (wanted, there)]
    if engine[0] and engine[1] and engine[0][1] != engine[1][1]:
        changes.append(engine[0][1])
    return changes


def _dropped(line: str) -> str:
    name = name_in(line)
    if line.startswith("`"):
        return f"DROP COLUMN `{name}`"
    if line.startswith("PRIMARY"):
        return "DROP PRIMARY KEY"
    if line.startswith("CONSTRAINT"):
        return f"DROP {'FOREIGN KEY' if ' FOREIGN KEY ' in line else 'CONSTRAINT'} `{name}`"
    return f"DROP KEY `{name}`"


def _place(after: str) -> str:
    return f" AFTER {after}" if after else " FIRST"


def _stored(pair: PairSeen) -> Iterator[Fault]:
    writer, standby = pair.writer, pair.standby
    if writer.facts.flavor != standby.facts.flavor or not pair.saw("triggers", "events", "routines", "views"):
        return
    ours = {(one.kind, one.name): one.digest for one in writer.stored}
    theirs = {(one.kind, one.name): one.digest for one in standby.stored}
    for kind, name in sorted(ours.keys() | theirs.keys()):
        if ours.get((kind, name)) == theirs.get((kind, name)):
            continue
        seen = {str(one.name): its.get((kind, name), _NOT_THERE) for one, its in ((writer, ours), (standby, theirs))}
        yield Fault(
            says=f"the {kind} {name} is {_whereabouts(seen)}",
            object=f"{kind} {name}",
            seen=seen,
            fix=_restored(pair, kind, name, theirs) if pair.is_told_by_the_writer else None,
        )


def _whereabouts(seen: Mapping[str, str]) -> str:
    """Of what differs between two servers."""
    has = [name for name, its in seen.items() if its != _NOT_THERE]
    lacks = [name for name in seen if name not in has]
    return f"on {has[0]} and not on {lacks[0]}" if lacks else f"not the same on {' and '.join(has)}"


def _restored(pair: PairSeen, kind: str, name: str, theirs: dict[tuple[str, str], str]) -> Fix | None:
    """An event is made so that it runs on one side only."""
    told = pair.writer.definitions.get((kind, name), "")
    told = _EVENT_RUNS.sub(f"PRESERVE DISABLE ON {replica(pair.standby)}", told) if kind == "event" else told
    there = [f"DROP {kind.upper()} {quoted(name)}"] if (kind, name) in theirs else []
    if not told and any(one.kind == kind and one.name == name for one in pair.writer.stored):
        return command(f"SHOW CREATE {kind.upper()} {quoted(name)};   -- on {pair.writer.name}, then on {pair.standby.name}")
    return here_only(pair.standby, *there, *([f"USE {_name(name.partition('.')[0])}", told] if told else []))


def _filters(pair: PairSeen) -> Iterator[Fault]:
    for server in pair.masters:
        for setting, value in sorted(server.facts.filters.items()):
            yield Fault(
                says=f"{server.name} leaves out what {setting} says: {value}",
                server=server.name,
                object=setting,
                seen={one.name: one.facts.filters.get(setting, "") for one in pair.masters},
                fix=_without_filter(server, setting),
            )


def _without_filter(server: ServerSeen, setting: str) -> Fix | None:
    if setting.startswith("binlog"):
        return None
    change = f"CHANGE REPLICATION FILTER {setting.upper()} = ()" if server.is_mysql else f"SET GLOBAL {setting} = ''"
    return sql(server, f"STOP {replica(server)}", change, f"START {replica(server)}")


def _owner(pair: PairSeen) -> Iterator[Fault]:
    from_both = [one for one in pair.masters if one.log.ddl]
    if len(from_both) == 2:
        yield Fault(
            says="definitions were changed from both sides: which side owns DDL?",
            object="ddl owner",
            seen={one.name: "has DDL of its own in its log" for one in from_both},
        )


def _row_formats(pair: PairSeen) -> Iterator[Fault]:
    writer, standby = pair.writer, pair.standby
    for table, its in writer.tables.items():
        other = standby.tables.get(table)
        if other is not None and its.row_format and other.row_format and its.row_format.upper() != other.row_format.upper():
            yield Fault(
                says=f"{table} is stored as {its.row_format} on {writer.name} and as {other.row_format} on {standby.name}",
                object=table,
                seen={writer.name: its.row_format, standby.name: other.row_format},
                fix=here_only(standby, f"ALTER TABLE {quoted(table)} ROW_FORMAT={its.row_format.upper()}"),
            )


def _rolled_out(_: PairSeen) -> Iterator[Fault]:
    yield Fault(
        says="how is a change of the schema rolled out with an upgrade of the application, and was that rehearsed?", object="rolling change"
    )


def _alike(pair: PairSeen) -> bool:
    """Of one flavor and release, so that both declare a table in the same words."""
    first, second = (one.facts for one in pair.masters)
    return first.flavor == second.flavor and version_of(first.version)[:2] == version_of(second.version)[:2]


def _name(schema: str) -> str:
    return quoted(f"{schema}.x").partition(".")[0]


def _tells(pair: PairSeen) -> Iterator[str]:
    yield f"{len(pair.writer.tables)} tables on {pair.writer.name}, {len(pair.standby.tables)} on {pair.standby.name}"
    for one in pair.masters:
        last = f", the last {one.log.ddl[-1].at:%Y-%m-%d %H:%M} UTC: {one.log.ddl[-1].text[:80]}" if one.log.ddl else ""
        yield f"DDL from {one.name}: {len(one.log.ddl)} statements in its log{last}"
    yield f"replication filters: {'some' if any(one.facts.filters for one in pair.masters) else 'none'}"


def _tells_upgrades(pair: PairSeen) -> Iterator[str]:
    for one in pair.masters:
        said = {name: one.setting(*names) for name, names in _UPGRADE_SETTINGS.items()}
        yield f"{one.name} {one.facts.version}: " + ", ".join(
            f"{name}={value or 'empty'}" for name, value in said.items() if value is not None
        )


_UPGRADE_SETTINGS = {
    "binlog_row_image": ("binlog_row_image",),
    "binlog_row_metadata": ("binlog_row_metadata",),
    "slave_type_conversions": ("replica_type_conversions", "slave_type_conversions"),
}


CHANGES = Chapter(
    question=8,
    title="Online DDL: TRUNCATE, ALTER",
    tells=_tells,
    rules=(
        Rule(
            id="ddl.tables_on_both",
            question=8,
            title="Every table is on both sides",
            verdict=_UNFIT,
            why="replication stops at the first row of it, or its data is gone after a switchover",
            source='MySQL manual, "Replication with Differing Table Definitions on Source and Replica"',
            look=_tables,
        ),
        Rule(
            id="ddl.tables_alike",
            question=8,
            title="Every table is declared alike on both",
            verdict=_UNFIT,
            why="rows are refused, cut off or put into the wrong columns",
            source='MySQL manual, "Replication with Differing Table Definitions on Source and Replica"',
            look=_shapes,
        ),
        Rule(
            id="ddl.stored_code_alike",
            question=8,
            title="Triggers, events, routines and views are the same on both",
            verdict=_ATTENTION,
            why="the application does something else after a switchover",
            source='MySQL manual, "Replication of Invoked Features"',
            look=_stored,
        ),
        Rule(
            id="ddl.no_filters",
            question=8,
            title="Nothing is left out of replication",
            verdict=_ATTENTION,
            why="what one side leaves out, DDL too, is lost when the writes move there",
            source='MySQL manual, "How Servers Evaluate Replication Filtering Rules"',
            look=_filters,
        ),
        Rule(
            id="ddl.one_owner",
            question=8,
            title="One side owns DDL",
            verdict=_PERSON,
            why="an ALTER that comes while rows of its table are on the way from the other side stops replication",
            source="docs/audit.md",
            look=_owner,
        ),
    ),
)
UPGRADES = Chapter(
    question=9,
    title="Application upgrades with schema changes",
    tells=_tells_upgrades,
    rules=(
        *of_question(9),
        Rule(
            id="upgrade.row_formats",
            question=9,
            title="Tables are stored alike on both",
            verdict=_ATTENTION,
            why="a change that is instant on one side rebuilds the table on the other, or fails there",
            source='MySQL manual, "InnoDB Row Formats"',
            look=_row_formats,
        ),
        Rule(
            id="upgrade.rolled_out",
            question=9,
            title="A way to roll out a change was rehearsed",
            verdict=_PERSON,
            why="a change that both sides get at once stops both; `interlock plan rolling-ddl` shows another way",
            source="docs/rolling-ddl.md",
            look=_rolled_out,
        ),
    ),
)
