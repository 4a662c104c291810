"""MySQL's SQL as SQLite takes it: as much as clients of a sandbox and Interlock itself write."""

from __future__ import annotations

import re
from collections.abc import Callable

from interlock.dataclass import dataclass

_TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/) | (?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*") | (?P<name>`(?:[^`]|``)*`)
    | (?P<variable>@@(?:(?:GLOBAL|SESSION)\s*\.\s*)?\w+) | (?P<now>\b(?:CURRENT_TIMESTAMP|NOW|SYSDATE)\s*\(\s*\d?\s*\))
    | (?P<uuid>\bUUID\s*\(\s*\))""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_ESCAPES = {"0": "\0", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "b": "\b"}
_WORDS = (
    (re.compile(r"\bON\s+DUPLICATE\s+KEY\s+UPDATE\b", re.IGNORECASE), "ON CONFLICT DO UPDATE SET"),
    (re.compile(r"\bFROM\s+DUAL\b", re.IGNORECASE), "FROM (SELECT 1)"),
    (re.compile(r"\bLEFT\s*\(", re.IGNORECASE), "left_of("),
    (re.compile(r"\bCONCAT\s*\(", re.IGNORECASE), "concat_all("),
    (re.compile(r"\bDEFAULT\s+\?", re.IGNORECASE), "DEFAULT CURRENT_TIMESTAMP"),
    (re.compile(r"\b(CHARACTER\s+SET|COLLATE)\s+\w+", re.IGNORECASE), ""),
    (re.compile(r"\)\s*ENGINE\s*=\s*\w+", re.IGNORECASE), ")"),
    (
        re.compile(r"\bBIGINT(\s+UNSIGNED)?(\s+NOT\s+NULL)?\s+AUTO_INCREMENT\s+PRIMARY\s+KEY", re.IGNORECASE),
        "INTEGER PRIMARY KEY AUTOINCREMENT",
    ),
    (re.compile(r"\bUNSIGNED\b", re.IGNORECASE), ""),
    (re.compile(r",\s*KEY\s+\w+\s*\([^)]*\)", re.IGNORECASE), ""),
)
_INSERTED = re.compile(r"\bVALUES\s*\(\s*(`\w+`|\w+)\s*\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    sql: str
    values: tuple[object, ...]


def rewritten(statement: str, variable: Callable[[str], object], now: str) -> Rewritten:
    """For SQLite, with every literal and variable as a bound value."""
    values: list[object] = []

    def bound(value: object) -> str:
        values.append(value)
        return "?"

    def token(found: re.Match[str]) -> str:
        match found.lastgroup:
            case "comment":
                return " "
            case "text":
                return bound(_unquoted(found[0]))
            case "variable":
                return bound(variable(_bare(found[0])))
            case "now":
                return bound(now)
            case _:
                return found[0]

    sql = _TOKEN.sub(token, statement)
    if re.match(r"\s*CREATE", sql, re.IGNORECASE):
        values.clear()  # the only ones are defaults, which SQLite wants in the text
    for pattern, instead in _WORDS:
        sql = pattern.sub(instead, sql)
    before, clause, after = sql.partition("ON CONFLICT DO UPDATE SET")
    return Rewritten(sql=before + clause + (_INSERTED.sub(r"excluded.\1", after) if clause else ""), values=tuple(values))


def settled(statement: str, variable: Callable[[str], object], now: str, uuid: str) -> str:
    """The statement as a binary log holds it: variables, times and UUIDs as what they were here."""

    def token(found: re.Match[str]) -> str:
        match found.lastgroup:
            case "comment":
                return ""
            case "variable":
                return _quoted(str(variable(_bare(found[0]))))
            case "now" if not re.match(r"\s*CREATE", statement, re.IGNORECASE):
                return _quoted(now)
            case "uuid":
                return _quoted(uuid)
            case _:
                return found[0]

    return _TOKEN.sub(token, statement).strip()


def stripped(statement: str) -> str:
    """Without comments, and without the `;` at its end."""
    return _TOKEN.sub(lambda found: " " if found.lastgroup == "comment" else found[0], statement).strip().rstrip(";").strip()


def is_one(statement: str) -> bool:
    """Whether no `;` stands between two statements."""
    return ";" not in _TOKEN.sub("", statement).strip().rstrip(";")


def _bare(variable: str) -> str:
    return variable.removeprefix("@@").rpartition(".")[2].strip().lower()


def _unquoted(literal: str) -> str:
    body = literal[1:-1].replace(literal[0] * 2, literal[0])
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), body, flags=re.DOTALL)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
