from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import StepFailed
from interlock.model.position import MariaDBPosition
from interlock.playbook.conditions import parse as parse_condition
from interlock.playbook.expressions import BadExpression, Unknown, parse_template

SCOPE = {
    "to": "west",
    "n": 3,
    "wait": 10.0,
    "flag": True,
    "off": False,
    "fenced": {"position": MariaDBPosition.parse("0-1-5")},
    "topology": {"routes": ("a", "b"), "name": "shop"},
    "later": Unknown("later"),
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("${to}", "west", id="value-itself"),
        pytest.param("${ to }", "west", id="spaces"),
        pytest.param("${n}", 3, id="keeps-its-kind"),
        pytest.param("${fenced.position}", MariaDBPosition.parse("0-1-5"), id="output"),
        pytest.param("to ${to} at ${fenced.position}", "to west at 0-1-5", id="text-around"),
        pytest.param("${n}${wait}${flag}", "310true", id="several"),
        pytest.param("${topology.routes}.", "a,b.", id="list-in-a-text"),
        pytest.param("$${to} $5", "${to} $5", id="escaped"),
        pytest.param("${nothing}", Unknown("nothing"), id="missing"),
        pytest.param("x ${fenced.other}", Unknown("fenced.other"), id="missing-output"),
        pytest.param("${to.upper}", Unknown("to.upper"), id="attributes-are-never-reached"),
        pytest.param("${later.position}", Unknown("later"), id="below-an-unknown"),
    ],
)
def test_template_resolves(text: str, value: object) -> None:
    assert parse_template(text).resolve(SCOPE) == value


@pytest.mark.parametrize(
    ("text", "offset"),
    [("ab ${to", 3), ("${}", 0), ("x${1}", 1), ("${a b}", 0), ("${a.__class__.b.c.d.e}", 0), ("${a}${b[0]}", 4), ("${f()}", 0)],
)
def test_what_is_no_reference_is_told_with_its_offset(text: str, offset: int) -> None:
    with pytest.raises(BadExpression) as caught:
        parse_template(text)
    assert caught.value.offset == offset
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("${flag}", True),
        ("not ${flag}", False),
        ("${to} == 'west'", True),
        ('${to} != "west"', False),
        ("${n} == 3 and ${wait} == 10.0", True),
        ("${n} == 1 or ${n} == 3", True),
        ("false or true and false", False),
        ("(false or true) and not false", True),
        ("'a' in ${topology.routes}", True),
        ("${to} not in ${topology.routes}", True),
        ("${flag} == 1", False),
        ("${off} == 0", False),
        ("${n} == '3'", False),
        ("true", True),
        ("${missing}", Unknown("missing")),
        ("${missing} == 'x' and false", False),
        ("${missing} == 'x' or true", True),
        ("${missing} == 'x' or false", Unknown("missing")),
        ("not ${missing}", Unknown("missing")),
    ],
)
def test_condition_holds_fails_or_is_not_known(text: str, holds: bool | Unknown) -> None:  # noqa: FBT001 -- a table's column
    answer = parse_condition(text).holds(SCOPE)
    assert answer == holds
    assert type(answer) is type(holds)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("", 0),
        ("to == 'west'", 0),
        ("${to} = 'west'", 6),
        ("${to} == ", 9),
        ("(${flag}", 8),
        ("${flag})", 7),
        ("${flag} ${off}", 8),
        ("'open", 0),
        ("not", 3),
        ("(" * 40 + "true" + ")" * 40, 31),
        ("not " * 40 + "true", 31 * 4),
        ("${a} == ${b", 8),
        ("__import__('os')", 0),
    ],
)
def test_what_is_no_condition_is_told_with_its_offset(text: str, offset: int) -> None:
    with pytest.raises(BadExpression) as caught:
        parse_condition(text)
    assert caught.value.offset == offset


@pytest.mark.parametrize("text", ["${to}", "${n}", "${to} in 'west'", "not 'x'", "${n} or false"])
def test_what_is_neither_true_nor_false_fails_the_step(text: str) -> None:
    with pytest.raises(StepFailed, match="when: "):
        parse_condition(text).holds(SCOPE)


def test_a_long_chain_of_ors_does_not_exhaust_the_stack() -> None:
    assert parse_condition(" or ".join(["false"] * 110 + ["true"])).holds(SCOPE) is True


@given(st.text(alphabet="${}ab.'\"()=! notrue1-", max_size=60))
def test_no_text_raises_anything_but_bad_expression(text: str) -> None:
    for parse in (parse_template, parse_condition):
        try:
            parse(text)
        except BadExpression as error:
            assert 0 <= error.offset <= len(text)  # noqa: PT017 -- most texts are bad, and all must be placed
