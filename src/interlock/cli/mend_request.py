"""What a person wants to have mended: which comparison, which side, which of its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from interlock.dataclass import dataclass
from interlock.diff.kept import kept_names, read_kept
from interlock.diff.mend_plan import Chosen, TableName, differences_of
from interlock.errors import UsageError
from interlock.model.differences import Comparison

if TYPE_CHECKING:
    import argparse

    from interlock.bootstrap import Wiring

_BETWEEN_PAIRS = re.compile(r",(?=[^,=]+=)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """As the journal keeps it. `tables` and `rows` are as they were typed; all if there are none. `rate` is in rows a second."""

    diff: str
    onto: str
    tables: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    rate: int
    undo: bool = False

    @property
    def inputs(self) -> dict[str, object]:
        return {
            "diff": self.diff,
            "onto": self.onto,
            "tables": list(self.tables),
            "rows": list(self.rows),
            "rate": self.rate,
            "undo": self.undo,
        }


def request_of(options: argparse.Namespace, comparison: Comparison) -> Request:
    """UsageError if the side is none of the comparison's, or a row or table is named that does not differ."""
    onto = options.onto or comparison.other
    if onto not in {comparison.writer, comparison.other}:
        raise UsageError(
            f"{comparison.name} compared {comparison.writer} and {comparison.other}, not {onto}", hint="--onto names one of them"
        )
    request = Request(
        diff=comparison.name,
        onto=onto,
        tables=tuple(options.table),
        rows=tuple(options.row),
        rate=options.rate,
        undo=bool(options.undo),
    )
    chosen_by(request, comparison)
    return request


def comparison_of(wiring: Wiring, name: str | None) -> Comparison:
    """The kept one of this name, or the newest of this pair. UsageError if there is none, it is another pair's, or it has not ended."""
    topology = wiring.topology.name
    for each in [name] if name else reversed(kept_names(wiring.folder)):
        found = read_kept(wiring.folder, each).comparison
        if found.topology != topology:
            if name:
                raise UsageError(f"{name} compared the pair {found.topology}, and the topology file is of {topology}", hint="see -t")
            continue
        if found.ended_at is None:
            raise UsageError(f"the comparison {found.name} has not ended", hint=f"`interlock diff --resume {found.name}`, or name another")
        return found
    raise UsageError(f"no comparison of {topology} is kept", hint="`interlock diff` first")


def chosen_by(request: Request, comparison: Comparison) -> Chosen:
    """UsageError for a word that names nothing that differs."""
    rows: dict[TableName, list[dict[str, str]]] = {}
    for word in request.rows:
        place, _, key = word.partition(":")
        pairs = [pair.partition("=") for pair in _BETWEEN_PAIRS.split(key)]
        if not all(name and equals for name, equals, _ in pairs):
            raise UsageError(f"--row {word} is not SCHEMA.TABLE:KEY=VALUE[,KEY=VALUE]", hint="such as --row shop.orders:id=5")
        rows.setdefault(_place(word, place), []).append({name: value for name, _, value in pairs})
    _see_known("--row", request.rows, [Chosen(rows={place: [key]}) for place, keys in rows.items() for key in keys], comparison)
    tables = [_place(word, word) for word in request.tables]
    _see_known("--table", request.tables, [Chosen(tables=frozenset({one})) for one in tables], comparison)
    return Chosen(tables=frozenset(tables), rows=rows)


def _place(word: str, place: str) -> TableName:
    schema, dot, table = place.partition(".")
    if not (schema and dot and table):
        raise UsageError(f"{word} names no table", hint="SCHEMA.TABLE, such as shop.orders")
    return schema, table


def _see_known(option: str, words: Sequence[str], each: Sequence[Chosen], comparison: Comparison) -> None:
    differences = differences_of(comparison)
    for word, chosen in zip(words, each, strict=True):
        if not any(chosen.has(one) for one in differences):
            raise UsageError(
                f"{option} {word}: {comparison.name} found no such row to differ", hint=f"`interlock repair {comparison.name}` lists them"
            )
