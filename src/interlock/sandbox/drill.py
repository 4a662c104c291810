"""Switchovers there and back under load, and what clients saw of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing

from interlock.clock import Clock
from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.sandbox import ledger, sql
from interlock.sandbox.kinds import kind_named
from interlock.sandbox.ledger import Entry
from interlock.sandbox.load import FRESH, POOLED, load
from interlock.sandbox.places import Sandbox
from interlock.sandbox.poller import Samples, poller

_CATCH_UP_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One switchover of a drill. `outage_ms` is None if no client was acknowledged on one side of it."""

    to: str
    outcome: str
    took_ms: float
    outage_ms: float | None
    most_errors_of_a_pooled_client: int
    most_errors_of_a_fresh_client: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillReport:
    """`errors` counts by kind of client and error, `longest_write_ms` is by kind of client. Keys in `lost`, `duplicated` or `resurrected`
    are failures of the tool.
    """

    switches: tuple[Switch, ...]
    outage_p50_ms: float | None
    outage_p99_ms: float | None
    outage_max_ms: float | None
    acknowledged: int
    errors: Mapping[str, Mapping[str, int]]
    longest_write_ms: Mapping[str, float]
    lost: tuple[str, ...]
    duplicated: tuple[str, ...]
    resurrected: tuple[str, ...]
    samples: Samples

    def is_clean(self) -> bool:
        """Every switchover succeeded, nothing is lost or twice there, and no sample saw two writers."""
        outcomes = {switch.outcome for switch in self.switches}
        return outcomes <= {"succeeded"} and not (self.lost or self.duplicated or self.resurrected or self.samples.two)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    to: str
    outcome: str
    begun_s: float
    ended_s: float


def drill(
    sandbox: Sandbox,
    switch: Callable[[str], str],
    *,
    clock: Clock,
    count: int = 20,
    pooled: int = 8,
    fresh: int = 8,
    rest_s: float = 0.3,
    progress: Callable[[str], None] = lambda _: None,
) -> DrillReport:
    """`switch` moves the writes to the cluster it is given and returns the run's outcome. What it raises ends the drill.

    The load writes `rest_s` seconds before the first switchover and after each.
    """
    windows = []
    with poller(sandbox) as watching, load(sandbox, pooled=pooled, fresh=fresh) as writing:
        clock.sleep(rest_s)
        for number in range(1, count + 1):
            to = standby_of(sandbox)
            begun = clock.monotonic_s()
            outcome = switch(to)
            windows.append(_Window(to=to, outcome=outcome, begun_s=begun, ended_s=clock.monotonic_s()))
            progress(f"{number} of {count}: to {to}, {outcome}")
            clock.sleep(rest_s)
        entries = writing.stop()
        samples = watching.stop()
    return _report(sandbox, entries, windows, samples, _keys(sandbox, writing.prefix))


def standby_of(sandbox: Sandbox) -> str:
    """StatementFailed unless exactly one server takes writes."""
    fenced = [name for name in sandbox.members if sql.query(sandbox, name, "SELECT @@read_only AS fenced")[0]["fenced"]]
    if len(fenced) != 1:
        raise StatementFailed(f"{len(fenced)} of the sandbox's servers are fenced, one should be", hint="interlock status")
    return fenced[0]


def _keys(sandbox: Sandbox, prefix: str) -> list[list[str]]:
    """The keys on each server, once it holds all that the other logged."""
    kind, found = kind_named(sandbox.kind), []
    for name in sandbox.members:
        (other,) = (member for member in sandbox.members if member != name)
        position = next(iter(sql.query(sandbox, other, kind.position)[0].values()))
        with closing(sql.connect(sandbox, name, read_timeout_s=_CATCH_UP_S + 5)) as connection:
            if sql.value(connection, kind.wait, position, _CATCH_UP_S) != 0:
                raise StatementFailed(f"{name} does not hold {position} of {other} after {_CATCH_UP_S}s", hint="interlock status")
            found.append([row["k"] for row in sql.rows(connection, "SELECT k FROM app.ledger WHERE k LIKE %s", f"{prefix}-%")])
    return found


def _report(
    sandbox: Sandbox, entries: Sequence[Entry], windows: Sequence[_Window], samples: Samples, keys: Sequence[Sequence[str]]
) -> DrillReport:
    acks = ledger.acknowledged(entries)
    balances = [ledger.balance(entries, found) for found in keys]
    switches = tuple(
        Switch(
            to=window.to,
            outcome=window.outcome,
            took_ms=(window.ended_s - window.begun_s) * 1000,
            # after a rollback the writes are where they were: then it is the longest time between two of them
            outage_ms=ledger.outage_ms(
                acks,
                window.begun_s,
                window.ended_s,
                sandbox.members[window.to].server_id if window.outcome == "succeeded" else None,
            ),
            most_errors_of_a_pooled_client=ledger.most_errors_of_one(entries, POOLED, window.begun_s, window.ended_s),
            most_errors_of_a_fresh_client=ledger.most_errors_of_one(entries, FRESH, window.begun_s, window.ended_s),
        )
        for window in windows
    )
    outages = [switch.outage_ms for switch in switches if switch.outage_ms is not None]
    return DrillReport(
        switches=switches,
        outage_p50_ms=ledger.percentile(outages, 0.50),
        outage_p99_ms=ledger.percentile(outages, 0.99),
        outage_max_ms=max(outages, default=None),
        acknowledged=len(acks),
        errors=ledger.errors_by_kind(entries),
        longest_write_ms=ledger.longest_by_kind(entries),
        lost=_all(balance.lost for balance in balances),
        duplicated=_all(balance.duplicated for balance in balances),
        resurrected=_all(balance.resurrected for balance in balances),
        samples=samples,
    )


def _all(of_each: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({key for keys in of_each for key in keys}))
