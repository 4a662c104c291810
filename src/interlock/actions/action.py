"""What an action is, and how its parameters are declared once for the file checker, the reference and the constructor.

An action reads facts (`look`), judges them (`decide`), says which effects it wants (`effects`) and which put things back (`undo`). It does
not sleep, loop, log, catch or know the journal: that is the engine's. So `plan`, progress text and resume come free.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, field, fields
from typing import Any, Protocol, TypeVar, get_type_hints

from interlock.documents.fields import Field, Kind
from interlock.model.effects import Effect
from interlock.model.verdict import Verdict
from interlock.playbook.catalogue import ActionSpec, Role, Verb
from interlock.ports import World

F = TypeVar("F")

_METADATA = "interlock.param"


class Check(Protocol[F]):
    """Reads and judges. `Done` passes, `Refuse` fails, `Wait` looks again until the step's time is over."""

    def look(self, world: World, /) -> F: ...
    def decide(self, seen: F, /) -> Verdict: ...
    def outputs(self, seen: F, /) -> Mapping[str, object]: ...


class Action(Check[F], Protocol[F]):
    """A check that can also change what it saw."""

    def effects(self, seen: F, /) -> tuple[Effect, ...]:
        """What to carry out after `decide` said `Act`; in this order on one target."""
        ...

    def undo(self, before: F, now: F | None, /) -> tuple[Effect, ...]:
        """Back to `before`. `now` is a fresh look; None (in a plan) means: suppose that the effects took place. Nothing to undo: empty."""
        ...


def param(kind: Kind, doc: str, *, default: object = MISSING, choices: tuple[str, ...] = ()) -> Any:
    """A dataclass field that is also a key under `with:`. Without a default it is required."""
    metadata = {_METADATA: (kind, doc, choices)}
    if default is MISSING:
        return field(metadata=metadata)
    if default == {}:
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


def key_of(attribute: str, kind: Kind) -> str:
    """The key in the file: durations drop their unit (`within_s` is written `within: 2s`), and `from_` is written `from`."""
    return attribute.removesuffix("_s") if kind is Kind.DURATION else attribute.rstrip("_")


def describe(
    action: type,
    name: str,
    verb: Verb,
    *,
    outputs: Mapping[str, Kind] | None = None,
    role: Role = Role.NONE,
    bounds_on_server: str | None = None,
    tells_failures: bool = False,
) -> ActionSpec:
    """The catalogue's entry of an action class; its summary is the first line of the class's docstring."""
    keys: dict[str, str] = {}
    params: list[Field] = []
    for part in fields(action):
        kind, doc, choices = part.metadata[_METADATA]
        key = key_of(part.name, kind)
        keys[key] = part.name
        required = part.default is MISSING and part.default_factory is MISSING
        default = part.default if part.default is not MISSING else {} if not required else None
        params.append(Field(name=key, kind=kind, doc=doc, required=required, default=default, choices=choices))

    def build(args: Mapping[str, object]) -> object:
        return action(**{keys[key]: value for key, value in args.items()})

    summary = (action.__doc__ or "").strip().partition("\n")[0]
    return ActionSpec(
        name=name,
        verb=verb,
        summary=summary,
        params=tuple(params),
        build=build,
        outputs=outputs or {},
        role=role,
        bounds_on_server=bounds_on_server,
        tells_failures=tells_failures,
    )


def facts_type(action: Check[Any]) -> type:
    """The type of facts that an action looks at, for reading them back from the journal."""
    kind: type = get_type_hints(type(action).look)["return"]
    return kind
