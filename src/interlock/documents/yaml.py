"""YAML text → a tree of nodes that know their line and column. The only module that imports PyYAML.

A small, safe part of YAML 1.2: one document of mappings with text keys, lists and scalars. What YAML offers beyond that (anchors,
aliases, tags, directives, several documents) is a problem each, as are duplicate keys, tabs and control characters. Plain scalars follow
the 1.2 core schema: `on`, `off`, `yes`, `no` are texts.

Everything is bounded before it is built: size, nesting and number of nodes; events are read one by one, so that a hostile file ends at
its limit.
"""

from __future__ import annotations

import re
from dataclasses import field
from pathlib import Path

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from interlock.dataclass import dataclass
from interlock.documents.problems import WHOLE_FILE, At, Problems, shown

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 30
MAX_NODES = 20_000
MAX_INTEGER = 2**63 - 1

Plain = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """`value` by the core schema; `text` as it was written; `quoted` tells `"5"` from `5`."""

    value: Plain
    text: str
    quoted: bool
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNode:
    items: tuple[Node, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MapNode:
    """Keys in the order of the file; `keys` says where each stands."""

    entries: dict[str, Node]
    keys: dict[str, Scalar]
    line: int
    column: int

    def get(self, key: str) -> Node | None:
        return self.entries.get(key)

    def place(self, key: str) -> At:
        """Where the key stands; where the mapping begins if it is not there."""
        found = self.keys.get(key)
        return At(found.line, found.column) if found else At(self.line, self.column)


Node = Scalar | ListNode | MapNode

# A loader is taken for its parser alone: nothing is ever constructed. The C parser is some ten times faster where libyaml is there.
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = {"", "~", "null", "Null", "NULL"}
_FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
# The line separators U+0085, U+2028 and U+2029 are left out: editors and YAML disagree whether they end a line.
_BAD_CHARACTER = "[^\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"


def read_file(path: Path) -> str:
    """The text of a file of at most 1 MiB. InvalidFile if it can't be read, is no ordinary file, is too large or not UTF-8."""
    problems = Problems(str(path))
    try:
        if path.exists() and not path.is_file():
            problems.add(WHOLE_FILE, "is not an ordinary file")
            problems.raise_any()
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        problems.add(WHOLE_FILE, f"cannot be read: {reason}", "check the name and the permissions")
        problems.raise_any()
        raise
    return decode(data, file=str(path))


def decode(data: bytes, *, file: str) -> str:
    """UTF-8 to text, a leading byte-order mark removed. InvalidFile for more than 1 MiB, or with the place of the first bad byte."""
    problems = Problems(file)
    if len(data) > MAX_BYTES:
        _too_large(problems)
        problems.raise_any()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8", errors="replace")
        at = At(good.count("\n") + 1, len(good) - (good.rfind("\n") + 1) + 1)
        problems.add(at, f"byte {data[error.start]:#04x} is not UTF-8", "save the file as UTF-8")
        problems.raise_any()
        raise


def read_tree(text: str, problems: Problems) -> Node | None:
    """The file's one document. Adds to `problems`; None if there is no tree to go on with."""
    text = text.removeprefix("\ufeff")
    # Four bytes a character at the most: a shorter text needs no encoding to be counted.
    if len(text) > MAX_BYTES // 4 and len(text.encode("utf-8", errors="surrogatepass")) > MAX_BYTES:
        _too_large(problems)
        return None
    builder = _Builder(problems)
    clean = _without_bad_characters(text, problems)
    try:
        for event in yaml.parse(clean, Loader=_LOADER):
            if not builder.take(event):
                return None
    except yaml.MarkedYAMLError as error:
        _add_syntax_error(error, problems)
        return None
    except yaml.YAMLError as error:
        problems.add(WHOLE_FILE, f"is not YAML: {shown(error)}")
        return None
    if builder.root is None:
        problems.add(WHOLE_FILE, "is empty")
    return builder.root


def _too_large(problems: Problems) -> None:
    problems.add(WHOLE_FILE, f"is larger than {MAX_BYTES} bytes", "a topology or playbook has a few kilobytes: is this the right file?")


def _without_bad_characters(text: str, problems: Problems) -> str:
    """Each bad character is a problem, and becomes a space so that columns stay and reading can go on."""
    if text.replace("\n", "").replace("\r", "").isprintable():  # none is among these; to compile the pattern takes 5 ms
        return text
    line, scanned = 1, 0
    line_start = 0
    for found in re.finditer(_BAD_CHARACTER, text):
        line += text.count("\n", scanned, found.start())
        line_start = text.rfind("\n", 0, found.start()) + 1
        scanned = found.start()
        at = At(line, found.start() - line_start + 1)
        if found.group() == "\t":
            problems.add(at, "a tab", 'use spaces; within a text write "\\t" in double quotes')
        else:
            problems.add(at, f"control character U+{ord(found.group()):04X}", "remove it")
        if problems.more:
            break
    return re.sub(_BAD_CHARACTER, " ", text)


def _add_syntax_error(error: yaml.MarkedYAMLError, problems: Problems) -> None:
    mark = error.problem_mark or error.context_mark
    at = At(mark.line + 1, mark.column + 1) if mark else WHOLE_FILE
    words = ", ".join(part for part in (error.context, error.problem) if part)
    problems.add(at, f"is not YAML: {words}", "check indentation, brackets and quotes just before this place")


@dataclass(slots=True)
class _Open:
    """A collection that has begun. In a mapping `key` is the key that waits for its value."""

    is_map: bool
    at: At
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Scalar] = field(default_factory=dict)
    key: Scalar | None = None
    key_is_bad: bool = False


