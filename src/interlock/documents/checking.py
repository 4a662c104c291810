"""What every checker of a node needs: where its problems go, and the words for what a node is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from interlock.dataclass import dataclass
from interlock.documents.fields import Field
from interlock.documents.problems import Problems, shown
from interlock.documents.values import NAME, NAME_RULE
from interlock.documents.yaml import ListNode, MapNode, Node, Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """What checking needs besides the node: where problems go, what relative paths are relative to, the pair's clusters where they are
    known, and who reads `${…}` (None where there are none: in a topology).
    """

    problems: Problems
    folder: Path
    clusters: tuple[str, ...] | None = None
    template: Callable[[Scalar, Field], object | None] | None = None


Checker = Callable[[Node, Field, Checking], object | None]
"""The value, or None if it is wrong: its problem was added."""


def a_kind_of(node: Node) -> str:
    """What a node is, in the words of a message."""
    match node:
        case MapNode():
            return "a mapping"
        case ListNode():
            return "a list"
        case Scalar(value=None):
            return "empty"
        case Scalar(value=str()):
            return f"the text {shown(node.text)}"
        case Scalar(value=bool()):
            return f"the flag {shown(node.text)}"
        case Scalar():
            return f"the number {shown(node.text)}"


def check_name(node: Scalar, what: str, problems: Problems) -> bool:
    """Whether a cluster, server, route… may be called so; these names stand in statements, commands and files."""
    if NAME.fullmatch(node.text):
        return True
    problems.add(node, f"{what} name {shown(node.text)} is not allowed", f"a name has {NAME_RULE}")
    return False


def plain_value(node: Node) -> object:
    """What YAML gives: texts, numbers, flags, None, lists (tuples) and mappings."""
    match node:
        case Scalar():
            return node.value
        case ListNode():
            return tuple(plain_value(item) for item in node.items)
        case MapNode():
            return {key: plain_value(value) for key, value in node.entries.items()}


def wrong(node: Node, field: Field, wanted: str, checking: Checking, hint: str = "") -> object | None:
    """Always None, for the checker to return."""
    checking.problems.add(node, f"{field.name} is {a_kind_of(node)}, not {wanted}", hint or field.doc)
    return None
