"""Collects every problem of one file, so that a person mends them all in one go, and names what they may have meant.

A hostile file can hold as many problems as it has bytes: after `MOST` of them the rest is only counted.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import field
from typing import Protocol

from interlock.dataclass import dataclass
from interlock.errors import InvalidFile, Problem

MOST = 100
_COMPARED = 500


class Place(Protocol):
    """Anything that knows where in its file it stands; both count from 1."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


@dataclass(frozen=True, slots=True)
class At:
    line: int
    column: int


WHOLE_FILE = At(0, 0)


@dataclass(slots=True)
class Problems:
    """The problems of `file` so far."""

    file: str
    found: list[Problem] = field(default_factory=list)
    more: int = 0

    def add(self, at: Place, what: str, hint: str = "") -> None:
        if len(self.found) >= MOST:
            self.more += 1
            return
        self.found.append(Problem(file=self.file, line=at.line, column=at.column, what=what, hint=hint))

    def add_unknown(self, at: Place, what: str, name: str, known: Iterable[str]) -> None:
        """`what` describes the unknown thing; the hint is the nearest known name, or all of them."""
        hint = did_you_mean(name, known) if len(self.found) < MOST else ""
        self.add(at, what, hint)

    @property
    def count(self) -> int:
        return len(self.found) + self.more

    def raise_any(self) -> None:
        """InvalidFile with all of them, if there is one."""
        if not self.found:
            return
        if self.more:
            rest = Problem(file=self.file, line=self.found[-1].line, column=self.found[-1].column, what=f"and {self.more} more problems")
            raise InvalidFile([*self.found, rest])
        raise InvalidFile(self.found)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like `name`; only the first ones are compared, for a file may hold thousands."""
    candidates = [candidate for candidate, _ in zip(known, range(_COMPARED), strict=False)]
    close = difflib.get_close_matches(name[:64], candidates, n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint: the nearest known name, or the known ones if none is near."""
    names = list(known)
    close = nearest(name, names)
    if close is not None:
        return f"did you mean {close!r}?"
    if not names:
        return ""
    shown = ", ".join(sorted(names)[:20])
    return f"known: {shown}" + (", …" if len(names) > 20 else "")


def shown(value: object) -> str:
    """A value as it stands in a message: quoted, on one line, and short."""
    text = str(value) if not isinstance(value, bool) else str(value).lower()
    return ascii_quoted(text if len(text) <= 60 else text[:59] + "…")


def ascii_quoted(text: str) -> str:
    """In quotes, with newlines and control characters made visible."""
    return repr(text)
