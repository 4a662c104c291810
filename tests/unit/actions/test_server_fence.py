"""What counts as a fence of `server.fence` and `server.open`, and what each puts back: over facts alone."""

from __future__ import annotations

import pytest

from interlock.actions.server_fence import FenceServer
from interlock.actions.server_open import OpenServer
from interlock.model.effects import Effect, Fence, Open
from interlock.model.facts import WriteFacts
from interlock.model.position import MySQLPosition
from interlock.model.topology import ServerName
from interlock.model.verdict import Act, Done

EAST = ServerName("east")


def seen(fence: str, *, read_only: bool = True, loose: bool = False, fleeting: bool = False) -> WriteFacts:
    return WriteFacts(
        server=EAST, read_only=read_only, position=MySQLPosition(), event_scheduler="OFF", fence=fence, loose=loose, fleeting=fleeting
    )


OPENED, LOOSE = seen("", read_only=False), seen("read_only", loose=True)
FLEETING, FULL = seen("super_read_only", fleeting=True), seen("super_read_only+persisted")
FENCING = FenceServer(server=EAST)
OPENING = OpenServer(server=EAST)


@pytest.mark.parametrize(
    ("before", "why"),
    [
        pytest.param(OPENED, "east takes writes", id="open"),
        pytest.param(LOOSE, "east is read-only, and administrators may still write", id="loose"),
        pytest.param(FLEETING, "east is fenced, and a restart may open it", id="fleeting"),
        pytest.param(FULL, "", id="as-close-as-can-be"),
    ],
)
def test_a_server_is_fenced_until_it_is_so_as_closely_as_it_can_be(before: WriteFacts, why: str) -> None:
    verdict = FENCING.decide(before)
    assert verdict == (Act(why) if why else Done("east is fenced at "))
    assert FENCING.effects(before) == ((Fence(server=EAST, within_s=2.0),) if why else ())


def fence(as_was: str) -> tuple[Effect, ...]:
    return (Fence(server=EAST, within_s=2.0, as_was=as_was),)


@pytest.mark.parametrize(
    ("before", "now", "effects"),
    [
        pytest.param(OPENED, FULL, (Open(server=EAST),), id="it-was-open"),
        pytest.param(OPENED, None, (Open(server=EAST),), id="it-was-open-now-unknown"),
        pytest.param(OPENED, OPENED, (), id="open-again"),
        pytest.param(LOOSE, FULL, fence("read_only"), id="it-was-loose"),
        pytest.param(LOOSE, None, fence("read_only"), id="it-was-loose-now-unknown"),
        pytest.param(LOOSE, LOOSE, (), id="loose-again"),
        pytest.param(LOOSE, OPENED, (), id="opened-by-somebody"),
        pytest.param(FLEETING, FULL, fence("super_read_only"), id="it-was-fleeting"),
        pytest.param(FULL, FULL, (), id="nothing-was-done"),
        pytest.param(FULL, None, (), id="nothing-was-done-now-unknown"),
    ],
)
def test_an_undone_fence_is_what_was_seen_before(before: WriteFacts, now: WriteFacts | None, effects: tuple[Effect, ...]) -> None:
    assert FENCING.undo(before, now) == effects


@pytest.mark.parametrize(
    ("before", "now", "effects"),
    [
        pytest.param(FULL, OPENED, fence("super_read_only+persisted"), id="it-was-full"),
        pytest.param(FLEETING, OPENED, fence("super_read_only"), id="it-was-fleeting"),
        pytest.param(LOOSE, OPENED, fence(""), id="it-was-loose"),
        pytest.param(LOOSE, LOOSE, fence(""), id="fenced-loosely-since"),
        pytest.param(LOOSE, None, fence(""), id="it-was-loose-now-unknown"),
        pytest.param(LOOSE, FULL, (), id="fenced-again"),
        pytest.param(FLEETING, FLEETING, (), id="fenced-again-as-it-was"),
        pytest.param(OPENED, OPENED, (), id="it-was-open"),
    ],
)
def test_what_took_writes_never_goes_back_to_a_loose_fence(before: WriteFacts, now: WriteFacts | None, effects: tuple[Effect, ...]) -> None:
    """The old writer is opened next, and an administrator's session could write on both."""
    assert OPENING.undo(before, now) == effects
