"""`${…}` in a playbook: references to inputs, topology facts and earlier outputs, and nothing else.

    "${to}"                      an input
    "${fenced.position}"         an output of the step with the id `fenced`
    "${topology.name}"           topology.name, topology.clusters, topology.routes, topology.servers (names)
    "${writer}", "${standby}"    the clusters as they were when the run began
    "${item}"                    the present item of a step's `foreach`

A text that is one reference alone gives the value itself; a text with more around it gives a text. `when:` knows besides `==`, `!=`, `in`,
`not`, `and`, `or`, parentheses, numbers, true, false and quoted texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that does not exist yet: an output of a step that has not run. `plan` shows it as `<fenced.position>`."""

    reference: str

    def __str__(self) -> str:
        return f"<{self.reference}>"


Scope = Mapping[str, object]
"""Names to values; a dotted reference walks mappings, attributes are never reached."""


class Template(Protocol):
    """A checked `${…}` text."""

    @property
    def references(self) -> tuple[str, ...]: ...
    def resolve(self, scope: Scope, /) -> object:
        """The value; `Unknown` if a reference is missing from `scope`."""
        ...


class Condition(Protocol):
    """A checked `when:`."""

    @property
    def references(self) -> tuple[str, ...]: ...
    def holds(self, scope: Scope, /) -> bool | Unknown: ...
