"""What is kept of an emergency beside the store: copied logs, and the transactions that were read. It survives the old writer's data."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.losses.codec import all_unpacked, packed
from interlock.model.codec import DAMAGED, from_plain, to_plain
from interlock.model.losses import ReadTransaction

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedFile:
    """`grew`: its server wrote to it while it was copied."""

    name: str
    size: int
    sha256: str
    grew: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Which files of a run were copied, from where, in the log's order. `at` is when, `origin` the folder they came from."""

    run: str
    server: str
    flavor: str
    origin: str
    at: str
    files: tuple[CopiedFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The transactions of a run that were read once; `complete`: with the proof that there were no others. `given_up`: their server has
    thrown them away, and may give their names to others.
    """

    transactions: tuple[ReadTransaction, ...]
    source: str
    proof: str
    complete: bool
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Keep:
    """The folder beside the store."""

    folder: Path

    def salvage_of(self, run: str) -> Path:
        return self.folder / "salvage" / run

    def manifest(self, run: str) -> Manifest | None:
        """None if nothing was copied. StatementFailed if what was copied is damaged."""
        place = self.salvage_of(run)
        try:
            told = from_plain(json.loads((place / MANIFEST).read_text()), Manifest)
        except FileNotFoundError:
            return None
        except (OSError, *DAMAGED) as error:
            hint = f"was it changed by hand? with {place} moved away, only the old writer itself tells what it had"
            raise StatementFailed(f"{place / MANIFEST} can't be read: {error}", hint=hint) from error
        for one in told.files:
            if sha256_of(place / one.name) != one.sha256:
                raise StatementFailed(f"{place / one.name} is not as it was copied: its SHA-256 is another", hint="was it changed by hand?")
        return told

    def write_manifest(self, manifest: Manifest) -> None:
        _write(self.salvage_of(manifest.run) / MANIFEST, to_plain(manifest))

    def kept(self, run: str) -> Kept | None:
        place = self._report(run)
        try:
            plain: Any = json.loads(place.read_text())
            read = all_unpacked(plain["transactions"])
            return Kept(
                transactions=read,
                source=plain["source"],
                proof=plain["proof"],
                complete=bool(plain["complete"]),
                given_up=bool(plain.get("given_up")),
            )
        except FileNotFoundError:
            return None
        except (OSError, *DAMAGED) as error:
            hint = (
                f"was it changed by hand? moved away, it is written anew as long as the old writer's log is there: `interlock losses {run}`"
            )
            raise StatementFailed(f"{place} can't be read: {error}", hint=hint) from error

    def keep(self, run: str, kept: Kept) -> None:
        transactions: Sequence[object] = [packed(one) for one in kept.transactions]
        plain = {
            "source": kept.source,
            "proof": kept.proof,
            "complete": kept.complete,
            "given_up": kept.given_up,
            "transactions": transactions,
        }
        _write(self._report(run), plain)

    def give_up(self, run: str) -> None:
        """What was kept is all there is from now on."""
        kept = self.kept(run)
        if kept is not None and not kept.given_up:
            self.keep(run, replace(kept, given_up=True))

    def _report(self, run: str) -> Path:
        return self.folder / "losses" / f"{run}.json"


def sha256_of(path: Path) -> str:
    """StatementFailed if it can't be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StatementFailed(f"{path} can't be read: {error}") from error


def _write(path: Path, plain: object) -> None:
    """Whole or not at all, and on the disk. It holds customers' rows: nobody else may read it. StatementFailed if it can't be written."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(plain, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise StatementFailed(f"{path} can't be written: {error}", hint="is there room, and may you write there?") from error
