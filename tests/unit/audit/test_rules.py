"""Each rule on facts in memory: silent on a pair in which nothing is amiss, and the only one that speaks of its own fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from interlock.audit.catalogue import chapters
from interlock.audit.facts import (
    AccountSeen,
    ExplicitIds,
    ForeignKey,
    HostSeen,
    LoggedDdl,
    LogSeen,
    Origin,
    PairSeen,
    PastComparison,
    Rehearsal,
    RehearsalKind,
    RouteSeen,
    SequenceSeen,
    SessionSeen,
    StoredObject,
    TableWrites,
)
from interlock.audit.judge import judge
from interlock.documents.topology import parse_topology
from interlock.engine.segment_status import SegmentStatus
from interlock.model.audit import AuditVerdict, FixKind
from interlock.model.conflicts import Turn
from interlock.model.position import parse_position
from interlock.model.topology import ClusterName, RouteName, SegmentSpec, Tenants
from interlock.model.verdict import Refuse
from interlock.ports import RunHeader
from unit.audit.small_pair import AT, SETTINGS, TABLE, pair

FITS, ATTENTION, UNFIT, PERSON = AuditVerdict.FITS, AuditVerdict.NEEDS_ATTENTION, AuditVerdict.UNFIT, AuditVerdict.PERSON
Change = Callable[[PairSeen], PairSeen]
ALWAYS_ASKED = {
    "conflicts.application_retries",
    "upgrade.rolled_out",
    "plan.documented",
    "validation.compared",
    "testing.rehearsed",
    "testbed.there",
}


def on(server: str, **changes: Any) -> Change:
    def change(seen: PairSeen) -> PairSeen:
        first, second = (replace(one, **changes) if one.name == server else one for one in seen.masters)
        return replace(seen, masters=(first, second))

    return change


def setting(server: str, **values: str) -> Change:
    return on(server, settings={**SETTINGS, **values})


def facts(server: str, **values: Any) -> Change:
    def change(seen: PairSeen) -> PairSeen:
        return on(server, facts=replace(seen.server(server).facts, **values))(seen)

    return change


def writes(server: str, **values: Any) -> Change:
    def change(seen: PairSeen) -> PairSeen:
        return on(server, writes=replace(seen.server(server).writes, **values))(seen)

    return change


def both(*changes: Change) -> Change:
    def change(seen: PairSeen) -> PairSeen:
        for one in changes:
            seen = one(seen)
        return seen

    return change


def on_both(**changes: Any) -> Change:
    return both(on("east", **changes), on("west", **changes))


def topology(**changes: Any) -> Change:
    return lambda seen: replace(seen, topology=replace(seen.topology, **changes))


def cluster(name: str, **changes: Any) -> Change:
    def change(seen: PairSeen) -> PairSeen:
        clusters = {**seen.topology.clusters, ClusterName(name): replace(seen.topology.clusters[ClusterName(name)], **changes)}
        return replace(seen, topology=replace(seen.topology, clusters=clusters))

    return change


def access(server: str, **changes: Any) -> Change:
    def change(seen: PairSeen) -> PairSeen:
        spec = seen.server(server).spec
        return on(server, spec=replace(spec, access=replace(spec.access, **changes)))(seen)

    return change


def channel(server: str, **changes: Any) -> Change:
    def change(seen: PairSeen) -> PairSeen:
        return on(server, channels=(replace(seen.server(server).channels[0], **changes),))(seen)

    return change


def wrote(**minutes: tuple[int, ...]) -> Change:
    """Each server wrote shop.orders in these minutes."""

    def change(seen: PairSeen) -> PairSeen:
        for name, its in minutes.items():
            log = replace(seen.server(name).log, writes={"shop.orders": TableWrites(events=len(its), minutes=frozenset(its))})
            seen = on(name, log=log)(seen)
        return seen

    return change


def segment(name: str, owner: str, *schemas: str, **more: Any) -> SegmentSpec:
    given = {"accounts": ("app@%",), "route": RouteName("writes"), **more}
    return SegmentSpec(name=name, schemas=schemas, owner=ClusterName(owner), **given)


def closed_on_west(*, minute: int) -> Change:
    """A run closed the segment of shop.orders there then, after one had opened it."""
    turns = [
        Turn(segment="shop", cluster=ClusterName("west"), position=parse_position("1-1-1"), open=open_, at=datetime.fromtimestamp(at, UTC))
        for open_, at in ((True, 0), (False, 60 * minute))
    ]
    return lambda seen: replace(seen, turns=tuple(turns))


DAYS_AGO = ((AT - timedelta(days=9), 9),)
SEGMENTS = topology(segments={"shop": segment("shop", "east", "shop"), "crm": segment("crm", "west", "crm")})


def segment_seen(*problems: dict[str, str]) -> Change:
    seen = SegmentStatus(segment="shop", owner="east", epoch=1, home="east", route=None, clusters={}, problems=problems)
    return lambda pair_: replace(pair_, segments=(seen,))


def run(outcome: str | None, days_ago: int = 1, playbook: str = "switchover") -> Change:
    header = RunHeader(
        run="r1", playbook=playbook, topology="shop", started_at=AT - timedelta(days=days_ago), state=outcome or "opened", outcome=outcome
    )
    return lambda seen: replace(seen, runs=(header,))


def rehearsed(kind: str, *, good: bool = True, application: bool = False, days_ago: int = 1) -> Change:
    one = Rehearsal(kind=RehearsalKind(kind), at=AT - timedelta(days=days_ago), good=good, says="it says", application=application)
    return lambda seen: replace(seen, rehearsals=(*seen.rehearsals, one))


def compared(days_ago: int, *, good: bool) -> Change:
    past = PastComparison(name="d1", at=AT - timedelta(days=days_ago), good=good, says="7 differences")
    return lambda seen: replace(seen, comparisons=(past,))


def stored(kind: str, name: str, body: str = "", **more: Any) -> StoredObject:
    return StoredObject(kind=kind, name=name, digest="1", body=body, **more)


CASES: list[tuple[str, int, AuditVerdict, Change]] = [
    ("log.row_format", 0, UNFIT, setting("west", binlog_format="MIXED")),
    ("log.row_image", 0, ATTENTION, setting("east", binlog_row_image="NOBLOB")),
    ("log.partial_json", 0, ATTENTION, setting("east", binlog_row_value_options="PARTIAL_JSON")),
    ("log.row_metadata", 9, ATTENTION, setting("east", binlog_row_metadata="MINIMAL")),
    ("log.checksums", 14, ATTENTION, setting("east", binlog_checksum="NONE")),
    ("log.checksums_are_verified", 14, ATTENTION, setting("west", slave_sql_verify_checksum="OFF")),
    ("log.updates", 0, UNFIT, facts("west", log_slave_updates=False)),
    ("durable.log", 0, ATTENTION, setting("east", sync_binlog="0")),
    ("durable.commits", 0, ATTENTION, setting("east", innodb_flush_log_at_trx_commit="2")),
    ("settings.sql_mode", 0, ATTENTION, setting("west", sql_mode="")),
    ("settings.charset", 0, ATTENTION, setting("west", character_set_server="latin1")),
    ("settings.collation", 0, ATTENTION, setting("west", collation_server="utf8mb4_bin")),
    ("settings.packet", 0, ATTENTION, setting("west", max_allowed_packet="1048576")),
    ("settings.memory", 0, ATTENTION, setting("west", innodb_buffer_pool_size="8388608")),
    ("settings.connections", 13, ATTENTION, setting("west", max_connections="151")),
    ("settings.lower_case_table_names", 0, UNFIT, setting("west", lower_case_table_names="1")),
    ("conflicts.are_not_hidden", 7, UNFIT, setting("west", slave_exec_mode="IDEMPOTENT")),
    ("conflicts.gtid_strict", 7, ATTENTION, setting("west", gtid_strict_mode="OFF")),
    ("conflicts.applier_retries", 7, ATTENTION, setting("west", slave_transaction_retries="0")),
    ("conflicts.isolation", 7, ATTENTION, setting("west", transaction_isolation="READ-COMMITTED")),
    ("integrity.foreign_keys_checked", 4, UNFIT, setting("west", foreign_key_checks="OFF")),
    ("integrity.unique_checked", 4, UNFIT, setting("west", unique_checks="OFF")),
    ("integrity.triggers_once", 4, UNFIT, setting("west", slave_run_triggers_for_rbr="YES")),
    ("time.zone", 10, UNFIT, setting("west", time_zone="+01:00")),
    ("time.names", 10, ATTENTION, setting("west", lc_time_names="de_DE")),
    ("time.week", 10, ATTENTION, setting("west", default_week_format="1")),
    ("time.system_zone", 10, UNFIT, setting("west", system_time_zone="CET")),
    ("time.clocks", 10, ATTENTION, facts("west", clock_offset_s=3.0)),
    ("time.named_zones", 10, ATTENTION, on("west", zones=0)),
    ("upgrade.lossy_conversions", 9, ATTENTION, setting("west", slave_type_conversions="ALL_LOSSY,ALL_NON_LOSSY")),
    ("upgrade.row_formats", 9, ATTENTION, on("west", tables={"shop.orders": replace(TABLE, row_format="Compact")})),
    ("identity.server_ids", 0, UNFIT, facts("west", server_id=1)),
    ("identity.gtid_domains", 0, UNFIT, facts("west", gtid_domain_id=1)),
    ("identity.plugins", 0, ATTENTION, on("east", plugins={"ed25519": "auth_ed25519.so"})),
    ("identity.engines", 0, UNFIT, on("west", engines=frozenset({"MyISAM"}))),
    ("identity.versions", 0, ATTENTION, facts("west", version="11.8.1-MariaDB")),
    (
        "fence.starts_fenced",
        0,
        UNFIT,
        both(setting("east", read_only="OFF"), on("east", origins={"read_only": Origin(word="COMPILE-TIME")})),
    ),
    ("fence.stops_administrators", 0, ATTENTION, writes("west", loose=True)),
    ("accounts.tls", 0, ATTENTION, access("west", tls=None)),
    ("audit.sees_all", 0, ATTENTION, on("west", missing=("triggers: denied",))),
    ("tables.have_a_key", 0, ATTENTION, on_both(tables={"shop.orders": replace(TABLE, has_key=False)})),
    ("tables.are_transactional", 0, ATTENTION, on_both(tables={"shop.orders": replace(TABLE, engine="MyISAM")})),
    ("segregation.one_writer", 1, UNFIT, both(writes("west", read_only=False), lambda seen: replace(seen, routes=()))),
    ("segregation.segments_hold", 1, UNFIT, segment_seen({"what": "it is open on west, too", "hint": "`interlock run adopt-segment`"})),
    ("move.segments_fit", 3, ATTENTION, lambda seen: replace(seen, unmovable={"shop": Refuse("others can write it", "revoke it")})),
    ("segregation.every_schema_owned", 1, ATTENTION, topology(segments={"crm": segment("crm", "east", "crm")})),
    ("segregation.written_by_owner", 1, UNFIT, both(SEGMENTS, wrote(west=(1,)))),
    ("segregation.written_by_owner", 1, UNFIT, both(SEGMENTS, closed_on_west(minute=100), wrote(west=(99, 103)))),
    ("segregation.written_by_owner", 1, FITS, both(SEGMENTS, closed_on_west(minute=100), wrote(west=(99, 100)))),
    ("peaks.logs_kept", 2, ATTENTION, on_both(settings={**SETTINGS, "binlog_expire_logs_seconds": "172800"})),
    ("peaks.logs_alike", 2, ATTENTION, setting("west", binlog_expire_logs_seconds="1209600")),
    ("peaks.known", 2, PERSON, on_both(log=LogSeen(begins=((AT - timedelta(hours=5), 9),)))),
    ("move.segments_complete", 3, ATTENTION, topology(segments={"shop": segment("shop", "east", "shop", accounts=())})),
    ("move.route", 3, ATTENTION, topology(routes={})),
    ("move.routes_lead_to_the_writer", 3, ATTENTION, lambda seen: replace(seen, routes=(RouteSeen(name="writes", error="silent"),))),
    ("move.canary", 3, ATTENTION, access("east", canary=None)),
    (
        "integrity.cascades",
        4,
        ATTENTION,
        on_both(foreign_keys=(ForeignKey(name="f", table="shop.a", refers_to="shop.b", acts=("DELETE CASCADE",)),)),
    ),
    (
        "integrity.within_segments",
        4,
        UNFIT,
        both(SEGMENTS, on_both(foreign_keys=(ForeignKey(name="f", table="shop.a", refers_to="crm.b"),))),
    ),
    (
        "integrity.stored_code_within_segments",
        4,
        UNFIT,
        both(SEGMENTS, on_both(stored=(stored("trigger", "shop.g", "INSERT INTO crm.log VALUES (1)", on="shop.orders"),))),
    ),
    ("integrity.events_once", 4, UNFIT, on_both(stored=(stored("event", "shop.e"),))),
    ("shared.written_by_one", 5, UNFIT, wrote(east=(1, 3, 5), west=(2, 4))),
    ("shared.accounts", 5, ATTENTION, on("east", accounts=())),
    ("keys.apart", 6, UNFIT, facts("west", auto_increment_offset=1)),
    (
        "keys.explicit_ids",
        6,
        ATTENTION,
        on("east", log=LogSeen(begins=DAYS_AGO, explicit={"shop.orders": ExplicitIds(inserts=9, explicit=1, example=4)})),
    ),
    ("keys.sequences", 6, ATTENTION, on_both(sequences=(SequenceSeen(name="shop.s", increment=1),))),
    ("conflicts.none_stands", 7, UNFIT, channel("west", error="Duplicate entry")),
    ("ddl.tables_on_both", 8, UNFIT, on("west", tables={})),
    ("ddl.tables_alike", 8, UNFIT, on("west", tables={"shop.orders": replace(TABLE, digest="2")})),
    ("ddl.stored_code_alike", 8, ATTENTION, on("east", stored=(stored("view", "shop.v"),))),
    ("ddl.no_filters", 8, ATTENTION, facts("west", filters={"replicate_ignore_db": "crm"})),
    (
        "ddl.one_owner",
        8,
        PERSON,
        on_both(log=LogSeen(begins=((AT - timedelta(days=9), 9),), ddl=(LoggedDdl(at=AT, schema="", text="ALTER"),))),
    ),
    ("managers.accounts", 11, ATTENTION, on_both(accounts=(AccountSeen(name="'maxscale'@'%'", user="maxscale", host="%", digest="3"),))),
    ("managers.sessions", 11, UNFIT, on("east", sessions=(SessionSeen(id=7, user="x", host="h", program="orchestrator"),))),
    ("managers.schemas", 11, ATTENTION, on_both(schemas={"tungsten_east": ""})),
    ("managers.events", 11, UNFIT, on("east", stored=(stored("event", "shop.e", "SET GLOBAL read_only=0"),))),
    ("managers.jobs", 11, UNFIT, lambda seen: replace(seen, hosts=(HostSeen(cluster="west", jobs=("/etc/crontab:7:* * * * * x",)),))),
    ("managers.synchronous", 11, UNFIT, setting("west", wsrep_on="ON")),
    ("plan.fencing", 12, ATTENTION, cluster("west", fencing=())),
    ("plan.logs", 12, ATTENTION, cluster("west", logs=None)),
    ("plan.no_run_unfinished", 12, ATTENTION, run(None)),
    ("quiesce.channels", 13, UNFIT, channel("west", applier=False)),
    ("quiesce.plan_is_clean", 13, ATTENTION, lambda seen: replace(seen, refusals={"west": ("somebody holds the pair",), "east": ()})),
    ("quiesce.retention", 13, UNFIT, on_both(settings={**SETTINGS, "binlog_expire_logs_seconds": "3600"})),
    ("validation.compared", 14, UNFIT, compared(1, good=False)),
    ("validation.compared", 14, ATTENTION, compared(40, good=True)),
    ("validation.compared", 14, FITS, compared(3, good=True)),
    ("testing.rehearsed", 15, ATTENTION, run("rolled_back")),
    ("testing.rehearsed", 15, ATTENTION, run("succeeded", days_ago=100)),
    ("conflicts.application_retries", 7, FITS, rehearsed("conflicts", application=True)),
    ("conflicts.application_retries", 7, PERSON, rehearsed("conflicts")),
    ("conflicts.application_retries", 7, PERSON, rehearsed("conflicts", application=True, days_ago=100)),
    ("conflicts.application_retries", 7, ATTENTION, rehearsed("conflicts", application=True, good=False)),
    ("testing.rehearsed", 15, FITS, rehearsed("switchovers")),
    ("testing.rehearsed", 15, PERSON, rehearsed("conflicts")),
    ("testing.rehearsed", 15, ATTENTION, rehearsed("switchovers", good=False)),
    ("testing.rehearsed", 15, ATTENTION, rehearsed("switchovers", days_ago=100)),
    ("testing.rehearsed", 15, FITS, both(rehearsed("switchovers", good=False, days_ago=3), run("succeeded", days_ago=2))),
    ("testing.rehearsed", 15, ATTENTION, both(rehearsed("switchovers", good=False), run("succeeded", days_ago=2))),
    ("testbed.there", 16, FITS, rehearsed("test_bed")),
    ("testbed.there", 16, PERSON, rehearsed("test_bed", good=False)),
    ("testbed.there", 16, PERSON, rehearsed("test_bed", days_ago=100)),
    ("testing.rehearsed", 15, FITS, run("succeeded")),
    ("testing.rehearsed", 15, FITS, both(SEGMENTS, run("succeeded", playbook="move-segment"))),
    ("testing.rehearsed", 15, PERSON, both(SEGMENTS, run("succeeded", playbook="adopt-segment"))),
    ("testing.rehearsed", 15, PERSON, run("succeeded", playbook="move-segment")),
]
"""Rule, question, verdict (FITS: it does not speak), and what is amiss. What else may speak of the same fault is in BESIDE_IT."""
BESIDE_IT = {
    "identity.engines": {"tables.are_transactional"},
    "segregation.one_writer": {"move.routes_lead_to_the_writer"},
    "conflicts.none_stands": {"quiesce.channels"},
    "quiesce.retention": {"peaks.logs_kept"},
    "managers.events": {"ddl.stored_code_alike"},
}
NOT_HERE = {
    "segregation.a_writer",
    "accounts.pass_read_only",
    "accounts.replication",
    "keys.room",
    "keys.more_uniques",
    "keys.short_uuids",
    "time.sysdate",
    "time.moving_columns",
}
"""Tried below, or by the tests on real servers, with more than one change."""


def spoken(seen: PairSeen) -> dict[str, tuple[int, AuditVerdict]]:
    report = judge(seen, chapters())
    return {one.rule: (one.question, one.verdict) for one in report.findings}


def test_nothing_is_amiss_but_what_a_person_must_say() -> None:
    said = spoken(pair())
    assert set(said) == ALWAYS_ASKED
    assert {verdict for _, verdict in said.values()} == {PERSON}


@pytest.mark.parametrize(
    ("rule", "question", "verdict", "change"), [pytest.param(*case, id=f"{case[0]}-{case[2].value}") for case in CASES]
)
def test_a_rule_speaks_of_its_own_fault_and_no_other_does(rule: str, question: int, verdict: AuditVerdict, change: Change) -> None:
    said = spoken(change(pair()))
    if verdict is FITS:
        assert rule not in said
        return
    assert said.pop(rule) == (question, verdict)
    assert set(said) - ALWAYS_ASKED - BESIDE_IT.get(rule, set()) == set()


@pytest.mark.parametrize(("kind", "speaks"), [("proxysql", False), ("proxysql_rules", False), ("maxscale", True)])
def test_the_account_of_a_proxy_that_is_one_of_the_pairs_routes_is_known(kind: str, *, speaks: bool) -> None:
    seen = on_both(accounts=(AccountSeen(name="'proxysql'@'%'", user="proxysql", host="%", digest="3"),))(pair())
    routes = {name: replace(spec, kind=kind) for name, spec in seen.topology.routes.items()}
    said = spoken(replace(seen, topology=replace(seen.topology, routes=routes)))
    assert ("managers.accounts" in said) is speaks


def test_every_rule_has_a_row() -> None:
    rules = {rule.id for chapter in chapters() for rule in chapter.rules}
    assert {case[0] for case in CASES} | NOT_HERE | ALWAYS_ASKED == rules


def test_each_rule_says_why_and_where_it_is_written() -> None:
    for chapter in chapters():
        for rule in chapter.rules:
            assert rule.question == chapter.question
            assert rule.why
            assert rule.source
            assert not rule.why.endswith(".")


FILE, SET = Origin(word="CONFIG", path="/etc/my.cnf"), Origin(word="SQL")


@pytest.mark.parametrize(
    ("value", "origin", "hosts", "speaks"),
    [
        pytest.param("ON", FILE, (), False, id="its-file-fences-it"),
        pytest.param("OFF", FILE, (), True, id="its-file-opens-it"),
        pytest.param("OFF", Origin(word="COMPILE-TIME"), (), True, id="no-file-says-anything"),
        pytest.param("OFF", SET, (), False, id="set-since-and-nothing-tells"),
        pytest.param("OFF", SET, (HostSeen(cluster="east"),), True, id="set-since-and-no-file-on-the-host"),
        pytest.param("ON", SET, (HostSeen(cluster="east", options=("read_only = 0",)),), True, id="a-file-on-the-host-opens-it"),
        pytest.param("OFF", SET, (HostSeen(cluster="east", options=("read-only",)),), False, id="a-file-on-the-host-fences-it"),
        pytest.param("OFF", SET, (HostSeen(cluster="west"),), False, id="another-host"),
        pytest.param("OFF", SET, (HostSeen(cluster="east", unread=("/etc/mysql/keys.cnf",)),), False, id="a-file-may-not-be-read"),
        pytest.param("OFF", SET, (HostSeen(cluster="east", unread=("/var/spool/cron",)),), True, id="something-else-may-not-be-read"),
    ],
)
def test_how_a_server_will_start_is_told_by_files_not_by_what_holds_now(
    value: str, origin: Origin, hosts: tuple[HostSeen, ...], *, speaks: bool
) -> None:
    seen = both(setting("east", read_only=value), on("east", origins={"read_only": origin}))(pair())
    assert ("fence.starts_fenced" in spoken(replace(seen, hosts=hosts))) is speaks


ROOM = [
    pytest.param("tinyint(4)", 126, UNFIT, id="full"),
    pytest.param("int(10) unsigned", 2**32 * 85 // 100, ATTENTION, id="nearly-full"),
    pytest.param("int(11)", 2**31 // 2, None, id="half-full"),
    pytest.param("bigint(20)", None, None, id="not-asked"),
]


@pytest.mark.parametrize(("kind", "following", "verdict"), ROOM)
def test_a_column_that_is_nearly_full_is_told_by_its_type(kind: str, following: int | None, verdict: AuditVerdict | None) -> None:
    seen = pair()
    column = replace(seen.writer.auto_columns[0], type=kind, next=following)
    said = spoken(on_both(auto_columns=(column,))(seen))
    assert said.get("keys.room") == ((6, verdict) if verdict else None)


def passing(**more: Any) -> AccountSeen:
    return AccountSeen(name="'ops'@'%'", user="ops", host="%", digest="4", passes=True, **more)


@pytest.mark.parametrize(
    ("account", "speaks"),
    [
        pytest.param(passing(), True, id="passes"),
        pytest.param(passing(locked=True), False, id="locked"),
        pytest.param(replace(passing(), host="localhost"), False, id="of-the-machine"),
        pytest.param(replace(passing(), user="interlock"), False, id="interlocks-own"),
    ],
)
def test_only_an_account_that_can_come_in_and_is_not_ours_passes_a_fence(account: AccountSeen, *, speaks: bool) -> None:
    said = spoken(on_both(accounts=(account,))(pair()))
    assert ("accounts.pass_read_only" in said) is speaks


def test_what_needs_two_changes() -> None:
    repl = AccountSeen(name="'repl'@'%'", user="repl", host="%", digest="2", super=True)
    assert "accounts.replication" in spoken(on_both(accounts=(repl,))(pair()))
    short = both(facts("west", server_id=257), on_both(stored=(stored("procedure", "shop.p", "SELECT UUID_SHORT()"),)))
    assert "keys.short_uuids" in spoken(short(pair()))
    sysdate = both(setting("east", binlog_format="MIXED"), on_both(stored=(stored("procedure", "shop.p", "SELECT SYSDATE()"),)))
    assert "time.sysdate" in spoken(sysdate(pair()))
    together = both(
        SEGMENTS,
        wrote(east=(1,), west=(2,)),
        on_both(moving_columns=("shop.orders.at",), tables={"shop.orders": replace(TABLE, uniques=1)}),
    )
    assert {"time.moving_columns", "keys.more_uniques"} <= set(spoken(together(pair())))
    nobody = both(writes("east", read_only=True), lambda seen: replace(seen, routes=()))
    assert "segregation.a_writer" in spoken(nobody(pair()))


UNSEEN = [
    ("tables: interrupted", on("east", tables={}), "ddl.tables_on_both"),
    ("indexes: interrupted", on("east", tables={"shop.orders": replace(TABLE, indexes="")}), "ddl.tables_alike"),
    ("triggers: its account lacks TRIGGER", on("west", stored=(stored("trigger", "shop.g"),)), "ddl.stored_code_alike"),
    ("accounts: denied", on("east", accounts=()), "shared.accounts"),
    ("engines: denied", on("east", engines=frozenset()), "identity.engines"),
    ("plugins: denied", on("west", plugins={"p": "p.so"}), "identity.plugins"),
    ("time zones: denied", on("east", zones=0), "time.named_zones"),
]


@pytest.mark.parametrize(("missing", "change", "rule"), [pytest.param(*one, id=one[0].partition(":")[0]) for one in UNSEEN])
def test_what_was_not_seen_is_told_and_never_taken_for_missing(missing: str, change: Change, rule: str) -> None:
    assert rule in spoken(change(pair()))
    said = spoken(both(change, on("east", missing=(missing,)))(pair()))
    assert rule not in said
    assert "audit.sees_all" in said


def test_without_one_writer_nobody_is_told_to_drop_anything() -> None:
    nobody = both(writes("east", read_only=True), on("west", tables={}, accounts=(), stored=(stored("view", "shop.v"),)))
    fixes = {one.rule: one.fix for one in judge(nobody(pair()), chapters()).findings}
    assert fixes["ddl.tables_on_both"] is fixes["ddl.stored_code_alike"] is None
    accounts = fixes["shared.accounts"]
    assert accounts is not None
    assert accounts.kind is FixKind.COMMAND


def test_tenants_of_every_table_need_no_schemas_and_no_accounts() -> None:
    tables = tuple(sorted({table for one in pair().masters for table in one.tables}))
    tenants = Tenants(column="tenant", values=("acme",), tables=tables)
    seen = topology(segments={"acme": segment("acme", "east", accounts=(), tenants=tenants)})(pair())
    assert not spoken(seen).keys() & {"segregation.every_schema_owned", "move.segments_complete"}


def test_switchovers_that_the_store_knows_explain_writes_on_both_sides() -> None:
    turns = wrote(east=(1, 2, 5), west=(3, 4))
    assert "shared.written_by_one" in spoken(turns(pair()))
    assert "shared.written_by_one" not in spoken(both(turns, run("succeeded"))(pair()))


def test_what_a_person_is_asked_can_be_answered_by_the_printed_lines() -> None:
    head = "topology: s\naccess: {user: u, tls: off}\nclusters: {a: {master: {host: 10.0.0.1}}, b: {master: {host: 10.0.0.2}}}\n"
    for question in judge(pair(), chapters()).questions:
        for one in question.findings:
            assert one.fix is not None
            given = parse_topology(head + one.fix.text, file="t.yaml", route_types={}).audit.answers[question.question]
            assert given.rests_on == question.rests_on


def test_fixes_are_of_their_kind() -> None:
    for _, _, _, change in CASES:
        for one in judge(change(pair()), chapters()).findings:
            if one.fix is not None:
                assert bool(one.fix.on) is (one.fix.kind in {FixKind.SQL, FixKind.OPTION_FILE}), one.rule
                if one.fix.kind is FixKind.TOPOLOGY:
                    assert isinstance(yaml.safe_load(one.fix.text), dict), one.rule
