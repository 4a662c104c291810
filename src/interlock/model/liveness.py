"""What is seen of a server from several places at once, and what that says of it."""

from __future__ import annotations

from enum import StrEnum

from interlock.dataclass import dataclass
from interlock.model.topology import ClusterName


class VantageKind(StrEnum):
    """What looks. Two of different kinds are independent witnesses, and so are two of one kind that look from different machines."""

    HERE = "here"  # a client's connection from this machine
    PEER = "peer"  # a receiver of the other master, or of a replica
    PROXY = "proxy"  # a proxy's own check
    HOST = "host"  # the server's host itself, by SSH
    POWER = "power"  # a cloud's or a power switch's word


class View(StrEnum):
    """What one of them sees. Of each kind only some are possible."""

    ANSWERS = "answers"  # it lets somebody in and answers
    REFUSES = "refuses"  # it speaks, and lets nobody in: too many connections, a wrong password, a blocked host
    HANGS = "hangs"  # it takes the connection and says nothing
    CLOSED = "closed"  # the host answers, and nobody listens at the port
    SILENT = "silent"  # nothing comes back at all
    CONNECTED = "connected"  # data came from it a moment ago
    STALE = "stale"  # it was reached from there; nothing tells that it still is
    CUT = "cut"  # no connection can be made to it from there
    GAVE_UP = "gave up"  # none could be made the last time, and nobody tries any more
    RUNS = "runs"  # its process runs
    STOPPED = "stopped"  # its process does not run
    OFF = "off"  # its machine has no power
    UNKNOWN = "unknown"  # the vantage point itself can't tell


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFrom:
    """`vantage` names the place for people (`here`, `west's receiver`, `proxy lb1 of writes`); `detail` is in the peer's own words.

    `at` is the machine from which a peer or a proxy looks, empty for all that looks from this one. `ms` is how long it looked.
    """

    vantage: str
    kind: VantageKind
    view: View
    detail: str = ""
    at: str = ""
    ms: float = 0.0


class Liveness(StrEnum):
    """The judgement. Only `dead` lets a failover go on."""

    DEAD = "dead"
    HUNG = "hung"  # it takes connections and does not answer
    CUT_OFF = "cut off"  # it can't be reached from here, and somebody else reaches it
    REFUSING = "refusing"  # alive, and lets nobody in
    ALIVE = "alive"
    UNKNOWN = "unknown"  # too few can tell, or they contradict each other


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessFacts:
    """The verdict on a cluster's master with all that it rests on."""

    cluster: ClusterName
    state: Liveness
    why: str
    seen: tuple[SeenFrom, ...] = ()
