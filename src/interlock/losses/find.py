"""What a failover lost, from whatever can be read of the old writer; and how much of that is proved.

Read from the old writer itself if it answers, else from the copy of its log, else from what was kept of an earlier report. A loss is never
said to be known without a proof that the log which was read tells all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.decisions.losses import Chain, Judgement, RowId, agreed, fold, judge, judge_change
from interlock.errors import DriverError, StatementFailed
from interlock.losses.applied import PUT_BACK
from interlock.losses.files import holds, read_files
from interlock.losses.folder import Keep, Kept
from interlock.losses.later import LaterWrite, later_writes
from interlock.losses.live import Dumped, Found, OldWriter, read_live
from interlock.losses.now import Survivor
from interlock.losses.run_facts import RunFacts
from interlock.losses.sql import SETTINGS
from interlock.losses.tables import Table, misfit
from interlock.model.facts import ServerFacts, WriteFacts
from interlock.model.losses import LossKind, LossReport, LossState, LostRow, LostTransaction, ReadTransaction, RowChange
from interlock.model.position import MariaDBPosition, MySQLPosition, Position


class OpenSurvivor(Dumped, Protocol):
    """The part of the survivor's driver that is needed here."""

    def facts(self) -> ServerFacts: ...
    def write_facts(self) -> WriteFacts: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """The report, and the survivor's tables by which its rows can be written again."""

    report: LossReport
    tables: Mapping[tuple[str, str], Table]

    def table(self, row: LostRow) -> Table:
        """StatementFailed if it has none of that name any more."""
        found = self.tables.get((row.schema, row.table))
        if found is None:
            what = f"{self.report.survivor} has no table {row.schema}.{row.table} now"
            raise StatementFailed(what, hint=f"`interlock losses {self.report.run}` tells the row: a person decides")
        return found


def find_losses(facts: RunFacts, old: OldWriter, survivor: OpenSurvivor, keep: Keep, *, clock: Clock, program: str | None = None) -> Losses:
    """`program` is MySQL's mysqlbinlog, if there is one. DriverError if the survivor does not answer. What the old writer does not tell
    makes the report `pending`.
    """
    session = survivor.session(SETTINGS)
    try:
        rows = Survivor(session)
        its = survivor.facts()
        kept = _kept(keep, facts)
        if kept is not None and kept.given_up:
            found, reasons = None, [f"{facts.old} has given it up"]
        else:
            found, reasons = _read(facts, old, rows, keep, its_id=its.server_id, program=program)
        held = survivor.write_facts().position  # after the old log was read: what came from here is no loss
        missing = _missing(found, kept, held)
        proof, complete = _proof(facts, found, kept, missing=missing, held=held, reasons=reasons)
        if found is not None and (missing or complete) and not (kept is not None and kept.complete and not complete):
            keep.keep(facts.run, Kept(transactions=missing, source=found.source, proof=proof, complete=complete))

        def later(wanted: Collection[RowId]) -> Mapping[RowId, LaterWrite]:
            return later_writes(survivor, facts.position, wanted, rows.table, flavor=its.flavor, clock=clock)

        report = LossReport(
            run=facts.run,
            state=LossState.KNOWN if complete else LossState.PENDING,
            old=facts.old,
            survivor=facts.survivor,
            bound=facts.bound,
            source=_source(found, kept),
            proof=proof,
            transactions=_judged(facts.run, [_fitting(one, rows) for one in missing if not one.is_only_canaries], rows, later),
            canaries=sum(one.canaries for one in missing),
        )
        changes = [row for one in report.transactions for row in one.rows]
        tables = {(row.schema, row.table): table for row in changes if (table := rows.table(row.schema, row.table)) is not None}
        return Losses(report=report, tables=tables)
    finally:
        session.close()


