"""Tables and other objects of one server, by a few large queries.

Made for 10,000 tables. What differs between two sides is told by digests that the server makes: only then definitions are asked for, one by
one. No query makes MariaDB open every table's engine: TABLES with its counters, STATISTICS and KEY_COLUMN_USAGE take ten seconds there
(tried on 10.11 with 10,000 tables), the INNODB_SYS_… views one, and the columns used here of COLUMNS and TABLES half a second (MariaDB KB,
"Optimizations for INFORMATION_SCHEMA queries": what is only in the .frm file is read from it, under a lock of an instant).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from zlib import crc32

from interlock.audit.facts import SYSTEM_SCHEMAS, AutoColumn, ForeignKey, SequenceSeen, StoredObject, TableSeen
from interlock.audit.reader import Reader
from interlock.servers.quoting import name, text
from interlock.servers.session import Row, text_of

_OURS = ", ".join(text(schema) for schema in SYSTEM_SCHEMAS)
_COUNTED_AT_MOST = 3000
_COUNTED_AT_ONCE = 50
_FILE_NAME = re.compile(r"@([0-9a-fA-F]{4})")
_PARTITION = re.compile(r"#[pP]#.*")
_IDENTIFIED = re.compile(r" IDENTIFIED (?:BY|VIA) .*?(?= WITH GRANT OPTION|$)")
_NARROW = ("tinyint", "smallint", "mediumint", "int")
_UNIQUE = 2
"""INNODB_SYS_INDEXES.TYPE of a unique index that is not the clustered one: bit 1 is clustered, bit 2 unique."""
_ACTS = ((1, "DELETE CASCADE"), (2, "DELETE SET NULL"), (4, "UPDATE CASCADE"), (8, "UPDATE SET NULL"))
"""The bits of INNODB_SYS_FOREIGN.TYPE (MySQL manual, "The INFORMATION_SCHEMA INNODB_FOREIGN Table")."""


def schemas(reader: Reader) -> Mapping[str, str]:
    """Each schema's default collation."""
    rows = reader.rows(
        "schemas",
        f"SELECT SCHEMA_NAME AS n, DEFAULT_COLLATION_NAME AS c FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ({_OURS})",
    )
    return {text_of(row["n"]): text_of(row["c"]) for row in rows}


def kinds(reader: Reader) -> tuple[Row, ...]:
    """Every table, view and sequence: schema, name, engine and type. It is asked once, for MariaDB looks through every file."""
    return reader.rows(
        "tables",
        "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, ENGINE AS e, TABLE_TYPE AS type FROM information_schema.TABLES "
        f"WHERE TABLE_SCHEMA NOT IN ({_OURS})",
    )


def tables(reader: Reader, there: Sequence[Row]) -> Mapping[str, TableSeen]:
    """Base tables only. `has_key` is True also for a unique key without NULLs where there is no primary one: COLUMN_KEY is PRI then, too
    (MySQL manual, "SHOW COLUMNS"), and replication finds its rows by it.
    """
    columns = reader.rows(
        "columns",
        "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, MAX(COLUMN_KEY='PRI') AS has_key, "
        "HEX(BIT_XOR(CRC32(CONCAT_WS('|', COLUMN_NAME, ORDINAL_POSITION, COLUMN_TYPE, IS_NULLABLE, COALESCE(COLUMN_DEFAULT, 'NULL'), "
        "EXTRA, COALESCE(COLLATION_NAME, ''), COALESCE(GENERATION_EXPRESSION, ''))))) AS digest, "
        "HEX(BIT_XOR(CRC32(CONCAT_WS('|', COLUMN_NAME, LOWER(DATA_TYPE))))) AS shape "
        f"FROM information_schema.COLUMNS WHERE TABLE_SCHEMA NOT IN ({_OURS}) GROUP BY TABLE_SCHEMA, TABLE_NAME",
    )
    by_table = {_named(row): row for row in columns}
    formats, indexes = _row_formats(reader), _indexes(reader)
    found = {}
    for row in there:
        table = _named(row)
        its = by_table.get(table)
        if its is not None and text_of(row["type"]) == "BASE TABLE":
            index, uniques = indexes.get(table, ("", 0))
            found[table] = TableSeen(
                engine=text_of(row["e"]),
                digest=text_of(its["digest"]),
                shape=text_of(its["shape"]),
                has_key=text_of(its["has_key"]) == "1",
                row_format=formats.get(table, ""),
                indexes=index,
                uniques=uniques,
            )
    return found


