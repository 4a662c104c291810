"""JSON Schema (draft 2020-12) of a playbook, made from the catalogue and the same fields as the checker; for editors."""

from __future__ import annotations

from interlock.documents.fields import Kind
from interlock.documents.schema import DIALECT, Schema, closed, field_schema, mapping_schema
from interlock.playbook.catalogue import ActionSpec, Catalogue, Verb
from interlock.playbook.keys import INPUT_KEYS, PARALLEL_KEYS, PHASE_KEYS, PLAYBOOK_KEYS, RETRY_KEYS, STEP_KEYS

_TEMPLATE: Schema = {"type": "string", "pattern": "\\$\\{"}
_CONDITION: Schema = {"type": ["string", "boolean"]}
_ITEMS: Schema = {"type": "array", "minItems": 1}


def playbook_schema(catalogue: Catalogue) -> Schema:
    """The whole file: one branch for each action, so that an editor offers the parameters of the one that stands there."""
    specs = [spec for spec in catalogue.values() if spec.verb is not Verb.GATE]
    undo: Schema = {"anyOf": [{"const": "none"}, {"type": "array", "items": {"$ref": "#/$defs/undo"}}]}
    steps: list[object] = [_step(spec, undo) for spec in specs]
    steps += [_gate(), _parallel()]
    phases = {**_ITEMS, "items": _with(mapping_schema(PHASE_KEYS), {"steps": {**_ITEMS, "items": {"$ref": "#/$defs/step"}}})}
    inputs = {"type": "object", "additionalProperties": mapping_schema(INPUT_KEYS)}
    whole = _with(mapping_schema(PLAYBOOK_KEYS), {"phases": phases, "inputs": inputs})
    effects = [_undo_step(spec) for spec in specs if spec.verb is Verb.DO]
    defs = {"step": {"anyOf": steps}, "undo": {"anyOf": effects} if effects else False}
    return {"$schema": DIALECT, "title": "Interlock playbook", **whole, "$defs": defs}


def _step(spec: ActionSpec, undo: Schema) -> Schema:
    common = {field.name: field_schema(field) for field in STEP_KEYS}
    special = {"when": _CONDITION, "retry": _retry(), "foreach": {"anyOf": [_TEMPLATE, _ITEMS]}, "with": _params(spec)}
    properties: Schema = {spec.verb.value: {"const": spec.name, "description": spec.summary}, **common, **special, "undo": undo}
    if spec.verb is not Verb.DO:
        del properties["undo"]
    return closed(properties, [spec.verb.value, *_with_key(spec)])


def _undo_step(spec: ActionSpec) -> Schema:
    common = {field.name: field_schema(field) for field in STEP_KEYS if field.name == "timeout"}
    properties = {"do": {"const": spec.name}, **common, "when": _CONDITION, "retry": _retry(), "with": _params(spec)}
    return closed(properties, ["do", *_with_key(spec)])


def _with_key(spec: ActionSpec) -> list[str]:
    return ["with"] if any(param.required for param in spec.params) else []


def _params(spec: ActionSpec) -> Schema:
    """Each value, or a template in its place. Lists and mappings may hold templates too, which texts accept anyway."""
    schema = mapping_schema(spec.params)
    values: Schema = {
        param.name: field_schema(param)
        if param.kind in (Kind.SECRET, Kind.ANY)
        else {"anyOf": [field_schema(param), _TEMPLATE], "description": param.doc}
        for param in spec.params
    }
    return _with(schema, values)


def _retry() -> Schema:
    return {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 100}, mapping_schema(RETRY_KEYS)]}


def _gate() -> Schema:
    common = {field.name: field_schema(field) for field in STEP_KEYS if field.name in ("id", "timeout", "on_failure")}
    return closed({"gate": {"type": "string"}, **common, "when": _CONDITION}, ["gate"])


def _parallel() -> Schema:
    steps = {**_ITEMS, "items": {"$ref": "#/$defs/step"}}
    return _with(mapping_schema(PARALLEL_KEYS), {"parallel": steps, "when": _CONDITION})


def _with(schema: Schema, replaced: Schema) -> Schema:
    properties = schema["properties"]
    return {**schema, "properties": {**(properties if isinstance(properties, dict) else {}), **replaced}}
