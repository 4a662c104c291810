"""What a comparison found, kept beside the store as it goes: a line of JSON for each step, so that a kill loses the last line at the most.

A table is told by its chunks. Each says after which key it begins and up to which it goes (null: the table's beginning and end), and the
chain of them from the beginning is what is compared; so a comparison that goes on may cut the rest otherwise.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed, UsageError
from interlock.losses.codec import packed_image, unpacked_image
from interlock.model.codec import DAMAGED, from_plain, to_plain
from interlock.model.differences import ComparedTable, Comparison, DifferenceKind, NotCompared, RowDifference, ShapeDifference
from interlock.model.losses import Image
from interlock.model.position import parse_position

Table = tuple[str, str]
"""Schema and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A range of a table's keys that was compared: `after` its key and up to `upto`, None for the table's beginning and end."""

    after: Image | None
    upto: Image | None
    rows: int
    differences: tuple[RowDifference, ...] = ()
    not_compared: tuple[NotCompared, ...] = ()


@dataclass(slots=True)
class _Told:
    """What the lines say of one table."""

    table: ComparedTable
    chunks: dict[str, tuple[str, Chunk]] = field(default_factory=dict)

    def chain(self) -> Iterator[tuple[str, Chunk]]:
        at = "null"
        while at in self.chunks:
            at, chunk = self.chunks[at]
            yield at, chunk
            if chunk.upto is None:
                return

    def folded(self) -> ComparedTable:
        chunks = [chunk for _, chunk in self.chain()]
        return replace(
            self.table,
            rows=sum(chunk.rows for chunk in chunks),
            differences=tuple(one for chunk in chunks for one in chunk.differences),
            not_compared=(*self.table.not_compared, *(one for chunk in chunks for one in chunk.not_compared)),
            complete=bool(chunks) and chunks[-1].upto is None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A comparison as far as it went. `reached` is the last key of each unfinished table up to which all is compared."""

    comparison: Comparison
    options: Mapping[str, object]
    reached: Mapping[Table, Image]


