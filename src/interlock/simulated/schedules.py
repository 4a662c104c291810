"""What one simulated night brings, as data: drawn from one seeded random source, shrunk by a property tester, printed as a story."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from random import Random

from interlock.dataclass import dataclass
from interlock.simulated.database import Flavor


class FaultKind(StrEnum):
    """What can go wrong. Each has a place: a server, a link, the proxy, a channel or the store's machine."""

    CUT = "cut"  # nothing passes in one direction; what was sent arrives when it heals
    SPLIT = "split"  # nothing passes in either direction
    HANG = "hang"  # SIGSTOP: sockets stay open, nothing is answered
    SLOW = "slow"
    LATE_FENCE = "late fence"  # the statement is carried out long after everybody has stopped waiting
    LATE_OPEN = "late open"
    LATE_AND_KILLED = "late fence, and the tool killed while it waits"
    LOST_REPLY = "lost reply"  # it is carried out, and the reply never comes
    REFUSING = "refusing"  # too many connections
    CRASH = "crash"  # kill -9 and, later, a start: fenced, by its option file
    CRASH_UNFENCED = "crash, started unfenced"
    APPLIER_STOPS = "applier stops"
    LAG = "lag"
    TABLE_LOCK = "table lock"
    PROXY_DOWN = "proxy down"
    PROXY_LOST_REPLY = "proxy's reply lost"
    CLOCK_JUMP = "clock jump"
    KILL = "kill"  # kill -9 of the tool, at any instant: also while it waits for an answer


_QUIET_DELAY_S = 1.0

SERVERS = ("east", "west")
LINKS = (
    ("tool", "east"),
    ("tool", "west"),
    ("tool", "proxy"),
    ("east", "west"),
    ("proxy", "east"),
    ("proxy", "west"),
    ("clients", "proxy"),
)
_PLACES: dict[FaultKind, Sequence[tuple[str, ...]]] = {
    FaultKind.CUT: (*LINKS, *((b, a) for a, b in LINKS)),
    FaultKind.SPLIT: LINKS,
    FaultKind.PROXY_DOWN: (("proxy",),),
    FaultKind.PROXY_LOST_REPLY: (("proxy",),),
    FaultKind.CLOCK_JUMP: (("clock",),),
    FaultKind.KILL: (("tool",),),
}


