"""Fencing from outside: what closes a server that can't be asked any more, and what such a thing tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from interlock.dataclass import dataclass
from interlock.model.topology import ClusterName


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFacts:
    """How one way of fencing stands, by its own look. `fenced` None: it could not tell.

    `whole`: when it says fenced, no client can write to the server by any way (stopped and barred, without power, its port blocked). What
    closes one way in only (an address, a proxy) is not whole. `detail` is what was read, in the peer's words; `raw` is what the agent needs
    to put it back exactly.
    """

    agent: str
    cluster: ClusterName
    fenced: bool | None
    whole: bool
    detail: str = ""
    raw: Mapping[str, str] = field(default_factory=dict)
