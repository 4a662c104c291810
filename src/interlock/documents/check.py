"""A node against its `Field`: typed Python values out, every problem noted on the way.

A checker returns `None` for a value that is wrong (its problem was added); no right value is None, but an empty `any`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from interlock.documents.checking import Checker, Checking, a_kind_of, check_name, plain_value, wrong
from interlock.documents.fields import Field, Kind
from interlock.documents.problems import did_you_mean, shown
from interlock.documents.scalars import (
    a_cluster,
    a_duration,
    a_flag,
    a_number,
    a_position,
    a_server,
    a_text,
    a_word,
    an_address,
    an_integer,
)
from interlock.documents.values import absolute
from interlock.documents.yaml import ListNode, MapNode, Node, Scalar
from interlock.model.topology import SecretRef, SecretSource

__all__ = ["Checking", "a_kind_of", "check_fields", "check_name", "check_value", "plain_value"]

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def check_fields(node: Node | None, fields: tuple[Field, ...], subject: str, checking: Checking) -> dict[str, object]:
    """The values of a mapping, defaults filled in. Wrong or missing values are left out; their problems were added."""
    if not isinstance(node, MapNode):
        if node is not None:
            checking.problems.add(node, f"{subject} is {a_kind_of(node)}, not a mapping", f"known keys: {_names(fields)}")
        return {}
    known = {field.name: field for field in fields}
    for name, key in node.keys.items():
        if name not in known:
            checking.problems.add_unknown(key, f"{subject} has no key {shown(name)}", name, known)
    values: dict[str, object] = {}
    for field in fields:
        child = node.get(field.name)
        if child is None:
            if field.required:
                checking.problems.add(node, f"{subject} lacks {field.name!r}", field.doc)
            else:
                values[field.name] = field.default
            continue
        value = check_value(child, field, checking)
        if value is not None or field.kind is Kind.ANY:
            values[field.name] = value
    return values


def check_value(node: Node, field: Field, checking: Checking) -> object | None:
    """One value by its field's kind and choices; None if it is wrong."""
    if checking.template is not None and isinstance(node, Scalar) and isinstance(node.value, str) and "${" in node.value:
        return checking.template(node, field)
    value = _CHECKERS[field.kind](node, field, checking)
    if value is not None and field.choices and value not in field.choices:
        checking.problems.add(node, f"{field.name} is {shown(value)}, not one of {', '.join(field.choices)}", _nearest_choice(value, field))
        return None
    wrong = field.rule(value) if value is not None and field.rule is not None else ""
    if wrong:
        checking.problems.add(node, f"{field.name}: {wrong}", field.doc)
        return None
    return value


def _names(fields: tuple[Field, ...]) -> str:
    return ", ".join(field.name for field in fields)


def _nearest_choice(value: object, field: Field) -> str:
    return did_you_mean(value, field.choices) if isinstance(value, str) else ""


def _routes(node: Node, field: Field, checking: Checking) -> object | None:
    """`all` stays a text: which routes there are is known when it is resolved."""
    if isinstance(node, Scalar) and node.value == "all":
        return "all"
    return _list_of(a_server, node, field, checking)


def _argv(node: Node, field: Field, checking: Checking) -> object | None:
    """Words of a command. A program given as `./x` or `../x` is relative to the file, since the working directory is anyone's."""
    if not isinstance(node, ListNode) or not node.items:
        return wrong(node, field, "a list of words", checking, "write each word as an item: [./hook, --to, west]; no shell reads it")
    words = [a_word(item, field, checking) for item in node.items]
    if any(word is None for word in words):
        return None
    program = words[0]
    if isinstance(program, str) and program.startswith(("./", "../", "~/")):
        words[0] = absolute(program, checking.folder)
    return tuple(words)


def _list_of(one: Checker, node: Node, field: Field, checking: Checking) -> object | None:
    items = node.items if isinstance(node, ListNode) else (node,)
    if not items:
        return wrong(node, field, "anything", checking, "the list is empty")
    values = [_item(one, item, field, checking) for item in items]
    return None if any(value is None for value in values) else tuple(values)


def _item(one: Checker, node: Node, field: Field, checking: Checking) -> object | None:
    if checking.template is not None and isinstance(node, Scalar) and isinstance(node.value, str) and "${" in node.value:
        return checking.template(node, field)
    return one(node, field, checking)


