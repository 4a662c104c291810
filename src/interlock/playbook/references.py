"""What `${…}` may reach at a place in a playbook, and of which kind it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from interlock.dataclass import dataclass
from interlock.documents.fields import Field, Kind
from interlock.documents.problems import At, Problems, did_you_mean
from interlock.documents.yaml import Scalar
from interlock.playbook.conditions import ParsedCondition
from interlock.playbook.conditions import parse as parse_when
from interlock.playbook.expressions import BadExpression, Reference, TextTemplate, parse_template

ALWAYS: Mapping[str, Kind] = {
    "writer": Kind.CLUSTER,
    "standby": Kind.CLUSTER,
    "topology.name": Kind.TEXT,
    "topology.clusters": Kind.TEXTS,
    "topology.servers": Kind.TEXTS,
    "topology.routes": Kind.TEXTS,
    "topology.segments": Kind.TEXTS,
}
RESERVED = ("writer", "standby", "topology", "item")
ITEMS: Mapping[str, Kind] = {"topology.clusters": Kind.CLUSTER, "topology.servers": Kind.SERVER, "topology.routes": Kind.ROUTES} | {
    "topology.segments": Kind.SEGMENT
}

_WRITABLE = frozenset({Kind.TEXT, Kind.INTEGER, Kind.NUMBER, Kind.FLAG, Kind.DURATION, Kind.SERVER, Kind.CLUSTER, Kind.POSITION}) | {
    Kind.SEGMENT
}
_ACCEPTED: Mapping[Kind, frozenset[Kind]] = {
    Kind.TEXT: _WRITABLE,
    Kind.NUMBER: frozenset({Kind.INTEGER, Kind.DURATION}),
    Kind.SERVER: frozenset({Kind.CLUSTER}),
    Kind.ROUTES: frozenset({Kind.TEXT, Kind.TEXTS}),
    Kind.ARGV: frozenset({Kind.TEXTS}),
    Kind.TEXTS: frozenset({*_WRITABLE, Kind.ROUTES, Kind.ARGV}),
    Kind.INTEGERS: frozenset({Kind.INTEGER}),
    Kind.ADDRESS: frozenset({Kind.TEXT}),
    Kind.ANY: frozenset(Kind),
}
_COMPOSED = frozenset({Kind.SERVER, Kind.CLUSTER})


@dataclass(slots=True)
class Names:
    """References that can be reached from here, and why a step's name can't be. `later` holds the ids of all steps, with their lines."""

    kinds: dict[str, Kind]
    later: Mapping[str, int] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)

    def kind_of(self, name: str) -> Kind | None:
        """None for an unknown one. Below a mapping, or a value of any kind, everything may be."""
        if name in self.kinds:
            return self.kinds[name]
        parts = name.split(".")
        for length in range(len(parts) - 1, 0, -1):
            above = self.kinds.get(".".join(parts[:length]))
            if above in (Kind.ANY, Kind.MAPPING):
                return Kind.ANY
        return None

    def with_item(self, kind: Kind) -> Names:
        return Names({**self.kinds, "item": kind}, self.later, self.unreachable)

    def hint(self, name: str) -> str:
        """For an unknown reference: why it can't be reached, or the nearest one."""
        root = name.split(".", maxsplit=1)[0]
        if root in self.unreachable:
            return self.unreachable[root]
        outputs = [known for known in self.kinds if known.startswith(f"{root}.")]
        if outputs:
            return f"{root} has: {', '.join(sorted(outputs)[:20])}"
        if root in self.kinds:
            return f"{root} is {self.kinds[root]}: it has nothing below it"
        if root in self.later:
            return f"step {root!r} stands in line {self.later[root]}: only outputs of earlier steps can be reached"
        return did_you_mean(name, self.kinds)


def fits(kind: Kind, wanted: Kind) -> bool:
    """Whether a value of one kind can stand where another one is wanted. What any kind may turn out to be is seen when it is resolved."""
    if wanted is Kind.SECRET:
        return False
    return kind is wanted or kind is Kind.ANY or kind in _ACCEPTED.get(wanted, frozenset())


def place_in(node: Scalar, offset: int) -> At:
    """Where an offset of a scalar's text stands in the file; the scalar's beginning if it goes over several lines."""
    if "\n" in node.text or len(node.text) < offset:
        return At(node.line, node.column)
    return At(node.line, node.column + offset + (1 if node.quoted else 0))


def read_template(node: Scalar, wanted: Field, names: Names, problems: Problems) -> TextTemplate | None:
    """A template whose references are known and whose kind fits; None after a problem was added."""
    try:
        template = parse_template(node.text)
    except BadExpression as error:
        problems.add(place_in(node, error.offset), f"{wanted.name}: {error.message}", error.hint)
        return None
    references = [piece for piece in template.pieces if isinstance(piece, Reference)]
    kinds = [_known(reference, node, names, problems) for reference in references]
    if any(kind is None for kind in kinds):
        return None
    kind = kinds[0] if template.alone is not None and kinds[0] is not None else Kind.TEXT
    if fits(kind, wanted.kind) or (template.alone is None and wanted.kind in _COMPOSED):
        return template
    hint = "a password is never taken from a run's values" if wanted.kind is Kind.SECRET else wanted.doc
    problems.add(node, f"{wanted.name} is {template.text} of kind {kind}, not {wanted.kind}", hint)
    return None


def read_condition(node: Scalar, names: Names, problems: Problems) -> ParsedCondition | None:
    """A condition whose references are known; None after a problem was added."""
    try:
        condition = parse_when(node.text)
    except BadExpression as error:
        problems.add(place_in(node, error.offset), f"when: {error.message}", error.hint)
        return None
    kinds = [_known(reference, node, names, problems) for reference in condition.parts]
    if any(kind is None for kind in kinds):
        return None
    if isinstance(condition.expression, Reference) and kinds[0] not in (Kind.FLAG, Kind.ANY):
        problems.add(node, f"when is {condition.text} of kind {kinds[0]}, not a flag", "compare it: ${…} == 'text'")
        return None
    return condition


def _known(reference: Reference, node: Scalar, names: Names, problems: Problems) -> Kind | None:
    kind = names.kind_of(reference.name)
    if kind is None:
        problems.add(place_in(node, reference.offset), f"unknown reference ${{{reference.name}}}", names.hint(reference.name))
    return kind
