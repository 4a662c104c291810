"""A comparison of a cluster's data with the writer's, as a run makes it: what is known of it, and the effects that begin and end it."""

from __future__ import annotations

from interlock.dataclass import dataclass
from interlock.model.topology import ClusterName, Tenants


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """A table (`schema.table`), or a schema, in which `rows` differ, or something is `declared` otherwise, or not known: `open` says what
    could not be compared or settled, and why. `others`: how many rows of other tenants than those that were compared.
    """

    name: str
    rows: int = 0
    declared: bool = False
    open: tuple[str, ...] = ()
    others: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparingFacts:
    """`rows` of about `expected` were compared. `differing` is where something differs, or is not known. `error`: why it ended before its
    end, empty if it did not. `untold`: why these servers' tables are not compared at all.
    """

    name: str
    rows: int = 0
    expected: int = 0
    differing: tuple[Differing, ...] = ()
    is_over: bool = False
    error: str = ""
    untold: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginComparison:
    """Begin to read both sides, and tell where they differ: in `schemas`, or in the tables of `tenants`, everywhere if neither is given. It
    changes nothing on either.
    """

    cluster: ClusterName
    schemas: tuple[str, ...] = ()
    tenants: Tenants | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopComparison:
    """End it. What it found so far is kept."""

    cluster: ClusterName


CompareEffect = BeginComparison | StopComparison
