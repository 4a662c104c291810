from __future__ import annotations

import pytest

from interlock.errors import InvalidFile, Problem
from interlock.playbook.load import parse_playbook
from unit.playbook.small_catalogue import CATALOGUE

HEAD = """\
playbook: p
inputs:
  to: {type: cluster}
  from: {type: cluster}
  sure: {type: flag, default: true}
  more: {type: flag, default: true}
phases:
- phase: all
  steps:
"""
FENCE = '  - {id: fenced, do: server.fence, with: {server: "${from}", within: 2s}}\n'
WAIT = '  - {do: replication.wait, with: {server: "${to}", position: "${fenced.position}"}}\n'
OPEN = '  - {do: server.open, with: {server: "${to}"}}\n'
REOPEN = '  - {do: server.open, with: {server: "${from}"}}\n'
HOLD = "  - {do: route.hold, with: {route: all}}\n"
FLIP = '  - {do: route.flip, with: {route: all, to: "${to}"}}\n'
CANARY = '  - {check: route.canary, with: {route: all, expect: "${to}"}}\n'


def problems(steps: str) -> list[Problem]:
    try:
        parse_playbook(HEAD + steps, file="/p", catalogue=CATALOGUE)
    except InvalidFile as error:
        return list(error.problems)
    return []


def undone_by(step: str, undo: str) -> str:
    return step.replace(", with:", f", undo: {undo}, with:")


def conditional(step: str, condition: str = "${sure}") -> str:
    return step.replace("}\n", f', when: "{condition}"}}\n')


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(FENCE + WAIT + OPEN, id="fence-wait-open"),
        pytest.param(FENCE, id="a-fence-alone"),
        pytest.param(FENCE + WAIT + conditional(OPEN), id="only-the-opening-depends"),
        pytest.param(conditional(FENCE) + conditional(WAIT) + conditional(OPEN), id="all-depend-on-the-same"),
        pytest.param(FENCE + WAIT.replace("${to}", "${ to }") + OPEN, id="spaces-in-a-reference"),
        pytest.param(
            FENCE
            + WAIT
            + "  - when: ${sure}\n    parallel:\n    "
            + OPEN.strip()
            + "\n    "
            + conditional(CANARY, "${more}").strip()
            + "\n",
            id="opening-in-a-parallel-that-depends",
        ),
        pytest.param("  - {check: sql, with: {server: east, query: 'SELECT @@GLOBAL.read_only'}}\n", id="sql-may-look-at-read-only"),
        pytest.param("  - {do: sql, with: {server: east, statements: 'UPDATE t SET read_onlyx = 1'}}\n", id="sql-of-another-name"),
        pytest.param(HOLD + FENCE + WAIT + OPEN + FLIP, id="a-whole-switchover"),
        pytest.param(FENCE + WAIT + OPEN + undone_by(FLIP, "[{do: command, with: {run: [back]}}]"), id="a-flip-undone-by-a-command"),
        pytest.param(undone_by(HOLD, "[{do: command, with: {run: [let-go]}}]"), id="a-hold-undone-by-a-command"),
        pytest.param(undone_by(WAIT.replace("${fenced.position}", "0-1-1"), "none"), id="nothing-undone-of-what-closes-nothing"),
        pytest.param(
            "  - {do: sql, with: {server: east, statements: 'UPDATE t SET prepared = 1, executed = 1'}}\n", id="sql-of-prepared-things"
        ),
        pytest.param("  - {do: server.fence, timeout: 3s, with: {server: east, within: 2s}}\n", id="timeout-above-the-bound"),
    ],
)
def test_a_safe_playbook_is_read(steps: str) -> None:
    assert problems(steps) == []


