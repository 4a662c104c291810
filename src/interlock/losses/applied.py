"""What `repair` has put back, told by the survivor itself: each transaction's note is committed together with its rows.

So a repair that is killed knows exactly what it did, on whatever machine it goes on.
"""

from __future__ import annotations

from collections.abc import Sequence

from interlock.servers.quoting import text
from interlock.servers.session import Session, text_of

NOTES = "`interlock`.`repaired`"
TABLE = (
    f"CREATE TABLE IF NOT EXISTS {NOTES} (`run` VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, "
    "`position` VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `rows` TEXT NOT NULL, "
    "`at` TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), PRIMARY KEY (`run`, `position`)) ENGINE=InnoDB"
)
_MISSING = frozenset({1049, 1146})


def note(run: str, position: str, rows: Sequence[int]) -> str:
    """Fails if there is one already (1062): then the transaction was put back."""
    return f"INSERT INTO {NOTES} (`run`, `position`, `rows`) VALUES ({text(run)}, {text(position)}, {text(','.join(map(str, rows)))})"


def unnote(run: str, position: str) -> str:
    return f"DELETE FROM {NOTES} WHERE `run`={text(run)} AND `position`={text(position)}"


def applied_rows(session: Session, run: str) -> dict[str, frozenset[int]]:
    """Of each transaction that was put back, which of its rows were, counted from 0."""
    asked = f"SELECT `position` AS `p`, `rows` AS `r` FROM {NOTES} WHERE `run`={text(run)}"
    results = session.run((asked,), bound_s=10.0, harmless=_MISSING, doing="see what was put back")
    return {
        text_of(row["p"]): frozenset(int(one) for one in text_of(row["r"]).split(",") if one) for result in results for row in result.rows
    }
