"""What a server holds that the writer lacks: read from its log, judged, and kept beside the store before anything of it is thrown away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.errors import DriverError, StatementFailed
from interlock.losses.find import find_losses
from interlock.losses.folder import Keep
from interlock.losses.payload import mysqlbinlog
from interlock.losses.run_facts import RunFacts
from interlock.model.losses import LossState
from interlock.model.position import Position, parse_position
from interlock.model.returning import Surplus
from interlock.returning import note
from interlock.returning.rewind import Rewind, plan_rewind
from interlock.servers.server import SqlServer

_MOST_LOST = 1 << 20
NO_GTIDS = "their positions are no GTIDs of one flavor"


@dataclass(slots=True, kw_only=True)
class SurplusReader:
    """`emergency` is the failover by which `writer` took the writes over from `server`, None if none is known: then whatever the server
    has beside what the writer holds now is told under `run`.
    """

    server: SqlServer
    writer: SqlServer
    emergency: Callable[[], RunFacts | None]
    run: Callable[[], str]
    keep: Keep
    clock: Clock
    environ: Mapping[str, str]
    _seen: tuple[tuple[str, str], Rewind] | None = field(default=None)
    """The last one, by the server's position and its first lost transaction: a log that has not moved says the same again."""

    def taken_back(self, of_writer: Position, its_note: note.Note) -> Surplus:
        """By the server's own note, whatever its log says; nothing was taken back that was not kept."""
        run = self._point(of_writer).run
        kept = self.keep.kept(run)
        lost = len(kept.transactions) if kept is not None else 0
        return Surplus(run=run, lost=lost, to=parse_position(its_note.holds), kept=True, taken_back=True)

    def surplus(self, position: Position, of_writer: Position) -> Surplus:
        """Of a server at `position`."""
        run = self._point(of_writer).run
        try:
            lost = self._lost(of_writer)
            rewind = self._seen_rewind(position, of_writer, lost)
        except DriverError as error:
            kept = self.keep.kept(run)
            whole = kept is not None and kept.complete
            count = len(kept.transactions) if kept is not None and whole else 0
            return Surplus(run=run, lost=count, problem="" if whole else error.message, inexact=error.message, kept=whole)
        return Surplus(
            run=run,
            lost=len(lost),
            undone=len(rewind.undone),
            to=rewind.to,
            inexact=rewind.inexact,
            kept=self._are_kept(run, lost),
        )

    def unknown(self, position: Position, of_writer: Position) -> Surplus:
        """Of positions that do not tell which transactions are extra."""
        return Surplus(run=self._point(of_writer).run, lost=of_writer.behind(position), problem=NO_GTIDS, inexact=NO_GTIDS)

    def rewind(self, position: Position, of_writer: Position) -> Rewind:
        """Read anew."""
        return plan_rewind(self.server, of_writer, position, program=mysqlbinlog(self.environ))

    def read_and_keep(self) -> None:
        """StatementFailed if it is not known whether that was all."""
        point = self._point(self.writer.write_facts().position)
        program = mysqlbinlog(self.environ)
        report = find_losses(point, self.server, self.writer, self.keep, clock=self.clock, program=program).report
        if report.state is not LossState.KNOWN:
            raise StatementFailed(
                f"what {self.server.name} holds and {self.writer.name} lacks can't be told: {report.proof}",
                hint=f"`interlock losses {point.run}`",
                server=self.server.name,
            )

    def give_up(self, of_writer: Position) -> None:
        """The last word before the server's own is thrown away: from here on there is what was kept. StatementFailed if that is not all."""
        run = self._point(of_writer).run
        lost = () if of_writer.contains(self.server.write_facts().position) else self._lost(of_writer)
        if not self._are_kept(run, lost):
            raise StatementFailed(
                f"{self.server.name} holds {len(lost)} transactions that {self.writer.name} lacks, and they were not kept",
                hint=f"`interlock losses {run}`",
                server=self.server.name,
            )
        self.keep.give_up(run)

    def _point(self, of_writer: Position) -> RunFacts:
        known = self.emergency()
        if known is not None:
            return known
        return RunFacts.of_now(run=self.run(), old=self.server.name, survivor=self.writer.name, held=of_writer)

    def _lost(self, of_writer: Position) -> tuple[str, ...]:
        return tuple(one.gtid for one in self.server.logged_since(of_writer, _MOST_LOST))

    def _are_kept(self, run: str, lost: tuple[str, ...]) -> bool:
        if not lost:
            return True
        kept = self.keep.kept(run)
        return kept is not None and kept.complete and {one.position for one in kept.transactions}.issuperset(lost)

    def _seen_rewind(self, position: Position, of_writer: Position, lost: tuple[str, ...]) -> Rewind:
        key = str(position), lost[0] if lost else ""
        if self._seen is None or self._seen[0] != key:
            self._seen = key, self.rewind(position, of_writer)
        return self._seen[1]
