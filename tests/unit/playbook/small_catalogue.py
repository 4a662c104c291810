"""A catalogue with the actions of the design's example: enough to check files against, with nothing behind it."""

from __future__ import annotations

from interlock.documents.fields import Field, Kind
from interlock.playbook.catalogue import ActionSpec, Catalogue, Role, Verb


def _field(name: str, kind: Kind, *, required: bool = True, default: object = None) -> Field:
    return Field(name=name, kind=kind, doc=f"the {name}", required=required, default=default)


def _spec(
    name: str,
    verb: Verb,
    *params: Field,
    role: Role = Role.NONE,
    outputs: dict[str, Kind] | None = None,
    bound: str | None = None,
) -> ActionSpec:
    return ActionSpec(
        name=name, verb=verb, summary=name, params=params, build=dict, outputs=outputs or {}, role=role, bounds_on_server=bound
    )


SERVER = _field("server", Kind.SERVER)
ROUTE = _field("route", Kind.ROUTES)
WITHIN = _field("within", Kind.DURATION, required=False, default=5.0)
RUN = _field("run", Kind.ARGV)
OUT = {"stdout": Kind.TEXT}

SPECS = (
    _spec("route.hold", Verb.DO, ROUTE, role=Role.HOLDS),
    _spec("server.fence", Verb.DO, SERVER, WITHIN, role=Role.FENCES, outputs={"position": Kind.POSITION}, bound="within"),
    _spec("replication.wait", Verb.DO, SERVER, _field("position", Kind.POSITION), WITHIN, role=Role.CATCHES_UP),
    _spec("server.open", Verb.DO, SERVER, role=Role.OPENS),
    _spec("route.flip", Verb.DO, ROUTE, _field("to", Kind.CLUSTER), role=Role.FLIPS),
    _spec("sessions.kill", Verb.DO, SERVER),
    _spec("route.canary", Verb.CHECK, ROUTE, _field("expect", Kind.CLUSTER), _field("times", Kind.INTEGER, required=False, default=1)),
    _spec("replication.canary", Verb.CHECK, _field("from", Kind.SERVER), _field("to", Kind.SERVER), WITHIN),
    _spec("replication.healthy", Verb.CHECK, _field("both_ways", Kind.FLAG, required=False), _field("max_lag", Kind.DURATION)),
    _spec("transactions.none_older_than", Verb.CHECK, SERVER, _field("age", Kind.DURATION)),
    _spec("command", Verb.DO, RUN, _field("env", Kind.MAPPING, required=False), outputs=OUT),
    _spec("command", Verb.CHECK, RUN, _field("exits", Kind.INTEGERS, required=False, default=(0,)), outputs=OUT),
    _spec("sql", Verb.DO, SERVER, _field("statements", Kind.TEXTS), _field("password", Kind.SECRET, required=False)),
    _spec("sql", Verb.CHECK, SERVER, _field("query", Kind.TEXT)),
)
CATALOGUE: Catalogue = {(spec.verb, spec.name): spec for spec in SPECS}

SWITCHOVER = """\
playbook: switchover
version: 1
summary: Move the writes to the standby with nothing lost.
inputs:
  to: {type: cluster, not: writer}
  from: {type: cluster, default: writer}
  max_outage: {type: duration, default: 10s}
  drain: {type: duration, default: 2s}
phases:
- phase: preflight                        # checks only: nothing may change here
  steps:
  - check: replication.healthy
    with: {both_ways: true, max_lag: 5s}
  - check: transactions.none_older_than
    with: {server: "${from}", age: 5s}
- phase: fence
  steps:
  - do: route.hold
    with: {route: all}
  - id: fenced
    do: server.fence
    with: {server: "${from}", within: 2s}
- phase: catch_up
  steps:
  - do: replication.wait
    with: {server: "${to}", position: "${fenced.position}", within: "${max_outage}"}
- phase: flip
  steps:
  - do: server.open
    with: {server: "${to}"}
  - do: route.flip
    with: {route: all, to: "${to}"}
  - do: sessions.kill
    with: {server: "${from}"}
- phase: verify
  steps:
  - check: route.canary
    with: {route: all, expect: "${to}", times: 3}
  - check: replication.canary
    with: {from: "${to}", to: "${from}", within: 5s}
on_failure: roll_back                     # or halt
"""
