"""What the playbook room knows of an action: enough to check a file, describe it and build it. Actions stand above."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum

from interlock.dataclass import dataclass
from interlock.documents.fields import Field, Kind


class Verb(StrEnum):
    """`do` has effects and an undo; `check` only reads; `gate` waits for a person."""

    DO = "do"
    CHECK = "check"
    GATE = "gate"


class Role(StrEnum):
    """What an action does to the rule of promise 1, so that a playbook that could open too early is rejected when it is loaded."""

    NONE = "none"
    HOLDS = "holds"  # begins the outage for new clients
    FENCES = "fences"  # its `server` refuses writes afterwards, and `position` is its last one
    CATCHES_UP = "catches_up"  # its `server` holds its `position` afterwards
    FENCES_OUTSIDE = "fences_outside"  # nothing can write to its `cluster`, which need not answer for that
    APPLIES_RECEIVED = "applies_received"  # its `server` holds all that it ever received from its `source`
    OPENS = "opens"  # its `server` takes writes afterwards
    FLIPS = "flips"  # ends the outage
    CLOSES_SEGMENT = "closes_segment"  # on its `server` nobody can write its `segment`, and `position` is its last one
    HANDS_OVER = "hands_over"  # its `to` owns its `segment`, by both servers' own word
    OPENS_SEGMENT = "opens_segment"  # on its `server` its `segment` takes writes afterwards
    OPENS_BESIDE = "opens_beside"  # on its `server`, where no segment is open, clients may be let in while the other one takes writes
    OWNS_ALL = "owns_all"  # its `cluster` owns every segment, or the run goes no further
    LEADS_BACK = "leads_back"  # what is opened elsewhere comes back to its `server`, or its output `runs` says that it does not
    LOOSENS = "loosens"  # while it is under way, administrators may write through the fence of its `server`: a halt shuts it
    FOLLOWS = "follows"  # moves servers that are behind the pair: they are put back last, and never fail the way back
    NOTES = "notes"  # notes something for later commands: so is that


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """`params` are the keys under `with:`; `outputs` what `${id.name}` may reach; `build` takes every param by its name, checked.

    `bounds_on_server` names the param with the server's own bound: a step's `timeout` must be greater than it. `tells_failures`: the
    outputs are kept in the journal of a step that failed, too.
    """

    name: str
    verb: Verb
    summary: str
    params: tuple[Field, ...]
    build: Callable[[Mapping[str, object]], object]
    outputs: Mapping[str, Kind] = field(default_factory=dict)
    role: Role = Role.NONE
    bounds_on_server: str | None = None
    tells_failures: bool = False


Catalogue = Mapping[tuple[Verb, str], ActionSpec]
"""By verb and name: `command`, `http`, `sql` and `ssh` are both checks and effects."""
