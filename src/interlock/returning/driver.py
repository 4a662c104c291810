"""`ports.Returning` for real: what the server and its log say, and the effects of the way back, each on a session of its own.

Two rules. Nothing of the server is thrown away before what it holds more than the writer has been read and kept: each effect looks for
itself. And what is half done is said by the server (`note.py`), so that nobody takes it for whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import field

from interlock.clock import Clock, Deadline
from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.losses.live import PLAIN_SETTINGS
from interlock.model.effects import Repoint
from interlock.model.facts import ChannelFacts, ServerFacts
from interlock.model.fencing import AgentFacts
from interlock.model.position import FilePosition, MariaDBPosition, Position
from interlock.model.returning import (
    BeginCopy,
    CopyFacts,
    EndReturn,
    KeepLosses,
    ReturnEffect,
    ReturnFacts,
    SetHeld,
    StopCopy,
    Surplus,
    TakeBack,
)
from interlock.model.topology import ClusterName, ServerName
from interlock.returning import note
from interlock.returning.clone import clone_state
from interlock.returning.copying import Copier, Copy
from interlock.returning.held_words import BEHIND, held_words, writer_words
from interlock.returning.rewind import UNLOGGED, carry_out
from interlock.returning.surplus import NO_GTIDS, SurplusReader
from interlock.servers.grants import missing_for_return
from interlock.servers.quoting import marked, text
from interlock.servers.server import SqlServer
from interlock.servers.session import Session, text_of
from interlock.servers.versions import version_of

_DATA_BOUND_S = 60.0
_WORDS_BOUND_S = 30.0
_ECHO_S = 1.0


@dataclass(slots=True, kw_only=True)
class ReturningServer:
    """`server` comes back, `writer` took the writes over. The one copy that this process may have under way is kept here."""

    cluster: ClusterName
    server: SqlServer
    writer: SqlServer
    reader: SurplusReader
    copier: Copier
    clock: Clock
    _copy: Copy | None = field(default=None)

    # -- facts

    def facts(self) -> ReturnFacts:
        """The server's position first: what it holds by now, the writer must hold at any later moment."""
        writes = self.server.write_facts()
        position = writes.position
        of_writer = self._of_writer(position)
        notes = self._notes()
        taken = next((one for one in notes if one.says_taken_back(str(position))), None)
        incomplete = any(one.kind == note.COPYING for one in notes)
        by_gtid = not isinstance(position, FilePosition) and position.can_be_compared_with(of_writer)
        if taken is not None:
            surplus: Surplus | None = self.reader.taken_back(of_writer, taken)
        elif of_writer.contains(position):
            surplus = None
        else:
            surplus = self.reader.surplus(position, of_writer) if by_gtid else self.reader.unknown(position, of_writer)
        size_bytes, _ = self.copier.size()
        means, lacking = self.copier.means(size_bytes) if by_gtid else ((), (NO_GTIDS,))
        return ReturnFacts(
            server=self.server.name,
            position=position,
            of_writer=of_writer,
            fence=writes.fence,
            incomplete=incomplete or self._clone_failed(),
            noted=bool(notes),
            surplus=surplus,
            size_bytes=size_bytes,
            means=means,
            lacking=lacking,
            grants=self._lacks(),
        )

    def _of_writer(self, position: Position) -> Position:
        """What the writer holds; while replication runs, once it knows of `position`: without GTIDs it is told of its own writes by the
        other's log, and a MySQL writer sends a transaction off before it counts it as executed.
        """
        held = self.writer.write_facts().position
        if isinstance(position, MariaDBPosition) or held.contains(position) or not held.can_be_compared_with(position):
            return held
        if any(one.receiver != "No" for one in (*self.server.channels(), *self.writer.channels())):
            self.writer.wait_applied(position, _ECHO_S)
        return self.writer.write_facts().position

    def copying(self) -> CopyFacts | None:
        return self._copy.facts() if self._copy is not None else None

    def closed_with(self) -> tuple[AgentFacts, ...]:
        known = self.reader.emergency()
        return known.closed_with if known is not None else ()

    # -- effects

    def script(self, effect: ReturnEffect, /) -> tuple[str, ...]:
        """What is sent; of what is sent by the thousand, how much of it."""
        match effect:
            case KeepLosses(writer=writer, run=run):
                return (f"read what {self.server.name} logged and {writer} lacks, and keep it: losses/{run}.json beside the store",)
            case TakeBack(transactions=transactions, to=to):
                return (
                    f"{self.server.name}: {UNLOGGED}",
                    f"{self.server.name}: START TRANSACTION",
                    f"{self.server.name}: the inverse of {transactions} transactions, the last one first, each row guarded, back to {to}",
                    f"{self.server.name}: COMMIT",
                )
            case BeginCopy(means=means, bytes_per_s=rate):
                return self.copier.script(means, rate)
            case StopCopy():
                return ("end the copy",)
            case SetHeld(position=position):
                on_server = (f"{self.server.name}: {line}" for line in self._held(position))
                return (*on_server, *(f"{self.writer.name}: {line}" for line in self._told_to_writer()))
            case EndReturn():
                return (f"{self.server.name}: {note.REMOVE}",)

    def apply(self, effect: ReturnEffect, /, mark: str) -> None:
        match effect:
            case KeepLosses():
                self.reader.read_and_keep()
            case TakeBack():
                self._take_back(effect, mark)
            case BeginCopy():
                self._begin_copy(effect, mark)
            case StopCopy():
                self.close()
            case SetHeld(position=position):
                self._set_held(position, mark)
            case EndReturn():
                whole = self._copy if self._copy is not None and self._copy.facts().position is not None else None
                if whole is not None:
                    whole.settle()
                with self._acting() as session:
                    self._send(session, [note.REMOVE], mark)
                if whole is not None:
                    whole.adopted()

    def close(self) -> None:
        """StatementFailed if a copy that was under way is not seen to end."""
        if self._copy is not None and not self._copy.facts().is_over:
            self._copy.stop()

    def _must_be_still(self) -> None:
        """StatementFailed: no client may write on the server, nothing may move on it, nor go from it to the writer."""
        if not self.server.write_facts().read_only:
            raise StatementFailed(f"{self.server.name} takes writes", hint="fence it first", server=self.server.name)
        into = [one for one in self.server.channels() if one.source == self.writer.name and (one.applier or one.receiver != "No")]
        out = [one for one in self.writer.channels() if one.source == self.server.name and one.receiver != "No"]
        if into or out:
            between = f"from {self.writer.name} to {self.server.name}" if into else f"from {self.server.name} to {self.writer.name}"
            raise StatementFailed(f"replication {between} still runs", hint="stop it first", server=self.server.name)

    def _take_back(self, effect: TakeBack, mark: str) -> None:
        deadline = Deadline.after(self.clock, effect.within_s)
        self._must_be_still()
        of_writer, position = self.writer.write_facts().position, self.server.write_facts().position
        rewind = self.reader.rewind(position, of_writer)
        if rewind.inexact or rewind.to != effect.to:
            raise StatementFailed(
                f"{self.server.name} can't be taken back to {effect.to}: {rewind.inexact or f'its log leads to {rewind.to}'}",
                hint="copy the data: -i data=copy",
                server=self.server.name,
            )
        self.reader.give_up(of_writer)
        with self._acting() as session:
            self._send(session, note.MAKE, mark)
            its_note = note.Note(kind=note.TAKEN_BACK, held=str(position), holds=str(effect.to))
            carry_out(session, rewind, note.written(its_note), mark, deadline)

    # -- the copy

    def _begin_copy(self, effect: BeginCopy, mark: str) -> None:
        self._must_be_still()
        self.close()
        if not any(one.kind == note.COPYING for one in self._notes()):
            self.reader.give_up(self.writer.write_facts().position)
        with self._acting() as session:
            self._send(session, (*note.MAKE, note.written(note.Note(kind=note.COPYING))), mark)
            self.copier.prepare(session, effect.means, mark)
        self._copy = self.copier.begin(effect.means, effect.bytes_per_s)

    def _clone_failed(self) -> bool:
        """A CLONE throws our note away with all else, and tells by itself how it ended."""
        if self._flavor() != "mysql":
            return False
        with closing(self.server.session(PLAIN_SETTINGS)) as session:
            return clone_state(session)[0] in {"In Progress", "Failed"}

    # -- the log

    def _held(self, position: Position) -> tuple[str, ...]:
        channels = [one.name for one in self.server.channels() if one.source == self.writer.name]
        return held_words(self._flavor(), version_of(self._facts().version), str(position), channels)

    def _told_to_writer(self) -> tuple[str, ...]:
        """Nothing, if it does not receive from the server. What it had received of the server's and did not apply is in no log any more."""
        channels = [one for one in self.writer.channels() if one.source == self.server.name]
        words = [line for one in channels for line in self.writer.script(_from_nothing(one))]
        return (*words, *writer_words(self._flavor())) if channels else ()

    def _set_held(self, position: Position, mark: str) -> None:
        """StatementFailed if it does not hold exactly that afterwards. While its log says nothing that could be trusted, its note does."""
        words, told = self._held(position), self._told_to_writer()
        with self._acting() as session:
            before = note.Note(kind=note.TAKEN_BACK, holds=str(position))
            after = note.Note(kind=note.TAKEN_BACK, held=str(position), holds=str(position))
            self._send(session, (*note.MAKE, note.written(before), *words, note.written(after)), mark)
        held = self.server.write_facts().position
        if held != position:
            raise StatementFailed(f"{self.server.name} holds {held}, and was told to hold {position}", server=self.server.name)
        with closing(self.writer.session(PLAIN_SETTINGS)) as session:
            for statement in told:
                deadline = Deadline.after(self.clock, _WORDS_BOUND_S)
                while not session.run((marked(statement, mark),), bound_s=_WORDS_BOUND_S, effect=True, harmless={BEHIND}):
                    if deadline.is_over():
                        raise StatementFailed(f"{self.writer.name} wrote each time between reading and setting its own position")

    # -- parts

    def _facts(self) -> ServerFacts:
        return self.server.facts()

    def _flavor(self) -> str:
        return self._facts().flavor

    def _lacks(self) -> tuple[str, ...]:
        found: list[str] = []
        for server in (self.server, self.writer):
            with closing(server.session(PLAIN_SETTINGS)) as session:
                rows = session.rows("SHOW GRANTS")
                account = text_of(session.rows("SELECT CURRENT_USER() AS u")[0]["u"])
            told = [str(next(iter(row.values()))) for row in rows]
            user, _, host = account.rpartition("@")
            lacks = missing_for_return(told, self._flavor(), self._facts().version, account=f"{text(user)}@{text(host)}")
            found += [line for line in lacks if line not in found]
        return tuple(found)

    def _notes(self) -> tuple[note.Note, ...]:
        with closing(self.server.session(PLAIN_SETTINGS)) as session:
            return note.read_notes(session)

    @contextmanager
    def _acting(self) -> Iterator[Session]:
        """Nothing of it is logged. MySQL's closest fence refuses us too: clients stay out by `read_only`, and the step behind, or its undo,
        fences it as closely as before.
        """
        session = self.server.session(UNLOGGED)
        try:
            if self._flavor() == "mysql":
                session.run(("SET GLOBAL super_read_only=0",), bound_s=_WORDS_BOUND_S, effect=True, doing="write past the fence")
            yield session
        finally:
            session.close()

    def _send(self, session: Session, statements: Sequence[str], mark: str) -> None:
        for statement in statements:
            session.run((marked(statement, mark),), bound_s=_DATA_BOUND_S, effect=True, doing=statement[:60])


def _from_nothing(channel: ChannelFacts) -> Repoint:
    """It leads where it led. RESET REPLICA would not do: MySQL then starts no applier before the receiver has run (1871, tried on 9.7)."""
    host, _, port = channel.source_address.rpartition(":")
    source = ServerName(channel.source or "")
    return Repoint(server=channel.server, channel=channel.name, source=source, host=host, port=int(port), using=channel.using, starts=False)
