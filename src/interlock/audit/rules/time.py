"""Question 10: does the same moment have the same time on both?"""

from __future__ import annotations

from collections.abc import Iterator

from interlock.audit.facts import PairSeen
from interlock.audit.rule import Chapter, Fault, Rule, command, sql
from interlock.audit.rules.settings import of_question
from interlock.model.audit import AuditVerdict

_UNFIT, _ATTENTION = AuditVerdict.UNFIT, AuditVerdict.NEEDS_ATTENTION
CLOCKS_APART_S = 1.0


def _system_zone(pair: PairSeen) -> Iterator[Fault]:
    """Counts only where time_zone is SYSTEM."""
    first, second = pair.masters
    ours, theirs = (one.settings.get("system_time_zone", "") for one in pair.masters)
    if {first.settings.get("time_zone"), second.settings.get("time_zone")} == {"SYSTEM"} and ours != theirs:
        yield Fault(
            says=f"the machines' time zones differ: {ours} on {first.name}, {theirs} on {second.name}",
            object="system_time_zone",
            seen={first.name: ours, second.name: theirs},
            fix=sql(pair.standby, "SET GLOBAL time_zone = '+00:00'"),
        )


def _clocks(pair: PairSeen) -> Iterator[Fault]:
    first, second = pair.masters
    apart_s = abs(first.facts.clock_offset_s - second.facts.clock_offset_s)
    if apart_s > CLOCKS_APART_S:
        yield Fault(
            says=f"the clocks are {apart_s:.1f}s apart, limit {CLOCKS_APART_S:g}s",
            object="clock",
            seen={one.name: f"{one.facts.clock_offset_s:+.1f}s against this machine" for one in pair.masters},
            fix=command("chronyc makestep   # on the host that is off; see chronyc tracking on both"),
        )


def _zone_tables(pair: PairSeen) -> Iterator[Fault]:
    writer, standby = pair.writer, pair.standby
    if bool(writer.zones) != bool(standby.zones) and pair.saw("time zones"):
        has, lacks = (writer, standby) if writer.zones else (standby, writer)
        program = "mysql_tzinfo_to_sql" if lacks.is_mysql else "mariadb-tzinfo-to-sql"
        yield Fault(
            says=f"{lacks.name} knows no named time zones, {has.name} {has.zones}",
            server=lacks.name,
            object="time_zone_name",
            seen={one.name: f"{one.zones} zones" for one in pair.masters},
            fix=command(
                f"{program} /usr/share/zoneinfo | mysql --init-command='SET sql_log_bin=0' "
                f"--host={lacks.spec.host} --port={lacks.spec.port} mysql"
            ),
        )


def _sysdate(pair: PairSeen) -> Iterator[Fault]:
    """In a row log its value is written, not its call."""
    for server in pair.masters:
        if server.settings.get("binlog_format", "ROW") == "ROW":
            continue
        for one in server.stored:
            if "sysdate(" in one.body.lower():
                yield Fault(
                    says=f"the {one.kind} {one.name} uses SYSDATE(), and {server.name} logs {server.settings['binlog_format']}",
                    server=server.name,
                    object=one.name,
                    seen={server.name: one.body[:200]},
                    fix=sql(server, "SET GLOBAL binlog_format = 'ROW'"),
                )


def _moving(pair: PairSeen) -> Iterator[Fault]:
    """Each side stamps its own time on a row that both update."""
    first, second = pair.masters
    both = first.log.writes.keys() & second.log.writes.keys() if pair.topology.segments else set()
    for column in pair.writer.moving_columns:
        if column.rpartition(".")[0] in both:
            yield Fault(
                says=f"{column} moves ON UPDATE, and both sides write its table",
                object=column,
                seen={one.name: "writes it" for one in pair.masters},
            )


def _tells(pair: PairSeen) -> Iterator[str]:
    for one in pair.masters:
        zone = one.settings.get("time_zone", "")
        said = f"{zone} ({one.settings.get('system_time_zone', '')})" if zone == "SYSTEM" else zone
        yield f"{one.name}: time zone {said}, clock {one.facts.clock_offset_s:+z.2f}s, {one.zones} named zones"


CHAPTER = Chapter(
    question=10,
    title="Timestamps",
    tells=_tells,
    rules=(
        *of_question(10),
        Rule(
            id="time.system_zone",
            question=10,
            title="The machines' time zones are the same",
            verdict=_UNFIT,
            why="the same words mean another moment after a switchover",
            source='MySQL manual, "MySQL Server Time Zone Support"',
            look=_system_zone,
        ),
        Rule(
            id="time.clocks",
            question=10,
            title="The clocks agree",
            verdict=_ATTENTION,
            why="after a switchover time seems to jump, and what is ordered by time stamps is out of order",
            source="docs/audit.md",
            look=_clocks,
        ),
        Rule(
            id="time.named_zones",
            question=10,
            title="Named time zones are known on both",
            verdict=_ATTENTION,
            why="CONVERT_TZ() with a name gives NULL after a switchover",
            source='MySQL manual, "Populating the Time Zone Tables"',
            look=_zone_tables,
        ),
        Rule(
            id="time.sysdate",
            question=10,
            title="SYSDATE() is not logged as a statement",
            verdict=_UNFIT,
            why="it gives the applier's time on the other side",
            source='MySQL manual, "Date and Time Functions", SYSDATE()',
            look=_sysdate,
        ),
        Rule(
            id="time.moving_columns",
            question=10,
            title="No row that both sides write stamps itself",
            verdict=_ATTENTION,
            why="the later of two updates by the clocks need not be the later one",
            source="docs/audit.md",
            look=_moving,
        ),
    ),
)
