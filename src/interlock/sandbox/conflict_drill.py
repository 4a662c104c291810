"""Does an application try again? Conflicts are made on the rows that it writes, and what it says of them is counted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.sandbox import retrying, sql
from interlock.sandbox.accounts import CLIENT
from interlock.sandbox.disturbing import KINDS, MAKE_WEIGHT, MOVED, LogPlace, Rows, disturb, log_end, written_since
from interlock.sandbox.drill import standby_of
from interlock.sandbox.places import Sandbox
from interlock.sandbox.told_client import Tally, ToldClient, told_client

_OWN = (sys.executable, "-m", "interlock.sandbox.retrying")
_BEGINS_WITHIN_S = 60.0
_GOES_ON_WITHIN_S = 60.0
_PAUSE_S = 0.05
_LOCK_WAIT_S = 1
"""Of the client's sessions, so that a time-out is met in a drill; the sandbox's own is put back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictReport:
    """`made` counts the conflicts by kind. `went_on`: the client did a transaction after the last of them. `own`: the drill's."""

    client: str
    own: bool
    tables: tuple[str, ...]
    made: Mapping[str, int]
    client_said: Tally
    went_on: bool

    @property
    def not_made(self) -> tuple[str, ...]:
        return tuple(kind for kind in KINDS if not self.made.get(kind))

    def is_good(self) -> bool:
        """The client met errors, gave nothing up, and went on."""
        return self.went_on and bool(self.client_said.errors) and not self.client_said.gave_up


def conflict_drill(
    sandbox: Sandbox,
    switch: Callable[[str], str],
    *,
    clock: Clock,
    client: Sequence[str] = (),
    rounds: int = 3,
    progress: Callable[[str], None] = lambda _: None,
) -> ConflictReport:
    """Every kind of conflict in each round, the last a switchover: `switch` moves the writes to a cluster and returns the run's outcome.

    StatementFailed: the client ended, or wrote nothing. UsageError: it can't be started.
    """
    writer = _writer(sandbox)
    for statement in (MAKE_WEIGHT, *(() if client else retrying.MAKE)):
        sql.query(sandbox, writer, statement)
    place, made = log_end(sandbox, writer), dict.fromkeys(KINDS, 0)
    with _short_waits(sandbox), told_client(client or _OWN, environment(sandbox)) as running:
        rows = _await_writes(sandbox, writer, place, running, clock)
        for number in range(1, rounds + 1):
            for kind in KINDS:
                count = int(switch(standby_of(sandbox)) == "succeeded") if kind == MOVED else disturb(kind, sandbox, writer, rows, clock)
                made[kind] += count
                progress(f"{number} of {rounds}: {kind}, {count} made")
            writer = _writer(sandbox)
        went_on = _goes_on(running, clock)
        said = running.stop()
    return ConflictReport(
        client=" ".join(client) or "the drill's own",
        own=not client,
        tables=tuple(table for table in (rows.first, rows.second) if table is not None),
        made=made,
        client_said=said,
        went_on=went_on,
    )


def environment(sandbox: Sandbox) -> dict[str, str]:
    """Where a client connects, and as whom it may."""
    return {
        "INTERLOCK_DRILL_HOST": sandbox.proxy.host,
        "INTERLOCK_DRILL_PORT": str(sandbox.proxy.port),
        "INTERLOCK_DRILL_USER": CLIENT,
        "INTERLOCK_DRILL_PASSWORD_FILE": str(sandbox.password_file(CLIENT)),
    }


def _writer(sandbox: Sandbox) -> str:
    standby = standby_of(sandbox)
    return next(name for name in sandbox.members if name != standby)


def _await_writes(sandbox: Sandbox, writer: str, place: LogPlace, running: ToldClient, clock: Clock) -> Rows:
    """Until the client has done something."""
    deadline = Deadline.after(clock, _BEGINS_WITHIN_S)
    while True:
        if running.tally().done and (rows := written_since(sandbox, writer, place)) is not None:
            return rows
        code = running.ended()
        if code is not None or deadline.is_over():
            what = f"ended with exit code {code}" if code is not None else f"wrote nothing, or said no `done`, within {_BEGINS_WITHIN_S:g}s"
            raise StatementFailed(f"the client {what}", hint="what a client is given, and says: docs/sandbox.md")
        clock.sleep(_PAUSE_S)


def _goes_on(running: ToldClient, clock: Clock) -> bool:
    before, deadline = running.tally().done, Deadline.after(clock, _GOES_ON_WITHIN_S)
    while running.tally().done == before:
        if running.ended() is not None or deadline.is_over():
            return False
        clock.sleep(_PAUSE_S)
    return True


@contextmanager
def _short_waits(sandbox: Sandbox) -> Iterator[None]:
    """For sessions that begin in the block."""
    setting = "innodb_lock_wait_timeout"
    before = {}
    try:
        for name in sandbox.members:
            with closing(sql.connect(sandbox, name)) as admin:
                before[name] = int(sql.value(admin, f"SELECT @@GLOBAL.{setting}"))
                sql.rows(admin, f"SET GLOBAL {setting}={_LOCK_WAIT_S:d}")
        yield
    finally:
        for name, value in before.items():
            sql.query(sandbox, name, f"SET GLOBAL {setting}={value:d}")
