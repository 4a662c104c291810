"""`evidence.one_writer`: the binary logs of both servers show that neither wrote while the other was open."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.actions.action import describe, param
from interlock.dataclass import dataclass
from interlock.decisions.evidence import first_of, wrote_one_after_the_other
from interlock.documents.fields import Kind
from interlock.model.facts import LoggedTransaction
from interlock.model.position import FilePosition, Position
from interlock.model.topology import ServerName
from interlock.model.verdict import Verdict
from interlock.playbook.catalogue import Verb
from interlock.ports import World

_MOST = 2000
"""How many transactions after the fence are read from each log: the first few decide, and the log of a busy server is long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLogs:
    old_id: int
    old_log: tuple[LoggedTransaction, ...]
    new_id: int
    new_log: tuple[LoggedTransaction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWriterInLogs:
    """By the binary logs, the old writer wrote nothing after its fence, and the new one nothing before it was opened."""

    old: ServerName = param(Kind.SERVER, "the old writer")
    new: ServerName = param(Kind.SERVER, "the new writer")
    fenced: Position = param(Kind.POSITION, "the old writer's position at its fence")
    standby_was: Position = param(Kind.POSITION, "the new writer's position as a standby, before the fence")

    def look(self, world: World, /) -> SeenLogs:
        old, new = world.server(self.old), world.server(self.new)
        return SeenLogs(
            old_id=old.facts().server_id,
            old_log=old.logged_since(self.fenced, _MOST),
            new_id=new.facts().server_id,
            new_log=new.logged_since(self.standby_was if isinstance(self.standby_was, FilePosition) else self.fenced, _MOST),
        )

    def decide(self, seen: SeenLogs, /) -> Verdict:
        return wrote_one_after_the_other(
            old=self.old,
            old_id=seen.old_id,
            old_log=seen.old_log,
            new=self.new,
            new_id=seen.new_id,
            new_log=seen.new_log,
            standby_was=self.standby_was,
        )

    def outputs(self, seen: SeenLogs, /) -> Mapping[str, object]:
        first = first_of(seen.new_id, seen.new_log)
        return {"first_write": first.gtid if first else ""}


SPECS = (describe(OneWriterInLogs, "evidence.one_writer", Verb.CHECK, outputs={"first_write": Kind.TEXT}),)
