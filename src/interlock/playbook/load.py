"""A playbook file → a checked `Playbook`: nothing of it is a surprise at run time but the world."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from interlock.documents.check import Checking, a_kind_of, check_fields, check_value
from interlock.documents.fields import Field, Kind
from interlock.documents.problems import Problems, did_you_mean, shown
from interlock.documents.yaml import ListNode, MapNode, Node, Scalar, read_file, read_tree
from interlock.playbook.catalogue import Catalogue, Verb
from interlock.playbook.expressions import REFERENCE
from interlock.playbook.keys import INPUT_KEYS, INPUT_KINDS, PHASE_KEYS, PLAYBOOK_KEYS
from interlock.playbook.references import ALWAYS, RESERVED, Names
from interlock.playbook.safety import check_safety
from interlock.playbook.steps import Reading, read_steps
from interlock.playbook.tree import Input, OnFailure, Parallel, Phase, Playbook, Step

PREFLIGHT = "preflight"


def load_playbook(path: Path, catalogue: Catalogue) -> Playbook:
    """Reads and checks the file. InvalidFile with every problem of it."""
    return parse_playbook(read_file(path), file=str(path), catalogue=catalogue)


def parse_playbook(text: str, *, file: str, catalogue: Catalogue) -> Playbook:
    """InvalidFile with every problem of the text, in its order. Names of servers and routes are checked by `check_against`."""
    problems = Problems(file)
    root = read_tree(text, problems)
    path = Path(file).absolute()
    playbook = None if root is None else _playbook(root, Reading(problems, path.parent, catalogue, Names(dict(ALWAYS))), text, str(path))
    problems.raise_any()
    if playbook is None:
        raise AssertionError("a playbook without problems was not built")
    return playbook


def _playbook(root: Node, reading: Reading, text: str, path: str) -> Playbook | None:
    problems = reading.problems
    values = check_fields(root, PLAYBOOK_KEYS, "the playbook", reading.checking())
    if not isinstance(root, MapNode):
        return None
    version = values.get("version")
    if isinstance(version, int) and version < 1:
        problems.add(root.place("version"), f"version is {version}, not 1 or more")
    inputs = _inputs(root.get("inputs"), reading)
    reading.names.kinds.update({name: its.kind for name, its in inputs.items()})
    reading.names.later = _ids(root.get("phases"))
    phases = _phases(root, reading)
    playbook = Playbook(
        name=str(values.get("playbook", "")),
        version=version if isinstance(version, int) else 1,
        summary=str(values.get("summary", "")),
        phases=phases,
        inputs=inputs,
        on_failure=OnFailure(str(values.get("on_failure", OnFailure.ROLL_BACK.value))),
        rollback_within_s=cast("float", values.get("rollback_within", 30.0)),
        text=text,
        path=path,
    )
    if playbook.rollback_within_s <= 0:
        problems.add(root.place("rollback_within"), "rollback_within is 0s", "the way back needs time; leave it out for 30s")
    if not reading.doubtful:
        check_safety(playbook, problems, reading.places)
    return playbook


def _ids(node: Node | None) -> dict[str, int]:
    """Every id of the file with its line, to tell a reference to a later step from one to nothing."""
    found: dict[str, int] = {}
    waiting = [node] if node is not None else []
    while waiting:
        match waiting.pop():
            case ListNode(items=items):
                waiting += items
            case MapNode() as mapping:
                given = mapping.get("id")
                if isinstance(given, Scalar):
                    found.setdefault(given.text, given.line)
                waiting += [child for key in ("steps", "parallel") if (child := mapping.get(key)) is not None]
            case Scalar():
                pass
    return found


def _phases(root: MapNode, reading: Reading) -> tuple[Phase, ...]:
    node = root.get("phases")
    if node is None:
        return ()
    if not isinstance(node, ListNode) or not node.items:
        reading.problems.add(
            node, f"phases is {a_kind_of(node)}, not a list of phases" if not isinstance(node, ListNode) else "there is no phase"
        )
        return ()
    phases: list[Phase] = []
    for child in node.items:
        phase = _phase(child, reading)
        if phase is None:
            reading.doubtful = True
            continue
        if any(phase.name == other.name for other in phases):
            reading.problems.add(child, f"there are two phases called {shown(phase.name)}", "give each its own name")
        phases.append(phase)
    return tuple(phases)


def _phase(node: Node, reading: Reading) -> Phase | None:
    values = check_fields(node, PHASE_KEYS, "a phase", reading.checking())
    steps = node.get("steps") if isinstance(node, MapNode) else None
    if steps is None:
        return None
    if not isinstance(steps, ListNode) or not steps.items:
        reading.problems.add(steps, "steps is not a list of steps" if not isinstance(steps, ListNode) else "the phase has no step")
        return None
    name = str(values.get("phase", ""))
    phase = Phase(name=name, steps=read_steps(steps, name, reading), line=node.line)
    if name == PREFLIGHT:
        for step in _flat(phase):
            if step.spec.verb is Verb.DO:
                what = f"{step.spec.name} in the phase {PREFLIGHT}, where nothing may change"
                reading.problems.add(reading.places[step.id], what, "move it to a later phase")
    return phase


def _flat(phase: Phase) -> list[Step]:
    return [step for part in phase.steps for step in (part.steps if isinstance(part, Parallel) else (part,))]


def _inputs(node: Node | None, reading: Reading) -> dict[str, Input]:
    if node is None:
        return {}
    if not isinstance(node, MapNode):
        reading.problems.add(node, f"inputs is {a_kind_of(node)}, not a mapping of names")
        return {}
    inputs: dict[str, Input] = {}
    for name, child in node.entries.items():
        place = node.keys[name]
        if not REFERENCE.fullmatch(name) or "." in name:
            reading.problems.add(
                place, f"input {shown(name)} can't be referred to", "letters, digits, '_' and '-', beginning with a letter or '_'"
            )
        if name in RESERVED:
            reading.problems.add(place, f"input {name!r} has a meaning of its own", "choose another name")
        # Known even if it is wrong: then references to it are no further problem.
        inputs[name] = _input(name, child, reading.checking()) or Input(name=name, kind=Kind.ANY, required=True)
    for name, its in inputs.items():
        _check_differs(its, inputs, node.entries[name], reading.problems)
    return inputs


def _input(name: str, node: Node, checking: Checking) -> Input | None:
    problems = checking.problems
    values = check_fields(node, INPUT_KEYS, f"input {shown(name)}", checking)
    word = values.get("type")
    if not isinstance(node, MapNode) or not isinstance(word, str):
        return None
    kind, required = INPUT_KINDS[word], values.get("required")
    choices = tuple(str(choice) for choice in cast("tuple[object, ...]", values.get("choices", ())))
    if (word == "choice") is not bool(choices):
        problems.add(
            node, f"input {name!r} is a {word} {'with' if choices else 'without'} choices", "type: choice and choices: go together"
        )
    given = node.get("default")
    default = None
    if given is not None:
        default = check_value(given, Field(name="default", kind=kind, doc=f"the default of a {word}", choices=choices), checking)
    return Input(
        name=name,
        kind=kind,
        required=required if isinstance(required, bool) else given is None,
        default=default,
        differs_from=cast("str | None", values.get("not")),
        choices=choices,
        doc=str(values.get("doc", "")),
    )


def _check_differs(its: Input, inputs: dict[str, Input], node: Node, problems: Problems) -> None:
    other = its.differs_from
    if its.kind is Kind.CLUSTER and its.default == "other" and other not in inputs and isinstance(node, MapNode):
        problems.add(node.place("default"), f"the default of {its.name!r} is other, and it has no `not` that names an input", "not: to")
    if other is None or not isinstance(node, MapNode):
        return
    place = node.place("not")
    if its.kind is not Kind.CLUSTER:
        problems.add(place, f"input {its.name!r} has `not` and is no cluster", "only clusters are kept apart")
    clusters = [name for name, one in inputs.items() if one.kind is Kind.CLUSTER and name != its.name]
    if other not in ("writer", "standby", *clusters):
        problems.add(
            place,
            f"not: {shown(other)} is neither writer, standby nor another cluster input",
            did_you_mean(other, ["writer", "standby", *clusters]),
        )
