"""Accounts of one server, who is connected, and how its channels log in."""

from __future__ import annotations

from interlock.audit.facts import AccountSeen, Link, SessionSeen
from interlock.audit.reader import Reader
from interlock.servers.accounts import Accounts
from interlock.servers.grants import missing_for_audit
from interlock.servers.mariadb_accounts import SUPER_BIT
from interlock.servers.mariadb_accounts import accounts as mariadb_accounts
from interlock.servers.mysql_accounts import accounts as mysql_accounts
from interlock.servers.mysql_facts import modern
from interlock.servers.mysql_words import words
from interlock.servers.quoting import text
from interlock.servers.session import text_of

_PRIVILEGES = """\
SELECT GRANTEE AS g, HEX(BIT_XOR(CRC32(CONCAT_WS('|', place, PRIVILEGE_TYPE, IS_GRANTABLE)))) AS digest FROM (
SELECT GRANTEE, '*' AS place, PRIVILEGE_TYPE, IS_GRANTABLE FROM information_schema.USER_PRIVILEGES UNION ALL
SELECT GRANTEE, TABLE_SCHEMA, PRIVILEGE_TYPE, IS_GRANTABLE FROM information_schema.SCHEMA_PRIVILEGES UNION ALL
SELECT GRANTEE, CONCAT(TABLE_SCHEMA, '.', TABLE_NAME), PRIVILEGE_TYPE, IS_GRANTABLE FROM information_schema.TABLE_PRIVILEGES
) p GROUP BY g"""
_MARIADB = (
    f"SELECT User AS u, Host AS h, CAST(JSON_VALUE(Priv, '$.access') AS UNSIGNED) & {SUPER_BIT} AS super, "
    "JSON_VALUE(Priv, '$.account_locked') AS locked FROM mysql.global_priv WHERE COALESCE(JSON_VALUE(Priv, '$.is_role'), 0) = 0"
)
_MYSQL = "SELECT user AS u, host AS h, super_priv='Y' AS super, account_locked='Y' AS locked FROM mysql.user"
_SEEN_BY = {"TRIGGER": "triggers", "EVENT": "events", "SHOW VIEW": "views"}
_SESSIONS = "SELECT p.id AS id, p.user AS u, p.host AS h, '' AS program FROM information_schema.processlist p"
_PROGRAMS = (
    "SELECT t.PROCESSLIST_ID AS id, t.PROCESSLIST_USER AS u, t.PROCESSLIST_HOST AS h, a.ATTR_VALUE AS program "
    "FROM performance_schema.threads t LEFT JOIN performance_schema.session_connect_attrs a "
    "ON a.PROCESSLIST_ID=t.PROCESSLIST_ID AND a.ATTR_NAME='program_name' WHERE t.TYPE='FOREGROUND' AND t.PROCESSLIST_USER IS NOT NULL"
)


def accounts(reader: Reader) -> tuple[AccountSeen, ...]:
    known = mysql_accounts(reader.session, words(reader.version)) if reader.flavor == "mysql" else _mariadb(reader)
    digests = {text_of(row["g"]): text_of(row["digest"]) for row in reader.rows("privileges", _PRIVILEGES)}
    found = []
    for row in reader.rows("accounts", reader.word(_MARIADB, _MYSQL)):
        user, host = text_of(row["u"]), text_of(row["h"])
        said = f"{text(user)}@{text(host)}"
        found.append(
            AccountSeen(
                name=said,
                user=user,
                host=host,
                digest=digests.get(said, ""),
                locked=text_of(row["locked"]).lower() in {"1", "true"},
                passes=(user, host) in known.passing,
                super=text_of(row["super"]) not in {"", "0"},
            )
        )
    return tuple(found)


def sessions(reader: Reader) -> tuple[SessionSeen, ...]:
    """With the names that programs give themselves, where the performance schema keeps them."""
    watched = text_of(next((row["v"] for row in reader.rows("its instruments", "SELECT @@performance_schema AS v")), "0")) == "1"
    rows = reader.rows("sessions", _PROGRAMS if watched else _SESSIONS)
    return tuple(
        SessionSeen(id=int(text_of(row["id"])), user=text_of(row["u"]), host=text_of(row["h"]), program=text_of(row["program"]))
        for row in rows
        if row["id"] is not None
    )


def unseen(reader: Reader) -> list[str]:
    """What the account may not see, though no statement fails for it: information_schema leaves out what one has no right to."""
    lines = [text_of(next(iter(row.values()))) for row in reader.rows("its own grants", "SHOW GRANTS")]
    return [f"{_SEEN_BY.get(one, one)}: its account lacks {one}" for one in missing_for_audit(lines, reader.flavor)]


def links(reader: Reader) -> tuple[Link, ...]:
    statement = "SHOW ALL SLAVES STATUS" if reader.flavor == "mariadb" else f"{words(reader.version).channels}"
    rows = [modern(row) for row in reader.rows("channels", statement)]
    return tuple(
        Link(
            channel=text_of(row.get("Channel_Name", row.get("Connection_name"))),
            source_address=f"{text_of(row['Source_Host'])}:{text_of(row['Source_Port'])}",
            user=text_of(row["Source_User"]),
            tls=text_of(row["Source_SSL_Allowed"]) == "Yes",
        )
        for row in rows
    )


def _mariadb(reader: Reader) -> Accounts:
    return mariadb_accounts(reader.session, reader.version)