def columns_of_note(reader: Reader) -> tuple[tuple[AutoColumn, ...], tuple[str, ...]]:
    """Those that count up, and those that move by themselves to the current time (`schema.table.column`)."""
    rows = reader.rows(
        "counting columns",
        "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, COLUMN_NAME AS c, COLUMN_TYPE AS whole, EXTRA AS extra FROM information_schema.COLUMNS "
        f"WHERE EXTRA<>'' AND TABLE_SCHEMA NOT IN ({_OURS})",
    )
    counting = [row for row in rows if "auto_increment" in text_of(row["extra"]).lower()]
    moving = tuple(f"{_named(row)}.{text_of(row['c'])}" for row in rows if "on update" in text_of(row["extra"]).lower())
    nexts = _nexts(reader, [row for row in counting if text_of(row["whole"]).lower().startswith(_NARROW)])
    found = (
        AutoColumn(table=_named(row), column=text_of(row["c"]), type=text_of(row["whole"]).lower(), next=nexts.get(_named(row)))
        for row in counting
    )
    return tuple(found), moving


def foreign_keys(reader: Reader) -> tuple[ForeignKey, ...]:
    rows = reader.rows("foreign keys", f"SELECT ID AS id, FOR_NAME AS t, REF_NAME AS r, TYPE AS type FROM {_innodb(reader, 'FOREIGN')}")
    return tuple(
        ForeignKey(
            name=_decoded(text_of(row["id"])).rpartition(".")[2],
            table=_decoded(text_of(row["t"])),
            refers_to=_decoded(text_of(row["r"])),
            acts=tuple(word for bit, word in _ACTS if int(text_of(row["type"])) & bit),
        )
        for row in rows
    )


def stored(reader: Reader, there: Sequence[Row]) -> tuple[StoredObject, ...]:
    """Triggers, events, routines, and views if any is there. An event's state is no part of its digest: on the
    replica it is another by design.
    """
    queries = {
        "trigger": "SELECT TRIGGER_SCHEMA AS s, TRIGGER_NAME AS t, CONCAT(EVENT_OBJECT_SCHEMA, '.', EVENT_OBJECT_TABLE) AS o, "
        "DEFINER AS d, ACTION_STATEMENT AS body, CONCAT_WS('|', ACTION_TIMING, EVENT_MANIPULATION, SQL_MODE) AS more, 'ENABLED' AS state "
        f"FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA NOT IN ({_OURS})",
        "event": "SELECT EVENT_SCHEMA AS s, EVENT_NAME AS t, '' AS o, DEFINER AS d, EVENT_DEFINITION AS body, "
        "CONCAT_WS('|', EVENT_TYPE, INTERVAL_VALUE, INTERVAL_FIELD, SQL_MODE) AS more, STATUS AS state "
        f"FROM information_schema.EVENTS WHERE EVENT_SCHEMA NOT IN ({_OURS})",
        "routine": "SELECT ROUTINE_SCHEMA AS s, ROUTINE_NAME AS t, LOWER(ROUTINE_TYPE) AS o, DEFINER AS d, ROUTINE_DEFINITION AS body, "
        "CONCAT_WS('|', ROUTINE_TYPE, DTD_IDENTIFIER, SQL_DATA_ACCESS, SQL_MODE) AS more, 'ENABLED' AS state "
        f"FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN ({_OURS})",
        "view": "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, '' AS o, DEFINER AS d, VIEW_DEFINITION AS body, SECURITY_TYPE AS more, "
        f"'ENABLED' AS state FROM information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN ({_OURS})",
    }
    if not any(text_of(row["type"]) == "VIEW" for row in there):
        del queries["view"]
    return tuple(_stored(kind, row) for kind, query in queries.items() for row in reader.rows(f"{kind}s", query))


