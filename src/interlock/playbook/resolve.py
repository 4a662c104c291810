"""A step's arguments at run time: templates to values, each checked again by its kind, for now all is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from interlock.documents.fields import Field, Kind
from interlock.documents.problems import did_you_mean, shown
from interlock.documents.values import address, duration_s
from interlock.errors import StepFailed
from interlock.model.position import Position, parse_position
from interlock.model.topology import SecretRef
from interlock.playbook.expressions import Scope, Unknown, as_text, resolve_value
from interlock.playbook.tree import Step


class _Mistyped(Exception):
    """`args`: what the value is, and a hint. Never leaves this module."""


def resolve_args(step: Step, scope: Scope) -> Mapping[str, object]:
    """Every param of the step's action by its value, defaults filled in. A value that does not exist yet is `Unknown`.

    StepFailed, naming step and key, for a value of the wrong kind or a name that is not in `scope["topology"]`.
    """
    values: dict[str, object] = {}
    for param in step.spec.params:
        value = resolve_value(step.args[param.name], scope) if param.name in step.args else None
        if value is None and param.required:
            raise StepFailed(f"step {step.id}: {param.name} has no value", hint=param.doc, step=step.id)
        # A default is a checked value already; an empty one would not pass for what a file may say.
        values[param.name] = param.default if value is None else _checked(step, param, value, scope)
    return values


def foreach_items(step: Step, scope: Scope) -> tuple[object, ...] | Unknown:
    """The items to run the step for. StepFailed if it is no list."""
    if step.foreach is None:
        raise ValueError(f"{step.id} has no foreach")
    value = step.foreach.resolve(scope)
    if isinstance(value, Unknown):
        return value
    if not isinstance(value, tuple | list):
        raise StepFailed(f"step {step.id}: foreach is {shown(value)}, not a list", step=step.id)
    return tuple(value)


def _checked(step: Step, param: Field, value: object, scope: Scope) -> object:
    if isinstance(value, Unknown):
        return value
    try:
        checked = _CONVERTERS.get(param.kind, _as_it_is)(value, scope)
    except _Mistyped as error:
        what, hint = error.args
        raise StepFailed(f"step {step.id}: {param.name} {what}", hint=hint or param.doc, step=step.id) from error
    if param.choices and checked not in param.choices:
        what = f"step {step.id}: {param.name} is {shown(checked)}, not one of {', '.join(param.choices)}"
        raise StepFailed(what, hint=param.doc, step=step.id)
    return checked


def _wrong(value: object, wanted: str, hint: str = "") -> _Mistyped:
    return _Mistyped(f"is {shown(value)}, not {wanted}", hint)


def _as_it_is(value: object, _scope: Scope) -> object:
    return value


def _text(value: object, _scope: Scope) -> str:
    if isinstance(value, str | bool | int | float | Position):
        return as_text(value)
    raise _wrong(value, "a text")


def _integer(value: object, _scope: Scope) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _wrong(value, "an integer")


def _number(value: object, _scope: Scope) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise _wrong(value, "a number")


def _flag(value: object, _scope: Scope) -> bool:
    if isinstance(value, bool):
        return value
    raise _wrong(value, "true or false")


def _duration(value: object, scope: Scope) -> float:
    seconds = duration_s(value) if isinstance(value, str) else _number(value, scope)
    if seconds is None or seconds < 0:
        raise _wrong(value, "a duration", "200ms, 2s, 5m, 4h, 1d")
    return seconds


def _position(value: object, _scope: Scope) -> Position:
    if isinstance(value, Position):
        return value
    if isinstance(value, str):
        try:
            return parse_position(value)
        except ValueError as error:
            raise _wrong(value, "a position", str(error)) from error
    raise _wrong(value, "a position")


def _named(key: str) -> Callable[[object, Scope], str]:
    """A name that must be in the topology's list `key`."""

    def check(value: object, scope: Scope) -> str:
        names = _topology(scope, key)
        if not isinstance(value, str) or (names is not None and value not in names):
            raise _Mistyped(f"is {shown(value)}: there is no such {key.removesuffix('s')}", did_you_mean(as_text(value), names or ()))
        return value

    return check


def _topology(scope: Scope, key: str) -> tuple[str, ...] | None:
    facts = scope.get("topology")
    names = facts.get(key) if isinstance(facts, Mapping) else None
    return tuple(names) if isinstance(names, list | tuple) else None


def _routes(value: object, scope: Scope) -> tuple[str, ...]:
    if value == "all":
        return _topology(scope, "routes") or ()
    names = tuple(value) if isinstance(value, tuple | list) else (value,)
    check = _named("routes")
    return tuple(check(name, scope) for name in names)


def _texts(value: object, scope: Scope) -> tuple[str, ...]:
    return tuple(_text(item, scope) for item in (value if isinstance(value, tuple | list) else (value,)))


def _argv(value: object, scope: Scope) -> tuple[str, ...]:
    words = _texts(value, scope) if isinstance(value, tuple | list) else ()
    if not words or any("\0" in word for word in words):
        raise _wrong(value, "the words of a command")
    return words


def _integers(value: object, scope: Scope) -> tuple[int, ...]:
    return tuple(_integer(item, scope) for item in (value if isinstance(value, tuple | list) else (value,)))


def _mapping(value: object, scope: Scope) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise _wrong(value, "a mapping")
    return {str(key): _text(item, scope) for key, item in value.items()}


def _address(value: object, _scope: Scope) -> tuple[str, int]:
    found = address(value) if isinstance(value, str) else value
    match found:
        case (str() as host, int() as port):
            return host, port
        case _:
            raise _wrong(value, "an address", "host:port")


def _secret(value: object, _scope: Scope) -> SecretRef:
    if isinstance(value, SecretRef):
        return value
    raise _Mistyped("is not where a secret is to be had", "{env: NAME}, {file: PATH} or {command: [word, …]}")


_CONVERTERS: Mapping[Kind, Callable[[object, Scope], object]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
    Kind.DURATION: _duration,
    Kind.SERVER: _named("servers"),
    Kind.CLUSTER: _named("clusters"),
    Kind.ROUTES: _routes,
    Kind.SEGMENT: _named("segments"),
    Kind.POSITION: _position,
    Kind.ARGV: _argv,
    Kind.TEXTS: _texts,
    Kind.INTEGERS: _integers,
    Kind.MAPPING: _mapping,
    Kind.CLUSTER_MAP: _mapping,
    Kind.ADDRESS: _address,
    Kind.SECRET: _secret,
}
