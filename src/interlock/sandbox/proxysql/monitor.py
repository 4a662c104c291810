"""The monitor of `read_only`: it moves servers between the writer and the reader hostgroup of each row of mysql_replication_hostgroups.

As read_only_action_v2 of ProxySQL 3.0 does (lib/MySQL_HostGroups_Manager.cpp): what is writable and no writer is copied to the writers, and
is a reader no more unless `mysql-monitor_writer_is_also_reader`; what is read-only and a writer becomes a reader. A status other than
OFFLINE_HARD counts as being there. What can't be asked is left as it is (ProxySQL takes it for read-only after three time-outs). Only what
is at run time changes.
"""

from __future__ import annotations

import asyncio

import pymysql

from interlock.dataclass import dataclass
from interlock.sandbox.proxysql.hostgroups import Hostgroups
from interlock.sandbox.proxysql.tables import Tables

INTERVAL = "mysql-monitor_read_only_interval"
ALSO_READER = "mysql-monitor_writer_is_also_reader"
DEFAULTS = {INTERVAL: "1500", ALSO_READER: "true"}
_WITHIN_S = 1.0

Server = tuple[str, int]


@dataclass(slots=True, kw_only=True)
class Monitor:
    """`user` and `password` are mysql-monitor_username's and -password's."""

    tables: Tables
    hostgroups: Hostgroups
    user: str
    password: str

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(int(self._variable(INTERVAL)) / 1000)
            for pair in self.tables.rows("runtime_mysql_replication_hostgroups"):
                writer, reader = int(pair["writer_hostgroup"]), int(pair["reader_hostgroup"])
                for server in self._servers(writer, reader):
                    read_only = await loop.run_in_executor(None, self._asked, server)
                    if read_only is not None:
                        self._act(server, writer, reader, read_only=read_only)

    def _servers(self, *hostgroups: int) -> list[Server]:
        known = [(host, port) for hostgroup, host, port in self.hostgroups.servers if hostgroup in hostgroups]
        return [server for server in dict.fromkeys(known) if any(self.hostgroups.has(server, one) for one in hostgroups)]

    def _act(self, server: Server, writer: int, reader: int, *, read_only: bool) -> None:
        if read_only and self.hostgroups.has(server, writer):
            self.hostgroups.move(server, writer, reader, leave=False)
        elif not read_only and not self.hostgroups.has(server, writer) and self.hostgroups.has(server, reader):
            self.hostgroups.move(server, reader, writer, leave=self._variable(ALSO_READER) == "true")

    def _variable(self, name: str) -> str:
        rows = self.tables.rows("runtime_global_variables")
        return next((row["variable_value"] for row in rows if row["variable_name"] == name), DEFAULTS[name])

    def _asked(self, server: Server) -> bool | None:
        host, port = server
        try:
            with (
                pymysql.connect(
                    host=host,
                    port=port,
                    user=self.user,
                    password=self.password,
                    connect_timeout=_WITHIN_S,
                    read_timeout=_WITHIN_S,
                    ssl_disabled=True,
                ) as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute("SELECT @@global.read_only")
                (value,) = cursor.fetchone() or (None,)
        except (pymysql.Error, OSError):
            return None
        return None if value is None else bool(value)
