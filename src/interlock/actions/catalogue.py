"""Every action there is: those of this package, and those that others add by the entry point group `interlock.actions`."""

from __future__ import annotations

from interlock.actions import (
    activity_checks,
    appliers,
    custom,
    events_hand_over,
    evidence,
    fencing,
    liveness,
    logs_salvage,
    marks,
    pair_checks,
    quiesce,
    received,
    replicas,
    replication_checks,
    replication_wait,
    route_checks,
    route_flip,
    route_hold,
    run_checks,
    semisync,
    server_fence,
    server_open,
    sessions,
)
from interlock.errors import UsageError
from interlock.extras import added
from interlock.playbook.catalogue import ActionSpec, Catalogue

OWN: tuple[ActionSpec, ...] = (
    server_fence.SPEC,
    server_open.SPEC,
    liveness.SPEC,
    *fencing.SPECS,
    *received.SPECS,
    *logs_salvage.SPECS,
    *sessions.SPECS,
    events_hand_over.SPEC,
    *replicas.SPECS,
    *semisync.SPECS,
    *appliers.SPECS,
    replication_wait.SPEC,
    *route_hold.SPECS,
    route_flip.SPEC,
    *pair_checks.SPECS,
    *replication_checks.SPECS,
    *activity_checks.SPECS,
    *route_checks.SPECS,
    evidence.SPEC,
    run_checks.SPEC,
    *marks.SPECS,
    *quiesce.SPECS,
    *custom.SPECS,
)


def catalogue() -> Catalogue:
    """Own actions and added ones. An added one can't take the place of an own one: UsageError names it."""
    found = {(spec.verb, spec.name): spec for spec in OWN}
    for point in added("interlock.actions"):
        spec: ActionSpec = point.load()
        if (spec.verb, spec.name) in found:
            raise UsageError(f"the action {spec.name!r} of {point.value} is there already", hint="give it another name")
        found[spec.verb, spec.name] = spec
    return found