def places_of(kind: FaultKind) -> Sequence[tuple[str, ...]]:
    return _PLACES.get(kind, tuple((server,) for server in SERVERS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """It strikes at the `at_move`-th move of the tool (over all its processes) and is mended `for_s` seconds later."""

    kind: FaultKind
    place: tuple[str, ...]
    at_move: int
    for_s: float

    def __str__(self) -> str:
        return f"{self.kind} {'-'.join(self.place)} at move {self.at_move} for {self.for_s:.3g}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFault:
    """From this record on nothing can be written; `dead`: nor read, nor the lease looked at. After so many `writes` that
    failed it works again; the next process finds it mended in any case.
    """

    at_record: int
    dead: bool
    writes: int | None = None

    def __str__(self) -> str:
        lasts = f" for {self.writes} writes" if self.writes else ""
        return f"store fails at record {self.at_record}{', dead' if self.dead else ''}{lasts}"


class Clients(StrEnum):
    """Who writes: how a client keeps its connection and its transaction."""

    POOLED = "pooled"
    SHORT = "short"
    LONG = "long"
    XA = "xa"
    LOCKER = "locker"
    PRIVILEGED = "privileged"


class Sickness(StrEnum):
    """What is wrong from the start: the run must be refused, and nothing may be sent."""

    STANDBYS_APPLIER = "the standby's applier is stopped"
    WRITERS_APPLIER = "the writer's applier is stopped"
    LAG_UNKNOWN = "the standby's lag is not known"
    STANDBY_HUNG = "the standby hangs"
    STANDBY_DOWN = "the standby is down"
    TWO_WRITERS = "both servers take writes"


class Recovery(StrEnum):
    """What is done with a run that did not end."""

    RESUME = "resume"
    ROLL_BACK = "rollback"
    ABANDON = "abandon"


class Rival(StrEnum):
    """A second operator, who begins the same playbook, or takes up the same run."""

    SAME_STORE = "on the same store"
    OWN_STORE = "with a store of their own"
    FROM_AFAR = "who can't look at the first one's process, as its lease runs out"
    TAKES_OVER = "who resumes the run while the first one's machine sleeps for a minute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """`kills`: at which move each process dies, in turn; 0 lives. `recoveries`: what the next one does; after the last, all is mended, and
    what is unfinished is resumed until it ends. One that takes over does so at the record of a hundred times `rival_at_s`.
    """

    seed: int = 0
    playbook: str = "switchover"
    flavor: Flavor = Flavor.MARIADB
    clients: tuple[Clients, ...] = (Clients.POOLED, Clients.SHORT)
    delays_s: tuple[float, float] = (0.002, 0.002)
    events: bool = False
    faults: tuple[Fault, ...] = ()
    kills: tuple[int, ...] = ()
    power_fails: bool = False
    store: StoreFault | None = None
    recoveries: tuple[Recovery, ...] = ()
    rival: Rival | None = None
    rival_at_s: float = 0.0
    sickness: Sickness | None = None
    answer: bool = True

    @property
    def is_quiet(self) -> bool:
        """Nothing happens but the run, among clients that never hold it up: it must end as its playbook says."""
        spoilt = self.faults or any(self.kills) or self.store or self.sickness or max(self.delays_s) > _QUIET_DELAY_S
        return not spoilt and set(self.clients) <= {Clients.POOLED, Clients.SHORT}

    def __str__(self) -> str:
        parts = [
            f"playbook {self.playbook} on {self.flavor}",
            f"clients {', '.join(self.clients)}",
            f"delays {self.delays_s[0]:.3g}s {self.delays_s[1]:.3g}s",
        ]
        parts += [self.sickness] if self.sickness else []
        parts += ["events"] if self.events else []
        parts += [str(fault) for fault in self.faults]
        parts += [f"killed at its move {move}" for move in self.kills if move]
        parts += ["power fails with it"] if self.power_fails and any(self.kills) else []
        parts += [str(self.store)] if self.store else []
        parts += [f"then {', '.join(self.recoveries)}"] if self.recoveries else []
        parts += [f"a second operator {self.rival} at {self.rival_at_s:.3g}s"] if self.rival else []
        return "; ".join(parts)


def schedule_of(seed: int, playbooks: Sequence[str]) -> Schedule:
    """The same for the same seed and playbooks, on every machine."""
    draw = Random(seed)  # noqa: S311 - a schedule must be drawn again from its seed; nothing is kept secret by it
    faults = tuple(_fault(draw) for _ in range(draw.choices((0, 1, 2), (3, 5, 5))[0]))
    kills = tuple(draw.randint(1, 260) if draw.random() < chance else 0 for chance in (0.35, 0.3, 0.2))
    delays = (_log_uniform(draw, 0.0005, 0.6), _log_uniform(draw, 0.0005, 0.3))
    return Schedule(
        seed=seed,
        playbook=draw.choice(playbooks),
        clients=tuple(draw.choices(tuple(Clients), (6, 4, 2, 0.2, 0.4, 0.5), k=draw.randint(2, 4))),
        delays_s=delays,
        events=draw.random() < 0.4,
        faults=faults,
        kills=kills if any(kills) else (),
        power_fails=draw.random() < 0.3,
        store=StoreFault(at_record=draw.randint(1, 70), dead=draw.random() < 0.4, writes=draw.choice((None, 1, 3, 6)))
        if draw.random() < 0.12
        else None,
        recoveries=tuple(draw.choices(tuple(Recovery), (6, 4, 1), k=3)),
        rival=draw.choice(tuple(Rival)) if draw.random() < 0.1 else None,
        rival_at_s=draw.uniform(0.001, 0.5),
        sickness=draw.choice(tuple(Sickness)) if draw.random() < 0.12 else None,
        answer=draw.random() < 0.8,
        flavor=draw.choice(tuple(Flavor)),
    )


def _fault(draw: Random) -> Fault:
    kind = draw.choice(tuple(FaultKind))
    return Fault(kind=kind, place=draw.choice(places_of(kind)), at_move=draw.randint(1, 280), for_s=_log_uniform(draw, 0.01, 50.0))


def _log_uniform(draw: Random, least: float, most: float) -> float:
    return float(least * (most / least) ** draw.random())
