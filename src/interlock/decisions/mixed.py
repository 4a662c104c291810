"""Can one kind of server replicate from another? By what is documented, and what was tried on real servers (docs/servers/mixed.md).

Two rules: both directions must work, or it is no pair of masters; and what nobody knows to work is allowed only with a warning.

Sources. MariaDB KB, "Replication Compatibility Between MariaDB and MySQL". MySQL's applier rejects row events of version 1, the only ones
that MariaDB writes, since 8.4.0 (its binlog_event.h; tried: 9.7 stops with "Could not parse relay log event entry"). MariaDB before 11.4.5
knows no utf8mb4_0900 collation: a statement, even BEGIN, of a client that has one stops its applier (MDEV-20912; tried on 10.11). MySQL
knows no uca1400 collation, and passes over a statement of a client that has one without an error (their numbers are beyond its table of
2,048, MY_ALL_CHARSETS_SIZE; tried: 10.11.19 and 11.8.6 to 9.7.4). MariaDB before 11.5 can't send a GTID event that is neither 38 nor 40
bytes long to another kind of server (Query_log_event::begin_event; MDEV-33849; MDEV-7850 mended it).
Xpand: "Using Xpand as a Replication Master", "Xpand Version and MySQL Version Compatibility".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from interlock.model.facts import ServerFacts
from interlock.model.verdict import Done, Refuse
from interlock.model.versions import Version, version_of

_FROM_MYSQL_8: Mapping[tuple[int, int], int] = {(10, 6): 21, (10, 11): 11, (11, 4): 5}
"""The patch from which each long-lived series of MariaDB replicates from MySQL 8.0; all from 11.7.2 on do."""
_KNOWS_0900 = (11, 4, 5)
_WITHOUT_V1_ROWS = (8, 4, 0)
_SENDS_ANY_GTID_EVENT = (11, 5, 0)
_NEWER_HEARTBEATS = (8, 0, 26)
"""Tried, 9.7 to 10.11: without a write, Read_Master_Log_Pos grows by 45 with each heartbeat, and a new connection would begin there."""
_DOCUMENTED_WITH_XPAND = (8, 0, 0)


def can_replicate(source: ServerFacts, replica: ServerFacts) -> Done | Refuse:
    """Whether `replica` can apply what `source` logs. Of the same flavor, always: their versions are the operator's business."""
    if source.flavor == replica.flavor:
        return Done(f"{replica.server} and {source.server} are both {source.flavor}")
    judge = _JUDGES.get((source.flavor, replica.flavor))
    if judge is None:
        return Refuse(
            f"{replica.server} ({replica.flavor}) replicates from {source.server} ({source.flavor}): nobody knows whether that works",
            f"what is known to work is in docs/servers/mixed.md: {', '.join(f'{a} to {b}' for a, b in _JUDGES)}",
        )
    return judge(source, replica)


def mended_by(error: str) -> str:
    """What lets a channel go on that has stopped with this error of a mixed pair; empty where it is another one."""
    can_not_send = "backwards-compatible event" in error  # 1236, in the words of MariaDB's sql_repl.cc
    return "go on behind that event: docs/servers/mixed.md, What MariaDB can't send to MySQL" if can_not_send else ""


def _mysql_to_mariadb(source: ServerFacts, replica: ServerFacts) -> Done | Refuse:
    ours, theirs = version_of(replica.version), version_of(source.version)
    if theirs >= (8, 0, 0) and not _takes_mysql_8(ours):
        return Refuse(
            f"{replica.server} (MariaDB {_dotted(ours)}) can't replicate from MySQL {_dotted(theirs)} on {source.server}",
            "it takes MariaDB 10.6.21, 10.11.11, 11.4.5 or 11.7.2 at the least",
        )
    if ours < _KNOWS_0900 and "0900" in source.collation:
        return Refuse(
            f"clients of {source.server} get the collation {source.collation}, which stops {replica.server} (MariaDB {_dotted(ours)})",
            f"SET GLOBAL default_collation_for_utf8mb4=utf8mb4_general_ci on {source.server}, and no such collation in any client or table",
        )
    beats = (
        f"the channel into {replica.server} must have no heartbeats (MASTER_HEARTBEAT_PERIOD=0): MariaDB counts MySQL's as parts of the log"
    )
    return _by_files(source, replica, *((beats,) if theirs >= _NEWER_HEARTBEATS else ()))