def _read(
    facts: RunFacts, old: OldWriter, rows: Survivor, keep: Keep, *, its_id: int, program: str | None
) -> tuple[Found | None, list[str]]:
    """From the server or from its copied log; and what kept us from reading each."""
    manifest = keep.manifest(facts.run)
    reasons: list[str] = []
    ways: list[Callable[[], Found]] = [lambda: read_live(old, facts.position, rows.table, not_by=its_id, program=program)]
    if manifest is not None:
        ways.append(lambda: read_files(keep.salvage_of(facts.run), manifest, facts.position, rows.table, not_by=its_id, program=program))
    else:
        reasons.append(f"nothing of {facts.old}'s log was copied")
    for way in ways:
        try:
            return way(), reasons
        except DriverError as error:
            reasons.insert(len(reasons) - (manifest is None), error.message)
    return None, reasons


def _kept(keep: Keep, facts: RunFacts) -> Kept | None:
    """Of the run; or, where the old writer has given it up to a rejoin, what that one kept. It read all that the survivor lacked then."""
    own = keep.kept(facts.run)
    if own is not None and own.given_up:
        return own
    later = next((each for rejoin in facts.rejoins if (each := keep.kept(rejoin)) is not None and each.given_up), None)
    if own is None or later is None:
        return later or own
    known = {one.position for one in own.transactions}
    return replace(later, transactions=(*own.transactions, *(one for one in later.transactions if one.position not in known)))


def _missing(found: Found | None, kept: Kept | None, held: Position) -> tuple[ReadTransaction, ...]:
    """What was kept comes first: its server's log may have been replaced since. On MariaDB it stays lost whatever the survivor holds: a
    later transaction of the old writer, once it has rejoined, seems to contain it. So does what was given up: on MySQL too its numbers are
    given to others then.
    """
    read = found.transactions if found is not None else ()
    again = {one.position for one in read}
    earlier = kept.transactions if kept is not None else ()
    stays = isinstance(held, MariaDBPosition) or (kept is not None and kept.given_up)
    stay = {one.position for one in earlier} if stays else set[str]()
    together = (*(one for one in earlier if one.position not in again), *read)
    return tuple(one for one in together if one.position in stay or not holds(held, one.position))


def _proof(
    facts: RunFacts, found: Found | None, kept: Kept | None, *, missing: Sequence[ReadTransaction], held: Position, reasons: Sequence[str]
) -> tuple[str, bool]:
    """Why there are no others, and whether that is proved."""
    if found is None or not found.reaches_back:
        if kept is not None and kept.complete:
            return kept.proof, True
        if found is None:
            return "; ".join(reasons), False
        return f"the log of {facts.old} that is there begins behind the opening at {facts.bound.held}", False
    if found.takes_writes:
        when = "takes writes" if found.ends is not None else "still wrote to its log when it was copied"
        return f"{facts.old} {when}: more may be lost than is told here", False
    if found.ends is None:
        closed = "it was proved closed before" if facts.was_closed else ""
        return (f"{found.source} reaches back to the opening, and {closed}", True) if closed else (
            f"{facts.old} was not proved closed when its log was copied", False
        )  # fmt: skip
    left = _left_over(found.ends, held, [one.position for one in missing])
    if left:
        return f"{facts.old} holds {left}, of which its log tells nothing", False
    told = f"all that {facts.old} holds ({str(found.ends) or 'nothing'}) is held by {facts.survivor}"
    return f"{told} or listed here, and its log reaches back to the opening" if missing else told, True


def _left_over(ends: Position, held: Position, listed: Sequence[str]) -> str:
    """What the old writer holds, and neither the survivor nor the list; empty if there is nothing of that."""
    if isinstance(ends, MySQLPosition) and isinstance(held, MySQLPosition):
        left = ends.minus(held)
        for name in listed:
            with contextlib.suppress(ValueError):  # told by file and offset: its GTID was not understood
                left = left.minus(MySQLPosition.parse(name))
        return str(left)
    if isinstance(ends, MariaDBPosition) and isinstance(held, MariaDBPosition):
        known = [gtid for name in listed for gtid in MariaDBPosition.parse(name).gtids]
        return ",".join(
            str(gtid)
            for gtid in ends.gtids
            if not held.contains(MariaDBPosition((gtid,)))
            and all((one.domain, one.sequence) != (gtid.domain, gtid.sequence) for one in known)
        )
    return ""


