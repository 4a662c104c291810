"""Columns in plain text, wrapped at the terminal's width. What comes from a server is shown, never obeyed: control characters are escaped,
so that no statement or name can move the cursor, change a colour or turn the reading direction.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from interlock.dataclass import dataclass

_GAP = "  "
_NARROWEST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`right` for numbers. `wraps` says that its cells may be broken when the table is too wide; the others keep their width."""

    title: str
    right: bool = False
    wraps: bool = False


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> str:
    """A line of titles, then the rows; no line ends with a blank. Wider than `width` only if what may wrap gives too little."""
    shown = [[printable(cell) for cell in row] for row in rows]
    cells = [[column.title for column in columns], *shown]
    widths = _fitted(columns, cells, width)
    return "\n".join(line for row in cells for line in _lines(columns, row, widths))


def pairs(rows: Sequence[tuple[str, str]], width: int, indent: int = 0) -> str:
    """Labels on the left, their values beside them, each value wrapped under itself."""
    labels = [printable(label) for label, _ in rows]
    label_width = max(map(display_width, labels), default=0)
    room = max(_NARROWEST, width - indent - label_width - len(_GAP))
    lines = []
    for label, (_, value) in zip(labels, rows, strict=True):
        for number, part in enumerate(wrapped(printable(value), room)):
            beginning = _padded(label if number == 0 else "", label_width, right=False)
            lines.append(f"{' ' * indent}{beginning}{_GAP}{part}".rstrip())
    return "\n".join(lines)


def folded(text: str, width: int) -> str:
    """A text of lines, each wrapped a little behind its own indent."""
    lines = []
    for line in text.splitlines():
        said = printable(line.lstrip(" "))
        indent = " " * (len(line) - len(line.lstrip(" ")))
        first, *more = wrapped(said, max(_NARROWEST, width - len(indent) - len(_GAP)))
        lines += [f"{indent}{first}", *(f"{indent}{_GAP}{each}" for each in more)]
    return "\n".join(lines)


def printable(text: str) -> str:
    """Control, format, surrogate and unassigned characters, and line separators, as the escapes of a Python string."""
    if text.isprintable():
        return text
    return "".join(char if char == " " or char.isprintable() else ascii(char)[1:-1] for char in text)


def display_width(text: str) -> int:
    """How many places a terminal gives it: two for wide East Asian characters and emoji, none for combining marks (Unicode annex 11)."""
    return len(text) if text.isascii() else sum(map(_char_width, text))


def wrapped(text: str, width: int) -> list[str]:
    """Broken between words, and within a word that is longer than a line. At least one line, each at most `width` wide."""
    lines = [""]
    for word in text.split(" "):
        extended = f"{lines[-1]} {word}" if lines[-1] else word
        if display_width(extended) <= width:
            lines[-1] = extended
            continue
        first, *more = _split(word, width)
        if lines[-1]:
            lines.append(first)
        else:
            lines[-1] = first
        lines.extend(more)
    return [line.rstrip() for line in lines]


def _split(word: str, width: int) -> list[str]:
    parts = [""]
    for char in word:
        if parts[-1] and display_width(parts[-1]) + _char_width(char) > width:
            parts.append("")
        parts[-1] += char
    return parts


def _char_width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def _fitted(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> list[int]:
    """Each column as wide as its widest cell; then the widest that may wrap gives way, a place at a time, until all fit."""
    widths = [max(display_width(row[number]) for row in cells) for number in range(len(columns))]
    excess = sum(widths) + len(_GAP) * (len(columns) - 1) - width
    while excess > 0:
        may_give = [number for number, column in enumerate(columns) if column.wraps and widths[number] > _NARROWEST]
        if not may_give:
            break
        widths[max(may_give, key=lambda number: widths[number])] -= 1
        excess -= 1
    return widths


def _lines(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    broken = [wrapped(cell, width) if column.wraps else [cell] for column, cell, width in zip(columns, row, widths, strict=True)]
    for number in range(max(map(len, broken), default=0)):
        parts = (
            _padded(cell[number] if number < len(cell) else "", width, right=column.right)
            for column, cell, width in zip(columns, broken, widths, strict=True)
        )
        yield _GAP.join(parts).rstrip()


def _padded(text: str, width: int, *, right: bool) -> str:
    blanks = " " * max(0, width - display_width(text))
    return blanks + text if right else text + blanks