class DiffLog:
    """The file of one comparison, open for more lines. StatementFailed if it can't be written. It holds customers' rows: only the owner may
    read it.
    """

    def __init__(self, file: TextIO, place: Path) -> None:
        self._file = file
        self._place = place

    @classmethod
    def begin(cls, folder: Path, comparison: Comparison, options: Mapping[str, object]) -> Self:
        place = place_of(folder, comparison.name)
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
        except FileExistsError as error:
            raise UsageError(f"there is a comparison {comparison.name} already", hint="give another name, or --resume it") from error
        except OSError as error:
            raise _unwritable(place, error) from error
        log = cls(file, place)
        header = {
            "name": comparison.name,
            "topology": comparison.topology,
            "writer": comparison.writer,
            "other": comparison.other,
            "position": comparison.position,
            "began_at": comparison.began_at.isoformat(),
        }
        log._write({"began": header, "options": to_plain(options)})
        return log

    @classmethod
    def go_on(cls, folder: Path, name: str) -> Self:
        """Without a last line that was cut off."""
        place = place_of(folder, name)
        try:
            whole = place.read_bytes()
            os.truncate(place, whole.rfind(b"\n") + 1)
            return cls(place.open("a"), place)
        except OSError as error:
            raise _unwritable(place, error) from error

    def shapes(self, shapes: Sequence[ShapeDifference], unseen: Sequence[NotCompared] = ()) -> None:
        """All of them, in place of those that were told before."""
        self._write({"shapes": to_plain(shapes), "unseen": to_plain(unseen)})

    def table(self, table: ComparedTable) -> None:
        """That it is to be compared, and how; or why it can't be."""
        plain = {
            "schema": table.schema,
            "name": table.name,
            "key": list(table.key),
            "columns": dict(table.columns),
            "generated": list(table.generated),
            "not_compared": [to_plain(one) for one in table.not_compared],
        }
        self._write({"table": plain})

    def chunk(self, table: Table, chunk: Chunk) -> None:
        plain = {
            "after": packed_image(chunk.after),
            "upto": packed_image(chunk.upto),
            "rows": chunk.rows,
            "differences": [packed_difference(one) for one in chunk.differences],
            "not_compared": [to_plain(one) for one in chunk.not_compared],
        }
        self._write({"chunk": plain, "of": list(table)})

    def ended(self, at: datetime, seconds: float) -> None:
        self._write({"ended": at.isoformat(), "seconds": seconds})
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _unwritable(self._place, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def _write(self, line: Mapping[str, object]) -> None:
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            raise _unwritable(self._place, error) from error


def place_of(folder: Path, name: str) -> Path:
    return folder / "diffs" / f"{name}.jsonl"


def kept_names(folder: Path) -> tuple[str, ...]:
    """Of every comparison that is kept, the newest last."""
    return tuple(sorted(place.stem for place in (folder / "diffs").glob("*.jsonl")))


def read_kept(folder: Path, name: str) -> Kept:
    """UsageError if there is no such comparison, StatementFailed if its file is damaged. A last line that was cut off is none."""
    place = place_of(folder, name)
    try:
        lines = place.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError as error:
        known = ", ".join(kept_names(folder)[-5:])
        raise UsageError(f"there is no comparison {name!r}", hint=f"the last ones: {known}" if known else "none is kept") from error
    except OSError as error:
        raise StatementFailed(f"{place} can't be read: {error}") from error
    try:
        kept = _folded([json.loads(line) for line in lines])
        _see_whole(kept.comparison, name)
    except DAMAGED as error:
        raise damaged(folder, name, error) from error
    return kept


def damaged(folder: Path, name: str, error: Exception) -> StatementFailed:
    why = f"it has no {error}" if isinstance(error, KeyError) else str(error)
    return StatementFailed(f"{place_of(folder, name)} is damaged: {why}", hint="was it changed by hand? compare again: `interlock diff`")


def packed_difference(one: RowDifference) -> dict[str, object]:
    return {
        "schema": one.schema,
        "table": one.table,
        "kind": one.kind.value,
        "cluster": one.cluster,
        "key": packed_image(one.key),
        "writer": packed_image(one.writer),
        "other": packed_image(one.other),
        "columns": list(one.columns),
        "position": one.position,
        "copies": one.copies,
    }


def unpacked_difference(plain: Mapping[str, Any]) -> RowDifference:
    """KeyError, TypeError or ValueError if `packed_difference` did not write it."""
    return RowDifference(
        schema=str(plain["schema"]),
        table=str(plain["table"]),
        kind=DifferenceKind(plain["kind"]),
        cluster=str(plain["cluster"]),
        key=unpacked_image(plain["key"]) or {},
        writer=unpacked_image(plain["writer"]),
        other=unpacked_image(plain["other"]),
        columns=tuple(plain["columns"]),
        position=str(plain["position"]),
        copies=int(plain["copies"]),
    )


def _see_whole(comparison: Comparison, name: str) -> None:
    """ValueError if what it tells does not fit together: it would be rows of another table, or of another key, that are mended."""
    if comparison.name != name:
        raise ValueError(f"it is that of {comparison.name}")
    sides, positions = {comparison.writer, comparison.other}, set[str]()
    for table in comparison.tables:
        for one in table.differences:
            what = f"a difference of {one.schema}.{one.table} among those of {table.schema}.{table.name}"
            if (one.schema, one.table) != (table.schema, table.name):
                raise ValueError(what)
            images = [image for image in (one.writer, one.other) if image is not None]
            if not images or one.cluster not in sides or one.copies < 1:
                raise ValueError(f"{what} is of no row")
            if {name: repr(images[0].get(name)) for name in table.key} != {name: repr(cell) for name, cell in one.key.items()}:
                raise ValueError(f"{what} has another key than its row")
            positions.add(one.position)
    for position in positions:
        parse_position(position)


def _folded(lines: Sequence[Mapping[str, Any]]) -> Kept:
    head = lines[0]["began"]
    comparison = Comparison(**{**head, "began_at": datetime.fromisoformat(head["began_at"])})
    told: dict[Table, _Told] = {}
    seconds = 0.0
    for line in lines[1:]:
        match line:
            case {"shapes": shapes, "unseen": unseen}:
                told_shapes = tuple(from_plain(one, ShapeDifference) for one in shapes)
                comparison = replace(comparison, shapes=told_shapes, unseen=tuple(from_plain(one, NotCompared) for one in unseen))
            case {"table": plain}:
                table = _table(plain)
                told.setdefault((table.schema, table.name), _Told(table))
            case {"chunk": plain, "of": [str(schema), str(name)]}:
                told[schema, name].chunks[json.dumps(plain["after"])] = json.dumps(plain["upto"]), _chunk(plain)
            case {"ended": str(at), "seconds": took}:
                seconds += float(took)
                comparison = replace(comparison, ended_at=datetime.fromisoformat(at), seconds=seconds)
            case _:
                raise ValueError(f"not a line of a comparison: {str(line)[:80]}")
    tables = tuple(one.folded() for one in told.values())
    reached = {}
    for place, one in told.items():
        last = [chunk.upto for _, chunk in one.chain()][-1:]
        if last and last[0] is not None:
            reached[place] = last[0]
    return Kept(comparison=replace(comparison, tables=tables), options=lines[0]["options"], reached=reached)


def _table(plain: Mapping[str, Any]) -> ComparedTable:
    return ComparedTable(
        schema=str(plain["schema"]),
        name=str(plain["name"]),
        key=tuple(plain["key"]),
        columns=dict(plain["columns"]),
        generated=tuple(plain["generated"]),
        not_compared=tuple(from_plain(one, NotCompared) for one in plain["not_compared"]),
    )


def _chunk(plain: Mapping[str, Any]) -> Chunk:
    return Chunk(
        after=unpacked_image(plain["after"]),
        upto=unpacked_image(plain["upto"]),
        rows=int(plain["rows"]),
        differences=tuple(unpacked_difference(one) for one in plain["differences"]),
        not_compared=tuple(from_plain(one, NotCompared) for one in plain["not_compared"]),
    )


def _unwritable(place: Path, error: OSError) -> StatementFailed:
    return StatementFailed(f"{place} can't be written: {error}", hint="is there room, and may you write there?")
