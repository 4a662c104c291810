"""What is to be mended: which kept comparison, which side, which of its rows."""

from __future__ import annotations

import re
from pathlib import Path

from interlock.diff.kept import kept_names, read_kept
from interlock.diff.mend_plan import Chosen, TableName, differences_of
from interlock.errors import UsageError
from interlock.model.differences import Comparison
from interlock.model.mending import Mending
from interlock.model.topology import Topology

_BETWEEN_PAIRS = re.compile(r",(?=[^,=]+=)")


def comparison_of(folder: Path, topology: Topology, name: str) -> Comparison:
    """The kept one of this name, or the newest of this pair. UsageError if there is none, it is another pair's, or it has not ended."""
    for each in [name] if name else reversed(kept_names(folder)):
        found = read_kept(folder, each).comparison
        if found.topology != topology.name:
            if name:
                raise UsageError(f"{name} compared the pair {found.topology}, and the topology file is of {topology.name}", hint="see -t")
            continue
        if {found.writer, found.other} != set(topology.clusters):
            known = " and ".join(topology.clusters)
            raise UsageError(f"{found.name} compared {found.writer} and {found.other}, and the pair is {known}", hint="compare again")
        if found.ended_at is None:
            raise UsageError(f"the comparison {found.name} has not ended", hint=f"`interlock diff --resume {found.name}`, or name another")
        return found
    raise UsageError(f"no comparison of {topology.name} is kept", hint="`interlock diff` first")


def side_of(wanted: Mending, comparison: Comparison) -> str:
    """The cluster that is changed. UsageError if it is none of the comparison's."""
    onto = wanted.onto or comparison.other
    if onto not in {comparison.writer, comparison.other}:
        raise UsageError(
            f"{comparison.name} compared {comparison.writer} and {comparison.other}, not {onto}", hint="--onto names one of them"
        )
    return onto


def chosen_by(wanted: Mending, comparison: Comparison) -> Chosen:
    """UsageError for a word that names nothing that differs."""
    rows: dict[TableName, list[dict[str, str]]] = {}
    for word in wanted.rows:
        place, _, key = word.partition(":")
        pairs = [pair.partition("=") for pair in _BETWEEN_PAIRS.split(key)]
        if not all(name and equals for name, equals, _ in pairs):
            raise UsageError(f"--row {word} is not SCHEMA.TABLE:KEY=VALUE[,KEY=VALUE]", hint="such as --row shop.orders:id=5")
        its = {name: value for name, _, value in pairs}
        _see_known(f"--row {word}", Chosen(rows={_place(word, place): [its]}), comparison)
        rows.setdefault(_place(word, place), []).append(its)
    tables = frozenset(_place(word, word) for word in wanted.tables)
    for schema, table in tables:
        _see_known(f"--table {schema}.{table}", Chosen(tables=frozenset({(schema, table)})), comparison)
    return Chosen(tables=tables, rows=rows)


def _place(word: str, place: str) -> TableName:
    schema, dot, table = place.partition(".")
    if not (schema and dot and table):
        raise UsageError(f"{word} names no table", hint="SCHEMA.TABLE, such as shop.orders")
    return schema, table


def _see_known(word: str, chosen: Chosen, comparison: Comparison) -> None:
    if not any(chosen.has(one) for one in differences_of(comparison)):
        raise UsageError(f"{word}: {comparison.name} found no such row to differ", hint=f"`interlock repair {comparison.name}` lists them")