def _source(found: Found | None, kept: Kept | None) -> str:
    if found is not None and (found.transactions or found.reaches_back or kept is None):
        return found.source
    return f"an earlier report, which was kept: {kept.source}" if kept is not None else "nothing could be read"


def _judged(
    run: str, missing: Sequence[ReadTransaction], rows: Survivor, later: Callable[[Collection[RowId]], Mapping[RowId, LaterWrite]]
) -> tuple[LostTransaction, ...]:
    """Rows that were put back already are no part of the chains. Of the others, who wrote those that conflict is told by `later`."""
    applied = PUT_BACK.rows(rows.session, run)
    left = [row for one in missing for index, row in enumerate(one.rows) if index not in applied.get(one.position, ())]
    judged = agreed(left, _judge_chains(fold(left), rows, _fires(left, rows)))
    conflicting = {row for row, its in judged.items() if its.kind is LossKind.CONFLICTING}
    for row, write in (later(conflicting) if conflicting else {}).items():
        judged[row] = replace(judged[row], why=f"{judged[row].why} (last by {write.position}, {write.at:%Y-%m-%d %H:%M:%S} UTC)")
    return tuple(
        LostTransaction(
            position=one.position,
            at=one.at,
            rows=tuple(_lost(row, judged, put_back=index in applied.get(one.position, ())) for index, row in enumerate(one.rows)),
            statements=one.statements,
            unreadable=one.unreadable,
            applied=one.position in applied,
        )
        for one in missing
    )


def _fitting(transaction: ReadTransaction, rows: Survivor) -> ReadTransaction:
    """What was read is a person's to decide on, where the survivor's table is another one by now."""

    def seen(change: RowChange) -> RowChange:
        why = change.problem or misfit((change.before, change.after), change.key, rows.table(change.schema, change.table))
        return change if why == change.problem else replace(change, problem=why)

    return replace(transaction, rows=tuple(seen(change) for change in transaction.rows))


def _judge_chains(chains: Mapping[RowId, Chain], rows: Survivor, fires: frozenset[tuple[str, str]]) -> dict[RowId, Judgement]:
    now = rows.rows(row for row, chain in chains.items() if not chain.problem)
    alone = {row: judge(chain, now.get(row)) for row, chain in chains.items()}
    moving = {row for row, its in alone.items() if its.kind is LossKind.REAPPLICABLE}
    judged = dict(alone)
    for row, found in rows.collisions({row: chains[row] for row in moving}).items():
        # a row that the lost changes themselves take out of the way is none: the log's last state had each value once
        judged[row] = judge(chains[row], now.get(row), [one.values for one in found if one.row not in moving])
    why = "a trigger of the table would fire again"
    return {
        row: Judgement(kind=LossKind.CONFLICTING, why=why) if its.kind is LossKind.REAPPLICABLE and row[:2] in fires else its
        for row, its in judged.items()
    }


def _fires(changes: Iterable[RowChange], rows: Survivor) -> frozenset[tuple[str, str]]:
    """Tables on which a trigger fires for a lost change: what it wrote then stands in the log by itself."""
    tables = ((change, rows.table(change.schema, change.table)) for change in changes)
    return frozenset(
        (change.schema, change.table) for change, table in tables if table is not None and change.change.value.upper() in table.triggers
    )


def _lost(row: RowChange, judged: Mapping[RowId, Judgement], *, put_back: bool) -> LostRow:
    its = Judgement(kind=LossKind.ALREADY_THERE, why="put back by `interlock repair`") if put_back else judge_change(row, judged)
    image = row.before or row.after or {}
    return LostRow(
        schema=row.schema,
        table=row.table,
        key={name: image[name] for name in row.key if name in image},
        change=row.change,
        before=row.before,
        after=row.after,
        kind=its.kind,
        why=its.why,
    )
