"""That two servers never wrote at the same time, proved from their binary logs alone: no clock is looked at, not even one.

Each server logs its own writes and, where they arrive, the other's. If a server wrote only after it held everything that the other had
written, both logs hold the same transactions in the same order. If both wrote at once, each has its own write before the other's, and the
orders differ. So the proof is that one log's transactions are a beginning of the other's (log_slave_updates on both, one applier thread).
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from pathlib import Path
from zlib import crc32

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.model.position import Gtid
from interlock.sandbox.kinds import MARIADB, Kind, kind_named
from interlock.sandbox.places import Member, Sandbox

_MARIADB_EVENT = re.compile(rb"^#\d{6}\s.*\tGTID (\d+)-(\d+)-(\d+)")
_MYSQL_EVENT = re.compile(rb"^#\d{6}\s.* server id (\d+)\s.*\tGTID\t")
_MYSQL_GTID = re.compile(rb"^SET @@SESSION.GTID_NEXT\s*=\s*'[0-9a-f-]{36}:(?:(\w+):)?(\d+)'")
_WITHIN_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A stretch of the common order in which one server alone wrote."""

    server_id: int
    transactions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BinlogProof:
    """`turns` are what both logs agree on, in order. `violations` is empty if neither server wrote while the other did; otherwise the first
    place where the orders part, in words. `only_in_one`: transactions at the end of one log that the other does not hold (yet).
    """

    turns: tuple[Turn, ...]
    violations: tuple[str, ...]
    only_in_one: int

    @property
    def transactions(self) -> int:
        return sum(turn.transactions for turn in self.turns)


def compare(names: tuple[str, str], first: Sequence[Gtid], second: Sequence[Gtid]) -> BinlogProof:
    """Pure: two logs' transactions, each in the order of its log."""
    agreed = 0
    violations = [
        f"{name} logged {gtid} {times} times" for name, log in zip(names, (first, second), strict=True) for gtid, times in _twice(log)
    ]
    for one, other in zip_longest(first, second):
        if one is None or other is None:
            break
        if one != other:
            violations.append(f"after {agreed} transactions {names[0]} logged {one} next, and {names[1]} {other}: both wrote at once")
            break
        agreed += 1
    turns = tuple(
        Turn(server_id=server_id, transactions=len(list(group))) for server_id, group in groupby(g.server_id for g in first[:agreed])
    )
    return BinlogProof(turns=turns, violations=tuple(violations), only_in_one=abs(len(first) - len(second)) if not violations else 0)


def _twice(log: Iterable[Gtid]) -> list[tuple[Gtid, int]]:
    return [(gtid, times) for gtid, times in Counter(log).items() if times > 1]


def prove(sandbox: Sandbox) -> BinlogProof:
    """Read both servers' logs whole, from their files: a server that is down is read all the same. StatementFailed if one can't be read."""
    east, west = sandbox.members.values()
    kind = kind_named(sandbox.kind)
    return compare((east.name, west.name), logged(east, kind), logged(west, kind))


def logged(member: Member, kind: Kind = MARIADB) -> tuple[Gtid, ...]:
    """Every transaction in a server's binary log, in its order, whichever server wrote it. A MySQL server's UUID tells no more than its
    server id, which stands for the domain; a tag counts its own, and has one of its own.
    """
    index = Path(member.data) / "binlog.index"
    files = [str(Path(member.data) / Path(line).name) for line in index.read_text().split()]
    program = kind.program_path(kind.log_reader, "mariadb-client")
    argv = [program, "--no-defaults", "--base64-output=decode-rows", *files]  # without --verbose: no row is printed
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reading:  # noqa: S603 - our own words
        assert reading.stdout is not None  # noqa: S101 - for the type checker: PIPE was asked for
        assert reading.stderr is not None  # noqa: S101 - as above
        found = tuple(_of_mysql(reading.stdout) if kind.flavor == "mysql" else _of_mariadb(reading.stdout))
        said = reading.stderr.read().decode(errors="replace").strip()
        code = reading.wait(_WITHIN_S)
    if code != 0:
        raise StatementFailed(f"{kind.log_reader} on {member.name}'s log ended with exit code {code}: {said[-500:]}", server=member.name)
    return found


def _of_mariadb(lines: Iterable[bytes]) -> Iterator[Gtid]:
    for matched in map(_MARIADB_EVENT.match, lines):
        if matched is not None:
            yield Gtid(*(int(number) for number in matched.groups()))


def _of_mysql(lines: Iterable[bytes]) -> Iterator[Gtid]:
    """The event's first line says the server, a later one the GTID."""
    server_id = 0
    for line in lines:
        event, gtid = _MYSQL_EVENT.match(line), _MYSQL_GTID.match(line)
        if event is not None:
            server_id = int(event[1])
        elif gtid is not None:
            yield Gtid(crc32(gtid[1]) if gtid[1] else server_id, server_id, int(gtid[2]))