def sequences(reader: Reader, there: Sequence[Row]) -> tuple[SequenceSeen, ...]:
    """MariaDB's, the first 200. A sequence is read as a table of one row (MariaDB KB, "CREATE SEQUENCE")."""
    found = []
    for row in [one for one in there if text_of(one["type"]) == "SEQUENCE"][:200]:
        its = reader.rows("a sequence", f"SELECT increment AS i FROM {name(text_of(row['s']), text_of(row['t']))}")
        found += [SequenceSeen(name=_named(row), increment=int(text_of(one["i"]))) for one in its]
    return tuple(found)


def definition(reader: Reader, kind: str, what: str) -> str:
    """SHOW CREATE of one object, SHOW GRANTS of an account; empty if it is gone or may not be seen."""
    if kind == "account":
        return grants(reader, what)
    schema, _, own = what.partition(".")
    rows = reader.rows(f"the definition of {kind} {what}", f"SHOW CREATE {kind.upper()} {name(schema, own)}")
    wanted = ("sql original statement", f"create {kind}")
    return next((text_of(value) for row in rows for key, value in row.items() if key.lower() in wanted), "")


def grants(reader: Reader, account: str) -> str:
    """A line for each, without the password's hash that MariaDB shows there; empty if there is no such account."""
    rows = reader.rows(f"the grants of {account}", f"SHOW GRANTS FOR {account}")
    lines = (text_of(next(iter(row.values()))) for row in rows)
    return "\n".join(_IDENTIFIED.sub("", line) for line in lines)


def _nexts(reader: Reader, rows: list[Row]) -> dict[str, int]:
    """By one row of TABLES each: with a schema and a name it is looked up, without them every table is opened."""
    if reader.flavor == "mysql" and reader.version >= (8, 0, 0) and rows:
        reader.rows("counters", "SET SESSION information_schema_stats_expiry=0")
    found: dict[str, int] = {}
    for at in range(0, min(len(rows), _COUNTED_AT_MOST), _COUNTED_AT_ONCE):
        asked = " UNION ALL ".join(
            "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, AUTO_INCREMENT AS n FROM information_schema.TABLES "
            f"WHERE TABLE_SCHEMA={text(text_of(row['s']))} AND TABLE_NAME={text(text_of(row['t']))}"
            for row in rows[at : at + _COUNTED_AT_ONCE]
        )
        answered = reader.rows("counters", asked)
        found |= {_named(row): int(text_of(row["n"])) for row in answered if row["n"] is not None}
        if not answered:
            break
    if len(rows) > _COUNTED_AT_MOST:
        reader.missing.append(f"counters of {len(rows) - _COUNTED_AT_MOST} more tables: the first {_COUNTED_AT_MOST} were looked at")
    return found


def _row_formats(reader: Reader) -> dict[str, str]:
    if reader.flavor == "mysql":
        rows = reader.rows(
            "row formats",
            "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, ROW_FORMAT AS f FROM information_schema.TABLES "
            f"WHERE ENGINE='InnoDB' AND TABLE_SCHEMA NOT IN ({_OURS})",
        )
        return {_named(row): text_of(row["f"]) for row in rows}
    rows = reader.rows("row formats", f"SELECT NAME AS t, ROW_FORMAT AS f FROM {_innodb(reader, 'TABLES')} WHERE NAME LIKE '%/%'")
    return {_decoded(text_of(row["t"])): text_of(row["f"]) for row in rows}


