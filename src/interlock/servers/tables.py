"""The declarations of tables at one MariaDB or MySQL server: read, and changed there alone."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from interlock.errors import DriverError, StatementFailed
from interlock.model.effects import TableEffect
from interlock.model.tables import TableFacts
from interlock.servers import privileges
from interlock.servers.client_sessions import log_readers
from interlock.servers.dialect import Dialect
from interlock.servers.effects import all_marked, run_sql
from interlock.servers.flavors import flavor_named
from interlock.servers.pool import Pool, Purpose
from interlock.servers.quoting import name
from interlock.servers.session import READ_BOUND_S, text_of

_SETTINGS = (
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('binlog_format', 'binlog_row_image', 'time_zone', 'system_time_zone', 'sql_mode')"
)
_WHOLE = {"binlog_format": {"ROW"}, "binlog_row_image": {"FULL", "FULL_NODUP"}}
"""What logs each row with all its columns (MariaDB KB, "binlog_row_image": FULL_NODUP leaves out what did not change)."""
_NOT_THERE = (1049, 1146)
_NAME = re.compile(r"[^.\0]+\.[^.\0]+")


class SqlTables:
    """`ports.Tables` over a server's connections. `supposed`: what it speaks while it does not answer, for words."""

    def __init__(self, pool: Pool, *, dialect: Callable[[], Dialect], supposed: Callable[[], Dialect]) -> None:
        self._pool = pool
        self._dialect = dialect
        self._supposed = supposed

    def facts(self, table: str, /) -> TableFacts:
        dialect, pool = self._known(self._dialect()), self._pool
        if not _NAME.fullmatch(table):
            return TableFacts(server=pool.spec.name, table=table, definition="")
        settings = {text_of(row["Variable_name"]): text_of(row["Value"]) for row in pool.rows(_SETTINGS)}
        shown = pool.session(Purpose.WITNESS).run(
            (f"SHOW CREATE TABLE {_quoted(table)}",), bound_s=READ_BOUND_S, doing=f"look at {table}", harmless=_NOT_THERE
        )
        schema, _, own = table.partition(".")
        return TableFacts(
            server=pool.spec.name,
            table=table,
            definition=text_of(shown[0].rows[0].get("Create Table")) if shown else "",
            logs_rows=all(settings[setting].upper() in whole for setting, whole in _WHOLE.items() if setting in settings),
            lacks=privileges.missing_for_alter(pool, dialect.flavor, (schema, own)),
            time_zone=settings["system_time_zone" if settings["time_zone"] == "SYSTEM" else "time_zone"],
            sql_mode=settings["sql_mode"],
            read_by=log_readers(dialect.sessions(pool), our_user=pool.spec.access.account.user),
        )

    def script(self, effect: TableEffect, /) -> tuple[str, ...]:
        """Bounds first: of the whole, where the server has one for it, and of the wait for whoever holds the table."""
        try:
            dialect = self._dialect()
        except DriverError:
            dialect = self._supposed()
        return (
            self._known(dialect).bounds(effect.within_s),
            f"SET SESSION lock_wait_timeout={max(1, math.ceil(effect.lock_wait_s))}, sql_log_bin=0",
            f"ALTER TABLE {_quoted(effect.table)} {effect.alter}",
        )

    def apply(self, effect: TableEffect, /, mark: str) -> None:
        """With the server's own sql_mode, as an application's own ALTER. MySQL bounds no ALTER: ours ends it, and proves it gone."""
        bounds, *statements = all_marked(self.script(effect), mark)
        run_sql(self._pool, statements, bounds=bounds, within_s=effect.within_s)

    def _known(self, dialect: Dialect) -> Dialect:
        if flavor_named(dialect.flavor).channels is None:
            server = self._pool.spec.name
            raise StatementFailed(
                f"{server}: tables of {dialect.flavor} are not changed on one side alone", hint="change it by hand", server=server
            )
        return dialect


def _quoted(table: str) -> str:
    schema, _, own = table.partition(".")
    return name(schema, own)
