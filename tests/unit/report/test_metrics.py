"""What Prometheus is told of a pair: what was seen last, nothing that is not known, and nothing that people wrote."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.registry import CollectorRegistry

from interlock.decisions.watching import Policy
from interlock.engine.marks import put_mark
from interlock.engine.watcher import Watcher
from interlock.errors import StoreFailed
from interlock.model.marks import Mark, MarkKind
from interlock.ports import RunHeader
from interlock.report.metrics import PairMetrics
from interlock.simulated.network import TOOL
from interlock.simulated.pair import SimulatedPair, simulated_pair
from interlock.simulated.process import SimulatedProcess
from interlock.simulated.store import MemoryStore
from interlock.simulated.world import SimulatedWorld

Happens = Callable[[SimulatedPair, MemoryStore], None]


def scraped(happens: Happens = lambda _pair, _store: None, looks: int = 1) -> dict[str, float]:
    pair = simulated_pair(clients=0)
    store = MemoryStore(pair.clock)
    happens(pair, store)
    return samples_of(pair, store, looks)


def samples_of(pair: SimulatedPair, store: MemoryStore, looks: int) -> dict[str, float]:
    """Each by its name and labels."""
    world = SimulatedWorld(pair, SimulatedProcess("watch"), store)
    watcher = Watcher(world=world, store=store, clock=pair.clock, policy=Policy(), tell=lambda _: None)
    for _ in range(looks):
        watcher.look()
    registry = CollectorRegistry()
    registry.register(PairMetrics(watcher, "shop"))
    lines = generate_latest(registry).decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


def verdict(cluster: str, state: str) -> str:
    return f'interlock_verdict{{cluster="{cluster}",interlock_verdict="{state}",topology="shop"}}'


def kill(pair: SimulatedPair, _store: MemoryStore) -> None:
    pair.east.crash()


def hide_lag(pair: SimulatedPair, _store: MemoryStore) -> None:
    pair.to_west.lag_known = False


def hide(pair: SimulatedPair, _store: MemoryStore) -> None:
    pair.network.cut(TOOL, "east")


def hold(pair: SimulatedPair, store: MemoryStore) -> None:
    now = pair.clock.wall()
    until = now - timedelta(hours=1)
    put_mark(store, Mark(topology="shop", kind=MarkKind.HOLD, subject="", by="anna@ops1", at=until, reason="secret plan", until=until))
    put_mark(store, Mark(topology="shop", kind=MarkKind.FAILED, subject="west", by="ben@ops2", at=now, reason="it died", run="r1"))


def act_before(pair: SimulatedPair, store: MemoryStore) -> None:
    for run, outcome in (("watch-1", "refused"), ("mine", "halted"), ("watch-2", "succeeded")):
        pair.clock.sleep(60.0)
        store.create_run(
            RunHeader(run=run, playbook="failover", topology="shop", started_at=pair.clock.wall(), state=outcome, outcome=outcome)
        )


CASES: dict[str, tuple[Happens, dict[str, float]]] = {
    "healthy": (
        lambda _pair, _store: None,
        {
            verdict("east", "alive"): 1,
            verdict("east", "dead"): 0,
            'interlock_takes_writes{cluster="east",topology="shop"}': 1,
            'interlock_takes_writes{cluster="west",topology="shop"}': 0,
            'interlock_channel_lag_seconds{from="east",to="west",topology="shop"}': 0,
            'interlock_channel_running{from="west",to="east",topology="shop"}': 1,
            'interlock_route_leads_to{cluster="east",route="writes",topology="shop"}': 1,
            'interlock_route_leads_to{cluster="west",route="writes",topology="shop"}': 0,
            'interlock_problems{topology="shop"}': 0,
            'interlock_looks_total{topology="shop"}': 1,
        },
    ),
    "the writer is dead": (
        kill,
        {
            verdict("east", "dead"): 1,
            verdict("east", "alive"): 0,
            'interlock_reachable{cluster="east",topology="shop"}': 0,
            'interlock_takes_writes{cluster="west",topology="shop"}': 0,
            'interlock_vantage_view{cluster="east",kind="peer",topology="shop",vantage="west\'s receiver",view="cut"}': 1,
        },
    ),
    "out of reach from here": (
        hide,
        {
            verdict("east", "cut off"): 1,
            'interlock_vantage_view{cluster="east",kind="here",topology="shop",vantage="here",view="silent"}': 1,
        },
    ),
    "notes": (
        hold,
        {
            'interlock_mark{cluster="",kind="hold",topology="shop"}': 1,
            'interlock_mark{cluster="west",kind="failed",topology="shop"}': 1,
            'interlock_expired_holds{topology="shop"}': 1,
        },
    ),
    "acted before": (
        act_before,
        {
            'interlock_automatic_runs_total{outcome="succeeded",topology="shop"}': 1,
            'interlock_automatic_runs_total{outcome="refused",topology="shop"}': 1,
            'interlock_automatic_runs_total{outcome="halted",topology="shop"}': 0,
            'interlock_last_automatic_outcome{interlock_last_automatic_outcome="succeeded",topology="shop"}': 1,
            'interlock_last_automatic_outcome{interlock_last_automatic_outcome="refused",topology="shop"}': 0,
        },
    ),
}


@pytest.mark.parametrize(("happens", "expected"), CASES.values(), ids=CASES)
def test_a_scrape_tells_what_was_seen(happens: Happens, expected: dict[str, float]) -> None:
    samples = scraped(happens)
    assert {name: samples.get(name) for name in expected} == expected


def test_what_is_not_known_has_no_sample() -> None:
    assert not any("lag_seconds" in name and 'to="west"' in name for name in scraped(hide_lag))
    assert not any("takes_writes" in name and "east" in name for name in scraped(kill))
    assert not any("last_automatic" in name for name in scraped())
    assert not any("interlock_verdict" in name for name in scraped(looks=0))


class _Forgetful(MemoryStore):
    def runs(self, topology: str | None, /) -> tuple[RunHeader, ...]:
        raise StoreFailed(f"the runs of {topology} can't be read")


def test_a_look_that_could_not_be_made_is_counted_and_none_is_dated() -> None:
    pair = simulated_pair(clients=0)
    samples = samples_of(pair, _Forgetful(pair.clock), looks=2)
    assert samples['interlock_failed_looks_total{topology="shop"}'] == 2
    assert not any("last_look" in name for name in samples)


def test_the_page_names_what_there_is() -> None:
    page = (Path(__file__).parents[3] / "docs" / "watch.md").read_text()
    told = {name for sample in (*scraped(hold), *scraped(act_before), *scraped()) for name in re.findall(r"^interlock_\w+", sample)}
    assert set(re.findall(r"\binterlock_\w+", page)) == told


def test_nothing_that_people_wrote_leaves_by_a_scrape() -> None:
    told = " ".join(scraped(hold))
    assert "secret plan" not in told
    assert "anna" not in told
