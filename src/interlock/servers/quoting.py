"""Values and names as they stand in SQL text. The one place where either is quoted.

Two rules: our sessions run with an `sql_mode` of their own (see `session.py`), so that a backslash escapes and a double quote quotes a
text; and a text that can't be written safely is an error, never something near it.
"""

from __future__ import annotations

import re

_ESCAPES = str.maketrans(
    {"\\": "\\\\", "'": "\\'", '"': '\\"', "\0": "\\0", "\n": "\\n", "\r": "\\r", "\x1a": "\\Z"},
)
_NOT_IN_A_MARK = re.compile(r"[^A-Za-z0-9_.:-]+")


def text(value: str) -> str:
    """A text literal."""
    return f"'{value.translate(_ESCAPES)}'"


def name(*parts: str) -> str:
    """A name with each part in backticks: `name("shop", "order`s")`. ValueError for an empty part or one with a NUL."""
    for part in parts:
        if not part or "\0" in part:
            raise ValueError(f"not a name that SQL can hold: {part!r}")
    return ".".join("`" + part.replace("`", "``") + "`" for part in parts)


def seconds(value: float) -> str:
    """A bound in seconds, to the millisecond, never 0: to `max_statement_time` 0 means for ever."""
    return f"{max(value, 0.001):.3f}".rstrip("0").rstrip(".")


def marked(statement: str, mark: str) -> str:
    """The statement behind a comment by which `settle` and the operator find it in the process list."""
    return f"/* interlock:{_NOT_IN_A_MARK.sub('-', mark)[:80]} */ {statement}"


MARK_PATTERN = "/* interlock:%"
