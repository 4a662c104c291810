"""`${…}` in a playbook: references to inputs, topology facts and earlier outputs, and nothing else.

    "${to}"                      an input
    "${fenced.position}"         an output of the step with the id `fenced`
    "${topology.name}"           topology.name, topology.clusters, topology.routes, topology.servers (names)
    "${writer}", "${standby}"    the clusters as they were when the run began
    "${item}"                    the present item of a step's `foreach`

A text that is one reference alone gives the value itself; a text with more around it gives a text. `$${` stands for `${` itself. `when:`
knows besides `==`, `!=`, `in`, `not`, `and`, `or`, parentheses, numbers, true, false and quoted texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from interlock.dataclass import dataclass
from interlock.errors import UsageError


class BadExpression(UsageError):
    """A text that is no template or condition. `offset` counts characters from the beginning of the text, from 0."""

    def __init__(self, message: str, offset: int, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that does not exist yet: an output of a step that has not run. `plan` shows it as `<fenced.position>`."""

    reference: str

    def __str__(self) -> str:
        return f"<{self.reference}>"


Scope = Mapping[str, object]
"""Names to values; a dotted reference walks mappings, attributes are never reached."""


class Template(Protocol):
    """A checked `${…}` text."""

    @property
    def references(self) -> tuple[str, ...]: ...
    def resolve(self, scope: Scope, /) -> object:
        """The value; `Unknown` if a reference is missing from `scope`."""
        ...


class Condition(Protocol):
    """A checked `when:`."""

    @property
    def references(self) -> tuple[str, ...]: ...
    def holds(self, scope: Scope, /) -> bool | Unknown: ...


_NAME = r"[A-Za-z_][A-Za-z0-9_-]{0,63}"
REFERENCE = re.compile(rf"{_NAME}(?:\.{_NAME}){{0,3}}")
_MARK = re.compile(r"\$?\$\{")


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${name.name}`, and where its `$` stands in the text, from 0."""

    name: str
    offset: int = 0

    def look_up(self, scope: Scope) -> object:
        here: object = scope
        for part in self.name.split("."):
            if isinstance(here, Unknown):
                return here
            if not isinstance(here, Mapping) or part not in here:
                return Unknown(self.name)
            here = here[part]
        return here


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTemplate:
    """`pieces` in order, texts and references; `text` as it was written."""

    text: str
    pieces: tuple[str | Reference, ...]

    @property
    def references(self) -> tuple[str, ...]:
        return tuple(piece.name for piece in self.pieces if isinstance(piece, Reference))

    @property
    def alone(self) -> Reference | None:
        """The reference, if it is all there is."""
        only = self.pieces[0] if len(self.pieces) == 1 else None
        return only if isinstance(only, Reference) else None

    def resolve(self, scope: Scope, /) -> object:
        if self.alone is not None:
            return self.alone.look_up(scope)
        words: list[str] = []
        for piece in self.pieces:
            value = piece if isinstance(piece, str) else piece.look_up(scope)
            if isinstance(value, Unknown):
                return value
            words.append(as_text(value))
        return "".join(words)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class FixedList:
    """The literal list of a `foreach`."""

    items: tuple[object, ...]

    @property
    def references(self) -> tuple[str, ...]:
        return ()

    def resolve(self, _scope: Scope, /) -> object:
        return self.items


def parse_template(text: str) -> TextTemplate:
    """BadExpression, with its offset, for a `${` that is not closed or holds no reference."""
    pieces: list[str | Reference] = []
    literal = ""
    at = 0
    while (mark := _MARK.search(text, at)) is not None:
        literal += text[at : mark.start()]
        if mark.group() == "$${":
            literal += "${"
            at = mark.end()
            continue
        reference, at = read_reference(text, mark.start())
        pieces += [literal, reference] if literal else [reference]
        literal = ""
    literal += text[at:]
    return TextTemplate(text=text, pieces=(*pieces, literal) if literal else tuple(pieces))


def read_reference(text: str, start: int) -> tuple[Reference, int]:
    """The `${…}` whose `$` is at `start`, and the offset after it."""
    end = text.find("}", start)
    if end < 0:
        raise BadExpression("'${' is not closed", start, hint="write ${name}, or $${ for '${' itself")
    inside = text[start + 2 : end].strip()
    if not REFERENCE.fullmatch(inside):
        raise BadExpression(
            f"{text[start : min(end + 1, start + 60)]!r} is no reference",
            start,
            hint="write ${input} or ${step.output}; there is no code in it",
        )
    return Reference(inside, start), end + 1


def as_text(value: object) -> str:
    """A value within a text: numbers without a needless `.0`, lists with commas."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.15g}"
        case tuple() | list():
            return ",".join(as_text(item) for item in value)
        case _:
            return str(value)


def resolve_value(value: object, scope: Scope) -> object:
    """A literal, a template, or lists and mappings of them. `Unknown` if any part of it is."""
    match value:
        case TextTemplate() | FixedList():
            return value.resolve(scope)
        case tuple():
            items = tuple(resolve_value(item, scope) for item in value)
            return next((item for item in items if isinstance(item, Unknown)), items)
        case dict():
            values = {key: resolve_value(item, scope) for key, item in value.items()}
            return next((item for item in values.values() if isinstance(item, Unknown)), values)
        case _:
            return value


def templates_in(value: object) -> tuple[TextTemplate, ...]:
    """Every template of a nested value, in order."""
    match value:
        case TextTemplate():
            return (value,)
        case tuple():
            return tuple(found for item in value for found in templates_in(item))
        case dict():
            return tuple(found for item in value.values() for found in templates_in(item))
        case _:
            return ()
