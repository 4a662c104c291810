"""pymysql's and the socket's errors into ours, by what the operator does next. Pure: the one table of error numbers.

Sources: MariaDB KB "Error Codes"; MySQL "Server Error Message Reference". 2xxx are the client's own numbers.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pymysql

from interlock.errors import (
    BoundReached,
    DriverError,
    NotPermitted,
    RefusedButAlive,
    StatementFailed,
    Unreachable,
    WriteRefused,
)

Number = Callable[[int, str], int]
"""The number under which MEANINGS has an error, from the server's own number and words: not every server has MySQL's numbers."""


class Meaning(NamedTuple):
    kind: type[DriverError]
    hint: str


_FENCED = Meaning(WriteRefused, "the server is read-only")
_OFFLINE = Meaning(WriteRefused, "the server lets only administrators in: SET GLOBAL offline_mode=0")
"""MySQL manual, "Server System Variables", offline_mode: its connections without CONNECTION_ADMIN or SUPER are ended and refused (3032)."""
_BOUND = Meaning(BoundReached, "something holds it up: see its sessions and locks")
_GONE = Meaning(Unreachable, "the connection ended: is the server up, was the session killed?")
_NO_ADDRESS = Meaning(Unreachable, "check host, port, firewall, and whether the server runs")
_TLS = Meaning(RefusedButAlive, "check the server's certificate and `tls:` of the topology; a server without TLS wants `tls: off`")
_LOGIN = Meaning(
    RefusedButAlive, "check user and password of the topology, from which hosts the account may log in, and whether it must by TLS (`tls:`)"
)
"""MariaDB denies access (1045) also to one who comes without TLS where require_secure_transport wants it (tried on 10.11)."""
_PRIVILEGE = Meaning(NotPermitted, "`interlock grants` prints what the account needs")

MEANINGS: Mapping[int, Meaning] = {
    **dict.fromkeys((1290, 1836, 1792, 1223, 3100), _FENCED),
    3032: _OFFLINE,
    **dict.fromkeys((1205, 1969, 3024, 1192), _BOUND),
    **dict.fromkeys((2006, 2013, 2055, 1053, 1317, 1927, 3169, 4031), _GONE),
    **dict.fromkeys((2002, 2003, 2005), _NO_ADDRESS),
    2026: _TLS,
    1040: Meaning(RefusedButAlive, "all connections are taken: raise max_connections or end some"),
    1203: Meaning(RefusedButAlive, "the account has all the connections that max_user_connections allows"),
    1129: Meaning(RefusedButAlive, "FLUSH HOSTS on the server, then find what fails to log in"),
    1130: _LOGIN,
    1045: _LOGIN,
    1698: _LOGIN,
    **dict.fromkeys((1044, 1142, 1143, 1227, 1370, 1095), _PRIVILEGE),
}
_OTHER = Meaning(StatementFailed, "")
GONE_CODES = frozenset({0, 2006, 2013, 2055, 1053, 1927})
"""The connection ended before an answer that counts: the statement may have taken effect. 0 is pymysql's word for a closed connection."""


def code_of(error: pymysql.Error) -> int:
    """The error's number; 0 if it has none."""
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0


def words_of(error: pymysql.Error) -> str:
    """The server's words, on one line."""
    return " ".join(str(error.args[-1] if error.args else error).split()) or "the connection is closed"


def is_client_timeout(error: pymysql.Error) -> bool:
    """Whether our own patience ended: pymysql reports a read time-out as 2013, with the socket's error as its context."""
    return isinstance(error.__context__, TimeoutError)


def its_own_number(number: int, words: str) -> int:
    """Of a server that numbers its errors as MySQL does."""
    del words
    return number


def translated(error: pymysql.Error, *, server: str, doing: str, number: Number = its_own_number) -> DriverError:
    """Our error for one of pymysql's; `doing` says what was asked. Raise it `from` the cause."""
    code = code_of(error)
    origin = getattr(error, "original_exception", None)
    if isinstance(origin, ssl.SSLError):
        meaning = _TLS
    elif code == 0 and isinstance(error, pymysql.err.InterfaceError):
        meaning = _GONE
    else:
        meaning = MEANINGS.get(number(code, words_of(error)), _OTHER)
    shown = f"{code} " if code else ""
    return meaning.kind(f"{server}: {doing}: {shown}{words_of(error)}", hint=meaning.hint, server=server)
