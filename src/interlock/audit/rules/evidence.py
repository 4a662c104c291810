"""Questions 14, 15, 16: were the data compared, was a switchover rehearsed, and is there a test bed?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from interlock.audit.facts import REHEARSED_WITHIN, PairSeen, Rehearsal, RehearsalKind
from interlock.audit.rule import Chapter, Fault, Rule, command
from interlock.audit.rules.settings import of_question
from interlock.model.audit import AuditVerdict

_UNFIT, _ATTENTION, _PERSON = AuditVerdict.UNFIT, AuditVerdict.NEEDS_ATTENTION, AuditVerdict.PERSON
_CALLED = {"switchover": "a switchover", "move-segment": "the move of a segment"}
_REHEARSE = {"switchover": "interlock switchover --to {to}", "move-segment": "interlock segment move {segment} --to CLUSTER"}
COMPARED_WITHIN = timedelta(days=30)


def _compared(pair: PairSeen) -> Iterator[Fault]:
    last = next(iter(pair.comparisons), None)
    if last is None:
        yield Fault(
            says="when were the two sides' data last compared, by what, with what result? (`interlock diff` keeps one that answers this)",
            object="comparison",
        )
    elif not last.good:
        yield Fault(
            says=f"the last comparison, {last.name} of {last.at:%Y-%m-%d}, did not find the sides equal: {last.says}",
            object=last.name,
            seen={"result": last.says},
            fix=command(f"interlock repair {last.name} --apply\ninterlock diff"),
            verdict=_UNFIT,
        )
    elif pair.at - last.at > COMPARED_WITHIN:
        yield Fault(
            says=f"the sides were last compared on {last.at:%Y-%m-%d}, more than {COMPARED_WITHIN.days} days ago",
            object="comparison",
            seen={"last": f"{last.at:%Y-%m-%d}"},
            fix=command("interlock diff"),
            verdict=_ATTENTION,
        )


def _rehearsed(pair: PairSeen) -> Iterator[Fault]:
    """By the runs that move writes: of a pair with segments, those that move one."""
    move = "move-segment" if pair.topology.segments else "switchover"
    moves = [run for run in pair.runs if run.outcome is not None and run.playbook in {move, "quiesce"}]
    last = next((run for run in moves if run.outcome != "refused"), None)
    drill = pair.last_rehearsal(RehearsalKind.SWITCHOVERS)
    if drill is not None and (last is None or drill.at > last.started_at):
        yield from _drilled(pair, drill)
    elif last is None:
        yield Fault(
            says=f"was {_CALLED[move]} rehearsed with the application, when, and with what outage? (a run of the pair answers this)",
            object="rehearsal",
        )
    elif last.outcome != "succeeded":
        yield Fault(
            says=f"the last {last.playbook}, {last.run} of {last.started_at:%Y-%m-%d}, ended as {last.outcome}",
            object=last.run,
            seen={"outcome": str(last.outcome)},
            fix=command(f"interlock show {last.run}   # mend what it says, then rehearse again"),
            verdict=_ATTENTION,
        )
    elif pair.at - last.started_at > REHEARSED_WITHIN:
        yield Fault(
            says=f"the last rehearsal, {last.run}, was on {last.started_at:%Y-%m-%d}, more than {REHEARSED_WITHIN.days} days ago",
            object="rehearsal",
            seen={"last": f"{last.started_at:%Y-%m-%d}"},
            fix=command(_REHEARSE[move].format(to=pair.standby.spec.cluster, segment=next(iter(pair.topology.segments), ""))),
            verdict=_ATTENTION,
        )


def _drilled(pair: PairSeen, drill: Rehearsal) -> Iterator[Fault]:
    """On a sandbox like the pair, later than any run of the pair itself."""
    if not drill.good or pair.at - drill.at > REHEARSED_WITHIN:
        late = f", more than {REHEARSED_WITHIN.days} days ago" if drill.good else ""
        yield Fault(
            says=f"the last drill on a sandbox like it was on {drill.at:%Y-%m-%d}{late}: {drill.says}",
            object="drill",
            seen={"result": drill.says},
            fix=command("interlock drill"),
            verdict=_ATTENTION,
        )


def _test_bed(pair: PairSeen) -> Iterator[Fault]:
    """A sandbox that was made like the pair, of its releases, answers it. Else it rests on what the test bed must be like."""
    made = pair.last_rehearsal(RehearsalKind.TEST_BED)
    if made is not None and made.good and pair.at - made.at <= REHEARSED_WITHIN:
        return
    yield Fault(
        says="is there a test bed like this pair, with the same releases, settings and schema, and where?",
        object="test bed",
        seen={str(one.name): f"{one.facts.flavor} {one.facts.version}" for one in pair.servers},
    )


def _tells_comparison(pair: PairSeen) -> Iterator[str]:
    for one in pair.comparisons[:3]:
        yield f"{one.name} of {one.at:%Y-%m-%d %H:%M} UTC: {one.says}"


def _tells_rehearsals(pair: PairSeen) -> Iterator[str]:
    for one in (pair.last_rehearsal(RehearsalKind.SWITCHOVERS), pair.last_rehearsal(RehearsalKind.CONFLICTS)):
        if one is not None:
            yield f"drill of {one.at:%Y-%m-%d %H:%M} UTC: {one.says}"
    for run in pair.runs[:5]:
        yield f"{run.run} ({run.playbook}) of {run.started_at:%Y-%m-%d %H:%M} UTC: {run.outcome or 'unfinished'}"


def _tells_test_bed(pair: PairSeen) -> Iterator[str]:
    for one in pair.servers:
        yield f"{one.name}: {one.facts.flavor} {one.facts.version}"
    made = pair.last_rehearsal(RehearsalKind.TEST_BED)
    if made is not None:
        yield f"{made.at:%Y-%m-%d %H:%M} UTC: {made.says}"


VALIDATION = Chapter(
    question=14,
    title="Validation and consistency",
    tells=_tells_comparison,
    rules=(
        Rule(
            id="validation.compared",
            question=14,
            title="The two sides' data were compared lately",
            verdict=_PERSON,
            why="replication that runs does not mean that the data are equal",
            source='MySQL manual, "Replication and Data Consistency"',
            look=_compared,
        ),
        *of_question(14),
    ),
)


TESTING = Chapter(
    question=15,
    title="Application testing before the start",
    tells=_tells_rehearsals,
    rules=(
        Rule(
            id="testing.rehearsed",
            question=15,
            title="A switchover was rehearsed lately",
            verdict=_PERSON,
            why="a switchover that was never tried with the application fails at the worst time",
            source="docs/switchover.md",
            look=_rehearsed,
        ),
    ),
)


TEST_BED = Chapter(
    question=16,
    title="A test bed like production",
    tells=_tells_test_bed,
    rules=(
        Rule(
            id="testbed.there",
            question=16,
            title="There is a test bed",
            verdict=_PERSON,
            why="what was tried on something else was not tried",
            source="docs/audit.md",
            look=_test_bed,
        ),
    ),
)
