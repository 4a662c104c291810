"""What was seen of a segment on one server: its accounts, their rights to write its schemas, who owns it. Kept in the journal."""

from __future__ import annotations

from interlock.dataclass import dataclass
from interlock.model.position import Position
from interlock.model.topology import ClusterName, ServerName


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """What one GRANT gives an account beside reading, word for word: `privileges` such as ``UPDATE (`a`)``, `on` such as ```shop`.*``."""

    privileges: tuple[str, ...]
    on: str
    grant_option: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """One account of a segment, `user@host`: whether it can log in, and its rights to write the segment's schemas. Or, of tenants that
    share tables, the `guard` of these: it has no rights of its own.
    """

    account: str
    locked: bool
    rights: tuple[Right, ...] = ()
    guard: bool = False

    @property
    def is_closed(self) -> bool:
        return self.locked and not self.rights


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentNote:
    """What a server itself says of a segment's owner. It stands in a table of Interlock's own, which is not replicated."""

    owner: ClusterName
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFacts:
    """`position` is what the server held once all else was read. `sessions` are those of the segment's accounts.

    `missing` are its accounts and schemas that are not there, `unclear` why a right could not be taken away and given back exactly, a
    sentence each. `unguarded` are tables of tenants whose guard trigger is not there. `prepared` are all XA branches that are prepared
    there: whose rows they hold can't be told. `note` is None while nothing was ever noted.
    """

    server: ServerName
    segment: str
    position: Position
    accounts: tuple[AccountState, ...]
    sessions: tuple[int, ...] = ()
    note: SegmentNote | None = None
    missing: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    unguarded: tuple[str, ...] = ()
    prepared: tuple[str, ...] = ()

    @property
    def open_by(self) -> str:
        """What lets a client write it here; empty if nothing does."""
        unlocked = [each.account for each in self.accounts if not each.locked]
        rights = [f"{each.account} has {right.privileges[0]} on {right.on}" for each in self.accounts for right in each.rights]
        sessions = [f"{len(self.sessions)} sessions of its accounts"] if self.sessions else []
        bare = [f"{table} has no guard" for table in self.unguarded]
        return "; ".join([*(f"{account} is not locked" for account in unlocked), *rights, *sessions, *bare])

    @property
    def is_closed(self) -> bool:
        """Nobody can write it here by an account of its own."""
        return not self.open_by

    @property
    def epoch(self) -> int:
        return self.note.epoch if self.note is not None else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSurroundings:
    """What else could write a segment on one server: `writers` are accounts that are not its own, `events` those that would go on when it
    has moved. `fires_wrongly` says why a guard of tenants would not do. `lacks` are the rights that Interlock needs to move it, each as
    the GRANT that gives it.
    """

    server: ServerName
    writers: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    fires_wrongly: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
