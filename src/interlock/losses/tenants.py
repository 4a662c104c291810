"""Whose is a row of tables that tenants share? The server says so, as its guard does: by the column's own collation and kind."""

from __future__ import annotations

from dataclasses import field

from interlock.dataclass import dataclass
from interlock.losses.now import LOOK_S, Survivor
from interlock.losses.sql import NotWritable, literal
from interlock.losses.tables import Table
from interlock.model.losses import Cell, Image
from interlock.model.topology import Tenants
from interlock.servers.quoting import name, text
from interlock.servers.session import text_of


@dataclass(slots=True)
class TenantRows:
    """Of one server, which is asked once for each value of a column."""

    server: Survivor
    _known: dict[tuple[str, str, Tenants, Cell], bool] = field(default_factory=dict)

    def has(self, schema: str, table: str, image: Image, tenants: Tenants) -> bool:
        """Whether the row, which has the column, is one of these tenants'. One of which that can't be told is."""
        wanted = (schema, table, tenants, image[tenants.column])
        if wanted not in self._known:
            self._known[wanted] = self._asked(*wanted)
        return self._known[wanted]

    def _asked(self, schema: str, table: str, tenants: Tenants, cell: Cell) -> bool:
        its = self.server.table(schema, table)
        try:
            asked = _question(its, tenants, cell) if its is not None else ""
        except NotWritable:
            return True
        return not asked or text_of(self.server.session.rows(asked, bound_s=LOOK_S, doing="ask whose a row is")[0]["its"]) == "1"


def _question(table: Table, tenants: Tenants, cell: Cell) -> str:
    """The value takes its kind and collation from the column that it stands below."""
    column, values = name(tenants.column), ", ".join(map(text, tenants.values))
    below = f"SELECT {column} FROM {table.written} WHERE 1=0 UNION ALL SELECT {literal(cell, table.column(tenants.column))}"
    return f"SELECT COALESCE({column} IN ({values}), 0) AS its FROM ({below}) AS told"
