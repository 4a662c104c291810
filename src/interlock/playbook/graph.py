"""A playbook as a Mermaid flowchart: the way forward in full lines, the way back (each effect's undo, in reverse) dotted."""

from __future__ import annotations

from collections.abc import Iterator

from interlock.playbook.catalogue import Role, Verb
from interlock.playbook.conditions import ParsedCondition
from interlock.playbook.tree import OnFailure, Parallel, Phase, Playbook, Step


def mermaid(playbook: Playbook) -> str:
    """Phases are subgraphs, `parallel` one within; a failed step leads to the undo of the effect before it, and on to `rolled_back`."""
    names = _names(playbook)
    lines = ["flowchart TD", f'  begin(["{_text(playbook.name)}"])', '  succeeded(["succeeded"])']
    for number, phase in enumerate(playbook.phases, 1):
        lines += _subgraph(phase, number, names)
    lines += _forward(playbook, names)
    lines += _back(playbook, names)
    return "\n".join(lines) + "\n"


def _flat(playbook: Playbook) -> Iterator[Step]:
    for phase in playbook.phases:
        for part in phase.steps:
            yield from part.steps if isinstance(part, Parallel) else (part,)


def _names(playbook: Playbook) -> dict[str, str]:
    """Node names by step id: a step's own id may be a word of Mermaid's."""
    return {step.id: f"s{number}" for number, step in enumerate(_flat(playbook), 1)}


def _text(words: str) -> str:
    """Quotes and brackets as the entities that Mermaid reads."""
    return "".join(f"#{ord(letter)};" if letter in '"#<>&`{}[]|\\' else letter for letter in words).replace("\n", " ")


def _subgraph(phase: Phase, number: int, names: dict[str, str]) -> list[str]:
    lines = [f'  subgraph p{number} ["{_text(phase.name)}"]']
    for index, part in enumerate(phase.steps, 1):
        if isinstance(part, Parallel):
            lines.append(f'    subgraph p{number}_{index} ["at the same time{_text(_condition(part))}"]')
            lines += [f"      {_node(step, names)}" for step in part.steps]
            lines.append("    end")
        else:
            lines.append(f"    {_node(part, names)}")
    return [*lines, "  end"]


def _node(step: Step, names: dict[str, str]) -> str:
    each = " for each" if step.foreach is not None else ""
    label = _text(f"{step.spec.verb.value} {step.spec.name}{each}{_condition(step)}")
    opening, closing = {Verb.DO: ("[", "]"), Verb.CHECK: ("{{", "}}"), Verb.GATE: ("[/", "/]")}[step.spec.verb]
    return f'{names[step.id]}{opening}"{label}"{closing}'


def _condition(part: Step | Parallel) -> str:
    return f" when {part.when.text}" if isinstance(part.when, ParsedCondition) else ""


def _forward(playbook: Playbook, names: dict[str, str]) -> list[str]:
    lines: list[str] = []
    last = ["begin"]
    for phase in playbook.phases:
        for part in phase.steps:
            now = [names[step.id] for step in (part.steps if isinstance(part, Parallel) else (part,))]
            lines += [f"  {' & '.join(last)} --> {' & '.join(now)}"] if now else []
            last = now or last
    return [*lines, f"  {' & '.join(last)} --> succeeded"]


def _back(playbook: Playbook, names: dict[str, str]) -> list[str]:
    """From each step that may fail to the undo of the last effect before it; a first check that fails refuses."""
    lines: list[str] = []
    undone = "refused"
    used = {undone}
    nodes = ['  refused(["refused"])']
    for step in _flat(playbook):
        if _has_undo(step):
            name = f"u{names[step.id]}"
            words = " and ".join(one.spec.name for one in step.undo) if step.undo else f"undo of {step.spec.name}"
            nodes.append(f'  {name}["{_text(words)}"]')
            lines.append(f"  {name} -.-> {'rolled_back' if undone == 'refused' else undone}")
            undone = name
            used.add("rolled_back")
        target = "halted" if _halts(step, playbook) and undone != "refused" else undone
        used.add(target)
        if step.on_failure is not OnFailure.CONTINUE:
            lines.append(f"  {names[step.id]} -. fails .-> {target}")
    if "rolled_back" in used:
        nodes += ['  rolled_back(["rolled_back"])', '  halted(["halted"])']
        lines.append(f"  {undone} -. an undo fails .-> halted")
    return [*nodes, *lines]


def _has_undo(step: Step) -> bool:
    """A catch-up changes nothing that could be put back."""
    return bool(step.undo) or (step.undo is None and step.spec.verb is Verb.DO and step.spec.role is not Role.CATCHES_UP)


def _halts(step: Step, playbook: Playbook) -> bool:
    return (step.on_failure or playbook.on_failure) is OnFailure.HALT
