"""The steps of a playbook, in the order of the file: each sees the inputs and the outputs of the steps before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import cast

from interlock.dataclass import dataclass
from interlock.documents.check import Checking, a_kind_of, check_fields, check_value, plain_value
from interlock.documents.fields import Field, Kind
from interlock.documents.problems import At, Problems, did_you_mean, shown
from interlock.documents.yaml import ListNode, MapNode, Node, Scalar
from interlock.playbook.catalogue import ActionSpec, Catalogue, Role, Verb
from interlock.playbook.conditions import ParsedCondition
from interlock.playbook.expressions import REFERENCE, FixedList, Template
from interlock.playbook.keys import GATE, PARALLEL_KEYS, RETRY_KEYS, STEP_KEYS, VERB_KEYS
from interlock.playbook.references import ITEMS, RESERVED, Names, read_condition, read_template
from interlock.playbook.tree import OnFailure, Parallel, Retry, Step

_DECISIVE = (Role.FENCES, Role.CATCHES_UP, Role.OPENS)
_UNDO_LEAVES_OUT = ("check", "gate", "id", "foreach", "undo", "on_failure", "parallel")


@dataclass(slots=True)
class Reading:
    """What is known so far. `doubtful`: a step on which safety depends could not be read, so its rules would only complain of that."""

    problems: Problems
    folder: Path
    catalogue: Catalogue
    names: Names
    places: dict[str, At] = field(default_factory=dict)
    doubtful: bool = False

    def checking(self, names: Names | None = None) -> Checking:
        """With `names`, `${…}` is read; without, a text is a text."""
        if names is None:
            return Checking(problems=self.problems, folder=self.folder)
        return Checking(
            problems=self.problems, folder=self.folder, template=lambda node, field: read_template(node, field, names, self.problems)
        )


def read_steps(node: ListNode, phase: str, reading: Reading) -> tuple[Step | Parallel, ...]:
    """Steps that could not be read are left out; their problems were added."""
    steps: list[Step | Parallel] = []
    for child in node.items:
        if isinstance(child, MapNode) and child.get("parallel") is not None:
            parallel = _parallel(child, phase, reading)
            steps += [parallel] if parallel else []
            continue
        step = _step(child, phase, reading)
        if step is not None:
            steps.append(step)
            _publish(step, reading)
    return tuple(steps)


def _parallel(node: MapNode, phase: str, reading: Reading) -> Parallel | None:
    """Siblings don't see each other's outputs: none of them is earlier."""
    check_fields(node, PARALLEL_KEYS, "a parallel", reading.checking())
    children = node.get("parallel")
    if not isinstance(children, ListNode) or not children.items:
        reading.problems.add(children or node, "parallel is not a list of steps")
        return None
    steps: list[Step] = []
    for child in children.items:
        if isinstance(child, MapNode) and child.get("parallel") is not None:
            reading.problems.add(child, "a parallel within a parallel", "list all of its steps in one")
        elif (step := _step(child, phase, reading)) is not None:
            steps.append(step)
    for step in steps:
        _publish(step, reading)
    name = _id(node, f"{phase}/parallel", reading)
    return Parallel(id=name, steps=tuple(steps), when=_when(node, reading, reading.names), line=node.line)


def _publish(step: Step, reading: Reading) -> None:
    """From here on the step's outputs can be reached."""
    if step.foreach is not None:
        reading.names.unreachable[step.id] = f"step {step.id!r} runs for each item, so it has no single output"
        return
    if not step.spec.outputs:
        reading.names.unreachable[step.id] = f"{step.spec.name} has no outputs"
    for name, kind in step.spec.outputs.items():
        reading.names.kinds[f"{step.id}.{name}"] = kind


