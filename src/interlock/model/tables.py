"""What was seen of one table at one server, and the change of its declaration. Kept in the journal."""

from __future__ import annotations

from interlock.dataclass import dataclass
from interlock.model.topology import ServerName


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """`definition` is the server's SHOW CREATE TABLE; empty if it has no such table. `logs_rows`: it logs whole rows, before and after each
    change. `lacks` is what Interlock's account lacks to change the table there, each as the GRANT that gives it. Its sessions read a time
    by `time_zone`, a declaration by `sql_mode`. `read_by` are those who read its binary log now, each as `user@host`.
    """

    server: ServerName
    table: str
    definition: str
    logs_rows: bool = True
    lacks: tuple[str, ...] = ()
    time_zone: str = ""
    sql_mode: str = ""
    read_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterTable:
    """Change a table (`schema.table`) at one server by the clauses of one ALTER TABLE, in no binary log: the other side does not get it.

    Whoever holds the table keeps it waiting for `lock_wait_s` at the most.
    """

    server: ServerName
    table: str
    alter: str
    within_s: float
    lock_wait_s: float
