"""Every action there is: those of this package, and those that others add by the entry point group `interlock.actions`.

A module is imported when a playbook asks for one of its actions: to import all of them takes longer than a verdict that a master is dead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from interlock.errors import UsageError
from interlock.extras import added, part
from interlock.playbook.catalogue import ActionSpec, Catalogue, Verb

_MODULES: Mapping[str, tuple[str, ...]] = {
    "server_fence": ("server.fence",),
    "server_open": ("server.open",),
    "liveness": ("cluster.is_dead",),
    "fencing": ("fencing.possible", "server.fence_outside"),
    "received": (
        "replication.can_take_over",
        "replication.stop_receiving",
        "replication.start_receiving",
        "replication.apply_received",
    ),
    "logs_salvage": ("logs.salvage",),
    "release": ("server.release_outside",),
    "returning": ("data.way_back", "losses.keep", "data.undo", "data.copy"),
    "sessions": ("sessions.drain", "sessions.let_newcomers_end", "sessions.kill"),
    "events_hand_over": ("events.hand_over", "events.left"),
    "replicas": ("replicas.named", "replicas.follow"),
    "semisync": ("semisync.named", "semisync.acknowledge", "semisync.hand_over", "semisync.stand_alone"),
    "appliers": ("applier.pause", "applier.continue", "applier.prove_paused"),
    "replication_wait": ("replication.wait",),
    "heartbeat": ("replication.heartbeat",),
    "route_hold": ("route.hold", "route.release"),
    "route_flip": ("route.flip",),
    "pair_checks": (
        "pair.one_writer",
        "pair.writer",
        "pair.distinct_identities",
        "pair.logs_updates",
        "pair.keys_apart",
        "pair.same_filters",
        "pair.can_replicate",
        "pair.clocks_agree",
    ),
    "replication_checks": (
        "replication.healthy",
        "replication.can_catch_up",
        "replication.leads_back",
        "replication.reaches",
        "replication.nothing_extra",
        "replication.canary",
    ),
    "activity_checks": (
        "transactions.none_older_than",
        "server.no_ddl",
        "server.no_table_locks",
        "transactions.none_prepared",
        "sessions.privileged_named",
        "events.named",
        "privileges.complete",
    ),
    "route_checks": ("route.leads_to", "route.hold_outlasts", "route.canary", "server.refuses_writes"),
    "segment_guard": ("segment.guard",),
    "segment_fence": ("segment.fence",),
    "segment_hand_over": ("segment.hand_over",),
    "segment_open": ("segment.open",),
    "server_open_beside": ("server.open_beside",),
    "segment_checks": ("segment.ready", "segment.adoptable", "segment.closed", "segment.is_open", "segment.all_owned", "segment.named"),
    "evidence": ("evidence.one_writer",),
    "run_checks": ("runs.none_unfinished",),
    "marks": ("pair.not_held", "server.not_held", "cluster.may_take_writes", "cluster.mark_failed", "cluster.mark_rejoined"),
    "quiesce": (
        "server.keeps_log",
        "cluster.mark_quiesced",
        "cluster.end_quiesce",
        "cluster.is_quiet",
    ),
    "comparing": ("data.compare", "segment.compare"),
    "tables": ("table.can_change", "table.alter", "table.differs_by", "table.alike"),
    "mending": ("data.differences", "data.mend", "server.put_fence_back", "data.mended"),
    "custom": ("command", "ssh", "http", "sql"),
}
"""The actions of each module; their order is the reference's. Each module tells them in its `SPECS`."""

_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def catalogue() -> Catalogue:
    """Own actions and added ones. An added one can't take the place of an own one: UsageError names it."""
    actions = _Actions()
    for point in added("interlock.actions"):
        spec: ActionSpec = point.load()
        if (spec.verb, spec.name) in actions:
            raise UsageError(f"the action {spec.name!r} of {point.value} is there already", hint="give it another name")
        actions.others[spec.verb, spec.name] = spec
    return actions


class _Actions(Mapping[tuple[Verb, str], ActionSpec]):
    """To ask for one imports its module; to go through all of them imports every module."""

    def __init__(self) -> None:
        self.others: dict[tuple[Verb, str], ActionSpec] = {}

    def __getitem__(self, key: tuple[Verb, str], /) -> ActionSpec:
        module = _MODULE_OF.get(key[1])
        found = {(spec.verb, spec.name): spec for spec in _specs_of(module)} if module is not None else self.others
        return (found if key in found else self.others)[key]

    def __iter__(self) -> Iterator[tuple[Verb, str]]:
        yield from ((spec.verb, spec.name) for module in _MODULES for spec in _specs_of(module))
        yield from self.others

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _specs_of(module: str) -> tuple[ActionSpec, ...]:
    specs: tuple[ActionSpec, ...] = part(f"interlock.actions.{module}:SPECS")
    return specs
