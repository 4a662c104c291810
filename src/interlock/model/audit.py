"""What an audit says of a pair: rules, what each found, and the answer to each question of the checklist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime
from enum import StrEnum

from interlock.dataclass import dataclass

BESIDE = 0
"""The number of the questions' last chapter: what a pair needs beside them."""


class AuditVerdict(StrEnum):
    """Stored words, never renamed."""

    FITS = "fits"
    NEEDS_ATTENTION = "needs_attention"
    UNFIT = "unfit"
    PERSON = "a_person_must_say"


GRAVITY = (AuditVerdict.FITS, AuditVerdict.PERSON, AuditVerdict.NEEDS_ATTENTION, AuditVerdict.UNFIT)
"""From the lightest to the gravest: a question's answer is its gravest finding's."""


class FixKind(StrEnum):
    """How a fix is applied: statements on a server, lines of its option file (and a restart), of the topology file, or a command."""

    SQL = "sql"
    OPTION_FILE = "option_file"
    TOPOLOGY = "topology"
    COMMAND = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """`text` is exact: it can be pasted where it belongs. `on` is the server that takes it, empty where none does."""

    kind: FixKind
    text: str
    on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`seen` holds what each server showed, by its name. `object` is the table, account, setting… that it is about. `question` is BESIDE or
    1 to 16; `source` says where it can be read that it matters.
    """

    rule: str
    question: int
    verdict: AuditVerdict
    says: str
    why: str
    source: str
    server: str = ""
    object: str = ""
    seen: Mapping[str, str] = field(default_factory=dict)
    fix: Fix | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """The same in the next audit, however its values moved."""
        return (self.rule, self.server, self.object)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A person's answer from the topology file. `rests_on` is the fingerprint that the audit printed when it asked, if it stands there."""

    answer: str
    by: str
    on: date
    rests_on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Findings of a rule that a team lives with until a day; of these objects (or servers) only, or of all if it names none."""

    reason: str
    until: date
    objects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlCheck:
    """A team's own rule: a query whose every row is a finding, by its columns `object`, `says`, `fix` where it has them. `on`: masters,
    each (replicas too), writer, standby, or a server's name.
    """

    id: str
    question: int
    title: str
    sql: str
    why: str
    fix: str = ""
    on: str = "masters"
    verdict: AuditVerdict = AuditVerdict.NEEDS_ATTENTION
    source: str = "the topology file"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditNotes:
    """What the topology file says to the audit: answers by question, accepted rules by id, checks of its own, and the absolute paths of
    files with more of them. Those are read by the audit alone: a mistake in one keeps nobody from a failover.
    """

    answers: Mapping[int, Given] = field(default_factory=dict)
    accepted: Mapping[str, Accepted] = field(default_factory=dict)
    checks: tuple[SqlCheck, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedFinding:
    finding: Finding
    reason: str
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One question: the answer that its findings make, in `seen` what it was answered from, `given` what a person said. `rests_on` is the
    fingerprint of what a person is asked about, empty if nobody is.
    """

    question: int
    title: str
    verdict: AuditVerdict
    seen: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    accepted: tuple[AcceptedFinding, ...] = ()
    given: Given | None = None
    rests_on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """One audit. `new` and `gone` are against the last one that was kept, `since`; None if there was none."""

    topology: str
    at: datetime
    writer: str | None
    took_s: float
    questions: tuple[Answered, ...]
    new: tuple[Finding, ...] = ()
    gone: tuple[Finding, ...] = ()
    since: datetime | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for question in self.questions for finding in question.findings)

    @property
    def accepted(self) -> tuple[AcceptedFinding, ...]:
        return tuple(finding for question in self.questions for finding in question.accepted)

    def count(self, verdict: AuditVerdict) -> int:
        return sum(1 for finding in self.findings if finding.verdict is verdict)
