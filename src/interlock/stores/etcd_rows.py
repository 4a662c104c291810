"""Headers and records as etcd keeps them: JSON texts, each with the token of its write. What is read is not believed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from interlock.errors import StoreFailed
from interlock.ports import Record, RunHeader
from interlock.stores import journal
from interlock.stores.etcd_words import Found

_CHANGED = "it was changed by hand, or by another program: look at both servers, and bring them into order by hand"
_UNREADABLE = (ValueError, TypeError, KeyError, RecursionError)


def header_text(header: RunHeader, token: str) -> str:
    return json.dumps(
        {
            "run": header.run,
            "playbook": header.playbook,
            "topology": header.topology,
            "started_at": journal.when(header.started_at),
            "state": header.state,
            "outcome": header.outcome,
            "token": token,
        }
    )


def header_of(name: str, text: str) -> tuple[RunHeader, str]:
    """The header and its token. StoreFailed, naming the run or its key, if it makes no sense."""
    try:
        said = json.loads(text)
        row = tuple(str(said[field]) for field in ("run", "playbook", "topology", "started_at", "state"))
        outcome = said["outcome"]
        token = str(said["token"])
    except _UNREADABLE as error:
        raise StoreFailed(f"the header of run {name} in etcd can't be read: {error}", hint=_CHANGED) from error
    return journal.header_of((row[0], row[1], row[2], row[3], row[4], None if outcome is None else str(outcome))), token


def records_text(run: str, records: Sequence[Record], token: str) -> str:
    """One append. StoreFailed if a body is not plain JSON."""
    rows = [
        f'{{"seq":{record.seq},"kind":{json.dumps(record.kind)},"at":"{journal.when(record.at)}","body":{journal.encoded(run, record)}}}'
        for record in records
    ]
    return f'{{"token":"{token}","records":[{",".join(rows)}]}}'


def records_of(run: str, appends: Sequence[Found]) -> tuple[Record, ...]:
    """In order. StoreFailed names the first one that is missing or can't be read."""
    rows: list[tuple[int, bytes, bytes, bytes]] = []
    for append in appends:
        said = _append(run, append)
        try:
            rows += [(int(row["seq"]), _bytes(row["kind"]), _bytes(row["at"]), _bytes(json.dumps(row["body"]))) for row in said["records"]]
        except _UNREADABLE as error:
            raise StoreFailed(f"the append {append.key} of run {run} can't be read: {error}", hint=_CHANGED) from error
    return journal.decoded(run, rows)


def records_token(run: str, append: Found) -> str:
    return str(_append(run, append).get("token", ""))


def _append(run: str, append: Found) -> Mapping[str, Any]:
    try:
        said = json.loads(append.value)
    except (ValueError, RecursionError) as error:
        raise StoreFailed(f"the append {append.key} of run {run} can't be read: {error}", hint=_CHANGED) from error
    if not isinstance(said, Mapping):
        raise StoreFailed(f"the append {append.key} of run {run} can't be read: it is not a JSON object", hint=_CHANGED)
    return said


def _bytes(text: object) -> bytes:
    """What is no text, or no letters, is then found in its record."""
    return str(text).encode("utf-8", "surrogatepass")
