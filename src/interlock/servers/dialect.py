"""What differs from flavor to flavor, and from version to version: the words that are sent, and what is made of the answers.

`SqlServer` is the driver of every flavor; it carries what is the same: connections, bounds, proofs, locks, the end of what may still land.
A dialect is what it asks for everything else. It is frozen; it keeps no connection, and whatever takes a `Pool` only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from interlock.clock import Deadline
from interlock.dataclass import dataclass
from interlock.model.effects import ServerEffect
from interlock.model.facts import ChannelFacts, LoggedTransaction, ServerFacts, WriteFacts
from interlock.model.position import LogPoint, Position
from interlock.model.topology import ServerName, ServerSpec
from interlock.servers.accounts import Accounts
from interlock.servers.channel_words import ChannelWords
from interlock.servers.pool import Pool
from interlock.servers.session import Result, Row, Setup
from interlock.servers.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A privilege on everything that Interlock's own account needs, as its GRANT names it."""

    privilege: str
    what_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """Everything before `at` in a server's own log is part of `position`: the point was read first."""

    position: Position
    at: LogPoint


class Dialect(Protocol):
    """What one server speaks. Times are seconds."""

    @property
    def flavor(self) -> str: ...
    @property
    def needs(self) -> Sequence[Need]: ...
    @property
    def setup(self) -> Setup:
        """How each connection begins."""
        ...

    @property
    def look(self) -> tuple[str, ...]:
        """Statements that tell, in one round trip, whether the server takes writes and what it holds."""
        ...

    def attuned(self, pool: Pool, pair: Sequence[ServerSpec]) -> Dialect:
        """The same, once the server has told who it is and which kind of position its channels use. `pair` are all servers."""
        ...

    # -- words

    def script(self, effect: ServerEffect, /) -> tuple[str, ...]:
        """The statements of an effect, in order. Those of Fence and Open end with `look`."""
        ...

    def bounds(self, within_s: float) -> str:
        """The first statement of a session whose statements are each bounded by `within_s`."""
        ...

    def bound_s(self, within_s: float) -> float:
        """What the server makes of a bound on a fence or an opening, where its own are coarser."""
        ...

    # -- answers

    def write_facts(self, server: ServerName, results: Sequence[Result]) -> WriteFacts:
        """From what `look` gave."""
        ...

    def written_here(self, server: ServerName, position: Position) -> Position:
        """The part of its position that this server wrote itself."""
        ...

    def speaks(self, position: Position) -> bool:
        """Whether it can wait for this kind of position and find it in its log."""
        ...

    # -- reads

    def facts(self, pool: Pool) -> ServerFacts: ...
    def channels(self, pool: Pool, pair: Sequence[ServerSpec]) -> tuple[ChannelFacts, ...]: ...
    def sessions(self, pool: Pool) -> tuple[Row, ...]:
        """Every connection, with the columns id, user, host, command, state, time_s, statement, transaction_s (None without one) and
        rows_modified.
        """
        ...

    def last_statements(self, pool: Pool) -> Mapping[int, str]:
        """What each session ran last, by its number, where the server tells."""
        ...

    def lock_holders(self, pool: Pool) -> tuple[str, ...]: ...
    def prepared_transactions(self, pool: Pool) -> tuple[str, ...]: ...
    def events(self, pool: Pool) -> tuple[Row, ...]:
        """Enabled events, with the columns db, name and definer."""
        ...

    def accounts(self, pool: Pool) -> Accounts: ...
    def wait(self, pool: Pool, server: ServerName, wanted: Position, held: Position, within_s: float) -> WriteFacts:
        """Block until the server holds `wanted`, or `within_s` is over; then what it holds. `held` is what it was seen to hold."""
        ...

    def end_of_log(self, pool: Pool) -> LogPoint | None:
        """Where the server's own log ends; None if it writes none."""
        ...

    def logged_since(
        self, pool: Pool, position: Position, limit: int, *, deadline: Deadline, bookmark: Bookmark | None
    ) -> tuple[LoggedTransaction, ...]:
        """The transactions after `position`, in the log's order, at most `limit`. BoundReached if the deadline passes first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """One flavor of server. `greets` tells whether a version is of this flavor; `speaks` is its dialect at a version, for the server of
    this name; StatementFailed if that version is not driven. `channels` are its words for replication at a version, None if Interlock
    changes nothing there.
    """

    name: str
    greets: Callable[[str], bool]
    speaks: Callable[[str, str], Dialect]
    newest: Dialect
    channels: Callable[[Version], ChannelWords] | None = None
    channel_needs: Sequence[Need] = ()
    """What the account needs where replicas follow the writer or semi-synchronous replication is handed over: printed, never demanded."""
