"""The part of promise 1 that a file can be held to before anything is touched. The engine holds the rest, whatever a playbook says.

1. Every step that opens a server comes after a step that fences another one, and after a step that makes the opened server catch up with
   the position of that very fence. Nothing opens the fenced server in between. Where the other one is fenced from outside, there is no such
   position: then a step makes the opened server apply all that it received from it.
2. None of the three is left out by a condition that the opening does not have too, runs for each item of a list, or may fail and go on.
3. A step that runs at the same time is not before.
4. Undo steps open nothing: the way back opens by itself, once what was opened is fenced again and the way back is caught up.
5. What makes a server writable or not is left to `server.fence` and `server.open`, never to SQL of the playbook.
6. A step that opens a segment comes after one that closes that segment on another server, after the opened server's catch-up with the
   position of that closing, and after both servers were told of the new owner; under the same conditions. The rules 2 to 4 hold for these.
7. The engine waits longer than the server's own bound of a step, so that a time-out at the client never comes first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from interlock.dataclass import dataclass
from interlock.documents.problems import At, Problems
from interlock.playbook.catalogue import Role, Verb
from interlock.playbook.conditions import ParsedCondition
from interlock.playbook.expressions import TextTemplate
from interlock.playbook.tree import OnFailure, Parallel, Playbook, Step

_FENCING_SQL = re.compile(
    r"\b(?:super_read_only|read_only|offline_mode)\b|\bset\s+password\b|\baccount\s+(?:un)?lock\b|\bflush\s+tables\s+with\s+read\s+lock\b"
    r"|\bset\s+(?:global|persist|persist_only|@@)[^;'\"]*\$\{|\bexecute\s+immediate\b|\bprepare\b",
    re.IGNORECASE,
)
_SEGMENTS = (Role.CLOSES_SEGMENT, Role.HANDS_OVER, Role.OPENS_SEGMENT)
_ORDERED = (Role.FENCES, Role.FENCES_OUTSIDE, Role.CATCHES_UP, Role.APPLIES_RECEIVED, Role.OPENS, *_SEGMENTS)
_SQL_COMMENT = re.compile(r"/\*.*?\*/|(?:--\s|#)[^\n]*(?:\n|$)", re.DOTALL)
_READING_SQL = re.compile(r"\s*(?:select|show)\b[^;]*;?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Placed:
    """A step with its turn: steps of one `parallel` share theirs. `conditions` are the texts of its `when` and of its `parallel`'s."""

    step: Step
    turn: int
    conditions: frozenset[str]


def check_safety(playbook: Playbook, problems: Problems, places: Mapping[str, At]) -> None:
    """Adds a problem for each rule that a step breaks. `places` says where each step stands, by its id."""
    placed = tuple(in_turn(playbook))
    for one in placed:
        at = places.get(one.step.id, At(one.step.line, 1))
        if one.step.spec.role is Role.OPENS:
            _check_opening(one, placed, problems, at)
        if one.step.spec.role is Role.OPENS_SEGMENT:
            _check_segment_opening(one, placed, problems, at)
        if one.step.spec.role in _ORDERED and one.step.foreach is not None:
            problems.add(at, f"{one.step.spec.name} in a foreach", "write one step for each server, so that the order is plain")
        _check_step(one.step, problems, at)
        for undo in one.step.undo or ():
            at_undo = places.get(undo.id, At(undo.line, 1))
            if undo.spec.role in {Role.OPENS, Role.OPENS_BESIDE, Role.OPENS_SEGMENT}:
                problems.add(
                    at_undo, f"{undo.spec.name} in an undo", "the way back opens by itself, once the fence on the other side is proved"
                )
            _check_step(undo, problems, at_undo)


def in_turn(playbook: Playbook) -> Iterator[Placed]:
    """Every step in the order of the run."""
    turn = 0
    for phase in playbook.phases:
        for part in phase.steps:
            turn += 1
            if isinstance(part, Parallel):
                for step in part.steps:
                    yield Placed(step, turn, _conditions(part, step))
            else:
                yield Placed(part, turn, _conditions(part))


def _conditions(*parts: Step | Parallel) -> frozenset[str]:
    return frozenset(part.when.text.strip() for part in parts if isinstance(part.when, ParsedCondition))


def _check_opening(opening: Placed, placed: tuple[Placed, ...], problems: Problems, at: At) -> None:
    name, server = opening.step.spec.name, _server(opening)
    fences = [one for one in placed if _counts_for(one, opening, Role.FENCES) and _server(one) != server]
    standing = [fence for fence in fences if not _is_reopened(fence, opening, placed)]
    outside = [one for one in placed if _counts_for(one, opening, Role.FENCES_OUTSIDE) and _named(one, "cluster") != server]
    if outside and not fences:
        if not any(_has_applied_all(opening, fence, placed) for fence in outside):
            what = f"{name} of {server} without applying what it received from {_named(outside[-1], 'cluster')} before it"
            problems.add(at, what, "put replication.apply_received between the fence and the opening")
        return
    if not standing:
        why = "after the server that was fenced was opened again" if fences else "without a fence of the other server before it"
        hint = "put an unconditional server.fence of the present writer in an earlier step, outside of foreach and of this parallel"
        problems.add(at, f"{name} of {server} {why}", hint)
        return
    if not any(_has_caught_up(opening, fence, placed) for fence in standing):
        position = f"${{{standing[-1].step.id}.position}}"
        if "/" in position:
            position = "${ID.position}, with an `id` on the fence"
        hint = f"put replication.wait with server {server} and position {position} between the fence and the opening"
        problems.add(at, f"{name} of {server} without a catch-up with the fence's position before it", hint)


