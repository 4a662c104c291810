"""What a server itself says of its way back, in a schema of its own that is not replicated: so every machine and every store sees it."""

from __future__ import annotations

from interlock.dataclass import dataclass
from interlock.servers.quoting import text
from interlock.servers.session import Session, text_of

SCHEMA = "interlock_returning"
_TABLE = f"`{SCHEMA}`.`note`"
_MISSING = frozenset({1049, 1146})

COPYING, TAKEN_BACK = "copying", "taken back"

MAKE = (
    f"CREATE DATABASE IF NOT EXISTS `{SCHEMA}`",
    (
        f"CREATE TABLE IF NOT EXISTS {_TABLE} (`kind` VARCHAR(20) NOT NULL PRIMARY KEY, `held` LONGTEXT NOT NULL, "
        "`holds` LONGTEXT NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
    ),
)
REMOVE = f"DROP DATABASE IF EXISTS `{SCHEMA}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """`kind` is COPYING: a copy of the data was begun; `holds` then is the directory in which these data came, if they are one of files. Or
    TAKEN_BACK: the rows are as at `holds`, and the log says `held`, which is empty while it is being set.
    """

    kind: str
    held: str = ""
    holds: str = ""

    def says_taken_back(self, position: str) -> bool:
        """Whether the rows are at `holds`, and the log of a server at `position` does not say so."""
        return self.kind == TAKEN_BACK and self.held in {"", position} and self.holds != position


def written(note: Note) -> str:
    return f"REPLACE INTO {_TABLE} (`kind`, `held`, `holds`) VALUES ({text(note.kind)}, {text(note.held)}, {text(note.holds)})"


def read_notes(session: Session) -> tuple[Note, ...]:
    results = session.run((f"SELECT `kind`, `held`, `holds` FROM {_TABLE}",), bound_s=10.0, harmless=_MISSING, doing="see its notes")
    return tuple(
        Note(kind=text_of(row["kind"]), held=text_of(row["held"]), holds=text_of(row["holds"])) for one in results for row in one.rows
    )
