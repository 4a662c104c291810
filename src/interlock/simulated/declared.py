"""What a database in memory declares: every table is there, each with a key and a text, until it is changed. Kept among its settings."""

from __future__ import annotations

import re

from interlock.decisions.declarations import lines_of
from interlock.simulated.database import Database

_NEW = "CREATE TABLE `{name}` (\n  `id` bigint NOT NULL,\n  `k` varchar(64) NOT NULL,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB"
_CLAUSE = re.compile(r"(ADD|DROP) (COLUMN|INDEX|KEY) `?(\w+)`? ?(.*)")
_PREFIX = "table "


def declared(database: Database, table: str) -> str:
    return database.settings.get(f"{_PREFIX}{table}", _NEW.format(name=table))


def all_declared(database: Database) -> dict[str, str]:
    """Of the tables that were changed."""
    return {name.removeprefix(_PREFIX): value for name, value in database.settings.items() if name.startswith(_PREFIX)}


def alter(database: Database, table: str, clauses: str) -> None:
    """Understood are ADD and DROP of columns and indexes, each of one column."""
    definition = declared(database, table)
    lines = lines_of(definition)
    for verb, what, name, rest in _CLAUSE.findall(clauses.replace(", ", "\n")):
        kind = "column" if what == "COLUMN" else "key"
        if verb == "ADD":
            lines[f"{kind} {name}"] = f"`{name}` {rest}" if kind == "column" else f"KEY `{name}` {rest}"
        else:
            lines.pop(f"{kind} {name}", None)
    columns_first = sorted(lines.items(), key=lambda each: not each[0].startswith("column "))
    head, tail = definition.partition("\n")[0], definition.rpartition("\n")[2]
    body = "".join(f"  {line},\n" for _, line in columns_first).removesuffix(",\n")
    database.settings[f"{_PREFIX}{table}"] = f"{head}\n{body}\n{tail}"
    if declared(database, table) == _NEW.format(name=table):
        del database.settings[f"{_PREFIX}{table}"]


def has_more_columns(source: Database, target: Database) -> bool:
    """Whether rows of the one come to the other with a column that it has not: they are taken without."""
    changed = all_declared(source)
    return any(_columns(definition) - _columns(declared(target, table)) for table, definition in changed.items())


def _columns(definition: str) -> set[str]:
    return {what for what in lines_of(definition) if what.startswith("column ")}
