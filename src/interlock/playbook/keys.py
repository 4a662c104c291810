"""The keys of a playbook file, declared once: the checker, the JSON Schema and the reference are made from them."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.documents.fields import Field, Kind
from interlock.playbook.catalogue import ActionSpec, Verb

PLAYBOOK_KEYS = (
    Field(name="playbook", kind=Kind.SERVER, required=True, doc="the playbook's name"),
    Field(name="version", kind=Kind.INTEGER, default=1, doc="the playbook's own version, from 1"),
    Field(name="summary", kind=Kind.TEXT, default="", doc="what it does, in a line"),
    Field(name="inputs", kind=Kind.ANY, doc="values that an operator gives, by name"),
    Field(name="phases", kind=Kind.ANY, required=True, doc="the phases in their order"),
    Field(name="on_failure", kind=Kind.TEXT, default="roll_back", choices=("roll_back", "halt"), doc="what follows a failed step"),
    Field(name="rollback_within", kind=Kind.DURATION, default=30.0, doc="the bound of the whole way back"),
)
INPUT_KINDS: Mapping[str, Kind] = {
    "cluster": Kind.CLUSTER,
    "server": Kind.SERVER,
    "segment": Kind.SEGMENT,
    "duration": Kind.DURATION,
    "text": Kind.TEXT,
    "integer": Kind.INTEGER,
    "flag": Kind.FLAG,
    "choice": Kind.TEXT,
}
INPUT_KEYS = (
    Field(name="type", kind=Kind.TEXT, required=True, choices=tuple(INPUT_KINDS), doc="the kind of its value"),
    Field(name="default", kind=Kind.ANY, doc="its value if none is given; `writer`, `standby` or `other` (than its `not`) for a cluster"),
    Field(name="not", kind=Kind.TEXT, doc="what a cluster must differ from: writer, standby or another input"),
    Field(name="required", kind=Kind.FLAG, doc="whether it must be given; if left out: unless it has a default"),
    Field(name="doc", kind=Kind.TEXT, default="", doc="a line for people"),
    Field(name="choices", kind=Kind.TEXTS, default=(), doc="the texts that a choice may be"),
)
PHASE_KEYS = (
    Field(name="phase", kind=Kind.SERVER, required=True, doc="the phase's name"),
    Field(name="steps", kind=Kind.ANY, required=True, doc="the steps in their order"),
)
VERB_KEYS = (
    Field(name="do", kind=Kind.TEXT, doc="an effect"),
    Field(name="check", kind=Kind.TEXT, doc="a read"),
    Field(name="gate", kind=Kind.TEXT, doc="a person is asked; the text says for what"),
)
STEP_KEYS = (
    Field(name="id", kind=Kind.TEXT, doc="a name, so that later steps can reach its outputs"),
    Field(name="with", kind=Kind.ANY, doc="the action's parameters"),
    Field(name="when", kind=Kind.ANY, doc="a condition; the step is left out if it does not hold"),
    Field(name="foreach", kind=Kind.ANY, doc="a list; the step is carried out for each ${item} of it"),
    Field(name="timeout", kind=Kind.DURATION, doc="the engine's bound of the step"),
    Field(name="retry", kind=Kind.ANY, doc="further attempts: a number, or {times, pause}"),
    Field(name="undo", kind=Kind.ANY, doc="steps that replace the action's own undo, or none"),
    Field(name="on_failure", kind=Kind.TEXT, choices=("roll_back", "halt", "continue"), doc="continue: of a check only"),
)
PARALLEL_KEYS = (
    Field(name="parallel", kind=Kind.ANY, required=True, doc="steps that run at the same time"),
    Field(name="id", kind=Kind.TEXT, doc="a name"),
    Field(name="when", kind=Kind.ANY, doc="a condition; all of them are left out if it does not hold"),
)
RETRY_KEYS = (
    Field(name="times", kind=Kind.INTEGER, required=True, doc="attempts after the first, 1 to 100"),
    Field(name="pause", kind=Kind.DURATION, default=1.0, doc="between two attempts"),
)

GATE = ActionSpec(
    name="gate",
    verb=Verb.GATE,
    summary="Wait until a person says yes.",
    params=(Field(name="message", kind=Kind.TEXT, required=True, doc="what the person is asked"),),
    build=dict,
)
