"""A comparison of a cluster's data with the writer's, as a run makes it: what is known of it, and the effects that begin and end it."""

from __future__ import annotations

from interlock.dataclass import dataclass
from interlock.model.topology import ClusterName


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparingFacts:
    """`rows` of about `expected` were compared. `differing` are the tables (`schema.table`, or a schema) in which something differs, `open`
    what could not be compared or settled, a sentence each. `error`: why it ended before its end, empty if it did not. `untold`: why these
    servers' tables are not compared at all.
    """

    name: str
    rows: int = 0
    expected: int = 0
    differing: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    is_over: bool = False
    error: str = ""
    untold: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginComparison:
    """Begin to read both sides, and tell where they differ. It changes nothing on either."""

    cluster: ClusterName


@dataclass(frozen=True, slots=True, kw_only=True)
class StopComparison:
    """End it. What it found so far is kept."""

    cluster: ClusterName


CompareEffect = BeginComparison | StopComparison
