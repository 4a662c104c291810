"""Audits that were kept, in the folder beside the store: the next one says what is new and what is gone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from interlock.errors import StatementFailed
from interlock.model.audit import AuditReport, Finding
from interlock.model.codec import DAMAGED, from_plain, to_plain

KEPT_AT_MOST = 100


def against_last(report: AuditReport, folder: Path) -> AuditReport:
    """With what is new and gone since the last audit of this pair that was kept."""
    last = last_of(folder, report.topology)
    if last is None:
        return report
    new, gone = changes(last, report)
    return replace(report, new=new, gone=gone, since=last.at)


def changes(before: AuditReport, after: AuditReport) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """What the later one finds and the earlier did not (or lighter), and the other way round."""
    old, now = ({(one.key, one.verdict): one for one in report.findings} for report in (before, after))
    return tuple(now[key] for key in now if key not in old), tuple(old[key] for key in old if key not in now)


def last_of(folder: Path, topology: str) -> AuditReport | None:
    """None if there is none. StatementFailed if it can't be read."""
    names = kept_in(_place(folder, topology))
    if not names:
        return None
    try:
        return from_plain(json.loads(names[-1].read_text()), AuditReport)
    except (OSError, *DAMAGED) as error:
        raise StatementFailed(f"{names[-1]} can't be read: {error}", hint="remove it: the next audit is kept anew") from error


def keep(report: AuditReport, folder: Path) -> None:
    """StatementFailed if it can't be written."""
    keep_in(_place(folder, report.topology), report.at, report)


def keep_in(folder: Path, at: datetime, value: object) -> None:
    """As a file of that moment's name, whole or not at all. The oldest ones go once there are KEPT_AT_MOST. StatementFailed."""
    place = folder / f"{at:%Y%m%d-%H%M%S-%f}.json"
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = place.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(json.dumps(to_plain(value)))
        new.replace(place)
        for old in kept_in(folder)[:-KEPT_AT_MOST]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise StatementFailed(f"{place} can't be written: {error}", hint="is there room, and may you write there?") from error


def _place(folder: Path, topology: str) -> Path:
    return folder / "audits" / topology


def kept_in(folder: Path) -> list[Path]:
    """The oldest first."""
    return sorted(folder.glob("*.json"))
