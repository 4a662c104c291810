"""May a row's change be committed, with the row locked on the side that is mended? And were the sides alike in it afterwards?

Three things hold: the mended side has the row as it was compared, which its statement has seen; the other side has it still as it is
wanted, or the mended one holds no more of the other's writes than when it was compared; and if the mended side takes writes of its own, the
other one has applied them.

Of a table without a key there is no telling how many copies there were: both sides must have equally many once it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interlock.dataclass import dataclass
from interlock.decisions.losses import RowId
from interlock.diff.ends import End
from interlock.diff.mend_plan import Mend
from interlock.losses.now import LOOK_S, Survivor
from interlock.losses.sql import count_of
from interlock.model.losses import Image
from interlock.model.position import parse_position
from interlock.servers.session import Session, text_of

_CATCH_UP_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The server that is mended, with a connection as UNLOGGED makes it, and the one that it is to agree with, whose `rows` are asked for
    only when they are needed: to take back what was mended, nobody needs it. `name` is that of the notes.
    """

    name: str
    mended: End
    other: End
    session: Session
    rows: Callable[[], Survivor]


def unfit(sides: Sides, mends: Sequence[Mend]) -> dict[int, str]:
    """Rows whose change must not be committed, although the mended side has them as they were compared; and why."""
    if not mends:
        return {}
    held = sides.mended.logged(sides.session)
    if not sides.mended.server.write_facts().read_only and not sides.other.server.wait_applied(held, _CATCH_UP_S):
        why = f"{sides.mended.cluster} takes writes, and {sides.other.cluster} has not applied them all"
        return {mend.index: why for mend in mends}
    now = _keyed(sides.rows(), mends)
    moved = [mend for mend in mends if not _is_wanted(sides, mend, now.get(mend.index))]
    why = f"{sides.other.cluster} has it otherwise now"
    stands = {mend.index for mend in moved if mend.difference.key and parse_position(mend.difference.position).contains(held)}
    return {mend.index: why for mend in moved if mend.index not in stands}


def differing(sides: Sides, mends: Sequence[Mend]) -> dict[int, str]:
    """Of rows that were mended, those in which the sides differ now, and how: they are compared again."""
    mended = Survivor(sides.session)
    found: dict[int, str] = {}
    here, there = _keyed(mended, mends), _keyed(sides.rows(), mends)
    for one in mends:
        if not one.difference.key:
            if _count(sides.session, one) != _count(sides.rows().session, one):
                found[one.index] = "the sides have not as many of it"
        elif not _alike(here.get(one.index), there.get(one.index), one.image):
            its = "as it was mended" if _alike(here.get(one.index), one.wanted, one.image) else "otherwise"
            found[one.index] = f"{sides.mended.cluster} has it {its}, and {sides.other.cluster} otherwise now"
    return found


def _is_wanted(sides: Sides, mend: Mend, now: Image | None) -> bool:
    """Whether the other side has the row as it is on the mended one once this is committed."""
    if mend.difference.key:
        return _alike(now, mend.wanted, mend.image)
    return _count(sides.session, mend, locked=True) == _count(sides.rows().session, mend)


def _keyed(rows: Survivor, mends: Sequence[Mend]) -> dict[int, Image]:
    """The rows as they are there now, by the mend's number. Of a table that is not there, or has another key: none."""
    ids: dict[RowId, list[int]] = {}
    for mend in mends:
        table = rows.table(mend.table.schema, mend.table.name)
        if mend.difference.key and table is not None and all(name in mend.image for name in table.key):
            ids.setdefault((table.schema, table.name, tuple(mend.image[name] for name in table.key)), []).append(mend.index)
    found = rows.rows(ids)
    return {index: image for row, image in found.items() for index in ids[row]}


def _alike(one: Image | None, other: Image | None, image: Image) -> bool:
    """In the columns of `image`, which were compared."""
    if one is None or other is None:
        return one is other
    return all(one.get(name) == other.get(name) for name in image)


def _count(session: Session, mend: Mend, *, locked: bool = False) -> int:
    asked = count_of(mend.image, mend.table, locked=locked)
    return int(text_of(session.rows(asked, bound_s=LOOK_S, doing="count the copies of a row")[0]["n"]))
