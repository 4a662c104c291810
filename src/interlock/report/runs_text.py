"""The list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from interlock.dataclass import dataclass
from interlock.engine.states import State
from interlock.ports import RunHeader
from interlock.report.durations import moment
from interlock.report.tables import Column, table


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """`resumable`: `resume` and `rollback` take it up: it has no outcome yet, or it halted."""

    run: str
    playbook: str
    topology: str
    state: str
    outcome: str | None
    started_at: datetime
    resumable: bool


def rows_of(headers: Sequence[RunHeader]) -> tuple[RunRow, ...]:
    return tuple(
        RunRow(
            run=header.run,
            playbook=header.playbook,
            topology=header.topology,
            state=header.state,
            outcome=header.outcome,
            started_at=header.started_at,
            resumable=header.outcome in {None, State.HALTED.value},
        )
        for header in headers
    )


def runs_text(rows: Sequence[RunRow], width: int, file: Path | None = None) -> str:
    """`file` is the store's, if it is one: without any runs it may be the wrong one."""
    if not rows:
        return f"no runs yet in {file}" if file is not None else "no runs yet"
    columns = [Column(title=title) for title in ("run", "playbook", "pair", "began", "outcome")]
    cells = [[row.run, row.playbook, row.topology, moment(row.started_at), row.outcome or f"unfinished ({row.state})"] for row in rows]
    lines = [table(columns, cells, width)]
    lines += [f"\n{row.run}: interlock resume {row.run} | interlock rollback {row.run}" for row in rows if row.resumable]
    return "\n".join(lines)
