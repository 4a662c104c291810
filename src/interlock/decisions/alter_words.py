"""The clauses of an ALTER TABLE, as far as they are understood. Pure. What is not understood is refused, with what is.

Only words are read that mean the same on both flavors, whatever `sql_mode` is: texts in single quotes without a backslash, names bare or in
backticks. So no clause can end the statement, or be a comment to one server and a word to the other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate

from interlock.dataclass import dataclass
from interlock.model.verdict import Refuse

LONGEST = 4000
WHAT_CAN = (
    "what can: ADD COLUMN name type [NULL] [DEFAULT literal] at the end, ADD INDEX name (columns), DROP INDEX of one that is not unique; "
    "with them ALGORITHM=… and LOCK=…. "
    "All else by an ALTER of your own on the writer, in a quiet hour: it replicates, and clients wait for it"
)
_TOKEN = re.compile(
    r"(?P<quoted>`[^`\x00-\x1f]+`)|(?P<text>'(?:[^'\\]|'')*')|(?P<number>[-+]?\d+(?:\.\d+)?(?![\w$]))|(?P<word>[A-Za-z_][\w$]*)"
    r"|(?P<sign>[(),=])",
    re.ASCII,
)
_WHOLE = re.compile(r"\s*ALTER\s+TABLE\b", re.ASCII | re.IGNORECASE)
_SPACES = " \t\r\n"
"""What is a space to the servers, too: to them, a no-break space is a letter."""
_NO_COLUMNS = frozenset(
    ("COLUMN", "UNIQUE", "PRIMARY", "FULLTEXT", "SPATIAL", "VECTOR", "FOREIGN", "CONSTRAINT", "CHECK", "PARTITION", "PERIOD", "SYSTEM")
)
"""What a bare ADD may be followed by and is no new column: ADD UNIQUE date (day) makes an index of the name date."""
_TYPES = (
    *("TINYINT", "SMALLINT", "MEDIUMINT", "INT", "INTEGER", "BIGINT", "DECIMAL", "NUMERIC", "DEC", "FIXED", "FLOAT", "DOUBLE", "REAL"),
    *("BOOL", "BOOLEAN", "BIT", "CHAR", "VARCHAR", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT", "ENUM", "SET", "JSON"),
    *("BINARY", "VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB", "DATE", "TIME", "DATETIME", "TIMESTAMP", "YEAR"),
)
_LONG = frozenset({"TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT", "JSON", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"})
"""Of which MariaDB keeps a default as an expression, and MySQL none: rows that were applied without such a column got '' for it, silently
(tried on MariaDB 10.11).
"""
_LITERALS = frozenset({"NULL", "TRUE", "FALSE"})
_TURNED_AWAY = "rows that the side without it takes may be turned away by the side that has it"
_LOSSY = "rows would be exchanged in which a column is of two types: the other side stops at one, or cuts it"
_UNKNOWN = "it is not known to be right on one side alone"
_REASONS = (
    (r"ADD (COLUMN )?\(", "each column wants its own ADD COLUMN"),
    (r"(ADD|DROP) (COLUMN |INDEX |KEY )?IF ", "what it does would depend on the side"),
    (r"(ADD|DROP) (CONSTRAINT|FOREIGN|CHECK|UNIQUE|PRIMARY)\b", _TURNED_AWAY),
    (r"ADD (FULLTEXT|SPATIAL|VECTOR)\b", "it may bring the table a hidden column"),
    (r"\w+ (PARTITION|SYSTEM|PERIOD|TABLESPACE)\w*\b", "it can't be undone"),
    (r"DROP (COLUMN )?\S", "what the column holds can't be had back, and the other side goes on writing it"),
    (r"(MODIFY|CHANGE|CONVERT|ALTER)\b", _LOSSY),
    (r"RENAME\b", "rows go by the table's name and by the place of their columns"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewColumn:
    """At the end; each row has a value for it, though it comes without one. `zoned`: that value goes by a session's time zone."""

    name: str
    zoned: bool = False

    def __str__(self) -> str:
        return f"new column {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """An index that is not unique. `columns` in small letters."""

    name: str
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"new index {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OldKey:
    """An index that goes."""

    name: str

    def __str__(self) -> str:
        return f"index {self.name} goes"


@dataclass(frozen=True, slots=True, kw_only=True)
class HowClause:
    """It changes nothing, and says how: ALGORITHM or LOCK."""

    said: str


Clause = NewColumn | NewKey | OldKey | HowClause


class _Token(str):
    """A word in capitals; or a sign, a number, a text or a quoted name as it was written. `name`: what it names, if it can be a name."""

    __slots__ = ("end", "kind", "name", "start")
    kind: str
    name: str
    start: int
    end: int

    @classmethod
    def of(cls, found: re.Match[str]) -> _Token:
        written, kind = found[0], str(found.lastgroup)
        token = cls(written.upper() if kind == "word" else written)
        token.kind, token.start, token.end = kind, found.start(), found.end()
        token.name = {"word": written, "quoted": written[1:-1]}.get(kind, "")
        return token


def read_clauses(alter: str) -> tuple[Clause, ...] | Refuse:
    """All of them, in their order; or the reason why one does not fit."""
    if len(alter) > LONGEST:
        return Refuse(f"the ALTER has {len(alter)} characters, more than {LONGEST}", "split it")
    if _WHOLE.match(alter):
        return Refuse(f"only its clauses are wanted, without ALTER TABLE and the table's name: {alter[:40]}", WHAT_CAN)
    tokens: list[_Token] = []
    at = 0
    while at < len(alter):
        if alter[at] in _SPACES:
            at += 1
            continue
        found = _TOKEN.match(alter, at)
        if found is None:
            return Refuse(f"the ALTER is not understood from here on: {alter[at : at + 40]}", WHAT_CAN)
        tokens.append(_Token.of(found))
        at = found.end()
    if not _is_balanced(tokens):
        return Refuse(f"the ALTER has a parenthesis too many: {alter[:120]}", WHAT_CAN)
    clauses: list[Clause] = []
    for words in _split(tokens):
        clause = _read(words)
        if isinstance(clause, str):
            said = alter[words[0].start : words[-1].end] if words else "an empty clause"
            return Refuse(f"{said[:120]}: {clause}", WHAT_CAN)
        clauses.append(clause)
    return tuple(clauses)


def _is_balanced(tokens: Sequence[_Token]) -> bool:
    depths = list(accumulate({"(": 1, ")": -1}.get(token, 0) for token in tokens))
    return not depths or (min(depths) >= 0 and depths[-1] == 0)


def _split(tokens: Sequence[_Token]) -> list[list[_Token]]:
    """At the commas outside of parentheses."""
    clauses: list[list[_Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token == "," and depth == 0:
            clauses.append([])
        else:
            clauses[-1].append(token)
    return clauses


def _read(tokens: list[_Token]) -> Clause | str:
    """The clause, or why it does not fit."""
    match tokens:
        case ["ALGORITHM" | "LOCK", "=", _Token(kind="word")]:
            return HowClause(said=" ".join(tokens))
        case ["ADD", "INDEX" | "KEY", _Token() as name, *rest] if name.name and name != "IF":
            return _new_key(name, rest)
        case ["ADD", "INDEX" | "KEY", *words] if words[:1] != ["IF"]:
            return "an index wants a name, by which it is found again"
        case ["DROP", "INDEX" | "KEY", _Token() as name] if name.name:
            return OldKey(name=name.name)
        case ["ADD", "COLUMN", _Token() as name, _Token(kind="word") as type_, *rest] if name.name and type_ in _TYPES:
            return _new_column(name, type_, rest)
        case ["ADD", _Token() as name, _Token(kind="word") as type_, *rest] if name.name and name not in _NO_COLUMNS and type_ in _TYPES:
            return _new_column(name, type_, rest)
        case _:
            said = " ".join(tokens)
            return next((reason for pattern, reason in _REASONS if re.match(pattern, said)), _UNKNOWN)


def _new_column(name: _Token, type_: _Token, rest: list[_Token]) -> NewColumn | str:
    if rest[:1] == ["("]:
        rest = rest[_end_of(rest) + 1 :]
    nullable, default, zoned = None, False, False
    while rest:
        match rest:
            case ["NOT", "NULL", *left]:
                nullable, rest = False, left
            case ["NULL", *left]:
                nullable, rest = True, left
            case ["DEFAULT", value, *_] if type_ in _LONG and value != "NULL":
                return (
                    f"rows from the other side come without {name.name}, and would get an empty one instead of its DEFAULT: use a VARCHAR"
                )
            case ["DEFAULT", value, *left] if value in _LITERALS or value.kind in {"number", "text"}:
                default, zoned, rest = True, type_ == "TIMESTAMP" and value.kind == "text", left
            case ["DEFAULT", *_]:
                return f"the sides would fill {name.name} with values of their own: its DEFAULT is no literal"
            case ["COMMENT", _Token(kind="text"), *left] | ["COLLATE" | "CHARSET", _Token(kind="word"), *left]:
                rest = left
            case ["CHARACTER", "SET", _Token(kind="word"), *left] | ["UNSIGNED" | "SIGNED" | "ZEROFILL", *left]:
                rest = left
            case ["FIRST" | "AFTER", *_]:
                return "columns that both sides have must stand before all others: leave FIRST or AFTER out"
            case ["UNIQUE" | "PRIMARY" | "KEY" | "REFERENCES" | "CHECK" | "CONSTRAINT", *_]:
                return _TURNED_AWAY
            case _:
                return f"{' '.join(rest)} is not understood"
    if not default and (nullable is False or (type_ == "TIMESTAMP" and nullable is None)):
        return f"rows from the other side come without {name.name}, and it has no default: let it be NULL, or give a DEFAULT"
    return NewColumn(name=name.name, zoned=zoned)


def _new_key(name: _Token, rest: list[_Token]) -> NewKey | str:
    if rest[:2] == ["USING", "BTREE"]:
        rest = rest[2:]
    if rest[:1] != ["("]:
        return f"the columns of {name.name} are wanted in parentheses"
    columns, left = rest[1 : _end_of(rest)], rest[_end_of(rest) + 1 :]
    for before, token, after in zip(["", *columns], columns, [*columns[1:], ""], strict=False):
        if token == "(" and not (isinstance(before, _Token) and before.name and isinstance(after, _Token) and after.kind == "number"):
            return "an index on an expression brings the table a hidden column"
    while left:
        match left:
            case ["USING", "BTREE", *more] | ["COMMENT", _Token(kind="text"), *more]:
                left = more
            case _:
                return f"{' '.join(left)} is not understood"
    return NewKey(name=name.name, columns=tuple(part[0].name.lower() for part in _split(columns) if part))


def _end_of(tokens: list[_Token]) -> int:
    """Where the first parenthesis is closed."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth == 0:
            return place
    return len(tokens)