def _indexes(reader: Reader) -> dict[str, tuple[str, int]]:
    """Of each table a digest of its indexes, and how many are unique besides the clustered one.

    MySQL's STATISTICS is a view on its dictionary. MariaDB's InnoDB views are put together here: a join of them takes minutes there.
    """
    if reader.flavor == "mysql":
        rows = reader.rows(
            "indexes",
            "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, SUM(NON_UNIQUE=0 AND SEQ_IN_INDEX=1 AND INDEX_NAME<>'PRIMARY') AS uniques, "
            "HEX(BIT_XOR(CRC32(CONCAT_WS('|', INDEX_NAME, SEQ_IN_INDEX, COALESCE(COLUMN_NAME, ''), NON_UNIQUE, COALESCE(SUB_PART, ''), "
            "INDEX_TYPE)))) AS digest "
            f"FROM information_schema.STATISTICS WHERE TABLE_SCHEMA NOT IN ({_OURS}) GROUP BY TABLE_SCHEMA, TABLE_NAME",
        )
        return {_named(row): (text_of(row["digest"]), int(text_of(row["uniques"]))) for row in rows}
    columns = {
        int(text_of(row["i"])): int(text_of(row["c"]))
        for row in reader.rows(
            "columns of indexes",
            f"SELECT INDEX_ID AS i, CRC32(GROUP_CONCAT(NAME ORDER BY POS)) AS c FROM {_innodb(reader, 'FIELDS')} GROUP BY INDEX_ID",
        )
    }
    names = {
        int(text_of(row["i"])): _decoded(text_of(row["t"]))
        for row in reader.rows("names of tables", f"SELECT TABLE_ID AS i, NAME AS t FROM {_innodb(reader, 'TABLES')} WHERE NAME LIKE '%/%'")
    }
    found = {}
    for row in reader.rows(
        "indexes",
        "SELECT TABLE_ID AS t, GROUP_CONCAT(INDEX_ID ORDER BY NAME) AS ids, BIT_XOR(CRC32(CONCAT_WS('|', NAME, TYPE))) AS c, "
        f"SUM(TYPE={_UNIQUE:d}) AS uniques FROM {_innodb(reader, 'INDEXES')} WHERE NAME<>'GEN_CLUST_INDEX' GROUP BY TABLE_ID",
    ):
        of_columns = [columns.get(int(one), 0) for one in text_of(row["ids"]).split(",")]
        digest = crc32(f"{text_of(row['c'])} {of_columns}".encode())
        found[names.get(int(text_of(row["t"])), "")] = f"{digest:08X}", int(text_of(row["uniques"]))
    return found


def _innodb(reader: Reader, what: str) -> str:
    """They lost their SYS_ in MySQL 8.0."""
    is_new = reader.flavor == "mysql" and reader.version >= (8, 0, 0)
    return f"information_schema.INNODB_{'' if is_new else 'SYS_'}{what}"


def _stored(kind: str, row: Row) -> StoredObject:
    on = text_of(row["o"])
    body = text_of(row["body"])
    said = "|".join((" ".join(body.split()), text_of(row["more"]), text_of(row["d"])))
    return StoredObject(
        kind=on if kind == "routine" else kind,
        name=_named(row),
        digest=f"{crc32(said.encode()):08X}",
        body=body[:4000],
        definer=text_of(row["d"]),
        on=on if kind == "trigger" else "",
        enabled=text_of(row["state"]) == "ENABLED",
    )


def _named(row: Row) -> str:
    return f"{text_of(row['s'])}.{text_of(row['t'])}"


def _decoded(file_name: str) -> str:
    """`shop/line@002ditems#P#p1` is InnoDB's for shop.`line-items`, partition p1 (MySQL manual, "Mapping of Identifiers to File Names")."""
    return _FILE_NAME.sub(lambda found: chr(int(found[1], 16)), _PARTITION.sub("", file_name)).replace("/", ".", 1)


def differing(mine: Mapping[str, TableSeen], theirs: Mapping[str, TableSeen], *, alike: bool) -> Iterable[str]:
    """Tables on both sides that are not declared alike; of servers of two kinds (not `alike`) only by names and data types."""
    for table, one in mine.items():
        other = theirs.get(table)
        if other is None:
            continue
        if one.shape != other.shape or (alike and (one.digest, one.indexes, one.engine) != (other.digest, other.indexes, other.engine)):
            yield table
