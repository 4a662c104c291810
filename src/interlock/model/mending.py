"""Rows of one side made as the other one's, where a comparison found that they differ: what is wanted, what is known of it, the effects."""

from __future__ import annotations

from interlock.dataclass import dataclass
from interlock.model.topology import ServerName


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """Which rows of which side: those of a kept comparison on the cluster `onto` (empty: the one that was
    compared with the writer). `tables` and `rows` choose, as they are typed for `interlock repair`; all of them if nothing is chosen.
    """

    comparison: str
    onto: str
    tables: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceFacts:
    """What a comparison found, before anything is mended. `problem`: why it can't be, with `hint`; nothing else is known then.

    `rows` of the server differ and can be mended, `mended` were before. `left_out` are sentences on what a person has to decide.
    `overtaken` takes the writes now, and was compared with the other side, which does not; empty if that is not so. `fence` is as of
    `WriteFacts`, and `lesser` the one through which rows can be written, empty if they can be as it is.
    """

    problem: str = ""
    hint: str = ""
    comparison: str = ""
    server: str = ""
    other: str = ""
    rows: int = 0
    mended: int = 0
    left_out: tuple[str, ...] = ()
    overtaken: str = ""
    fence: str = ""
    lesser: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MendFacts:
    """How many of the wanted rows are not mended, and how many are, by the notes on the server.

    Of them `left` and `stay` were tried by this process, to be mended or to be taken back, and can't be; `why`, a sentence each, some of
    them. `last_note` is the number of the newest note when this process began, 0 if there was none. `busy`: what is to be waited for, empty
    if nothing is. `fenced`, `fence` and `lesser`: as of DifferenceFacts.
    """

    server: ServerName
    unmended: int
    mended: int
    left: int = 0
    stay: int = 0
    why: tuple[str, ...] = ()
    last_note: int = 0
    busy: str = ""
    fenced: bool = True
    fence: str = ""
    lesser: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MendedFacts:
    """Afterwards: how many of the wanted rows are mended, how many are not, and in which mended ones the sides differ all the same; `ahead`
    of the mended ones were not looked at yet.
    """

    unmended: int
    mended: int
    ahead: int = 0
    differ: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MendRows:
    """Make wanted rows of a server as the other side's, some at a time: carried out again, it goes on. Not in the binary log."""

    server: ServerName
    wanted: Mending
    rows_per_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeRowsBack:
    """Make them as they were, those of the notes after the number `since`, some at a time. One that was written since is left as it is."""

    server: ServerName
    wanted: Mending
    rows_per_s: int
    since: int = 0


MendEffect = MendRows | TakeRowsBack
