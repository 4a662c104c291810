"""Runs and records, from rows to facts and back. What is read is not believed: a file can be broken, or made by somebody else."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from interlock.errors import StoreFailed
from interlock.ports import Record, RunHeader

_BROKEN = "the journal is broken or was changed by hand: look at both servers, bring them into order by hand, and begin a new run"


def when(at: datetime) -> str:
    """UTC, always of the same length, so that texts sort as times do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def encoded(run: str, record: Record) -> str:
    """A record's body as ASCII JSON. StoreFailed if it is not plain JSON, before anything is written."""
    try:
        return json.dumps(record.body, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreFailed(
            f"record {record.seq} ({record.kind}) of run {run} is not plain JSON: {error}", hint="report this as a bug"
        ) from error


def check_order(run: str, last: int, records: Sequence[Record]) -> None:
    """New records go on where the journal ends."""
    for expected, record in enumerate(records, start=last + 1):
        if record.seq != expected:
            raise StoreFailed(
                f"record {record.seq} of run {run} does not follow record {expected - 1}",
                hint=f"another process may be writing this run: interlock show {run}",
            )


def decoded(run: str, rows: Sequence[tuple[int, bytes, bytes, bytes]]) -> tuple[Record, ...]:
    """The records of (seq, kind, at, body) rows in order. StoreFailed names the first one that is missing or can't be read."""
    return tuple(_record(run, expected, row) for expected, row in enumerate(rows, start=1))


def _record(run: str, expected: int, row: tuple[int, bytes, bytes, bytes]) -> Record:
    seq, kind, at, body = row
    if seq != expected:
        raise StoreFailed(f"record {expected} of run {run} is missing: record {seq} comes next", hint=_BROKEN)
    try:
        parsed = json.loads(body)
        record = Record(seq=seq, kind=kind.decode(), at=time_of(at.decode()), body=parsed)
    except (ValueError, RecursionError) as error:
        raise StoreFailed(f"record {seq} of run {run} can't be read: {error}", hint=_BROKEN) from error
    if not isinstance(parsed, Mapping):
        raise StoreFailed(f"record {seq} of run {run} can't be read: its body is not a JSON object", hint=_BROKEN)
    return record


def header_of(row: sqlite3.Row | tuple[str, str, str, str, str, str | None]) -> RunHeader:
    """From (name, playbook, topology, started_at, state, outcome)."""
    name, playbook, topology, started_at, state, outcome = row
    try:
        began = time_of(started_at)
    except ValueError as error:
        raise StoreFailed(f"run {name} can't be read: {error}", hint=_BROKEN) from error
    return RunHeader(run=name, playbook=playbook, topology=topology, started_at=began, state=state, outcome=outcome)


def time_of(text: str) -> datetime:
    """ValueError if it is no time, or tells no time zone."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return at
