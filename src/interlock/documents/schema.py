"""JSON Schema (draft 2020-12) of a topology, made from the same fields as the checker; for editors."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.documents.audit_fields import ACCEPTED_FIELDS, ANSWER_FIELDS, CHECK_FIELDS, FILE_FIELDS
from interlock.documents.fencing_fields import FENCING_FIELDS, FENCING_TYPES
from interlock.documents.fields import Field, Kind
from interlock.documents.topology_fields import (
    ACCESS_FIELDS,
    CLUSTER_FIELDS,
    ROUTE_FIELDS,
    SEGMENT_FIELDS,
    TLS_FIELDS,
    TOPOLOGY_FIELDS,
    RouteTypes,
)
from interlock.documents.values import NAME

Schema = dict[str, object]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Schema = {"type": "string"}
_NAME: Schema = {"type": "string", "pattern": f"^{NAME.pattern}$"}
_WORD: Schema = {"type": ["string", "number", "boolean"]}
_ARGV: Schema = {"type": "array", "items": _WORD, "minItems": 1}
_SECRET: Schema = {
    "oneOf": [
        {"type": "object", "properties": {way: place}, "required": [way], "additionalProperties": False}
        for way, place in (("env", _TEXT), ("file", _TEXT), ("command", _ARGV))
    ]
}
_SIMPLE: Mapping[Kind, Schema] = {
    Kind.TEXT: _TEXT,
    Kind.INTEGER: {"type": "integer"},
    Kind.NUMBER: {"type": "number"},
    Kind.FLAG: {"type": "boolean"},
    Kind.DURATION: {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$"},
    Kind.SERVER: _NAME,
    Kind.CLUSTER: _NAME,
    Kind.SEGMENT: _NAME,
    Kind.ROUTES: {"anyOf": [_NAME, {"type": "array", "items": _NAME, "minItems": 1}]},
    Kind.POSITION: _TEXT,
    Kind.ARGV: _ARGV,
    Kind.TEXTS: {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]},
    Kind.INTEGERS: {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}, "minItems": 1}]},
    Kind.MAPPING: {"type": "object", "additionalProperties": _WORD},
    Kind.SECRET: _SECRET,
    Kind.ADDRESS: {"type": "string", "pattern": ":[0-9]+$"},
    Kind.CLUSTER_MAP: {"type": "object", "additionalProperties": _WORD},
    Kind.ANY: {},
}


def field_schema(field: Field) -> Schema:
    """One value: its kind, its choices and its line for people."""
    if field.kind is Kind.FIELDS:
        schema = mapping_schema(field.fields)
    elif field.kind is Kind.LIST:
        schema = {"type": "array", "items": mapping_schema(field.fields)}
    else:
        schema = dict(_SIMPLE[field.kind])
    if field.choices:
        schema["enum"] = list(field.choices)
    return {**schema, "description": field.doc} if field.doc else schema


def mapping_schema(fields: tuple[Field, ...]) -> Schema:
    """A mapping with these keys and no others."""
    return closed({field.name: field_schema(field) for field in fields}, [field.name for field in fields if field.required])


def closed(properties: Mapping[str, object], required: list[str]) -> Schema:
    return {"type": "object", "properties": dict(properties), "required": required, "additionalProperties": False}


def topology_schema(route_types: RouteTypes) -> Schema:
    """The whole file, with one branch for each type of route and of fencing."""
    tls = {"anyOf": [{"enum": ["on", "off"]}, mapping_schema(TLS_FIELDS)]}
    access = _with(mapping_schema(ACCESS_FIELDS), {"tls": tls})
    cluster = mapping_schema(CLUSTER_FIELDS)
    properties = _properties(cluster)
    master = _with(_as_schema(properties["master"]), {"tls": tls, "access": access})
    replicas = _as_schema(properties["replicas"])
    replica = _with(_as_schema(replicas["items"]), {"tls": tls, "access": access})
    fencing = {"type": "array", "items": _one_of_types(FENCING_TYPES, FENCING_FIELDS)}
    cluster = _with(cluster, {"master": master, "replicas": {**replicas, "items": replica}, "fencing": fencing})
    whole = _with(
        mapping_schema(TOPOLOGY_FIELDS),
        {
            "access": access,
            "clusters": {**_by_name(cluster), "minProperties": 2, "maxProperties": 2},
            "routes": _by_name(_one_of_types(route_types, ROUTE_FIELDS)),
            "segments": _by_name(mapping_schema(SEGMENT_FIELDS)),
            "answers": {"type": "object", "additionalProperties": mapping_schema(ANSWER_FIELDS)},
            "accepted": _by_name(mapping_schema(ACCEPTED_FIELDS)),
            "audit": {"type": "array", "items": {"oneOf": [mapping_schema(CHECK_FIELDS), mapping_schema(FILE_FIELDS)]}},
        },
    )
    return {"$schema": DIALECT, "title": "Interlock topology", **whole}


def _one_of_types(types: RouteTypes, common: tuple[Field, ...]) -> Schema:
    return {"oneOf": [_with(mapping_schema((*common, *own)), {"type": {"const": word}}) for word, own in types.items()]} if types else {}


def _by_name(schema: Schema) -> Schema:
    return {"type": "object", "propertyNames": _NAME, "additionalProperties": schema}


def _with(schema: Schema, replaced: Mapping[str, object]) -> Schema:
    return {**schema, "properties": {**_properties(schema), **replaced}}


def _properties(schema: Schema) -> Schema:
    return _as_schema(schema["properties"])


def _as_schema(value: object) -> Schema:
    if not isinstance(value, dict):
        raise TypeError(f"not a schema: {value!r}")
    return value
