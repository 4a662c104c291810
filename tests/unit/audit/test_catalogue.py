"""Rules of a team's own, in Python and in SQL, stand beside Interlock's."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.audit.catalogue import chapters, check_accepted
from interlock.audit.judge import judge
from interlock.errors import UsageError
from interlock.model.audit import AuditVerdict, SqlCheck
from unit.audit.small_pair import pair

MODULE = """\
from interlock.audit.rule import Fault, Rule
from interlock.model.audit import AuditVerdict

def look(pair):
    return [Fault(says=f"{server.name} is small", server=server.name, object="size") for server in pair.servers]

SMALL = Rule(id="team.small", question=16, title="Large enough", verdict=AuditVerdict.UNFIT, why="it is so", source="here", look=look)
TWICE = [SMALL, SMALL]
"""


def install(folder: Path, entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package as pip would leave it."""
    module = f"rules_of_{folder.name}"
    (folder / f"{module}.py").write_text(MODULE)
    info = folder / f"{module}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[interlock.audit_rules]\n{entry.format(module=module)}\n")
    monkeypatch.syspath_prepend(str(folder))


def test_a_package_can_bring_rules_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "small = {module}:SMALL", monkeypatch)
    found = [one for one in judge(pair(), chapters()).findings if one.rule == "team.small"]
    assert [(one.server, one.question, one.verdict) for one in found] == [
        ("east", 16, AuditVerdict.UNFIT),
        ("west", 16, AuditVerdict.UNFIT),
    ]


def test_no_two_rules_have_one_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "twice = {module}:TWICE", monkeypatch)
    with pytest.raises(UsageError, match=r"two audit rules called 'team\.small'"):
        chapters()


def test_a_check_can_not_take_the_place_of_an_own_rule() -> None:
    with pytest.raises(UsageError, match=r"two audit rules called 'keys\.apart'"):
        chapters((SqlCheck(id="keys.apart", question=6, title="t", sql="SELECT 1", why="w"),))


def test_a_rule_that_there_is_not_can_not_be_accepted() -> None:
    check_accepted(chapters(), ["keys.apart"])
    with pytest.raises(UsageError, match=r"no audit rule: 'keys\.apar'") as raised:
        check_accepted(chapters(), ["keys.apar"])
    assert "keys.apart" in raised.value.hint
