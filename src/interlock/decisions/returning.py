"""By which way may a master come back whose writes were taken over? Pure.

Three rules. The cheapest way that is correct: nothing extra, nothing to do; what can be taken back exactly is; else all data are copied.
Nothing is thrown away that was not read and kept before. And what a half-done copy left is no data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interlock.dataclass import dataclass
from interlock.decisions.losses import RowId, fold, keys_of
from interlock.model.losses import Image, ReadTransaction
from interlock.model.returning import CopyFacts, ReturnFacts, Way
from interlock.model.topology import ServerName
from interlock.model.verdict import Refuse

AUTO = "auto"
LARGE_BYTES = 1_000_000_000
"""From here on pages are copied rather than rows, if both can be: what it saves is more than the server's restart takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    way: Way
    why: str


def best_first(size_bytes: int, *, rows: str, pages: str) -> tuple[str, str]:
    """Of two means to copy so much: one that sends rows, and one that sends pages and starts the server again."""
    return (pages, rows) if size_bytes >= LARGE_BYTES else (rows, pages)


def means_of(seen: ReturnFacts, asked: str) -> str:
    """By which the data are copied; empty if that can't be had."""
    if asked == AUTO:
        return seen.means[0] if seen.means else ""
    return asked if asked in seen.means else ""


def told_means(seen: ReturnFacts, asked: str) -> str:
    """`by dump (less than 1 GB)`: by which the data are copied, and why by that."""
    means = means_of(seen, asked)
    if asked != AUTO:
        return f"by {means} (asked for)"
    if seen.size_bytes < LARGE_BYTES:
        return f"by {means} (less than {LARGE_BYTES / 1e9:g} GB)"
    others = f", and not by another: {'; '.join(seen.lacking)}" if seen.lacking else ""
    return f"by {means} ({LARGE_BYTES / 1e9:g} GB or more{others})"


def choose(seen: ReturnFacts, writer: ServerName, asked: str, by: str = AUTO) -> Chosen | Refuse:
    """`asked` is a way's word, or `auto`; `by` a means to copy, or `auto`."""
    if seen.surplus is not None and seen.surplus.problem:
        return Refuse(
            f"{seen.server} holds transactions that {writer} lacks, and they can't all be read: {seen.surplus.problem}",
            f"nothing of {seen.server} is thrown away before that: `interlock losses {seen.surplus.run}` tells what can be read",
        )
    chosen = _choose(seen, writer, asked)
    if isinstance(chosen, Refuse) or chosen.way is Way.ATTACH:
        return chosen
    if seen.grants:
        return Refuse(f"the account may not {chosen.way} on {seen.server}", "; ".join(seen.grants))
    if chosen.way is Way.COPY and not means_of(seen, by):
        how = "" if by == AUTO else f" by {by}"
        return Refuse(f"{chosen.why}; and its data can't be copied{how}: {'; '.join(seen.lacking)}", "see docs/rejoin.md")
    return chosen


def _choose(seen: ReturnFacts, writer: ServerName, asked: str) -> Chosen | Refuse:
    server, surplus = seen.server, seen.surplus
    if seen.incomplete:
        return Chosen(way=Way.COPY, why=f"an earlier copy of the data to {server} was not ended")
    if asked == Way.COPY:
        return Chosen(way=Way.COPY, why=f"it was asked to copy the data from {writer}")
    if surplus is None and not seen.noted:
        return Chosen(way=Way.ATTACH, why=f"{server} holds nothing that {writer} lacks")
    extra = f"{server} holds {surplus.lost} transactions that {writer} lacks" if surplus is not None else half_told(server, writer)
    if asked == Way.ATTACH:
        return Refuse(extra, f"`interlock rejoin {server}` again")
    if surplus is None:
        return Chosen(way=Way.UNDO, why=extra)
    if surplus.taken_back:
        return Chosen(way=Way.UNDO, why=f"{extra}, and their rows were taken back already")
    if not surplus.inexact:
        others = f" (and {surplus.undone - surplus.lost} since, which come again)" if surplus.undone > surplus.lost else ""
        return Chosen(way=Way.UNDO, why=f"{extra}, and each can be taken back exactly{others}")
    if asked == Way.UNDO:
        return Refuse(f"{extra}, and they can't be taken back exactly: {surplus.inexact}", "copy the data: -i data=copy")
    return Chosen(way=Way.COPY, why=f"{extra}, and they can't be taken back exactly: {surplus.inexact}")


def half_told(server: ServerName, writer: ServerName) -> str:
    """By its own note: somebody was stopped between its rows and the last word of it to the writer."""
    return f"{server} was taken back, and its log and {writer} may not have been told all of it"


def why_inexact(undone: Sequence[ReadTransaction], now: Mapping[RowId, Image], unfit: Mapping[tuple[str, str], str]) -> str:
    """Why taking back all of `undone` would not lead exactly to where the server was; empty if it would.

    `now` are the rows that the changes left, as the server has them. `unfit` says of a table why its changes can't be taken back.
    """
    for one in undone:
        if one.statements:
            return f"{one.position} is a statement: {one.statements[0].text[:100]}"
        if one.unreadable:
            return f"{one.position}: {one.unreadable}"
        for row in one.rows:
            why = row.problem or unfit.get((row.schema, row.table), "") or ("" if keys_of(row) else "the table has no key")
            if why:
                return f"{one.position} changed {row.schema}.{row.table}: {why}"
    for place, chain in fold(change for one in undone for change in one.rows).items():
        if chain.problem or now.get(place) != chain.last:
            return f"{place[0]}.{place[1]}: {chain.problem or 'a row is not as the log says that it was left'}"
    return ""


def progress(seen: CopyFacts) -> str:
    """`by dump: 3 of 12 tables, 41 of about 160 MB`."""
    if seen.doing:
        return f"by {seen.means}: {seen.doing}"
    size = f"{seen.sent_bytes / 1e6:.0f} of about {seen.of_bytes / 1e6:.0f} MB"
    return f"by {seen.means}: {seen.tables} of {seen.of_tables} tables, {size}" if seen.of_tables else f"by {seen.means}: {size}"