def _check_segment_opening(opening: Placed, placed: tuple[Placed, ...], problems: Problems, at: At) -> None:
    name, server, segment = opening.step.spec.name, _server(opening), _named(opening, "segment")
    subject = f"{name} of {segment} on {server}"

    def before(role: Role) -> list[Placed]:
        return [one for one in placed if _counts_for(one, opening, role) and _named(one, "segment") == segment]

    closings = [one for one in before(Role.CLOSES_SEGMENT) if _server(one) != server]
    if not closings:
        hint = "put an unconditional segment.fence of the present owner in an earlier step, outside of foreach and of this parallel"
        problems.add(at, f"{subject} without closing it on the other server before it", hint)
        return
    if not any(_has_caught_up(opening, closing, placed) for closing in closings):
        hint = f"put replication.wait with server {server} and the position of {closings[-1].step.id} between the two"
        problems.add(at, f"{subject} without a catch-up with the position of its closing before it", hint)
    if not any(_named(one, "to") == server and one.turn > closings[0].turn for one in before(Role.HANDS_OVER)):
        problems.add(at, f"{subject} without handing it over before it", f"put segment.hand_over to {server} between the two")


def _counts_for(one: Placed, opening: Placed, role: Role) -> bool:
    """Whether a step of this role is sure to be done before the opening."""
    step = one.step
    return step.spec.role is role and one.turn < opening.turn and step.foreach is None and one.conditions <= opening.conditions


def _is_reopened(fence: Placed, opening: Placed, placed: tuple[Placed, ...]) -> bool:
    fenced = _server(fence)
    between = (one for one in placed if fence.turn < one.turn <= opening.turn and one is not opening)
    return any(one.step.spec.role is Role.OPENS and _server(one) == fenced for one in between)


def _has_caught_up(opening: Placed, fence: Placed, placed: tuple[Placed, ...]) -> bool:
    return any(
        _counts_for(one, opening, Role.CATCHES_UP)
        and one.turn > fence.turn
        and _server(one) == _server(opening)
        and _reference(one.step.args.get("position")) == f"{fence.step.id}.position"
        for one in placed
    )


def _has_applied_all(opening: Placed, fence: Placed, placed: tuple[Placed, ...]) -> bool:
    return any(
        _counts_for(one, opening, Role.APPLIES_RECEIVED)
        and one.turn > fence.turn
        and _server(one) == _server(opening)
        and _named(one, "source") == _named(fence, "cluster")
        for one in placed
    )


def _server(placed: Placed) -> str:
    return _named(placed, "server")


def _named(placed: Placed, key: str) -> str:
    value = placed.step.args.get(key)
    alone = _reference(value)
    return f"${{{alone}}}" if alone else str(value)


def _reference(value: object) -> str | None:
    return value.alone.name if isinstance(value, TextTemplate) and value.alone is not None else None


def _check_step(step: Step, problems: Problems, at: At) -> None:
    if step.on_failure is OnFailure.CONTINUE and step.spec.verb is not Verb.CHECK:
        problems.add(at, f"on_failure: continue on the {_word(step)} {step.spec.name}", "only a check may fail and the run go on")
    _check_bounds(step, problems, at)
    if step.undo is not None and step.spec.role in {Role.FENCES, Role.FENCES_OUTSIDE, Role.OPENS, Role.OPENS_BESIDE, *_SEGMENTS}:
        problems.add(at, f"undo on {step.spec.name}", "leave it out: what was fenced or opened is put back by the interlock alone")
    if step.undo == () and step.spec.role in {Role.HOLDS, Role.FLIPS}:
        problems.add(at, f"undo: none on {step.spec.name}", "clients would be left where the server is closed; give other steps")
    if step.spec.name == "sql" and any(_is_fencing(text) for text in _texts_in(step.args)):
        problems.add(at, "sql that changes who can write", "use server.fence and server.open, which are proved and undone")


def _word(step: Step) -> str:
    return "effect" if step.spec.verb is Verb.DO else "gate"


def _check_bounds(step: Step, problems: Problems, at: At) -> None:
    key = step.spec.bounds_on_server
    if key is None or step.timeout_s is None:
        return
    default = next((param.default for param in step.spec.params if param.name == key), None)
    bound = step.args.get(key, default)
    if isinstance(bound, int | float) and step.timeout_s <= bound:
        what = f"timeout of {step.timeout_s:g}s is not greater than the server's own bound {key} of {bound:g}s"
        problems.add(at, what, "the server must give up first: a client's time-out does not cancel a statement")


def _is_fencing(text: str) -> bool:
    """A single SELECT or SHOW may look at what it may not set."""
    bare = _SQL_COMMENT.sub(" ", text)
    reads = _READING_SQL.fullmatch(text) is not None and _READING_SQL.fullmatch(bare) is not None
    return not reads and any(_FENCING_SQL.search(words) for words in (text, bare))


def _texts_in(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case TextTemplate():
            yield value.text
        case tuple():
            for item in value:
                yield from _texts_in(item)
        case Mapping():
            for item in value.values():
                yield from _texts_in(item)
        case _:
            pass
