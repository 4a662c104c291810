"""A single value against its `Field`: texts, numbers, names, durations, positions, addresses."""

from __future__ import annotations

import math

from interlock.documents.checking import Checking, check_name, wrong
from interlock.documents.fields import Field, Kind
from interlock.documents.problems import shown
from interlock.documents.values import address, duration_s
from interlock.documents.yaml import Node, Scalar
from interlock.model.position import parse_position


def a_text(node: Node, field: Field, checking: Checking) -> object | None:
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return node.value
    quotes = "put it in quotes" if isinstance(node, Scalar) and node.value is not None else ""
    return wrong(node, field, "a text", checking, quotes)


def an_integer(node: Node, field: Field, checking: Checking) -> object | None:
    if isinstance(node, Scalar) and isinstance(node.value, int) and not isinstance(node.value, bool):
        return node.value
    return wrong(node, field, "an integer", checking)


def a_number(node: Node, field: Field, checking: Checking) -> object | None:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return wrong(node, field, "a number", checking)


def a_flag(node: Node, field: Field, checking: Checking) -> object | None:
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    return wrong(node, field, "a flag", checking, "write true or false")


def a_duration(node: Node, field: Field, checking: Checking) -> object | None:
    if isinstance(node, Scalar):
        seconds = duration_s(node.text)
        if seconds is not None:
            return seconds
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return wrong(node, field, "a duration", checking, f"say the unit: {shown(node.text)[1:-1]}s, or ms, m, h, d")
    return wrong(node, field, "a duration", checking, "a number and its unit, of at most 366d: 200ms, 2s, 5m, 4h, 1d")


def a_server(node: Node, field: Field, checking: Checking) -> object | None:
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return wrong(node, field, f"the name of a {field.kind}", checking)
    return node.value if check_name(node, field.name, checking.problems) else None


def a_cluster(node: Node, field: Field, checking: Checking) -> object | None:
    name = a_server(node, field, checking)
    if isinstance(name, str) and checking.clusters is not None and name not in checking.clusters:
        checking.problems.add_unknown(node, f"{field.name}: there is no cluster {shown(name)}", name, checking.clusters)
        return None
    return name


def a_position(node: Node, field: Field, checking: Checking) -> object | None:
    text = a_text(node, field, checking)
    if not isinstance(text, str):
        return None
    try:
        return parse_position(text)
    except ValueError as error:
        checking.problems.add(node, f"{field.name} is no position: {error}")
        return None


def a_word(node: Node, field: Field, checking: Checking) -> object | None:
    """A text, or a number or flag as it is written."""
    if isinstance(node, Scalar) and node.value is not None:
        if checking.template is not None and "${" in node.text:
            return checking.template(node, Field(name=field.name, kind=Kind.TEXT, doc=field.doc))
        if "\0" not in node.text:
            return node.text
    return wrong(node, field, "a text", checking)


def an_address(node: Node, field: Field, checking: Checking) -> object | None:
    found = address(node.text) if isinstance(node, Scalar) else None
    return found if found is not None else wrong(node, field, "an address", checking, "write host:port, for example db.example.com:3306")
