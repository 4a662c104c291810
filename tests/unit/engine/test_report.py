"""A report is folded from the journal alone: what a run's end told, `show` tells again."""

from __future__ import annotations

from dataclasses import replace

from interlock.engine.report import report_of
from interlock.playbook.load import load_playbook
from unit.engine.stage import CATALOGUE, SHIPPED, Stage

QUIESCE = load_playbook(SHIPPED / "quiesce.yaml", CATALOGUE)


def test_a_quiesce_is_certified_also_when_it_is_shown_again_and_no_longer_once_it_was_taken_back() -> None:
    played = Stage()
    report = played.run(QUIESCE, {"onto": "west", "for": "4h", "reason": "its disk"})
    assert report.certificate.startswith("east is quiet since its fence")
    header = played.store.header(report.run)
    *records, end = played.store.records(report.run)
    assert report_of(header, [*records, end]).certificate == report.certificate
    assert report_of(header, [*records, replace(end, body={**end.body, "outcome": "rolled_back"})]).certificate == ""


def test_other_runs_certify_nothing() -> None:
    assert Stage().run().certificate == ""
