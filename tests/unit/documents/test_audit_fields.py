"""What a topology file says to the audit: every problem at its line, and what is right as it is meant."""

from __future__ import annotations

from datetime import date

import pytest

from interlock.documents.topology import parse_topology
from interlock.errors import InvalidFile
from interlock.model.audit import Accepted, AuditNotes, AuditVerdict, Given, SqlCheck

PAIR = """\
topology: shop
access: {user: interlock, tls: off}
clusters:
  east: {master: {host: 10.0.0.1}}
  west: {master: {host: 10.0.0.2}}
"""


def parsed(more: str) -> AuditNotes:
    return parse_topology(PAIR + more, file="t.yaml", route_types={}).audit


def test_all_of_it() -> None:
    assert parsed("") == AuditNotes()
    notes = parsed(
        "answers:\n  '16': {answer: yes it is, by: ann, on: 2026-03-01, rests_on: abc}\n"
        "accepted:\n  keys.apart: {reason: one writer, until: 2026-04-01, objects: [east]}\n"
        "audit:\n- {id: a.b, question: 4, title: t, why: w, sql: SELECT 1, verdict: unfit, on: west}\n"
    )
    assert notes.answers == {16: Given(answer="yes it is", by="ann", on=date(2026, 3, 1), rests_on="abc")}
    assert notes.accepted == {"keys.apart": Accepted(reason="one writer", until=date(2026, 4, 1), objects=("east",))}
    assert notes.checks == (SqlCheck(id="a.b", question=4, title="t", why="w", sql="SELECT 1", verdict=AuditVerdict.UNFIT, on="west"),)


@pytest.mark.parametrize(
    ("more", "line", "what"),
    [
        pytest.param("answers: yes\n", 6, "answers is", id="answers-are-no-mapping"),
        pytest.param("answers:\n  '17': {answer: a, by: b, on: 2026-03-01}\n", 7, "'17' is no question's number", id="no-such-question"),
        pytest.param("answers:\n  one: {answer: a, by: b, on: 2026-03-01}\n", 7, "'one' is no question's number", id="no-number"),
        pytest.param("answers:\n  '1': {answer: a, by: b, on: yesterday}\n", 7, "'yesterday' is not a date", id="no-date"),
        pytest.param("answers:\n  '1': {answer: a, on: 2026-03-01}\n", 7, "lacks 'by'", id="nobody"),
        pytest.param("accepted:\n  keys.apart: {until: 2026-03-01}\n", 7, "lacks 'reason'", id="no-reason"),
        pytest.param("accepted:\n  keys.apart: {reason: r}\n", 7, "lacks 'until'", id="for-ever"),
        pytest.param("accepted:\n  keys.apart: {reason: r, until: 2026-13-01}\n", 7, "'2026-13-01' is not a date", id="no-such-day"),
        pytest.param("audit: {}\n", 6, "audit is a mapping, not a list", id="checks-are-no-list"),
        pytest.param("audit:\n- {id: a, title: t, why: w, sql: DELETE FROM t}\n", 7, "not one SELECT", id="a-check-that-writes"),
        pytest.param("audit:\n- {id: a, title: t, why: w, sql: 'SELECT 1; DELETE FROM t'}\n", 7, "not one SELECT", id="two-statements"),
        pytest.param("audit:\n- {id: a, title: t, why: w, sql: TABLE t, question: 99}\n", 7, "99 is not between", id="out-of-the-list"),
        pytest.param("audit:\n- {id: a, title: t, why: w, sql: SELECT 1, verdict: bad}\n", 7, "verdict is 'bad'", id="no-such-verdict"),
        pytest.param(
            "audit:\n- {id: a, title: t, why: w, sql: TABLE t, on: north}\n", 7, "'north', which is no server", id="no-such-server"
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(more: str, line: int, what: str) -> None:
    with pytest.raises(InvalidFile) as raised:
        parsed(more)
    assert [(problem.line, what in problem.what) for problem in raised.value.problems] == [(line, True)], raised.value.problems
