"""Which tables a table's foreign keys name."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from interlock.servers.quoting import text
from interlock.servers.session import Session, text_of

_LOOK_S = 30.0


def parents_of(session: Session, schemas: Collection[str]) -> Mapping[tuple[str, str], frozenset[tuple[str, str]]]:
    """By schema and name, for every table of these schemas that has a foreign key."""
    if not schemas:
        return {}
    asked = (
        "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, REFERENCED_TABLE_SCHEMA AS rs, REFERENCED_TABLE_NAME AS rt "
        "FROM information_schema.KEY_COLUMN_USAGE "
        f"WHERE REFERENCED_TABLE_NAME IS NOT NULL AND TABLE_SCHEMA IN ({', '.join(text(one) for one in sorted(schemas))})"
    )
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for row in session.rows(asked, bound_s=_LOOK_S, doing="look at foreign keys"):
        found.setdefault((text_of(row["s"]), text_of(row["t"])), set()).add((text_of(row["rs"]), text_of(row["rt"])))
    return {place: frozenset(parents) for place, parents in found.items()}
