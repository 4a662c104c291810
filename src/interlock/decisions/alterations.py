"""Which clauses of an ALTER TABLE a pair bears while one side has them and the other has not, and how each is undone. Pure.

Rows that an old and a new declaration of a table exchange are right if (MySQL manual, "Replication with Differing Table Definitions on
Source and Replica"; MariaDB KB, "Replication When the Primary and Replica Have Different Table Definitions")

1. the columns that both have stand first, in the same order, and are of the same types;
2. each further column has a default, which a row gets that comes without it;
3. no rule of one side alone turns a row away that the other one took.

A change can be undone if the declaration before it says all that is to be put back. What is not known to fit is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from interlock.decisions.alter_words import HowClause, NewColumn, NewKey, OldKey, read_clauses
from interlock.decisions.declarations import are_alike, lines_of, name_in
from interlock.model.tables import TableFacts
from interlock.model.verdict import Done, Refuse

Change = NewColumn | NewKey | OldKey

_NAME = re.compile("`((?:[^`]|``)+)`")
_PLAIN_NAMES = re.compile(r"\(((?:`(?:[^`]|``)+`(?:, ?)?)+)\)")
_UNIQUE = "rows that one side takes may be turned away by the other one"


class Stage(StrEnum):
    """How much of an ALTER a table has. A server carries it out whole or not at all: in between, somebody else changed the table."""

    BEFORE = "before"
    AFTER = "after"
    BETWEEN = "between"


def read_changes(alter: str) -> tuple[Change, ...] | Refuse:
    """The clauses of `ALTER TABLE t …` that change something, in their order. Refuse, with the reason, if one does not fit."""
    clauses = read_clauses(alter)
    if isinstance(clauses, Refuse):
        return clauses
    changes = tuple(clause for clause in clauses if not isinstance(clause, HowClause))
    places = [_place(change) for change in changes]
    if twice := next((place for place in places if places.count(place) > 1), None):
        return Refuse(f"the ALTER has two clauses for {twice}", "split it into two changes, one after the other")
    return changes or Refuse("the ALTER changes nothing", "give at least one clause that does")


def stage_of(changes: Sequence[Change], definition: str) -> Stage:
    """By what the table has now, which is all that is known of it after a kill."""
    lines = _lines(definition)
    done = {(_place(change) in lines) is not isinstance(change, OldKey) for change in changes}
    return Stage.BETWEEN if len(done) > 1 else Stage.AFTER if True in done else Stage.BEFORE


def is_read_alike(changes: Sequence[Change], first: TableFacts, second: TableFacts) -> Refuse | None:
    """Refuse what one server may turn away, or declare otherwise, that the other one takes, and a default that they take for two moments;
    None if there is neither.
    """
    if first.sql_mode != second.sql_mode:
        return Refuse(
            f"the sides may read the ALTER in two ways: the sql_mode of {first.server} is {first.sql_mode or 'empty'}, "
            f"that of {second.server} is {second.sql_mode or 'empty'}",
            "set sql_mode alike on both",
        )
    zoned = [change.name for change in changes if isinstance(change, NewColumn) and change.zoned]
    if not zoned or first.time_zone == second.time_zone:
        return None
    return Refuse(
        f"the DEFAULT of {', '.join(zoned)} is another moment on each side: the time zone of {first.server} is {first.time_zone}, "
        f"that of {second.server} is {second.time_zone}",
        "let it be NULL, or a DATETIME, or set time_zone alike on both",
    )


def is_the_only_difference(changes: Sequence[Change], without: str, having: str) -> bool:
    """Whether one declaration is the other one with the changes and nothing else, the new columns last, in their order."""
    new = [_place(change) for change in changes if isinstance(change, NewColumn)]
    columns = [what for what in _lines(having) if what.startswith("column ")]
    return (
        (stage_of(changes, without), stage_of(changes, having)) == (Stage.BEFORE, Stage.AFTER)
        and columns[len(columns) - len(new) :] == new
        and are_alike(without, having, but={_place(change) for change in changes})
    )


def can_be_applied(table: str, changes: Sequence[Change], definition: str) -> Done | Refuse:
    """Whether this table, which both sides declare so, bears them on one side alone."""
    lines = _lines(definition)
    if "key primary key" not in lines:
        return Refuse(
            f"{table} has no primary key: its rows are looked for by all their columns, and the sides would have different ones",
            "add one first",
        )
    for change in changes:
        there = lines.get(_place(change), "")
        match change:
            case NewColumn() | NewKey() if there:
                return Refuse(f"{table} has {change.name} already: {there}", "leave that clause out")
            case NewColumn(name=name) if hidden := _stands_last(definition):
                return Refuse(
                    f"{hidden} of {table}: rows of a side without {name} would bring that for {name}",
                    "change the table by an ALTER of your own on the writer, in a quiet hour; it replicates, and clients wait for it",
                )
            case NewKey(columns=columns) if made := _made_for_a_foreign_key(lines, changes, columns):
                return Refuse(
                    f"{made} of {table} serves a foreign key: where the server made it, it goes as soon as {change.name} can serve",
                    f"say that it goes, in the same ALTER: DROP INDEX `{made}`",
                )
            case OldKey() if not there:
                return Refuse(f"{table} has no index {change.name}", "leave that clause out")
            case OldKey() if there.startswith("UNIQUE"):
                return Refuse(f"{change.name} of {table} is unique: {_UNIQUE}", "keep it, or drop it on both sides while nobody writes")
            case _:
                pass
    return Done(f"{table} bears it on one side alone: {', '.join(map(str, changes))}")


def _made_for_a_foreign_key(lines: Mapping[str, str], changes: Sequence[Change], columns: Sequence[str]) -> str:
    """An index that a server may have made for a foreign key, if these columns begin with that one's: such a one goes without a word, and
    what took its place can't be dropped again (MySQL manual, "FOREIGN KEY Constraints"; 1553, tried on MariaDB 10.11 and MySQL 9.7).
    """
    going = {_place(change) for change in changes if isinstance(change, OldKey)}
    foreign = {_columns(line) for what, line in lines.items() if what.startswith("constraint ") and "FOREIGN KEY" in line}
    served = {each for each in foreign if each and tuple(columns[: len(each)]) == each}
    stay = (line for what, line in lines.items() if line.startswith("KEY ") and what not in going)
    return next((name_in(line) for line in stay if _columns(line) in served), "")


def _columns(line: str) -> tuple[str, ...]:
    """The first list of plain names in parentheses, in small letters."""
    found = _PLAIN_NAMES.search(line)
    return tuple(each.lower() for each in _NAME.findall(found[1])) if found else ()


def _stands_last(definition: str) -> str:
    """The hidden columns of a MariaDB table, which stay behind all others and are in its rows: on 10.11, a new number was seen to hold a
    part of the hash. SHOW CREATE TABLE does not show them.
    """
    hashed = [name_in(line) for line in lines_of(definition).values() if line.startswith("UNIQUE") and "USING HASH" in line]
    if hashed:
        return f"a hidden column stands last for the unique index {hashed[0]}"
    return "columns of its versions stand last, hidden" if "SYSTEM VERSIONING" in definition else ""


def inverse(changes: Sequence[Change], before: str, now: str | None) -> str:
    """The clauses that lead back to `before`, the last change first; of what `now` has of them (None: of all). Empty if it has none."""
    had, has = _lines(before), None if now is None else _lines(now)
    clauses = []
    for change in reversed(changes):
        place = _place(change)
        if has is not None and (place in has) is (place in had):
            continue
        match change:
            case NewColumn(name=name):
                clauses.append(f"DROP COLUMN `{name}`")
            case NewKey(name=name):
                clauses.append(f"DROP INDEX `{name}`")
            case OldKey():
                clauses.append(f"ADD {had[place]}")
    return ", ".join(clauses)


def _lines(definition: str) -> Mapping[str, str]:
    """By names in small letters: a server knows a column or an index by its name in any case."""
    return {what.lower(): line for what, line in lines_of(definition).items()}


def _place(change: Change) -> str:
    return f"{'column' if isinstance(change, NewColumn) else 'key'} {change.name}".lower()
