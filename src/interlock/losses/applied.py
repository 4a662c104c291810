"""What `repair` has done, told by the server itself: each transaction's note is committed together with its rows.

So a repair that is killed knows exactly what it did, on whatever machine it goes on. What is put back on the writer is logged, what is
mended on the other side is not: so each has a table of its own. One that was made unlogged is lacked by the other side, whose applier
would stop at the first logged note.
"""

from __future__ import annotations

from collections.abc import Sequence

from interlock.dataclass import dataclass
from interlock.servers.quoting import text
from interlock.servers.session import Session, text_of

_MISSING = frozenset({1049, 1146})


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """A table of notes, by its name as SQL writes it."""

    name: str

    @property
    def table(self) -> str:
        """The statement that makes it where it is not there."""
        return (
            f"CREATE TABLE IF NOT EXISTS {self.name} (`run` VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, "
            "`position` VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `rows` TEXT NOT NULL, "
            "`at` TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), PRIMARY KEY (`run`, `position`)) ENGINE=InnoDB"
        )

    def note(self, run: str, position: str, rows: Sequence[int]) -> str:
        """Fails if there is one already (1062): then the transaction was done."""
        values = f"{text(run)}, {text(position)}, {text(','.join(map(str, rows)))}"
        return f"INSERT INTO {self.name} (`run`, `position`, `rows`) VALUES ({values})"

    def unnote(self, run: str, position: str) -> str:
        return f"DELETE FROM {self.name} WHERE `run`={text(run)} AND `position`={text(position)}"

    def rows(self, session: Session, run: str) -> dict[str, frozenset[int]]:
        """Of each transaction that was done, which of its rows were, counted from 0."""
        asked = f"SELECT `position` AS `p`, `rows` AS `r` FROM {self.name} WHERE `run`={text(run)}"
        results = session.run((asked,), bound_s=10.0, harmless=_MISSING, doing="see what was done")
        return {
            text_of(row["p"]): frozenset(int(one) for one in text_of(row["r"]).split(",") if one)
            for result in results
            for row in result.rows
        }


PUT_BACK = Notes(name="`interlock`.`repaired`")
MENDED = Notes(name="`interlock`.`mended`")
