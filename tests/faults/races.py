"""Two operators who type the same command at the same moment, on a real pair."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.clock import SystemClock
from interlock.sandbox.binlog_proof import BinlogProof, prove
from interlock.sandbox.ledger import balance
from interlock.sandbox.load import load
from interlock.sandbox.places import Sandbox
from interlock.sandbox.poller import Samples, poller
from interlock.sandbox.sql import query
from scenarios.command_line import environment, start
from scenarios.pair_state import open_sides, positions, writer_and_standby
from waiting import eventually

_REST_S = 0.2
_WITHIN_S = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """One race: the two exit codes, what the loser was told, and the side that was open afterwards."""

    to: str
    codes: tuple[int, ...]
    told: str
    open_sides: tuple[str, ...]

    @property
    def one_worked(self) -> bool:
        """One ended with success. The other held off (6); or came when all was done, and was refused (3, 2)."""
        winner, loser = sorted(self.codes)
        return winner == 0 and loser in {2, 3, 6} and self.open_sides == (self.to,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raced:
    """All races, and what the witnesses saw of them together."""

    races: tuple[Race, ...]
    samples: Samples
    proof: BinlogProof
    lost: tuple[str, ...]
    duplicated: tuple[str, ...]

    @property
    def codes(self) -> Counter[tuple[int, ...]]:
        return Counter(tuple(sorted(race.codes)) for race in self.races)

    @property
    def turns_of_writing(self) -> int:
        """How often the writing passed from one side to the other, by the logs."""
        return len(self.proof.turns) - 1


def race(pair: Sandbox, folder: Path, count: int) -> Raced:
    """Under a light load. Every other race has a store for each operator, as on two machines: then the servers' locks alone part them."""
    clock = SystemClock()
    with ExitStack() as stack:
        watching = stack.enter_context(poller(pair))
        writing = stack.enter_context(load(pair, pooled=2, fresh=2, pause_s=0.02))
        races = []
        for number in range(count):
            races.append(_one(pair, _operators(pair, folder, shared=number % 2 == 0)))
            clock.sleep(_REST_S)
        entries = writing.stop()
        samples = watching.stop()
    assert eventually(lambda: len({frozenset(logged.split(",")) for logged in positions(pair).values()}) == 1)
    rows = [row["k"] for row in query(pair, "west", "SELECT k FROM app.ledger WHERE k LIKE %s", f"{writing.prefix}-%")]
    checked = balance(entries, rows)
    return Raced(races=tuple(races), samples=samples, proof=prove(pair), lost=checked.lost, duplicated=checked.duplicated)


def _operators(pair: Sandbox, folder: Path, *, shared: bool) -> Iterator[dict[str, str]]:
    for name in ("ann", "bob"):
        home = folder / ("both" if shared else name)
        home.mkdir(exist_ok=True)
        yield environment(pair, home)


def _one(pair: Sandbox, operators: Iterator[dict[str, str]]) -> Race:
    _, to = writer_and_standby(pair)
    with ExitStack() as stack:
        commands = [stack.enter_context(start("switchover", "--to", to, "--json", env=env)) for env in operators]
        said = [command.communicate(timeout=_WITHIN_S) for command in commands]
    documents: list[dict[str, Any]] = [json.loads(out) for out, _ in said]
    told = "; ".join(problem["what"] for document in documents for problem in document["problems"])
    return Race(to=to, codes=tuple(command.returncode for command in commands), told=told, open_sides=tuple(open_sides(pair)))
