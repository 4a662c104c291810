"""`when:` conditions: a small language, parsed by hand, with three answers: true, false, and not known yet.

::

    or      = and {"or" and}
    and     = not {"and" not}
    not     = "not" not | compare
    compare = value [("==" | "!=" | "in" | "not" "in") value]
    value   = "(" or ")" | ${reference} | number | true | false | 'text' | "text"
"""

from __future__ import annotations

import re
from dataclasses import field

from interlock.dataclass import dataclass
from interlock.errors import StepFailed
from interlock.playbook.expressions import BadExpression, Reference, Scope, Unknown, read_reference

MAX_LENGTH = 1000
MAX_DEPTH = 30

_TOKEN = re.compile(
    r"\s*(?:(?P<reference>\$\{)|(?P<operator>==|!=|[()])|(?P<number>-?\d{1,15}(?:\.\d{1,15})?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_.-]*)|(?P<text>'[^']*'|\"[^\"]*\")|(?P<end>$)|(?P<bad>.))",
    re.DOTALL,
)
_WORDS = ("and", "or", "not", "in", "true", "false")


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | float | bool


@dataclass(frozen=True, slots=True)
class Not:
    part: Expression


@dataclass(frozen=True, slots=True)
class Both:
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Either:
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Equal:
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Within:
    left: Expression
    right: Expression


Expression = Literal | Reference | Not | Both | Either | Equal | Within


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedCondition:
    """`parts` are the references with their places, in the order of the text."""

    text: str
    expression: Expression
    parts: tuple[Reference, ...]

    @property
    def references(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts)

    def holds(self, scope: Scope, /) -> bool | Unknown:
        """StepFailed if it is neither true nor false: nothing is guessed from a text or a number."""
        value = _value(self.expression, scope, self.text)
        return value if isinstance(value, Unknown) else _flag(value, self.text)

    def __str__(self) -> str:
        return self.text


def parse(text: str) -> ParsedCondition:
    """BadExpression, with its offset, if it is no condition."""
    if len(text) > MAX_LENGTH:
        raise BadExpression(f"a condition has at most {MAX_LENGTH} characters", 0)
    tokens = _tokens(text)
    parser = _Parser(tokens)
    expression = parser.either(0)
    parser.expect("end", "")
    return ParsedCondition(
        text=text, expression=expression, parts=tuple(token.reference for token in tokens if token.reference is not None)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    kind: str
    text: str
    offset: int
    reference: Reference | None = None


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while not tokens or tokens[-1].kind != "end":
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise BadExpression("no condition can be read here", at)
        kind, start = found.lastgroup, found.start(found.lastgroup)
        at = found.end()
        reference = None
        if kind == "reference":
            reference, at = read_reference(text, start)
        elif kind == "bad":
            raise BadExpression(f"{found[kind]!r} is not understood here", start, hint="known: ==, !=, in, not, and, or, ( ), ${…}")
        elif kind == "word" and found[kind] not in _WORDS:
            hint = f"write ${{{found[kind]}}} for its value, or '{found[kind]}' for the text"
            raise BadExpression(f"{found[kind][:60]!r} is not understood here", start, hint=hint)
        tokens.append(_Token(kind=kind, text=found[kind], offset=start, reference=reference))
    return tokens


@dataclass(slots=True)
class _Parser:
    """Recursive descent; each level of parentheses and each `not` counts towards `MAX_DEPTH`."""

    tokens: list[_Token]
    at: int = field(default=0)

    def expect(self, kind: str, text: str) -> None:
        token = self.tokens[self.at]
        if token.kind != kind or (text and token.text != text):
            wanted = repr(text) if text else "the end"
            raise BadExpression(f"{token.text or 'the end'!r} stands where {wanted} is expected", token.offset)
        self.at += 1

    def skip(self, *words: str) -> bool:
        """Whether the next tokens are these; they are taken then."""
        ahead = self.tokens[self.at : self.at + len(words)]
        if tuple(token.text for token in ahead if token.kind in ("word", "operator")) != words:
            return False
        self.at += len(words)
        return True

    def either(self, depth: int) -> Expression:
        left = self.both(depth)
        while self.skip("or"):
            left = Either(left, self.both(depth))
        return left

    def both(self, depth: int) -> Expression:
        left = self.negated(depth)
        while self.skip("and"):
            left = Both(left, self.negated(depth))
        return left

    def negated(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise BadExpression(f"is nested deeper than {MAX_DEPTH} levels", self.tokens[self.at].offset)
        if self.skip("not"):
            return Not(self.negated(depth + 1))
        return self.compared(depth)

    def compared(self, depth: int) -> Expression:
        left = self.value(depth)
        if self.skip("=="):
            return Equal(left, self.value(depth))
        if self.skip("!="):
            return Not(Equal(left, self.value(depth)))
        if self.skip("in"):
            return Within(left, self.value(depth))
        if self.skip("not", "in"):
            return Not(Within(left, self.value(depth)))
        return left

    def value(self, depth: int) -> Expression:
        if self.skip("("):
            inner = self.either(depth + 1)
            self.expect("operator", ")")
            return inner
        token = self.tokens[self.at]
        self.at += 1
        if token.reference is not None:
            return token.reference
        if token.kind == "number":
            return Literal(float(token.text))
        if token.kind == "text":
            return Literal(token.text[1:-1])
        if token.text in ("true", "false"):
            return Literal(token.text == "true")
        raise BadExpression(f"{token.text or 'the end'!r} stands where a value is expected", token.offset, hint="a value: ${…}, 'text', 5")


def _value(expression: Expression, scope: Scope, text: str) -> object:
    match expression:
        case Literal():
            return expression.value
        case Reference():
            return expression.look_up(scope)
        case Not():
            part = _value(expression.part, scope, text)
            return part if isinstance(part, Unknown) else not _flag(part, text)
        case Both():
            return _joined(expression.left, expression.right, scope, text, decisive=False)
        case Either():
            return _joined(expression.left, expression.right, scope, text, decisive=True)
        case Equal() | Within():
            left, right = _value(expression.left, scope, text), _value(expression.right, scope, text)
            unknown = next((side for side in (left, right) if isinstance(side, Unknown)), None)
            if unknown is not None:
                return unknown
            return _same(left, right) if isinstance(expression, Equal) else _is_within(left, right, text)


def _joined(left: Expression, right: Expression, scope: Scope, text: str, *, decisive: bool) -> bool | Unknown:
    """`and` and `or`: one side that is `decisive` decides, even if the other is not known yet."""
    unknown: Unknown | None = None
    for side in (left, right):
        value = _value(side, scope, text)
        if isinstance(value, Unknown):
            unknown = unknown or value
        elif _flag(value, text) is decisive:
            return decisive
    return unknown if unknown is not None else not decisive


def _same(left: object, right: object) -> bool:
    """Python takes True for 1; here a flag is never a number."""
    return isinstance(left, bool) is isinstance(right, bool) and left == right


def _is_within(left: object, right: object, text: str) -> bool:
    if not isinstance(right, tuple | list):
        raise StepFailed(f"when: {text}: 'in' looks into {right!r}, which is no list", hint="use ==, or a list such as ${topology.routes}")
    return any(_same(left, item) for item in right)


def _flag(value: object, text: str) -> bool:
    if not isinstance(value, bool):
        raise StepFailed(f"when: {text}: {value!r} is neither true nor false", hint="compare it: ${…} == 'text'")
    return value