@dataclass(slots=True)
class _Builder:
    """Builds the tree from events without recursion, so that nesting is bounded by `MAX_DEPTH` and not by the interpreter's stack."""

    problems: Problems
    root: Node | None = None
    stack: list[_Open] = field(default_factory=list)
    nodes: int = 0
    documents: int = 0

    def take(self, event: Event) -> bool:
        """Whether to go on."""
        mark = event.start_mark
        at = At(mark.line + 1, mark.column + 1) if mark else WHOLE_FILE
        match event:
            case DocumentStartEvent():
                return self._document(event, at)
            case AliasEvent():
                self.problems.add(at, f"alias *{shown(event.anchor)[1:-1]}", "aliases are not allowed: write the value out")
                return self._node(_null(at))
            case ScalarEvent():
                self._no_extras(event, at)
                return self._node(_scalar(event, at, self.problems))
            case SequenceStartEvent() | MappingStartEvent():
                self._no_extras(event, at)
                return self._begin(_Open(isinstance(event, MappingStartEvent), at))
            case SequenceEndEvent() | MappingEndEvent():
                return self._end()
            case _:
                return True

    def _document(self, event: DocumentStartEvent, at: At) -> bool:
        self.documents += 1
        if event.version or event.tags:
            self.problems.add(at, "a % directive", "remove it")
        if self.documents > 1:
            self.problems.add(at, "a second document", "a file holds one document: remove the '---'")
        return self.documents == 1

    def _no_extras(self, event: ScalarEvent | SequenceStartEvent | MappingStartEvent, at: At) -> None:
        if event.anchor is not None:
            self.problems.add(at, f"anchor &{shown(event.anchor)[1:-1]}", "anchors are not allowed: write the value out where it is used")
        if event.tag is not None:
            self.problems.add(at, f"tag {shown(event.tag)}", "tags are not allowed: remove it")

    def _begin(self, opened: _Open) -> bool:
        if len(self.stack) >= MAX_DEPTH:
            self.problems.add(opened.at, f"is nested deeper than {MAX_DEPTH} levels")
            return False
        self.stack.append(opened)
        return True

    def _end(self) -> bool:
        done = self.stack.pop()
        at = done.at
        if done.is_map:
            return self._node(MapNode(entries=done.entries, keys=done.keys, line=at.line, column=at.column))
        return self._node(ListNode(items=tuple(done.items), line=at.line, column=at.column))

    def _node(self, node: Node) -> bool:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.problems.add(node, f"has more than {MAX_NODES} values and keys", "generate less, or split it")
            return False
        if not self.stack:
            self.root = node
            return True
        parent = self.stack[-1]
        if not parent.is_map:
            parent.items.append(node)
        elif parent.key is None and not parent.key_is_bad:
            self._key(parent, node)
        else:
            if parent.key is not None:
                parent.entries.setdefault(parent.key.text, node)
            parent.key, parent.key_is_bad = None, False
        return True

    def _key(self, parent: _Open, node: Node) -> None:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            what = f"key {shown(node.text)} is not a text" if isinstance(node, Scalar) else "a key that is not a text"
            self.problems.add(node, what, "put the key in quotes")
            parent.key_is_bad = True
            return
        if node.text in parent.keys:
            first = parent.keys[node.text]
            self.problems.add(node, f"duplicate key {shown(node.text)}", f"it stands already in line {first.line}")
        parent.keys.setdefault(node.text, node)
        parent.key = node


def _null(at: At) -> Scalar:
    return Scalar(value=None, text="", quoted=False, line=at.line, column=at.column)


def _scalar(event: ScalarEvent, at: At, problems: Problems) -> Scalar:
    text: str = event.value
    quoted = bool(event.style)  # plain is None from the Python parser, '' from the C parser
    return Scalar(value=text if quoted else _plain(text, at, problems), text=text, quoted=quoted, line=at.line, column=at.column)


def _plain(text: str, at: At, problems: Problems) -> Plain:
    """A plain scalar by the core schema (YAML 1.2.2, chapter 10.3.2); infinities and not-a-numbers stay texts."""
    if text in _NULL:
        return None
    if text in _FLAGS:
        return _FLAGS[text]
    if len(text) > 400 or not (_FLOAT.fullmatch(text) or _INTEGER.fullmatch(text)):
        return text
    if not _INTEGER.fullmatch(text):
        return float(text)
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    number = int(text, base)
    if abs(number) > MAX_INTEGER:
        problems.add(at, f"integer {shown(text)} is out of range", "put it in quotes if it is a text")
        return 0
    return number
