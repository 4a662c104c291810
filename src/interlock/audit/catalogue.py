"""Every rule there is, by question: Interlock's own, a team's in Python (entry points `interlock.audit_rules`) and in SQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from interlock.audit.facts import PairSeen
from interlock.audit.rule import Chapter, Rule
from interlock.audit.rules import (
    access,
    conflicts,
    ddl,
    evidence,
    identity,
    integrity,
    keys,
    managers,
    ownership,
    peaks,
    plan,
    settings,
    shared,
    time,
)
from interlock.audit.sql_checks import rules_of
from interlock.documents.problems import did_you_mean, shown
from interlock.errors import UsageError
from interlock.extras import added
from interlock.model.audit import BESIDE, SqlCheck


def _tells_beside(pair: PairSeen) -> Iterator[str]:
    for one in pair.servers:
        yield f"{one.name}: {one.facts.flavor} {one.facts.version}, server id {one.facts.server_id}, {len(one.tables)} tables"


OWN: tuple[Chapter, ...] = (
    ownership.SEGREGATION,
    peaks.CHAPTER,
    ownership.MOVING,
    integrity.CHAPTER,
    shared.SHARED,
    keys.CHAPTER,
    conflicts.CHAPTER,
    ddl.CHANGES,
    ddl.UPGRADES,
    time.CHAPTER,
    managers.CHAPTER,
    plan.PLAN,
    plan.QUIESCE,
    evidence.VALIDATION,
    evidence.TESTING,
    evidence.TEST_BED,
    Chapter(
        question=BESIDE, title="Beside them", tells=_tells_beside, rules=(*identity.RULES, *access.RULES, *settings.of_question(BESIDE))
    ),
)


def chapters(checks: tuple[SqlCheck, ...] = ()) -> tuple[Chapter, ...]:
    """The questions in their order, with the team's rules among their own. UsageError: two rules have one id."""
    more = [*_added(), *rules_of(checks)]
    found = tuple(replace(one, rules=(*one.rules, *(rule for rule in more if rule.question == one.question))) for one in OWN)
    ids = [rule.id for chapter in found for rule in chapter.rules]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise UsageError(f"there are two audit rules called {twice[0]!r}", hint="give one of them another id")
    return found


def check_accepted(asked: Sequence[Chapter], accepted: Collection[str]) -> None:
    """UsageError: a rule that there is not is accepted, and what was meant would go on being found."""
    known = [rule.id for chapter in asked for rule in chapter.rules]
    for one in accepted:
        if one not in known:
            raise UsageError(f"`accepted` names no audit rule: {shown(one)}", hint=did_you_mean(one, known))


def _added() -> Iterator[Rule]:
    for point in added("interlock.audit_rules"):
        made = point.load()
        yield from (made,) if isinstance(made, Rule) else made
