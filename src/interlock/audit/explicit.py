"""Ids that clients gave themselves in a column that counts up: in the newest file of a server's log, as far as LOOK_S and ROWS go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interlock.audit.facts import AutoColumn, ExplicitIds
from interlock.audit.reader import Reader
from interlock.clock import Clock, Deadline
from interlock.errors import DriverError
from interlock.losses.live import Dumped, dump
from interlock.losses.parsing import Parser
from interlock.losses.tables import Table, table_of
from interlock.model.facts import ServerFacts
from interlock.model.losses import Change, RowChange

LOOK_S = 2.0
ROWS = 20_000
_TABLES_AT_MOST = 50


def explicit_ids(
    server: Dumped, reader: Reader, facts: ServerFacts, *, file: str, columns: Sequence[AutoColumn], clock: Clock
) -> Mapping[str, ExplicitIds]:
    """By table, of the inserts that this server's clients made (not Interlock's own, with which it puts lost rows back): how many had an id
    out of the server's own series. Nothing where the step is 1: then every id is in it.
    """
    if facts.auto_increment_increment < 2 or not columns:
        return {}
    wanted, tables = {one.table: one.column for one in columns}, dict[str, Table | None]()
    found: dict[str, ExplicitIds] = {}

    def known(schema: str, table: str) -> Table | None:
        name = f"{schema}.{table}"
        if name not in tables and name in wanted and len(tables) < _TABLES_AT_MOST:
            tables[name] = table_of(reader.session, schema, table)
        return tables.get(name)

    parser = Parser(facts.flavor, known, wanted=lambda event, _: event.server_id == facts.server_id)
    deadline, rows = Deadline.after(clock, LOOK_S), 0
    try:
        for transaction in parser.transactions(dump(server, file, 4)):
            rows += len(transaction.rows)
            for row in () if transaction.canaries else transaction.rows:
                _count(row, wanted.get(f"{row.schema}.{row.table}"), facts, found)
            if rows > ROWS or deadline.is_over():
                break
    except DriverError as error:
        reader.missing.append(f"explicit ids: {error.message}")
    return found


def _count(row: RowChange, column: str | None, facts: ServerFacts, found: dict[str, ExplicitIds]) -> None:
    value = (row.after or {}).get(column or "")
    if row.change is not Change.INSERT or not isinstance(value, int):
        return
    so_far = found.get(f"{row.schema}.{row.table}", ExplicitIds(inserts=0, explicit=0, example=0))
    is_explicit = (value - facts.auto_increment_offset) % facts.auto_increment_increment != 0
    found[f"{row.schema}.{row.table}"] = ExplicitIds(
        inserts=so_far.inserts + 1, explicit=so_far.explicit + is_explicit, example=value if is_explicit else so_far.example
    )
