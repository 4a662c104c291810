"""The lines of a server's SHOW CREATE TABLE: what each declares, and whether two tables are declared alike. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

_LINE_NAME = re.compile(r"(?:(PRIMARY KEY)|(?:(?:UNIQUE |FULLTEXT |SPATIAL |VECTOR )?KEY|CONSTRAINT) `((?:[^`]|``)+)`|`((?:[^`]|``)+)`)")
_COUNTER = re.compile(r" AUTO_INCREMENT=\d+")


def lines_of(definition: str) -> dict[str, str]:
    """The lines between the parentheses, by the kind and name of what each declares: `column id`, `key PRIMARY KEY`, `constraint c`."""
    found = {}
    for line in definition.splitlines()[1:]:
        said = line.strip().rstrip(",")
        matched = _LINE_NAME.match(said)
        if line.startswith(" ") and matched:
            kind = "column" if matched[3] else "constraint" if said.startswith("CONSTRAINT") else "key"
            found[f"{kind} {matched[1] or matched[2] or matched[3]}"] = said
    return found


def name_in(line: str) -> str:
    """What a line names, in its backticks; empty for a primary key."""
    matched = _LINE_NAME.match(line)
    return (matched[2] or matched[3] or "") if matched else ""


def without_counter(definition: str) -> str:
    """Each side counts on by itself."""
    return _COUNTER.sub("", definition)


def are_alike(first: str, second: str, *, but: Collection[str] = ()) -> bool:
    """The same columns in the same order, the same keys in any, and the same options. `but`: what is left out, such as `column note`, in
    small letters.
    """
    return _parts(first, but) == _parts(second, but)


def _parts(definition: str, but: Collection[str]) -> tuple[list[str], frozenset[str], str]:
    lines = {what: line for what, line in lines_of(definition).items() if what.lower() not in but}
    columns = [line for what, line in lines.items() if what.startswith("column ")]
    options = without_counter(definition.rpartition("\n)")[2])
    return columns, frozenset(lines.values()), options


def only_in(mine: str, theirs: str) -> str:
    """What the first has and the second has not, for people."""
    others = set(lines_of(theirs).values())
    return "; ".join(line for line in lines_of(mine).values() if line not in others)[:400] or "as the other but for its options"


def told_apart(first: str, second: str) -> tuple[str, str]:
    """Of each of two definitions what tells it from the other one, for people: what it names, in its order, or else what it says."""
    named = [", ".join(lines_of(each)) for each in (first, second)]
    return (named[0], named[1]) if named[0] != named[1] else (only_in(first, second), only_in(second, first))
