"""What a watcher saw last, as metrics for Prometheus. What is not known has no sample: an alert on absence then tells it from zero.

Names of clusters, routes, vantage points and playbooks stand in labels; nothing that people or servers wrote does (reasons, errors, hosts).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, StateSetMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from interlock.engine.states import FINAL, State
from interlock.engine.watch import Observed
from interlock.engine.watcher import Watcher
from interlock.model.liveness import Liveness
from interlock.model.marks import MarkKind
from interlock.ports import RunHeader


class PairMetrics(Collector):
    """Collected anew at each scrape, from whatever the watcher saw last."""

    def __init__(self, watcher: Watcher, topology: str) -> None:
        self._watcher = watcher
        self._topology = topology

    def collect(self) -> Iterator[Metric]:
        yield self._counter("interlock_looks", "Looks at the pair since the watch began.", self._watcher.looks)
        yield self._counter("interlock_failed_looks", "Looks that could not be made, such as for want of the store.", self._watcher.failed)
        seen = self._watcher.last
        if seen is not None:
            yield from self._of_watch(seen)
            yield from self._of_clusters(seen)
            yield from self._of_links(seen)
            yield from self._of_store(seen)

    def _of_watch(self, seen: Observed) -> Iterator[Metric]:
        look = self._gauge("interlock_last_look_timestamp_seconds", "When the pair was last seen.")
        look.add_metric([self._topology], seen.at.timestamp())
        problems = self._gauge("interlock_problems", "Problems that `interlock status` would tell.")
        problems.add_metric([self._topology], len(seen.pair.problems))
        yield from (look, problems)

    def _of_clusters(self, seen: Observed) -> Iterator[Metric]:
        verdict = StateSetMetricFamily("interlock_verdict", "What all who look make of the master.", labels=["topology", "cluster"])
        writes = self._gauge("interlock_takes_writes", "Whether the master is open for writes.", "cluster")
        answers = self._gauge("interlock_reachable", "Whether the master answers from here.", "cluster")
        views = self._gauge("interlock_vantage_view", "What one place sees of the master: always 1.", "cluster", "vantage", "kind", "view")
        for name, facts in seen.masters.items():
            verdict.add_metric([self._topology, name], {state.value: state is facts.state for state in Liveness})
            its = seen.pair.clusters[name]
            answers.add_metric([self._topology, name], its.reachable)
            if its.read_only is not None:
                writes.add_metric([self._topology, name], not its.read_only)
            for each in facts.seen:
                views.add_metric([self._topology, name, each.vantage, each.kind.value, each.view.value], 1)
        yield from (verdict, answers, writes, views)

    def _of_links(self, seen: Observed) -> Iterator[Metric]:
        runs = self._gauge("interlock_channel_running", "Whether replication receives and applies.", "from", "to")
        lag = self._gauge("interlock_channel_lag_seconds", "How far behind it is, as the server says.", "from", "to")
        for channel in seen.pair.channels:
            ends = [self._topology, channel.from_ or "", channel.to]
            runs.add_metric(ends, channel.running)
            if channel.lag_s is not None:
                lag.add_metric(ends, channel.lag_s)
        leads = self._gauge("interlock_route_leads_to", "Whether the route sends new clients there.", "route", "cluster")
        for route in seen.pair.routes:
            for name in seen.pair.clusters if not route.error else ():
                leads.add_metric([self._topology, route.route, name], name in route.leads_to)
        yield from (runs, lag, leads)

    def _of_store(self, seen: Observed) -> Iterator[Metric]:
        marks = self._gauge("interlock_mark", "A note on the pair, a hold or a failed cluster: always 1.", "kind", "cluster")
        expired = self._gauge("interlock_expired_holds", "Holds that have expired, and hold on until they are released.")
        for mark in seen.marks:
            marks.add_metric([self._topology, mark.kind.value, mark.subject], 1)
        held = [mark for mark in seen.marks if mark.kind is not MarkKind.FAILED and mark.until is not None]
        expired.add_metric([self._topology], sum(mark.until <= seen.at for mark in held if mark.until is not None))
        unfinished = self._gauge("interlock_unfinished_runs", "Runs that have no outcome yet.")
        unfinished.add_metric([self._topology], len(seen.pair.unfinished_runs))
        yield from (marks, expired, unfinished, *self._of_automatic_runs(seen.automatic))

    def _of_automatic_runs(self, runs: Sequence[RunHeader]) -> Iterator[Metric]:
        """As the store tells: of every watcher of the pair."""
        outcomes = [state.value for state in (*sorted(FINAL), State.HALTED)]
        counts = Counter(header.outcome for header in runs)
        total = CounterMetricFamily("interlock_automatic_runs", "Runs that a watch began.", labels=["topology", "outcome"])
        for outcome in outcomes:
            total.add_metric([self._topology, outcome], counts[outcome])
        yield total
        if runs:
            last = self._gauge("interlock_last_automatic_run_timestamp_seconds", "When a watch last began one.")
            last.add_metric([self._topology], runs[0].started_at.timestamp())
            ended = StateSetMetricFamily("interlock_last_automatic_outcome", "How that ended; none while it goes on.", labels=["topology"])
            ended.add_metric([self._topology], {outcome: outcome == runs[0].outcome for outcome in outcomes})
            yield from (last, ended)

    def _gauge(self, name: str, says: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(name, says, labels=["topology", *labels])

    def _counter(self, name: str, says: str, value: int) -> CounterMetricFamily:
        made = CounterMetricFamily(name, says, labels=["topology"])
        made.add_metric([self._topology], value)
        return made