def _step(node: Node, phase: str, reading: Reading, *, owner: str | None = None) -> Step | None:
    """`owner` is the id of the step that this one undoes."""
    if not isinstance(node, MapNode):
        reading.problems.add(node, f"a step is {a_kind_of(node)}, not a mapping", "a step begins with do:, check: or gate:")
        return None
    before = reading.problems.count
    values = check_fields(node, (*VERB_KEYS, *STEP_KEYS), "a step", reading.checking())
    spec = _spec(node, reading)
    if spec is None:
        reading.doubtful = reading.doubtful or node.get("do") is not None
        _forget(node, reading)
        return None
    if owner is not None:
        _check_undo_step(node, reading)
    foreach, item_kind = _foreach(node, reading)
    on_failure = values.get("on_failure")
    names = reading.names if foreach is None else reading.names.with_item(item_kind)
    step = Step(
        id=_id(node, f"{phase}/{spec.name}" if owner is None else f"{owner}/undo", reading),
        spec=spec,
        args=_args(node, spec, reading.checking(names)),
        when=_when(node, reading, names),
        foreach=foreach,
        timeout_s=cast("float | None", values.get("timeout")),
        retry=_retry(node.get("retry"), reading),
        on_failure=OnFailure(on_failure) if isinstance(on_failure, str) else None,
        line=node.line,
    )
    if node.get("undo") is not None and owner is None:
        step = replace(step, undo=_undo(node, step, reading))
    if step.timeout_s == 0:
        reading.problems.add(node.place("timeout"), "timeout is 0s", "leave it out for the action's own bound")
    if reading.problems.count > before and spec.role in _DECISIVE:
        reading.doubtful = True
    return step


def _spec(node: MapNode, reading: Reading) -> ActionSpec | None:
    """The action that do, check or gate names. Some words (`command`, `sql`…) are both an effect and a check."""
    given = [key.name for key in VERB_KEYS if node.get(key.name) is not None]
    if len(given) != 1:
        what = "has neither do, check nor gate" if not given else f"has {' and '.join(given)}"
        reading.problems.add(node, f"a step {what}", "a step is exactly one of do: (an effect), check: (a read), gate: (a person)")
        return None
    verb = Verb(given[0])
    word = node.get(verb.value)
    if verb is Verb.GATE:
        return GATE
    if not isinstance(word, Scalar) or not isinstance(word.value, str):
        return None
    spec = reading.catalogue.get((verb, word.value))
    if spec is not None:
        return spec
    other = next((other for other, name in reading.catalogue if name == word.value), None)
    known = [name for its, name in reading.catalogue if its is verb]
    hint = did_you_mean(word.value, known) if other is None else f"it is one for `{other.value}:`"
    reading.problems.add(word, f"unknown action {shown(word.value)} for {verb.value}", hint)
    return None


def _forget(node: MapNode, reading: Reading) -> None:
    """A step whose action is unknown may have any output: later references to it are no further problem."""
    given = node.get("id")
    if isinstance(given, Scalar):
        reading.names.kinds[given.text] = Kind.ANY


def _check_undo_step(node: MapNode, reading: Reading) -> None:
    for key in _UNDO_LEAVES_OUT:
        if node.get(key) is not None:
            reading.problems.add(node.place(key), f"an undo step has {key!r}", "it has do, with, when, timeout and retry")


def _id(node: MapNode, made: str, reading: Reading) -> str:
    """The given id, or one made of `made`: with a slash in it, so that no reference and no given id is the same."""
    given = node.get("id")
    if isinstance(given, Scalar) and isinstance(given.value, str):
        _check_id(given, reading)
        reading.places.setdefault(given.value, At(node.line, node.column))
        return given.value
    name, number = made, 1
    while name in reading.places:
        number += 1
        name = f"{made}#{number}"
    reading.places[name] = At(node.line, node.column)
    return name


def _check_id(given: Scalar, reading: Reading) -> None:
    name = given.text
    if not REFERENCE.fullmatch(name) or "." in name:
        reading.problems.add(
            given, f"id {shown(name)} can't be referred to", "letters, digits, '_' and '-', beginning with a letter or '_'"
        )
    elif name in RESERVED or name in reading.names.kinds:
        reading.problems.add(given, f"id {name!r} is the name of an input or has a meaning of its own", "choose another id")
    elif name in reading.places:
        reading.problems.add(given, f"duplicate id {name!r}", f"it stands already in line {reading.places[name].line}")


