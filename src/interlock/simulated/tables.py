"""`ports.Tables` in memory: every table is there, each with a key and a text, until it is changed."""

from __future__ import annotations

import re
from collections.abc import Callable

from interlock.decisions.declarations import lines_of
from interlock.model.effects import TableEffect
from interlock.model.tables import AlterTable, TableFacts
from interlock.simulated.database import Database
from interlock.simulated.process import SimulatedProcess

_NEW = "CREATE TABLE `{name}` (\n  `id` bigint NOT NULL,\n  `k` varchar(64) NOT NULL,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB"
_CLAUSE = re.compile(r"(ADD|DROP) (COLUMN|INDEX|KEY) `?(\w+)`? ?(.*)")
_LATER_S = 1.0


class SimulatedTables:
    """A database keeps what it declares among its `settings`. Its sessions need nothing to change it."""

    def __init__(
        self, database: Database, process: SimulatedProcess, *, read: Callable[[], Database], connected: Callable[[], None]
    ) -> None:
        self._database = database
        self._process = process
        self._read = read
        self._connected = connected

    def facts(self, table: str, /) -> TableFacts:
        return TableFacts(server=self._database.name, table=table, definition=declared(self._read(), table))

    def script(self, effect: TableEffect, /) -> tuple[str, ...]:
        return (f"ALTER TABLE {effect.table} {effect.alter}",)

    def apply(self, effect: TableEffect, /, mark: str) -> None:
        del mark
        self._process.move()
        self._connected()
        self._database.carry_out(AlterTable, lambda: _alter(self._database, effect), effect.within_s + _LATER_S)
        self._process.move()


def declared(database: Database, table: str) -> str:
    return database.settings.get(f"table {table}", _NEW.format(name=table))


def _alter(database: Database, effect: AlterTable) -> None:
    definition = declared(database, effect.table)
    lines = lines_of(definition)
    for verb, what, name, rest in _CLAUSE.findall(effect.alter.replace(", ", "\n")):
        kind = "column" if what == "COLUMN" else "key"
        if verb == "ADD":
            lines[f"{kind} {name}"] = f"`{name}` {rest}" if kind == "column" else f"KEY `{name}` {rest}"
        else:
            lines.pop(f"{kind} {name}", None)
    columns_first = sorted(lines.items(), key=lambda each: not each[0].startswith("column "))
    head, tail = definition.partition("\n")[0], definition.rpartition("\n")[2]
    body = "".join(f"  {line},\n" for _, line in columns_first).removesuffix(",\n")
    database.settings[f"table {effect.table}"] = f"{head}\n{body}\n{tail}"
    if declared(database, effect.table) == _NEW.format(name=effect.table):
        del database.settings[f"table {effect.table}"]
