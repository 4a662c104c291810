"""The notes of the store, kept on the servers too: one table on each pair, which is replicated, one row for each kind and subject.

Whoever runs Interlock with another store sees by it that a cluster is quiesced. It is written where the writes are; a fenced server has it
by replication alone.
"""

from __future__ import annotations

import json

from interlock.errors import StatementFailed
from interlock.model.codec import from_plain, to_plain
from interlock.model.effects import EraseNote, WriteNote
from interlock.model.marks import Mark
from interlock.model.topology import ServerName
from interlock.servers.canary import MISSING, SCHEMA
from interlock.servers.pool import Pool, Purpose
from interlock.servers.quoting import text
from interlock.servers.session import READ_BOUND_S, text_of

TABLE = (
    "CREATE TABLE IF NOT EXISTS `interlock`.`note` (`topology` VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, "
    "`kind` VARCHAR(20) NOT NULL, `subject` VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, "
    "`mark` TEXT CHARACTER SET utf8mb4 NOT NULL, PRIMARY KEY (`topology`, `kind`, `subject`)) ENGINE=InnoDB"
)


def script(effect: WriteNote | EraseNote) -> tuple[str, ...]:
    mark = effect.mark
    match effect:
        case WriteNote():
            row = ", ".join(text(value) for value in (mark.topology, mark.kind.value, mark.subject, _written(mark)))
            return (SCHEMA, TABLE, f"REPLACE INTO `interlock`.`note` (`topology`, `kind`, `subject`, `mark`) VALUES ({row})")
        case EraseNote():
            key = (("topology", mark.topology), ("kind", mark.kind.value), ("subject", mark.subject))
            return (f"DELETE FROM `interlock`.`note` WHERE {' AND '.join(f'`{name}`={text(value)}' for name, value in key)}",)


def noted(pool: Pool, topology: str) -> tuple[Mark, ...]:
    """StatementFailed for a row that makes no sense: it may be a hold."""
    found = pool.session(Purpose.WITNESS).run(
        (f"SELECT `mark` FROM `interlock`.`note` WHERE `topology`={text(topology)} ORDER BY `kind`, `subject`",),
        bound_s=READ_BOUND_S,
        harmless=MISSING,
    )
    return tuple(_read(text_of(row["mark"]), pool.spec.name) for row in (found[0].rows if found else ()))


def _written(mark: Mark) -> str:
    return json.dumps(to_plain(mark), ensure_ascii=False, sort_keys=True)


def _read(written: str, server: ServerName) -> Mark:
    try:
        return from_plain(json.loads(written), Mark)
    except ValueError as error:
        raise StatementFailed(
            f"{server}: a row of interlock.note makes no sense: {error}",
            hint=f"SELECT * FROM interlock.note on {server}; remove the row if nobody knows it",
            server=server,
        ) from error
