"""Drills on a sandbox like a pair, kept beside the pair's store, so that its audit can show them."""

from __future__ import annotations

import json
from pathlib import Path

from interlock.audit.facts import Rehearsal
from interlock.audit.history import keep_in, kept_in
from interlock.errors import StatementFailed
from interlock.model.codec import DAMAGED, from_plain


def keep_rehearsal(one: Rehearsal, folder: Path, topology: str) -> None:
    """StatementFailed if it can't be written."""
    keep_in(_place(folder, topology), one.at, one)


def kept_rehearsals(folder: Path, topology: str) -> tuple[Rehearsal, ...]:
    """The newest first. StatementFailed if one can't be read."""
    return tuple(_read(file) for file in reversed(kept_in(_place(folder, topology))))


def _read(file: Path) -> Rehearsal:
    try:
        return from_plain(json.loads(file.read_text()), Rehearsal)
    except (OSError, *DAMAGED) as error:
        raise StatementFailed(f"{file} can't be read: {error}", hint="remove it: the next drill is kept anew") from error


def _place(folder: Path, topology: str) -> Path:
    return folder / "drills" / topology
