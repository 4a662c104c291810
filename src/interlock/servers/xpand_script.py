"""The words of each effect for Xpand, how its sessions begin, and what its errors mean: pure.

Xpand has no bound of its own on a statement that a session could set (its transaction killers are global, and looked at every few
seconds), so ours is the only one: a statement that outlasts it is ended from another connection, and proved gone.
"""

from __future__ import annotations

import re

from interlock.errors import StatementFailed
from interlock.model.effects import EraseNote, Fence, KillSessions, Open, RunSql, ServerEffect, SetEventScheduler, WriteNote
from interlock.servers import notes
from interlock.servers.session import Setup

WRITE_STATE = "SELECT @@GLOBAL.read_only AS read_only, @@GLOBAL.server_id AS server_id"
_CLIENTS_OWN = range(2000, 3000)
_NUMBERED_ALIKE = frozenset({1040, 1044, 1045, 1129, 1130, 1142, 1143, 1203})
"""Met before or while a client logs in, where libraries of MySQL's act upon the number."""

_WORDS = (
    (re.compile(r"read[- _]?only", re.IGNORECASE), 1290),
    (re.compile(r"(unknown|no such) database|database .*(does not|doesn't) exist", re.IGNORECASE), 1049),
    (re.compile(r"(no such|unknown) (table|relation)|(table|relation) .*(does not|doesn't) exist|relation not found", re.IGNORECASE), 1146),
    (re.compile(r"(no such|unknown) (session|thread)|(session|thread) .*(does not|doesn't) exist", re.IGNORECASE), 1094),
    (re.compile(r"(permission|access) denied|(insufficient|lacks?) privilege", re.IGNORECASE), 1227),
    (re.compile(r"lock wait timeout|timed out waiting for .*lock", re.IGNORECASE), 1205),
)
_UNKNOWN = 1
"""Most errors of Xpand have this number, and one of its own in brackets: `ERROR 1 (HY000): [24576] …` (reference, IS_USED_LOCK)."""


def number(code: int, words: str) -> int:
    """The number that MySQL has for such an error, by the words. General Differences: "Xpand error codes do not match MySQL"."""
    if code in _CLIENTS_OWN or code in _NUMBERED_ALIKE or code == 0:
        return code
    return next((known for pattern, known in _WORDS if pattern.search(words)), _UNKNOWN)


SETUP = Setup(first="SET SESSION autocommit=1", several=False, releases_all=False, number=number)


def script(effect: ServerEffect, look: tuple[str, ...]) -> tuple[str, ...]:
    """The statements of an effect, in order. StatementFailed for what Xpand can't do."""
    match effect:
        case Fence():
            return ("SET GLOBAL read_only=true", *look)
        case Open():
            return ("SET GLOBAL read_only=false", *look)
        case SetEventScheduler(server=server, on=on):
            if on:
                raise StatementFailed(f"{server}: Xpand has no events that could run", hint="run them from elsewhere", server=server)
            return ()
        case KillSessions(ids=ids):
            return tuple(f"KILL {one:d}" for one in ids)
        case RunSql(statements=statements):
            return statements
        case WriteNote() | EraseNote():
            return notes.script(effect)
