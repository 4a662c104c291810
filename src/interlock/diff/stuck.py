"""Why an applier stopped: which event of its source's log it could not apply, on which row, and the one change that lets it go on.

Only of the two errors that a row can be the reason of: it is there already (1062), or it is not there (1032). The event is read from the
source's own log, from where the applier stands; the rows that are in its way, from the server that it stopped on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from interlock.dataclass import dataclass
from interlock.decisions.losses import Chain, RowId, keys_of
from interlock.errors import Refused, StatementFailed
from interlock.losses.codec import shown
from interlock.losses.files import holds
from interlock.losses.live import Dumped, dump
from interlock.losses.now import LOOK_S, Survivor
from interlock.losses.parsing import Parser
from interlock.losses.payload import unpacked
from interlock.losses.sql import NotWritable, between, copies_in, copies_out, count_of
from interlock.losses.tables import Table
from interlock.model.facts import ChannelFacts
from interlock.model.losses import Change, Image, ReadTransaction, RowChange
from interlock.model.position import Position
from interlock.servers.quoting import marked
from interlock.servers.session import Session, text_of

THERE_ALREADY, MISSING = 1062, 1032
_ROWS_AT_MOST = 10_000
_WITHIN_S = 10.0
_LOOKED_THROUGH = 10_000
"""Transactions between where the applier says that it stands, and the first one that its server does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """An event that can't be applied. `row` is the one in its way, or the one that it misses; `sql` takes it away, or puts it in, `inverse`
    takes that back. None of them if nothing is in its way any more: then the applier has only to be started.
    """

    channel: ChannelFacts
    position: str
    change: RowChange | None = None
    row: Image | None = None
    sql: str = ""
    inverse: str = ""

    @property
    def is_missing(self) -> bool:
        return self.channel.applier_error == MISSING

    @property
    def what(self) -> str:
        """`insert app.t id=5`."""
        if self.change is None:
            return ""
        image = self.change.before or self.change.after or {}
        key = ", ".join(f"{name}={shown(image[name])}" for name in self.change.key if name in image)
        return f"{self.change.change.value} {self.change.schema}.{self.change.table} {key or '(no key)'}"


def find_stuck(channel: ChannelFacts, source: Dumped, held: Position, rows: Survivor, *, flavor: str, program: str | None = None) -> Stuck:
    """What the channel stopped at; `held` and `rows` are of the server that applies, `flavor` and `source` of the one it comes from.
    Refused if that is nothing that one row can mend.
    """
    where = f"the applier of {channel.server}"
    if channel.applier or channel.applier_error not in {THERE_ALREADY, MISSING}:
        number = channel.applier_error
        why = "runs" if channel.applier else f"stopped with error {number}: {channel.error}" if number else "is stopped, by no error"
        raise Refused(f"{where} {why}", hint=f"only what stopped on {THERE_ALREADY} or {MISSING} can be let go on by one row")
    if channel.applied is None:
        raise Refused(f"{where} does not say where it stands in the log of {channel.source}", hint="mend it by hand")
    transaction = _transaction(channel, source, held, rows, flavor=flavor, program=program)
    if transaction.unreadable or transaction.statements or len(transaction.rows) > _ROWS_AT_MOST:
        what = transaction.unreadable or "statements" if not transaction.rows else f"{len(transaction.rows)} rows, or statements"
        raise Refused(f"{where} stopped at {transaction.position}, which has {what}", hint="mend it by hand")
    return _row_in_the_way(channel, transaction, rows)


def _transaction(
    channel: ChannelFacts, source: Dumped, held: Position, rows: Survivor, *, flavor: str, program: str | None
) -> ReadTransaction:
    """The first one from there on that the server does not hold. By file and offset: the first one."""
    assert channel.applied is not None  # noqa: S101 - for the type checker: seen by who asks
    log = dump(source, channel.applied.file, channel.applied.offset)
    parser = Parser(flavor, rows.table)
    for transaction in islice(parser.transactions(unpacked(log, program)), _LOOKED_THROUGH):
        if not holds(held, transaction.position):
            return transaction
    raise Refused(
        f"{channel.server} holds all that is in the log of {channel.source} from {channel.applied} on", hint="start its applier by hand"
    )


