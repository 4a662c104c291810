"""What a topology file says to the audit: `answers`, `accepted` and `audit` (SQL checks of a team's own, or files of them)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import cast

from interlock.documents.check import Checking, a_kind_of, check_fields
from interlock.documents.fields import Field, Kind
from interlock.documents.problems import Problems, shown
from interlock.documents.values import NAME
from interlock.documents.yaml import ListNode, MapNode, Node, read_file, read_tree
from interlock.model.audit import BESIDE, Accepted, AuditNotes, AuditVerdict, Given, SqlCheck

QUESTIONS = 16
PLACES = ("masters", "each", "writer", "standby")
"""Where a check may run, beside a server's name."""
_READS = re.compile(r"\s*(?:SELECT|SHOW|WITH|TABLE|VALUES)\b", re.IGNORECASE)
_DATE = "a date, such as 2026-03-01"


def _is_date(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        return f"{shown(value)} is not {_DATE}"
    return ""


def _only_reads(statement: str) -> str:
    return (
        "" if _READS.match(statement) and ";" not in statement.rstrip().rstrip(";") else "it is not one SELECT, SHOW, WITH, TABLE or VALUES"
    )


ANSWER_FIELDS = (
    Field(name="answer", kind=Kind.TEXT, required=True, doc="what a person says"),
    Field(name="by", kind=Kind.TEXT, required=True, doc="who"),
    Field(name="on", kind=Kind.TEXT, required=True, doc="when: a date", rule=_is_date),
    Field(name="rests_on", kind=Kind.TEXT, default="", doc="what `interlock audit` printed: it asks again once that has changed"),
)
ACCEPTED_FIELDS = (
    Field(name="reason", kind=Kind.TEXT, required=True, doc="why the team lives with it"),
    Field(name="until", kind=Kind.TEXT, required=True, doc="until when: a date", rule=_is_date),
    Field(name="objects", kind=Kind.TEXTS, default=(), doc="only for these tables, accounts, settings or servers; all if left out"),
)
CHECK_FIELDS = (
    Field(name="id", kind=Kind.SERVER, required=True, doc="the rule's name"),
    Field(name="question", kind=Kind.INTEGER, default=BESIDE, doc="the question that it belongs to, 1 to 16; 0 beside them"),
    Field(name="title", kind=Kind.TEXT, required=True, doc="what must hold"),
    Field(
        name="sql",
        kind=Kind.TEXT,
        required=True,
        rule=_only_reads,
        doc="one query; each row is a finding, with the columns object, says and fix where it has them",
    ),
    Field(name="why", kind=Kind.TEXT, required=True, doc="why it matters, in a sentence"),
    Field(name="fix", kind=Kind.TEXT, default="", doc="the statement that mends it"),
    Field(name="on", kind=Kind.TEXT, default="masters", doc="masters, each, writer, standby, or a server's name"),
    Field(
        name="verdict",
        kind=Kind.TEXT,
        default=AuditVerdict.NEEDS_ATTENTION.value,
        choices=(AuditVerdict.NEEDS_ATTENTION.value, AuditVerdict.UNFIT.value),
        doc="how grave a finding is",
    ),
)


FILE_FIELDS = (Field(name="file", kind=Kind.TEXT, required=True, doc="a file that is such a list of checks, read by the audit alone"),)


def check_audit(root: MapNode, checking: Checking, servers: Iterable[str]) -> AuditNotes:
    """What of it is right; what is wrong was added to the problems."""
    node = root.get("audit")
    items = _items(node, "audit", checking)
    return AuditNotes(
        answers=dict(_answers(root.get("answers"), checking)),
        accepted=dict(_accepted(root.get("accepted"), checking)),
        checks=tuple(_checks([item for item in items if not _names_file(item)], checking, (*PLACES, *servers))),
        files=tuple(_files([item for item in items if _names_file(item)], checking)),
    )


def read_checks(path: Path, servers: Iterable[str]) -> tuple[SqlCheck, ...]:
    """Those of a file of a team's own, which is a list of them. InvalidFile with every problem of it."""
    text, problems = read_file(path), Problems(str(path))
    root = read_tree(text, problems)
    items = _items(root, "the file", Checking(problems=problems, folder=path.parent)) if root is not None else ()
    checks = tuple(_checks(items, Checking(problems=problems, folder=path.parent), (*PLACES, *servers), source=path.name))
    problems.raise_any()
    return checks


def _answers(node: Node | None, checking: Checking) -> Iterator[tuple[int, Given]]:
    for key, child in _entries(node, "answers", checking):
        if not key.isascii() or not key.isdecimal() or not BESIDE <= int(key[:3]) <= QUESTIONS:
            checking.problems.add(
                child, f"answers: {shown(key)} is no question's number", f"write {BESIDE} to {QUESTIONS}, as the audit does"
            )
            continue
        values = check_fields(child, ANSWER_FIELDS, f"answer {key}", checking)
        told = {name: value for name, value in values.items() if isinstance(value, str)}
        if {"answer", "by", "on"} <= told.keys():
            yield (
                int(key),
                Given(answer=told["answer"], by=told["by"], on=date.fromisoformat(told["on"]), rests_on=told.get("rests_on", "")),
            )


def _accepted(node: Node | None, checking: Checking) -> Iterator[tuple[str, Accepted]]:
    for key, child in _entries(node, "accepted", checking):
        values = check_fields(child, ACCEPTED_FIELDS, f"accepted rule {shown(key)}", checking)
        reason, until = values.get("reason"), values.get("until")
        if not NAME.fullmatch(key):
            checking.problems.add(child, f"accepted: {shown(key)} is no rule's id", "see docs/audit-rules.md")
        elif isinstance(reason, str) and isinstance(until, str):
            objects = cast("tuple[str, ...]", values.get("objects") or ())
            yield key, Accepted(reason=reason, until=date.fromisoformat(until), objects=objects)


def _items(node: Node | None, subject: str, checking: Checking) -> tuple[Node, ...]:
    if node is None:
        return ()
    if not isinstance(node, ListNode):
        checking.problems.add(node, f"{subject} is {a_kind_of(node)}, not a list", "write one item for each check")
        return ()
    return node.items


def _names_file(item: Node) -> bool:
    return isinstance(item, MapNode) and item.get("file") is not None


def _files(items: Sequence[Node], checking: Checking) -> Iterator[str]:
    """Relative to the topology file's folder."""
    for item in items:
        told = check_fields(item, FILE_FIELDS, "a file of audit checks", checking).get("file")
        if isinstance(told, str):
            yield str(checking.folder / Path(told).expanduser())


def _checks(items: Sequence[Node], checking: Checking, places: Sequence[str], *, source: str = "the topology file") -> Iterator[SqlCheck]:
    for item in items:
        values = check_fields(item, CHECK_FIELDS, "an audit check", checking)
        question, place = values.get("question"), values.get("on")
        if isinstance(place, str) and place not in places:
            at = (item.get("on") if isinstance(item, MapNode) else None) or item
            checking.problems.add_unknown(at, f"an audit check is to run on {shown(place)}, which is no server", place, places)
        if isinstance(question, int) and not BESIDE <= question <= QUESTIONS:
            checking.problems.add(item, f"question {question} is not between {BESIDE} and {QUESTIONS}")
        elif {"id", "title", "sql", "why"} <= values.keys() and isinstance(question, int):
            verdict = AuditVerdict(str(values["verdict"])) if "verdict" in values else AuditVerdict.NEEDS_ATTENTION
            words = {name: str(values[name]) for name in ("id", "title", "sql", "why", "fix", "on") if name in values}
            yield SqlCheck(question=question, verdict=verdict, source=source, **words)


def _entries(node: Node | None, key: str, checking: Checking) -> Iterator[tuple[str, Node]]:
    if node is None:
        return
    if not isinstance(node, MapNode):
        checking.problems.add(node, f"{key} is {a_kind_of(node)}, not a mapping")
        return
    yield from node.entries.items()
