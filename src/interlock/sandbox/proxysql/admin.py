"""The admin port: SQL and ProxySQL's commands, with the tables of run time and statistics made when a statement names them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.sandbox.proxysql import wire
from interlock.sandbox.proxysql.hostgroups import Hostgroups
from interlock.sandbox.proxysql.rules import rules_of
from interlock.sandbox.proxysql.tables import RULES, Answer, Tables
from interlock.sandbox.proxysql.traffic import Traffic

HOLD = "mysql-connect_timeout_server_max"


@dataclass(slots=True, kw_only=True)
class Admin:
    """`accounts` are those of admin-admin_credentials, with their passwords."""

    tables: Tables
    hostgroups: Hostgroups
    traffic: Traffic
    accounts: Mapping[str, str]
    clock: Clock

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = wire.Stream(reader, writer)
        try:
            login, salt = await wire.greet(client, "8.0.27", 0)
            if login.user not in self.accounts or wire.scramble(self.accounts[login.user], salt) != login.answer:
                words = f"ProxySQL Error: Access denied for user '{login.user}' (using password: YES)"
                await client.send(wire.error(1045, words, "28000"))
                return
            await client.send(wire.ok())
            while (packet := await client.read())[0] != wire.QUIT:
                await self._one(client, packet)
        except wire.Gone:
            pass  # the client went
        finally:
            writer.close()

    async def _one(self, client: wire.Stream, packet: bytes) -> None:
        if packet[0] != wire.QUERY:
            await client.send(wire.ok())
            return
        try:
            answer = self.run(packet[1:].decode())
        except (sqlite3.Error, sqlite3.Warning) as error:
            await client.send(wire.error(1045, f"ProxySQL Admin Error: {error}", "28000"))
            return
        for payload in wire.resultset(answer.names, answer.rows) if answer.names else [wire.ok(answer.affected)]:
            client.put(payload)
        await client.flush()

    def run(self, statement: str) -> Answer:
        if "runtime_mysql_servers" in statement:
            self.tables.fill("main.runtime_mysql_servers", self.hostgroups.runtime())
        if "stats_mysql_connection_pool" in statement:
            self.tables.fill("stats.stats_mysql_connection_pool", self._pool())
        if "stats_mysql_processlist" in statement:
            self.tables.fill("stats.stats_mysql_processlist", self._processlist())
        answer = self.tables.run(statement)
        if answer.loaded == "SERVERS":
            self.load_servers()
        elif answer.loaded == "QUERY RULES":
            self.load_rules()
        return answer

    def load(self) -> None:
        """To run time, as the tables say."""
        self.load_servers()
        self.load_rules()

    def load_servers(self) -> None:
        attributes = self.tables.rows("runtime_mysql_hostgroup_attributes")
        most = {int(row["hostgroup_id"]): int(row["max_num_online_servers"]) for row in attributes}
        self.hostgroups.load(self.tables.rows("runtime_mysql_servers"), most)

    def load_rules(self) -> None:
        self.traffic.rules = rules_of(*(self.tables.rows(f"runtime_{name}") for name in RULES))

    def _pool(self) -> list[dict[str, object]]:
        return [
            {
                "hostgroup": server.row["hostgroup_id"],
                "srv_host": server.host,
                "srv_port": server.port,
                "status": server.status,
                "ConnUsed": len(server.used),
                "ConnFree": len(server.free),
                "ConnOK": server.made,
                "ConnERR": server.failed,
                "Queries": server.statements,
            }
            for server in self.hostgroups.servers.values()
        ]

    def _processlist(self) -> list[dict[str, object]]:
        now_s = self.clock.monotonic_s()
        return [
            {
                "ThreadID": 0,
                "SessionID": session.id,
                "user": session.user,
                "db": session.database,
                "cli_host": session.peer[0],
                "cli_port": session.peer[1],
                "hostgroup": session.hostgroup,
                "srv_host": session.server.server.host if session.server else None,
                "srv_port": session.server.server.port if session.server else None,
                "command": "Query" if session.statement else "Sleep",
                "time_ms": int((now_s - session.since_s) * 1000),
                "info": session.statement or None,
            }
            for session in self.traffic.sessions.values()
        ]