@pytest.mark.parametrize(
    ("steps", "line", "what", "hint"),
    [
        pytest.param(OPEN, 10, "without a fence of the other server", "server.fence", id="no-fence"),
        pytest.param(FENCE + OPEN, 11, "without a catch-up", "${fenced.position}", id="no-catch-up"),
        pytest.param(
            WAIT.replace("${fenced.position}", "0-1-1") + FENCE + OPEN, 12, "without a catch-up", "", id="catch-up-before-the-fence"
        ),
        pytest.param(FENCE + WAIT.replace("${fenced.position}", "0-1-1") + OPEN, 12, "without a catch-up", "", id="another-position"),
        pytest.param(FENCE + WAIT.replace("${to}", "${from}") + OPEN, 12, "without a catch-up", "${to}", id="another-server"),
        pytest.param(FENCE.replace("${from}", "${to}") + WAIT + OPEN, 12, "without a fence", "", id="the-same-server-fenced"),
        pytest.param(conditional(FENCE) + WAIT + OPEN, 12, "without a fence", "unconditional", id="fence-depends"),
        pytest.param(FENCE + conditional(WAIT) + OPEN, 12, "without a catch-up", "", id="catch-up-depends"),
        pytest.param(
            conditional(FENCE, "not ${sure}") + conditional(WAIT) + conditional(OPEN), 12, "without a fence", "", id="other-condition"
        ),
        pytest.param(FENCE + WAIT + OPEN + REOPEN, 13, "server.open of ${from} without a fence", "", id="both-open"),
        pytest.param(FENCE + WAIT + REOPEN + OPEN, 13, "after the server that was fenced was opened again", "", id="reopened-in-between"),
        pytest.param(
            FENCE.replace("with:", "foreach: [a, b], with:") + OPEN, 10, "server.fence in a foreach", "one step", id="fence-in-foreach"
        ),
        pytest.param(
            FENCE + WAIT + OPEN.replace("with:", "foreach: [a, b], with:"), 12, "server.open in a foreach", "", id="open-in-foreach"
        ),
        pytest.param(
            FENCE.replace("with:", "on_failure: continue, with:"), 10, "continue on the effect server.fence", "check", id="continue"
        ),
        pytest.param(
            "  - parallel:\n    - " + FENCE.strip()[2:] + "\n    - " + OPEN.strip()[2:] + "\n",
            12,
            "without a fence",
            "parallel",
            id="same-parallel",
        ),
        pytest.param(
            "  - {do: command, with: {run: [x]}, undo: [{do: server.open, with: {server: east}}]}\n",
            10,
            "in an undo",
            "way back",
            id="undo-opens",
        ),
        pytest.param(
            "  - {do: server.fence, timeout: 2s, with: {server: e, within: 2s}}\n",
            10,
            "timeout of 2s is not greater",
            "first",
            id="timeout",
        ),
        pytest.param(
            "  - {do: server.fence, timeout: 5s, with: {server: e}}\n",
            10,
            "not greater than the server's own bound within of 5s",
            "",
            id="timeout-of-the-default",
        ),
        pytest.param(
            "  - {do: sql, with: {server: e, statements: 'set global READ_ONLY=0'}}\n", 10, "who can write", "server.open", id="read-only"
        ),
        pytest.param(
            "  - {do: sql, with: {server: e, statements: [x, 'SET GLOBAL super_read_only=0']}}\n", 10, "who can write", "", id="super"
        ),
        pytest.param("  - {do: sql, with: {server: e, statements: 'SET GLOBAL offline_mode=1'}}\n", 10, "who can write", "", id="offline"),
        pytest.param(
            "  - {do: sql, with: {server: e, statements: 'ALTER USER a ACCOUNT  LOCK'}}\n", 10, "who can write", "", id="account-lock"
        ),
        pytest.param(
            '  - {do: sql, with: {server: e, statements: "SET GLOBAL ${to} = 0"}}\n', 10, "who can write", "", id="hidden-in-a-template"
        ),
        pytest.param(
            "  - {check: sql, with: {server: e, query: 'SELECT 1; SET GLOBAL read_only=0'}}\n", 10, "who can write", "", id="check"
        ),
        *(
            pytest.param(f"  - {{do: sql, with: {{server: e, statements: {text}}}}}\n", 10, "who can write", "server.open", id=name)
            for name, text in {
                "executed-from-a-text": "\"EXECUTE IMMEDIATE CONCAT('SET GLOBAL read', '_only=0')\"",
                "executed-over-two-lines": '"execute\\n  immediate @hidden"',
                "prepared": '["SET @a = 1", "PREPARE hidden FROM @b", "EXECUTE hidden"]',
            }.items()
        ),
        pytest.param(
            "  - {do: sql, with: {server: e, statements: \"EXECUTE/**/IMMEDIATE CONCAT('SET GLOBAL read', '_only=0')\"}}\n",
            10,
            "who can write",
            "",
            id="executed-with-a-comment-between",
        ),
        pytest.param(
            "  - {check: sql, with: {server: e, query: 'EXECUTE IMMEDIATE @hidden'}}\n", 10, "who can write", "", id="executed-by-a-check"
        ),
        pytest.param(
            "  - {do: command, with: {run: [x]}, undo: [{do: sql, with: {server: e, statements: 'EXECUTE IMMEDIATE @hidden'}}]}\n",
            10,
            "who can write",
            "",
            id="executed-by-an-undo",
        ),
    ],
)
def test_a_playbook_that_could_open_too_early_is_rejected(steps: str, line: int, what: str, hint: str) -> None:
    found = [problem for problem in problems(steps) if what in problem.what]
    assert found, problems(steps)
    assert found[0].line == line
    assert hint in found[0].hint


OWN = "[{do: command, with: {run: [x]}}]"


@pytest.mark.parametrize(
    ("steps", "line", "what", "hint"),
    [
        pytest.param(undone_by(FENCE, "none") + WAIT + OPEN, 10, "undo on server.fence", "by the interlock alone", id="fence-none"),
        pytest.param(undone_by(FENCE, OWN) + WAIT + OPEN, 10, "undo on server.fence", "leave it out", id="fence-own"),
        pytest.param(FENCE + WAIT + undone_by(OPEN, "none"), 12, "undo on server.open", "by the interlock alone", id="open-none"),
        pytest.param(FENCE + WAIT + undone_by(OPEN, OWN), 12, "undo on server.open", "leave it out", id="open-own"),
        pytest.param(undone_by(HOLD, "none"), 10, "undo: none on route.hold", "give other steps", id="hold-none"),
        pytest.param(FENCE + WAIT + OPEN + undone_by(FLIP, "none"), 13, "undo: none on route.flip", "give other steps", id="flip-none"),
    ],
)
def test_a_playbook_that_could_not_put_back_where_writes_go_is_rejected(steps: str, line: int, what: str, hint: str) -> None:
    (problem,) = problems(steps)
    assert (problem.line, problem.what) == (line, what)
    assert hint in problem.hint


def test_what_a_broken_fence_would_have_allowed_is_no_further_problem() -> None:
    assert len(problems(FENCE.replace("server.fence", "server.fance") + WAIT + OPEN)) == 1
