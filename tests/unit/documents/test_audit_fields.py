"""What a topology file says to the audit: every problem at its line, and what is right as it is meant."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from interlock.documents.audit_fields import read_checks
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
        pytest.param("audit:\n- {file: 3}\n", 7, "file is the number '3'", id="a-file-that-is-no-name"),
        pytest.param("audit:\n- {file: a.yaml, id: b}\n", 7, "has no key 'id'", id="a-file-and-a-check"),
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


def test_files_of_checks_are_named_from_the_topology_files_folder_and_not_read_with_it(tmp_path: Path) -> None:
    text = f"{PAIR}audit:\n- file: a.yaml\n- {{file: /etc/b.yaml}}\n- {{id: c, title: t, why: w, sql: SELECT 1}}\n"
    notes = parse_topology(text, file=str(tmp_path / "t.yaml"), route_types={}).audit
    assert notes.files == (str(tmp_path / "a.yaml"), "/etc/b.yaml")
    assert [check.id for check in notes.checks] == ["c"]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param("a: 1\n", [(1, 1, "the file is a mapping, not a list")], id="no-list"),
        pytest.param("", [(0, 0, "is empty")], id="empty"),
        pytest.param("- [\n", [(2, 1, "")], id="no-yaml"),
        pytest.param(
            "- {id: a, title: t, why: w, sql: DROP TABLE t}\n- id: b\n  on: north\n- 3\n",
            [
                (1, 34, "sql: it is not one SELECT, SHOW, WITH, TABLE or VALUES"),
                (2, 3, "an audit check lacks"),
                (2, 3, "an audit check lacks"),
                (2, 3, "an audit check lacks"),
                (3, 7, "an audit check is to run on 'north', which is no server"),
                (4, 3, "an audit check is the number '3', not a mapping"),
            ],
            id="all-at-once",
        ),
    ],
)
def test_a_file_of_checks_tells_every_problem_at_its_place(text: str, problems: list[tuple[int, int, str]], tmp_path: Path) -> None:
    path = tmp_path / "checks.yaml"
    path.write_text(text)
    with pytest.raises(InvalidFile) as raised:
        read_checks(path, ["east"])
    assert [(one.line, one.column) for one in raised.value.problems] == [(line, column) for line, column, _ in problems]
    assert all(what in one.what for one, (_, _, what) in zip(raised.value.problems, problems, strict=True)), raised.value.problems
    assert {one.file for one in raised.value.problems} == {str(path)}


def test_a_file_of_checks_says_where_its_rules_stand(tmp_path: Path) -> None:
    (tmp_path / "checks.yaml").write_text("- {id: a, title: t, why: w, sql: SELECT 1, on: east}\n")
    assert [(one.id, one.on, one.source) for one in read_checks(tmp_path / "checks.yaml", ["east"])] == [("a", "east", "checks.yaml")]