def _args(node: MapNode, spec: ActionSpec, checking: Checking) -> Mapping[str, object]:
    """What the file gives, without defaults: literals of their kind, templates as templates."""
    given = node.get("with")
    if spec is GATE:
        if given is not None:
            checking.problems.add(node.place("with"), "a gate has no parameters", "its text says what the person is asked")
        message = node.get("gate")
        value = None if message is None else check_value(message, GATE.params[0], checking)
        return {} if value is None else {"message": value}
    if given is None:
        given = MapNode(entries={}, keys={}, line=node.line, column=node.column)
    values = check_fields(given, spec.params, spec.name, checking)
    return {key: value for key, value in values.items() if isinstance(given, MapNode) and given.get(key) is not None}


def _when(node: MapNode, reading: Reading, names: Names) -> ParsedCondition | None:
    condition = node.get("when")
    if condition is None:
        return None
    if not isinstance(condition, Scalar) or condition.value is None:
        reading.problems.add(condition, f"when is {a_kind_of(condition)}, not a condition", "for example: \"${kind} == 'text'\"")
        return None
    return read_condition(condition, names, reading.problems)


def _foreach(node: MapNode, reading: Reading) -> tuple[Template | None, Kind]:
    """The list, and the kind of its items. A wrong one counts as a list of anything, so that `${item}` is no further problem."""
    given = node.get("foreach")
    if given is None:
        return None, Kind.ANY
    if isinstance(given, ListNode) and given.items and all(isinstance(item, Scalar) and item.value is not None for item in given.items):
        items = tuple(plain_value(item) for item in given.items)
        if not any(isinstance(item, str) and "${" in item for item in items):
            return FixedList(items), Kind.ANY
    if isinstance(given, Scalar) and isinstance(given.value, str) and "${" in given.value:
        template = read_template(given, Field(name="foreach", kind=Kind.TEXTS, doc="a list"), reading.names, reading.problems)
        if template is None or (template.alone is not None and reading.names.kind_of(template.alone.name) in _LISTS):
            return template or FixedList(()), ITEMS.get(template.references[0], Kind.ANY) if template else Kind.ANY
    reading.problems.add(given, "foreach is no list", 'write items as [a, b], or one reference to a list: "${topology.routes}"')
    return FixedList(()), Kind.ANY


_LISTS = (Kind.TEXTS, Kind.INTEGERS, Kind.ROUTES, Kind.ARGV, Kind.ANY)


def _retry(node: Node | None, reading: Reading) -> Retry | None:
    if node is None:
        return None
    if isinstance(node, Scalar):
        times, pause_s = check_value(node, RETRY_KEYS[0], reading.checking()), RETRY_KEYS[1].default
    else:
        values = check_fields(node, RETRY_KEYS, "retry", reading.checking())
        times, pause_s = values.get("times"), values.get("pause")
    if not isinstance(times, int) or not isinstance(pause_s, float):
        return None
    if not 1 <= times <= 100:
        reading.problems.add(node, f"retry is {times} times, not 1 to 100")
    return Retry(times=times, pause_s=pause_s)


def _undo(node: MapNode, step: Step, reading: Reading) -> tuple[Step, ...]:
    given = node.get("undo")
    if step.spec.verb is not Verb.DO:
        reading.problems.add(node.place("undo"), f"a {step.spec.verb.value} has an undo", "only effects are undone")
    if isinstance(given, Scalar) and given.value == "none":
        return ()
    if not isinstance(given, ListNode):
        reading.problems.add(given or node, "undo is no list of steps", "write a list of do: steps, or none")
        return ()
    steps = (_step(child, step.id, reading, owner=step.id) for child in given.items)
    return tuple(child for child in steps if child is not None)
