"""A pair in which nothing is amiss, as an audit would have seen it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from interlock.audit.facts import (
    AccountSeen,
    AutoColumn,
    Link,
    LogSeen,
    Origin,
    PairSeen,
    RouteSeen,
    ServerSeen,
    SessionSeen,
    TableSeen,
)
from interlock.model.facts import ChannelFacts, RouteFacts, ServerFacts, WriteFacts
from interlock.model.position import MariaDBPosition
from interlock.model.topology import (
    Access,
    Account,
    ClusterName,
    ClusterSpec,
    LogsSpec,
    RouteName,
    RouteSpec,
    ServerName,
    ServerSpec,
    Tls,
    Topology,
)

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
TABLE = TableSeen(engine="InnoDB", digest="1", shape="1", has_key=True, row_format="Dynamic", indexes="1")
SETTINGS: Mapping[str, str] = {
    "binlog_format": "ROW",
    "binlog_row_image": "FULL",
    "binlog_row_value_options": "",
    "binlog_row_metadata": "FULL",
    "binlog_checksum": "CRC32",
    "slave_sql_verify_checksum": "ON",
    "sync_binlog": "1",
    "innodb_flush_log_at_trx_commit": "1",
    "sql_mode": "STRICT_TRANS_TABLES",
    "character_set_server": "utf8mb4",
    "collation_server": "utf8mb4_general_ci",
    "max_allowed_packet": "16777216",
    "innodb_buffer_pool_size": "16777216",
    "max_connections": "200",
    "slave_exec_mode": "STRICT",
    "gtid_strict_mode": "ON",
    "slave_transaction_retries": "10",
    "transaction_isolation": "REPEATABLE-READ",
    "foreign_key_checks": "ON",
    "unique_checks": "ON",
    "slave_run_triggers_for_rbr": "NO",
    "time_zone": "SYSTEM",
    "system_time_zone": "UTC",
    "lc_time_names": "en_US",
    "default_week_format": "0",
    "slave_type_conversions": "",
    "binlog_expire_logs_seconds": "2592000",
    "lower_case_table_names": "0",
    "log_bin_basename": "/var/lib/mysql/binlog",
    "read_only": "ON",
}


def spec(name: str) -> ServerSpec:
    return ServerSpec(
        name=ServerName(name),
        cluster=ClusterName(name),
        host=f"10.1.0.{1 if name == 'east' else 2}",
        port=3306,
        access=Access(account=Account(user="interlock", password=None), tls=Tls(), canary=Account(user="canary", password=None)),
    )


def server(name: str) -> ServerSeen:
    number = 1 if name == "east" else 2
    other = "west" if name == "east" else "east"
    account = AccountSeen(name="'app'@'%'", user="app", host="%", digest="1")
    return ServerSeen(
        spec=spec(name),
        facts=ServerFacts(
            server=ServerName(name),
            flavor="mariadb",
            version="10.11.6-MariaDB",
            server_id=number,
            gtid_domain_id=number,
            log_bin=True,
            log_slave_updates=True,
            binlog_format="ROW",
            auto_increment_increment=2,
            auto_increment_offset=number,
            clock_offset_s=0.0,
        ),
        writes=WriteFacts(server=ServerName(name), read_only=name == "west", position=MariaDBPosition(), event_scheduler="OFF"),
        channels=(
            ChannelFacts(
                server=ServerName(name),
                name="",
                source=ServerName(other),
                source_address=spec(other).addresses[0],
                receiver="Yes",
                applier=True,
                lag_s=0,
                error="",
            ),
        ),
        links=(Link(channel="", source_address=spec(other).addresses[0], user="repl", tls=True),),
        settings=SETTINGS,
        origins={"read_only": Origin(word="CONFIG", path="/etc/mysql/my.cnf")},
        schemas={"shop": "utf8mb4_general_ci"},
        tables={"shop.orders": TABLE},
        auto_columns=(AutoColumn(table="shop.orders", column="id", type="int(11)", next=1001),),
        accounts=(account, AccountSeen(name="'repl'@'%'", user="repl", host="%", digest="2")),
        sessions=(SessionSeen(id=5, user="app", host="10.2.0.9"),),
        engines=frozenset({"InnoDB", "MyISAM"}),
        log=LogSeen(begins=((AT - timedelta(days=20), 1000),), since=AT - timedelta(hours=1), until=AT),
        zones=1780,
    )


def pair() -> PairSeen:
    clusters = {
        ClusterName(name): ClusterSpec(
            name=ClusterName(name),
            master=spec(name),
            fencing=({"type": "service", "unit": "mariadb"},),
            logs=LogsSpec(folder="/var/lib/mysql"),
        )
        for name in ("east", "west")
    }
    route = RouteSpec(name=RouteName("writes"), kind="haproxy", settings={})
    return PairSeen(
        topology=Topology(name="shop", clusters=clusters, routes={RouteName("writes"): route}),
        at=AT,
        masters=(server("east"), server("west")),
        routes=(
            RouteSeen(
                name="writes",
                facts=RouteFacts(route=RouteName("writes"), leads_to=(ClusterName("east"),), holding=False, hold_s=None, provable=True),
            ),
        ),
    )