def _row_in_the_way(channel: ChannelFacts, transaction: ReadTransaction, rows: Survivor) -> Stuck:
    """The transaction's changes are gone through as the applier does it, on the rows as they are before it."""
    touched = list(dict.fromkeys(row for change in transaction.rows for row in keys_of(change)))
    now: dict[RowId, Image | None] = dict.fromkeys(touched)
    now.update(rows.rows(touched))
    others = _others(transaction.rows, rows) if channel.applier_error == THERE_ALREADY else {}
    find = _missing if channel.applier_error == MISSING else _there_already
    for change in transaction.rows:
        table = rows.table(change.schema, change.table)
        found = find(change, now, others, rows)
        if found is not None:
            if table is None or change.problem:
                raise Refused(f"{change.schema}.{change.table}: {change.problem or 'there is no such table'}", hint="mend it by hand")
            return _mended(channel, transaction, change, found, table)
        for row in keys_of(change):
            now[row] = None
        if change.after is not None and keys_of(change):
            now[keys_of(change)[-1]] = change.after
    if any(change.problem for change in transaction.rows):
        why = next(change.problem for change in transaction.rows if change.problem)
        raise Refused(f"{channel.server} stopped at {transaction.position}: {why}", hint="mend it by hand")
    return Stuck(channel=channel, position=transaction.position)


Find = Callable[[RowChange, Mapping[RowId, Image | None], Mapping[RowId, Image], Survivor], Image | None]


def _missing(change: RowChange, now: Mapping[RowId, Image | None], others: Mapping[RowId, Image], rows: Survivor) -> Image | None:
    del others
    if change.before is None:
        return None
    keys = keys_of(change)
    if keys:
        return change.before if now.get(keys[0]) is None else None
    table = rows.table(change.schema, change.table)
    if table is None or change.problem:
        return None
    try:
        count = rows.session.rows(count_of(change.before, table), bound_s=LOOK_S, doing="count the copies of a row")
    except NotWritable:
        return None
    return change.before if text_of(count[0]["n"]) == "0" else None


def _there_already(change: RowChange, now: Mapping[RowId, Image | None], others: Mapping[RowId, Image], rows: Survivor) -> Image | None:
    del rows
    keys = keys_of(change)
    if change.after is None or not keys:
        return None
    is_new = change.before is None or len(keys) > 1
    there = now.get(keys[-1]) if is_new else None
    return there if there is not None else others.get(keys[-1])


def _others(changes: Sequence[RowChange], rows: Survivor) -> dict[RowId, Image]:
    """Rows that have a unique value which a change is to bring in, and which no change of the transaction touches itself."""
    chains = {keys_of(change)[-1]: Chain(first=change.before, last=change.after) for change in changes if change.after and keys_of(change)}
    touched = {row for change in changes for row in keys_of(change)}
    wanted = {row: one.row for row, found in rows.collisions(chains).items() for one in found if one.row not in touched}
    images = rows.rows(wanted.values())
    return {row: images[other] for row, other in wanted.items() if other in images}


def _mended(channel: ChannelFacts, transaction: ReadTransaction, change: RowChange, row: Image, table: Table) -> Stuck:
    is_missing = channel.applier_error == MISSING
    word = Change.INSERT if is_missing else Change.DELETE
    if word.value.upper() in table.triggers or (table.cascades and not is_missing):
        what = "a trigger of the table would fire" if word.value.upper() in table.triggers else "a foreign key would change other rows"
        raise Refused(
            f"{channel.server} stopped at {transaction.position}, on a row of {table.schema}.{table.name}: {what}", hint="mend it by hand"
        )
    try:
        if table.key:
            sql, inverse = between(None, row, table.key, table), between(row, None, table.key, table)
        else:
            sql, inverse = copies_in(row, 1, table), copies_out(row, 1, table)
    except NotWritable as odd:
        raise Refused(
            f"{channel.server} stopped at {transaction.position}: the row can't be written again exactly: {odd}", hint="mend it by hand"
        ) from odd
    if not is_missing:
        sql, inverse = inverse, sql
    return Stuck(channel=channel, position=transaction.position, change=change, row=row, sql=sql, inverse=inverse)


def change_row(session: Session, stuck: Stuck, *, mark: str) -> None:
    """On a connection that logs nothing. StatementFailed if the row was written since."""
    changed = session.run((marked(stuck.sql, mark),), bound_s=_WITHIN_S, effect=True, doing="let the applier go on")[-1].affected
    if changed != 1:
        raise StatementFailed(f"{session.server}: {stuck.what}: the row was written since", hint="look again", server=session.server)
