"""Why an applier stopped: which event of its source's log it could not apply, on which row, and the one change that lets it go on.

Only of the two errors that a row can be the reason of: it is there already (1062), or it is not there (1032). The event is read from the
source's own log, from where the applier stands; the rows that are in its way, from the server that it stopped on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from interlock.dataclass import dataclass
from interlock.decisions.losses import Chain, RowId, keys_of
from interlock.diff.mend_plan import not_safe
from interlock.errors import Refused, StatementFailed
from interlock.losses.codec import shown
from interlock.losses.files import holds
from interlock.losses.live import Dumped, dump
from interlock.losses.now import LOOK_S, Survivor
from interlock.losses.parsing import Parser
from interlock.losses.payload import unpacked
from interlock.losses.sql import NotWritable, between, copies_in, copies_out, count_of
from interlock.model.facts import ChannelFacts
from interlock.model.losses import Image, ReadTransaction, RowChange
from interlock.model.position import Position
from interlock.servers.quoting import marked
from interlock.servers.session import Session, text_of

THERE_ALREADY, MISSING = 1062, 1032
_ROWS_AT_MOST = 10_000
_AHEAD = 100
"""How many transactions after that are gone through: one that failed in a worker of its own may be behind others that would not."""
_BY_HAND = "mend it by hand"
_WITHIN_S = 10.0
_LOOKED_THROUGH = 10_000
"""Transactions between where the applier says that it stands, and the first one that its server does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """An event that can't be applied, by which `error`. `row` is the one in its way, or the one that it misses; `sql` takes it away, or
    puts it in, `inverse` takes that back. None of them if nothing is in its way any more: then the applier has only to be started.
    """

    channel: ChannelFacts
    position: str
    error: int = 0
    change: RowChange | None = None
    row: Image | None = None
    sql: str = ""
    inverse: str = ""

    @property
    def is_missing(self) -> bool:
        return self.error == MISSING

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

    The server's number may be another worker's, of a later transaction (MySQL): which of the two errors it is, the rows tell.
    """
    where = f"the applier of {channel.server}"
    if channel.applier or channel.applier_error not in {THERE_ALREADY, MISSING}:
        number = channel.applier_error
        why = "runs" if channel.applier else f"stopped with error {number}: {channel.error}" if number else "is stopped, by no error"
        raise Refused(f"{where} {why}", hint=f"only what stopped on {THERE_ALREADY} or {MISSING} can be let go on by one row")
    if channel.applied is None:
        raise Refused(f"{where} does not say where it stands in the log of {channel.source}", hint=_BY_HAND)
    parser = Parser(flavor, rows.table, own=True)
    log = parser.transactions(unpacked(dump(source, channel.applied.file, channel.applied.offset), program))
    missing = (one for one in islice(log, _LOOKED_THROUGH) if not holds(held, one.position))
    first = ""
    walk = _Walk(rows)
    for transaction in islice(missing, _AHEAD):
        first = first or transaction.position
        if transaction.unreadable or transaction.statements or len(transaction.rows) > _ROWS_AT_MOST:
            if transaction.position != first:
                break
            many = f"{len(transaction.rows)} rows" if len(transaction.rows) > _ROWS_AT_MOST else "statements, not rows"
            raise Refused(f"{where} stopped at {transaction.position}, which has {transaction.unreadable or many}", hint=_BY_HAND)
        found = walk.through(transaction)
        if found is not None:
            return _mended(channel, transaction, found, rows)
    if not first:
        raise Refused(f"{channel.server} holds all that is in the log of {channel.source} from {channel.applied} on", hint=_BY_HAND)
    return Stuck(channel=channel, position=first)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    change: RowChange
    row: Image
    error: int


class _Walk:
    """Goes through transactions as the applier does: on the rows that the server has, and on what the ones before have made of them."""

    def __init__(self, rows: Survivor) -> None:
        self._rows = rows
        self._now: dict[RowId, Image | None] = {}

    def through(self, transaction: ReadTransaction) -> _Found | None:
        """The first row that is in the way, or missing. Refused if a change can't be judged."""
        touched = [row for change in transaction.rows for row in keys_of(change) if row not in self._now]
        self._now |= dict.fromkeys(touched)
        self._now |= self._rows.rows(dict.fromkeys(touched))
        others = self._others(transaction.rows)
        for change in transaction.rows:
            if change.problem:
                raise Refused(
                    f"{transaction.position} changes {change.schema}.{change.table}, and can't be judged: {change.problem}", hint=_BY_HAND
                )
            lacks, there = self._missing(change), self._there_already(change, others)
            if lacks is not None:
                return _Found(change=change, row=lacks, error=MISSING)
            if there is not None:
                return _Found(change=change, row=there, error=THERE_ALREADY)
            for row in keys_of(change):
                self._now[row] = None
            if change.after is not None and keys_of(change):
                self._now[keys_of(change)[-1]] = change.after
        return None

    def _missing(self, change: RowChange) -> Image | None:
        if change.before is None:
            return None
        keys = keys_of(change)
        if keys:
            return change.before if self._now.get(keys[0]) is None else None
        table = self._rows.table(change.schema, change.table)
        if table is None:
            return None
        try:
            asked = count_of(change.before, table)
        except NotWritable:
            return None
        counted = self._rows.session.rows(asked, bound_s=LOOK_S, doing="count the copies of a row")
        return change.before if text_of(counted[0]["n"]) == "0" else None

    def _there_already(self, change: RowChange, others: Mapping[RowId, Image]) -> Image | None:
        keys = keys_of(change)
        if change.after is None or not keys:
            return None
        is_new = change.before is None or len(keys) > 1
        there = self._now.get(keys[-1]) if is_new else None
        return there if there is not None else others.get(keys[-1])

    def _others(self, changes: Sequence[RowChange]) -> dict[RowId, Image]:
        """Rows that have a unique value which a change is to bring in, and which nothing before has touched."""
        chains = {keys_of(one)[-1]: Chain(first=one.before, last=one.after) for one in changes if one.after is not None and keys_of(one)}
        wanted = {row: one.row for row, found in self._rows.collisions(chains).items() for one in found if one.row not in self._now}
        images = self._rows.rows(dict.fromkeys(wanted.values()))
        return {row: images[other] for row, other in wanted.items() if other in images}


