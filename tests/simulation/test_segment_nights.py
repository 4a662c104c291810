"""Bad nights of a segment's move, drawn by a seed: whatever hangs, crashes, is cut off or loses its answer, at whichever event of the run:
no segment is ever writable on both sides or opened without all that was acknowledged, and the run ends in a named outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random

import pytest

from interlock.engine.events import RunEvent
from interlock.errors import InterlockError
from interlock.model.effects import CloseSegment, NoteOwner, OpenSegment
from interlock.simulated.database import Database
from interlock.simulated.process import ProcessKilled
from unit.engine.test_segments import FAILS_AT_THE_END, MOVE, TO_WEST, Shop

NIGHTS = 40
_LAST_EVENT = 98
_FINAL = {"succeeded", "rolled_back", "refused"}


def _hangs(shop: Shop, database: Database, for_s: float) -> None:
    database.hang()
    shop.pair.clock.after(for_s, database.go_on)


def _crashes(shop: Shop, database: Database, for_s: float) -> None:
    database.crash()
    shop.pair.clock.after(for_s, lambda: database.start(read_only=False))


def _is_cut_off(shop: Shop, _database: Database, for_s: float) -> None:
    """The two servers do not reach each other."""
    for sender, receiver in (("east", "west"), ("west", "east")):
        shop.pair.network.cut(sender, receiver)
        shop.pair.clock.after(for_s, partial(shop.pair.network.heal, sender, receiver))


def _forgets_the_route(shop: Shop, _database: Database, _for_s: float) -> None:
    shop.pair.proxy.lose_reply = True


def _is_killed(shop: Shop, _database: Database, _for_s: float) -> None:
    """The program."""
    shop.stage.processes["first"].kill()


def _draw(random: Random) -> Callable[[Shop], None]:
    kind = random.choice((CloseSegment, OpenSegment, NoteOwner))
    side, for_s = random.choice(("east", "west")), random.choice((0.05, 0.5, 2.0, 6.0, 20.0))

    def loses_a_reply(_shop: Shop, database: Database, _for_s: float) -> None:
        database.faults.lose_reply.add(kind)

    def lands_late(_shop: Shop, database: Database, for_s: float) -> None:
        database.faults.land_late[kind] = for_s

    strike = random.choice((_hangs, _crashes, _is_cut_off, _forgets_the_route, _is_killed, loses_a_reply, lands_late))
    return lambda shop: strike(shop, shop.pair.database(side), for_s)


def _has_come_to(shop: Shop, number: int, _event: RunEvent) -> bool:
    return len(shop.stage.events) >= number


@pytest.mark.parametrize("seed", range(NIGHTS))
def test_a_bad_night_breaks_no_promise_and_ends_in_a_named_outcome(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a seed plays the same night again
    shop = Shop()
    for _ in range(random.choice((1, 1, 2))):
        strike, at = _draw(random), random.randrange(_LAST_EVENT)
        shop.stage.when(partial(_has_come_to, shop, at), partial(strike, shop))
    with suppress(ProcessKilled, InterlockError):
        shop.stage.engine().start(random.choice((MOVE, FAILS_AT_THE_END)), TO_WEST)
    shop.pair.clock.sleep(60)
    for number in range(4):
        headers = shop.stage.store.runs(None)
        if headers and headers[0].outcome not in _FINAL:
            engine = shop.stage.engine(f"again {number}")
            random.choice((engine.resume, engine.roll_back))(headers[0].run)
            shop.pair.clock.sleep(30)
    outcome = headers[0].outcome if (headers := shop.stage.store.runs(None)) else "refused"
    assert outcome in _FINAL
    shop.assert_owned("eu", "west" if outcome == "succeeded" else "east")
    shop.assert_owned("us", "west")