def _texts(node: Node, field: Field, checking: Checking) -> object | None:
    return _list_of(a_text, node, field, checking)


def _integers(node: Node, field: Field, checking: Checking) -> object | None:
    return _list_of(an_integer, node, field, checking)


def _mapping(node: Node, field: Field, checking: Checking) -> object | None:
    if not isinstance(node, MapNode):
        return wrong(node, field, "a mapping", checking)
    values: dict[str, object] = {key: a_word(value, field, checking) for key, value in node.entries.items()}
    return None if any(value is None for value in values.values()) else values


def _cluster_map(node: Node, field: Field, checking: Checking) -> object | None:
    values = _mapping(node, field, checking)
    if not isinstance(values, dict) or not isinstance(node, MapNode) or checking.clusters is None:
        return values
    for name, key in node.keys.items():
        if name not in checking.clusters:
            checking.problems.add_unknown(key, f"{field.name}: there is no cluster {shown(name)}", name, checking.clusters)
    for name in checking.clusters:
        if name not in values:
            checking.problems.add(node, f"{field.name} lacks cluster {name!r}", "it has one text for each cluster")
    return values


def _secret(node: Node, field: Field, checking: Checking) -> object | None:
    """Never quotes what it finds: it may be the secret itself."""
    ways = "write {env: NAME}, {file: PATH} or {command: [word, …]}"
    if not isinstance(node, MapNode):
        checking.problems.add(node, f"{field.name} stands in the file itself, where everybody who reads the file can see it", ways)
        return None
    if len(node.entries) != 1 or next(iter(node.entries)) not in set(SecretSource):
        checking.problems.add(node, f"{field.name} does not say in one way where the secret is to be had", ways)
        return None
    ((way, place),) = node.entries.items()
    source = SecretSource(way)
    if source is SecretSource.COMMAND:
        words = _argv(place, Field(name=f"{field.name}.command", kind=Kind.ARGV, doc=ways), checking)
        return None if not isinstance(words, tuple) else SecretRef(source=source, place=tuple(str(word) for word in words))
    text = place.value if isinstance(place, Scalar) else None
    if not isinstance(text, str) or not text or (source is SecretSource.ENV and not _ENV_NAME.fullmatch(text)):
        wanted = "the name of an environment variable" if source is SecretSource.ENV else "a path"
        checking.problems.add(place, f"{field.name}.{way} is not {wanted}", ways)
        return None
    return SecretRef(source=source, place=(text if source is SecretSource.ENV else absolute(text, checking.folder),))


def _fields(node: Node, field: Field, checking: Checking) -> object | None:
    if not isinstance(node, MapNode):
        return wrong(node, field, "a mapping", checking, f"known keys: {_names(field.fields)}")
    return check_fields(node, field.fields, field.name, checking)


def _list(node: Node, field: Field, checking: Checking) -> object | None:
    if not isinstance(node, ListNode):
        return wrong(node, field, "a list", checking)
    return tuple(check_fields(item, field.fields, f"{field.name}[{index}]", checking) for index, item in enumerate(node.items))


def _any(node: Node, field: Field, checking: Checking) -> object | None:
    match node:
        case Scalar():
            return node.value
        case ListNode():
            return tuple(check_value(item, field, checking) for item in node.items)
        case MapNode():
            return {key: check_value(value, field, checking) for key, value in node.entries.items()}


_CHECKERS: Mapping[Kind, Checker] = {
    Kind.TEXT: a_text,
    Kind.INTEGER: an_integer,
    Kind.NUMBER: a_number,
    Kind.FLAG: a_flag,
    Kind.DURATION: a_duration,
    Kind.SERVER: a_server,
    Kind.CLUSTER: a_cluster,
    Kind.SEGMENT: a_server,
    Kind.ROUTES: _routes,
    Kind.POSITION: a_position,
    Kind.ARGV: _argv,
    Kind.TEXTS: _texts,
    Kind.INTEGERS: _integers,
    Kind.MAPPING: _mapping,
    Kind.SECRET: _secret,
    Kind.ADDRESS: an_address,
    Kind.FIELDS: _fields,
    Kind.LIST: _list,
    Kind.CLUSTER_MAP: _cluster_map,
    Kind.ANY: _any,
}