def _mended(channel: ChannelFacts, transaction: ReadTransaction, found: _Found, rows: Survivor) -> Stuck:
    at = f"{channel.server} stopped at {transaction.position}, on a row of {found.change.schema}.{found.change.table}"
    table = rows.table(found.change.schema, found.change.table)
    if table is None:
        raise Refused(f"{at}: there is no such table", hint=_BY_HAND)
    is_missing = found.error == MISSING
    present, wanted = (None, found.row) if is_missing else (found.row, None)
    why = not_safe(present, wanted, table, str(channel.server))
    if why:
        raise Refused(f"{at}: {why}", hint=_BY_HAND)
    try:
        if table.key:
            sql, inverse = between(present, wanted, table.key, table), between(wanted, present, table.key, table)
        else:
            sql, inverse = copies_in(found.row, 1, table), copies_out(found.row, 1, table)
    except NotWritable as odd:
        raise Refused(f"{at}: it can't be written again exactly: {odd}", hint=_BY_HAND) from odd
    return Stuck(
        channel=channel,
        position=transaction.position,
        error=found.error,
        change=found.change,
        row=found.row,
        sql=sql,
        inverse=inverse,
    )


def change_row(session: Session, stuck: Stuck, *, mark: str) -> None:
    """On a connection that logs nothing. StatementFailed if the row was written since."""
    changed = session.run((marked(stuck.sql, mark),), bound_s=_WITHIN_S, effect=True, doing="let the applier go on")[-1].affected
    if changed != 1:
        raise StatementFailed(f"{session.server}: {stuck.what}: the row was written since", hint="look again", server=session.server)
