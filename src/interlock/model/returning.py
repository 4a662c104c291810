"""A master that comes back: what it holds that the writer lacks, how it can be rid of that, and the effects that do it."""

from __future__ import annotations

from enum import StrEnum

from interlock.dataclass import dataclass
from interlock.model.position import Position
from interlock.model.topology import ClusterName, ServerName


class Way(StrEnum):
    """The cheapest first."""

    ATTACH = "attach"  # it holds nothing extra: replication goes on
    UNDO = "undo"  # what it holds extra is taken back exactly, then replication goes on
    COPY = "copy"  # its data are replaced by the writer's


@dataclass(frozen=True, slots=True, kw_only=True)
class Surplus:
    """`lost` transactions of a server that the writer lacks. `run` is the failover under whose name they are told and kept.

    `problem`: why they can't all be read, empty if they can. `kept`: they are kept beside the store, with the proof that there are no
    others. To be rid of them `undone` transactions are taken back: all since the point that both sides held, from which the writer's own
    come again; the server then holds `to`. `inexact`: why that can't be done exactly, empty if it can. `taken_back`: it was done, and the
    server's log still says otherwise.
    """

    run: str
    lost: int
    undone: int = 0
    to: Position | None = None
    problem: str = ""
    inexact: str = ""
    kept: bool = False
    taken_back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnFacts:
    """`incomplete`: a copy was begun on the server and not ended, so its data are nobody's. `noted`: a way back of it was begun and not
    ended, by its own note. `surplus` None: it holds nothing that the writer lacks. `size_bytes` is what the writer's data take. `means` by
    which they can be copied from here, the best first, and in `lacking` why others can't be had. `grants` are what Interlock's accounts
    lack for anything but attaching. `fence` is `WriteFacts.fence` of the server.
    """

    server: ServerName
    position: Position
    of_writer: Position
    fence: str = ""
    incomplete: bool = False
    noted: bool = False
    surplus: Surplus | None = None
    size_bytes: int = 0
    means: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFacts:
    """How far this process's copy has come: tables and bytes of how many. `position` is what the server holds once it is `whole`; `error`
    why it ended otherwise. `adopted`: it was whole, and the server's log says so. `doing` is what it waits for, if that is not data.
    `kept`: where the data of before are, if they were put aside.
    """

    means: str
    tables: int = 0
    of_tables: int = 0
    sent_bytes: int = 0
    of_bytes: int = 0
    position: Position | None = None
    error: str = ""
    adopted: bool = False
    doing: str = ""
    kept: str = ""

    @property
    def is_over(self) -> bool:
        return self.position is not None or bool(self.error)


# -- effects, all of them on the server that comes back ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepLosses:
    """Read what the server holds that the writer lacks, and keep it beside the store under the run's name. It changes nothing there."""

    cluster: ClusterName
    server: ServerName
    writer: ServerName
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """Change every row back that was changed since `to`, in one transaction that is not logged: all of them, or none."""

    cluster: ClusterName
    server: ServerName
    writer: ServerName
    transactions: int
    to: Position
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginCopy:
    """Throw the server's data away and begin to copy the writer's, at `bytes_per_s` at the most (0: as fast as it goes)."""

    cluster: ClusterName
    server: ServerName
    writer: ServerName
    means: str
    bytes_per_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StopCopy:
    """End a copy that is under way, and see it gone. What came of it is of no use."""

    cluster: ClusterName
    server: ServerName


@dataclass(frozen=True, slots=True, kw_only=True)
class SetHeld:
    """Throw the server's binary log away, and have it say that it holds exactly this; the writer forgets what it received of that log."""

    cluster: ClusterName
    server: ServerName
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class EndReturn:
    """Take away what is noted on the server of its way back."""

    cluster: ClusterName
    server: ServerName


ReturnEffect = KeepLosses | TakeBack | BeginCopy | StopCopy | SetHeld | EndReturn
