"""From facts to a report: every rule is asked, people's answers and what was accepted are taken into account."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from interlock.audit.facts import PairSeen
from interlock.audit.rule import Chapter, Fault, Rule
from interlock.model.audit import (
    GRAVITY,
    Accepted,
    AcceptedFinding,
    Answered,
    AuditReport,
    AuditVerdict,
    Finding,
    Fix,
    FixKind,
    Given,
)

ANSWER_STANDS = timedelta(days=366)
_SAID = 12


def judge(pair: PairSeen, chapters: Sequence[Chapter], *, took_s: float = 0.0) -> AuditReport:
    return AuditReport(
        topology=pair.topology.name,
        at=pair.at,
        writer=str(pair.writer.name) if pair.has_one_writer else None,
        took_s=took_s,
        questions=tuple(_answered(pair, chapter) for chapter in chapters),
    )


def fingerprint(findings: Sequence[Finding]) -> str:
    """Of what a person is shown when asked: their answer rests on it."""
    said = json.dumps([[one.rule, one.object, one.says, sorted(one.seen.items())] for one in findings])
    return hashlib.sha256(said.encode()).hexdigest()[:_SAID]


def _answered(pair: PairSeen, chapter: Chapter) -> Answered:
    notes, today = pair.topology.audit, pair.at.date()
    found = [_finding(rule, fault) for rule in chapter.rules for fault in rule.look(pair)]
    left, accepted = _without_accepted(found, notes.accepted, today)
    asked = [one for one in left if one.verdict is AuditVerdict.PERSON]
    rests_on, given = fingerprint(asked) if asked else "", notes.answers.get(chapter.question)
    if asked and given is not None and _stands(given, rests_on, today):
        left = [one for one in left if one.verdict is not AuditVerdict.PERSON]
    elif asked:
        left = [_to_be_answered(one, chapter.question, rests_on, given, today) for one in left]
    left += [
        _expired(name, its, chapter.question)
        for name, its in notes.accepted.items()
        if its.until < today and name in {rule.id for rule in chapter.rules}
    ]
    return Answered(
        question=chapter.question,
        title=chapter.title,
        verdict=max((one.verdict for one in left), key=GRAVITY.index, default=AuditVerdict.FITS),
        seen=tuple(chapter.tells(pair)),
        findings=tuple(sorted(left, key=lambda one: -GRAVITY.index(one.verdict))),
        accepted=tuple(accepted),
        given=given,
        rests_on=rests_on,
    )


def _finding(rule: Rule, fault: Fault) -> Finding:
    return Finding(
        rule=rule.id,
        question=rule.question,
        verdict=fault.verdict or rule.verdict,
        says=fault.says,
        why=rule.why,
        source=rule.source,
        server=str(fault.server),
        object=fault.object,
        seen={str(name): value for name, value in fault.seen.items()},
        fix=fault.fix,
    )


def _without_accepted(
    found: Sequence[Finding], accepted: Mapping[str, Accepted], today: date
) -> tuple[list[Finding], list[AcceptedFinding]]:
    left, aside = [], []
    for one in found:
        its = accepted.get(one.rule)
        if its is None or its.until < today or (its.objects and not {one.object, one.server} & set(its.objects)):
            left.append(one)
        else:
            aside.append(AcceptedFinding(finding=one, reason=its.reason, until=its.until))
    return left, aside


def _expired(rule_id: str, its: Accepted, question: int) -> Finding:
    return Finding(
        rule=rule_id,
        question=question,
        verdict=AuditVerdict.NEEDS_ATTENTION,
        says=f"{rule_id} was accepted until {its.until}: {its.reason}",
        why="what was accepted for a time is to be decided again",
        source="the topology file, `accepted`",
        object="accepted",
        fix=Fix(kind=FixKind.TOPOLOGY, text=f"accepted:\n  {rule_id}: {{reason: …, until: …}}   # a new date, or take it out"),
    )


def _stands(given: Given, rests_on: str, today: date) -> bool:
    return given.rests_on in {"", rests_on} and today - given.on <= ANSWER_STANDS


def _to_be_answered(one: Finding, question: int, rests_on: str, given: Given | None, today: date) -> Finding:
    """With the lines for the topology file; and why an answer that is there does not stand any more."""
    if one.verdict is not AuditVerdict.PERSON:
        return one
    why = ""
    if given is not None:
        changed = (
            "what it rested on has changed" if given.rests_on not in {"", rests_on} else f"it is more than {ANSWER_STANDS.days} days old"
        )
        why = f" (answered by {given.by} on {given.on}: {given.answer}; {changed})"
    text = f"answers:\n  '{question}': {{answer: '…', by: '…', on: {today}, rests_on: '{rests_on}'}}"
    return replace(one, says=f"{one.says}{why}", fix=Fix(kind=FixKind.TOPOLOGY, text=text))


def only(chapters: Sequence[Chapter], *, question: int | None, rule_id: str | None) -> Iterator[Chapter]:
    """The chapters that are asked for, with only the rules that are asked for."""
    for chapter in chapters:
        rules = tuple(rule for rule in chapter.rules if rule_id is None or rule.id == rule_id)
        if (question is None or chapter.question == question) and rules:
            yield replace(chapter, rules=rules)
