"""`ports.Tables` on a database in memory. Its sessions need nothing to change a table."""

from __future__ import annotations

from collections.abc import Callable

from interlock.model.effects import TableEffect
from interlock.model.tables import AlterTable, TableFacts
from interlock.simulated.database import Database
from interlock.simulated.declared import alter, declared
from interlock.simulated.process import SimulatedProcess

_LATER_S = 1.0


class SimulatedTables:
    """As one process sees them."""

    def __init__(
        self,
        database: Database,
        process: SimulatedProcess,
        *,
        read: Callable[[], Database],
        connected: Callable[[], None],
        done: Callable[[TableEffect], None],
    ) -> None:
        self._database = database
        self._process = process
        self._read = read
        self._connected = connected
        self._done = done

    def facts(self, table: str, /) -> TableFacts:
        database = self._read()
        read_by = tuple(database.settings.get("log_read_by", "").split())
        return TableFacts(server=database.name, table=table, definition=declared(database, table), read_by=read_by)

    def script(self, effect: TableEffect, /) -> tuple[str, ...]:
        return (f"ALTER TABLE {effect.table} {effect.alter}",)

    def apply(self, effect: TableEffect, /, mark: str) -> None:
        del mark
        self._process.move()
        self._connected()
        self._done(effect)
        database = self._database
        database.carry_out(AlterTable, lambda: alter(database, effect.table, effect.alter), effect.within_s + _LATER_S)
        self._process.move()