def _mariadb_to_mysql(source: ServerFacts, replica: ServerFacts) -> Done | Refuse:
    ours = version_of(replica.version)
    if "uca1400" in source.collation:
        return Refuse(
            f"clients of {source.server} get the collation {source.collation}: {replica.server} (MySQL {_dotted(ours)}) passes over what "
            "they write, without an error",
            f"SET GLOBAL character_set_collations='utf8mb4=utf8mb4_general_ci' on {source.server} and in its option file, and no such "
            "collation in any client or table",
        )
    if ours < _WITHOUT_V1_ROWS:
        untried = f"{replica.server} replicates from MariaDB: not tried with MySQL {_dotted(ours)}"
        return _by_files(source, replica, untried, *_unsendable(source, replica))
    if source.binlog_format != "STATEMENT":
        return Refuse(
            f"{replica.server} (MySQL {_dotted(ours)}) can't apply row events of MariaDB on {source.server}, binlog_format="
            f"{source.binlog_format}",
            "MySQL takes them up to 8.3 only: binlog_format=STATEMENT, where all statements are safe for it, or one flavor on both sides",
        )
    unsafe = f"{source.server} logs statements, not rows: one that is not the same on both sides changes {replica.server}"
    return _by_files(source, replica, unsafe, *_unsendable(source, replica))


def _unsendable(source: ServerFacts, replica: ServerFacts) -> tuple[str, ...]:
    """What a MariaDB logs as a statement and can't send. With rows, what changes nothing is not logged at all."""
    version = version_of(source.version)
    if version >= _SENDS_ANY_GTID_EVENT or source.binlog_format == "ROW":
        return ()
    stops = f"a statement of {source.server} (MariaDB {_dotted(version)}) that changes nothing, committed together with others, stops"
    return (f"{stops} {replica.server}: MariaDB 11.5 mends it, and docs/servers/mixed.md tells how to go on (MDEV-33849)",)


def _xpand_to_mysql(source: ServerFacts, replica: ServerFacts) -> Done | Refuse:
    ours = version_of(replica.version)
    if ours >= _WITHOUT_V1_ROWS:
        return Refuse(
            f"{replica.server} (MySQL {_dotted(ours)}) can't replicate from Xpand on {source.server}, which is documented up to MySQL 5.7",
            "use MySQL 5.7, with gtid_mode and enforce_gtid_consistency off",
        )
    return _by_files(source, replica, *_beyond(replica, "Xpand replicates to"))


def _mysql_to_xpand(source: ServerFacts, replica: ServerFacts) -> Done | Refuse:
    return _by_files(source, replica, *_beyond(source, "Xpand replicates from"))


def _untried(source: ServerFacts, replica: ServerFacts) -> Done | Refuse:
    return _by_files(source, replica, f"{replica.server} replicates from {source.server} by Xpand's documentation: never tried")


def _beyond(mysql: ServerFacts, words: str) -> tuple[str, ...]:
    version = version_of(mysql.version)
    beyond = version >= _DOCUMENTED_WITH_XPAND
    return (f"{words} MySQL up to 5.7 by its documentation, and {mysql.server} is {_dotted(version)}",) if beyond else ()


_JUDGES: Mapping[tuple[str, str], Callable[[ServerFacts, ServerFacts], Done | Refuse]] = {
    ("mysql", "mariadb"): _mysql_to_mariadb,
    ("mariadb", "mysql"): _mariadb_to_mysql,
    ("xpand", "mysql"): _xpand_to_mysql,
    ("mysql", "xpand"): _mysql_to_xpand,
    ("xpand", "mariadb"): _untried,
    ("mariadb", "xpand"): _untried,
}


def _by_files(source: ServerFacts, replica: ServerFacts, *warnings: str) -> Done:
    return Done(f"{replica.server} ({replica.flavor}) can replicate from {source.server} ({source.flavor}) by file and offset", warnings)


def _takes_mysql_8(version: Version) -> bool:
    patch = _FROM_MYSQL_8.get(version[:2])
    return version >= (11, 7, 2) or (patch is not None and version[2] >= patch)


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))
