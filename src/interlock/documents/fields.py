"""What may stand in a file: fields with a kind each. Declared once, by an action, a route type or the topology; read by the checker, the
JSON Schema, the reference pages and the editors.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from interlock.dataclass import dataclass


class Kind(StrEnum):
    """The kinds of values. In parentheses, what the checked value is in Python."""

    TEXT = "text"  # str
    INTEGER = "integer"  # int, not bool
    NUMBER = "number"  # float
    FLAG = "flag"  # bool: true or false, nothing else
    DURATION = "duration"  # float, seconds: 200ms, 2s, 5m, 4h, 1d
    SERVER = "server"  # ServerName: a server, or a cluster for its master
    CLUSTER = "cluster"  # ClusterName
    SEGMENT = "segment"  # str: the name of a segment of the topology
    ROUTES = "routes"  # tuple[RouteName, ...]: `all`, a name, or a list of names
    POSITION = "position"  # Position
    ARGV = "argv"  # tuple[str, ...]: the words of a command, never a shell line
    TEXTS = "texts"  # tuple[str, ...]: a text or a list of texts
    INTEGERS = "integers"  # tuple[int, ...]: an integer or a list
    MAPPING = "mapping"  # dict[str, str]
    SECRET = "secret"  # SecretRef: {env: NAME}, {file: PATH} or {command: [...]}
    ADDRESS = "address"  # tuple[str, int]: host:port
    FIELDS = "fields"  # a mapping with fields of its own → dict[str, object]
    LIST = "list"  # a list of mappings with fields of their own → tuple[dict[str, object], ...]
    CLUSTER_MAP = "cluster_map"  # dict[ClusterName, str]: one text for each cluster
    ANY = "any"  # whatever YAML gives


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key: its kind, whether it must be there, what it is when it is not, one line for people, and its limits.

    `rule` says what is wrong with a value of the right kind, for what a kind and choices can't say; empty if nothing is.
    """

    name: str
    kind: Kind
    doc: str
    required: bool = False
    default: object = None
    choices: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    rule: Callable[[Any], str] | None = None
