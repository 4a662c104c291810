"""`interlock hold` and `release`, with the store that a person has. No server is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from interlock.cli.main import main
from interlock.clock import SystemClock
from interlock.decisions.marks import may_hold
from interlock.engine.marks import Change, change, put_mark
from interlock.errors import Refused, StoreFailed
from interlock.model.marks import Mark, MarkKind
from interlock.model.verdict import Refuse
from interlock.ports import Store
from interlock.simulated.store import MemoryStore
from interlock.stores.holder import this_author
from interlock.stores.open import open_store

TOPOLOGY = """\
topology: shop
access: {user: interlock, tls: "off"}
clusters:
  east: {master: {host: 127.0.0.1}}
  west: {master: {host: 127.0.0.2}}
routes: {}
"""
CLOCK = SystemClock()


class Desk:
    """A person's command line, and the store behind it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._url = f"sqlite://{folder}/runs.db"
        self._topology = folder / "shop.yaml"
        self._topology.write_text(TOPOLOGY)
        self._capsys = capsys
        self.store: Store = open_store(self._url, CLOCK)

    def types(self, *words: str) -> tuple[int, Any]:
        code = main(["-t", str(self._topology), "--store", self._url, "--json", *words])
        return code, json.loads(self._capsys.readouterr().out)

    def reads(self, *words: str) -> str:
        """What a person sees."""
        main(["-t", str(self._topology), "--store", self._url, *words])
        seen = self._capsys.readouterr()
        return seen.out + seen.err

    def mark(self, by: str, *, cluster: str = "", hours: float | None = None) -> Mark:
        now = CLOCK.wall()
        until = None if hours is None else now + timedelta(hours=hours)
        return Mark(topology="shop", kind=MarkKind.HOLD, subject=cluster, by=by, at=now, reason="new disk", until=until)

    def holders(self) -> list[str]:
        return [mark.by for mark in self.store.marks("shop")]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def test_a_hold_keeps_its_reason_its_owner_and_its_end_and_is_released(desk: Desk) -> None:
    code, told = desk.types("hold", "east", "--reason", "  new\n disk ", "--for", "4h")
    (mark,) = desk.store.marks("shop")
    assert (code, told["hold"]["subject"], mark.reason, mark.by) == (0, "east", "new disk", this_author())
    assert mark.until == mark.at + timedelta(hours=4)
    assert f"east is released; it was held by {this_author()}: new disk" in desk.reads("release", "east")
    assert desk.holders() == []


def test_nothing_to_release_is_said_and_is_no_error(desk: Desk) -> None:
    code, told = desk.types("release")
    assert (code, told["released"]) == (0, [])
    assert "nobody holds the pair" in desk.reads("release")


def test_a_hold_of_one_cluster_says_the_command_that_ends_it(desk: Desk) -> None:
    assert "no run begins until `interlock release east`;" in desk.reads("hold", "east", "--reason", "disk")
    assert "no run begins until `interlock release`;" in desk.reads("hold", "--reason", "kernel")


def test_a_release_that_finds_no_hold_says_what_keeps_runs_off_all_the_same(desk: Desk) -> None:
    """A quiesce is released by its cluster's name alone, and that is not what usually ends it."""
    put_mark(desk.store, replace(desk.mark("ben@ops2", cluster="west"), kind=MarkKind.QUIESCED))
    said = desk.reads("release")
    assert said.startswith("nobody holds the pair\nwest is quiesced by ben@ops2 since ")
    assert said.endswith(": new disk: `interlock rejoin west` ends it\n")
    assert desk.holders() == ["ben@ops2"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("hold", "--reason", "  "), "--reason is empty"),
        (("hold", "north", "--reason", "r"), "shop has no cluster 'north'"),
        (("hold", "--reason", "r", "--for", "4"), "--for '4' is no time to hold for"),
        (("hold", "--reason", "r", "--for", "0s"), "--for '0s' is no time to hold for"),
        (("release", "north"), "shop has no cluster 'north'"),
    ],
    ids=["no reason", "no such cluster", "no unit", "no time", "nothing of that name"],
)
def test_what_makes_no_sense_is_named_and_nothing_is_noted(desk: Desk, words: Sequence[str], said: str) -> None:
    code, told = desk.types(*words)
    assert (code, desk.holders()) == (2, [])
    assert said in told["problems"][0]["what"]


def test_anothers_hold_stands_until_its_owner_is_named(desk: Desk) -> None:
    put_mark(desk.store, desk.mark("ben@ops2"))
    for words in (("hold", "--reason", "mine"), ("release",), ("release", "--of", "carl@ops3")):
        code, told = desk.types(*words)
        (problem,) = told["problems"]
        assert (code, desk.holders()) == (3, ["ben@ops2"])
        assert "the pair is held by ben@ops2" in problem["what"]
        assert "`interlock release --of ben@ops2`" in problem["hint"]
    assert "the pair is released; it was held by ben@ops2: new disk" in desk.reads("release", "--of", "ben@ops2")
    assert desk.holders() == []


def test_a_hold_that_has_expired_says_so_and_still_holds(desk: Desk) -> None:
    put_mark(desk.store, desk.mark("ben@ops2", hours=-1))
    code, told = desk.types("hold", "--reason", "mine")
    assert (code, desk.holders()) == (3, ["ben@ops2"])
    assert "which has expired at" in told["problems"][0]["what"]
    assert "holds until it is released" in told["problems"][0]["what"]


class _Busy(MemoryStore):
    """Somebody else is quicker, so many times."""

    def __init__(self, meanwhile: Callable[[MemoryStore], None], times: int) -> None:
        super().__init__(CLOCK)
        self._meanwhile = meanwhile
        self._times = times
        self._is_meanwhile = False

    def change_marks(self, topology: str, seen: Sequence[Mark], /, *, add: Sequence[Mark] = (), take: Sequence[Mark] = ()) -> bool:
        if self._times and not self._is_meanwhile:
            self._times -= 1
            self._is_meanwhile = True
            self._meanwhile(self)
            self._is_meanwhile = False
        return super().change_marks(topology, seen, add=add, take=take)


def _note_failure(store: MemoryStore) -> None:
    put_mark(store, Mark(topology="shop", kind=MarkKind.FAILED, subject="west", by="run", at=CLOCK.wall(), reason="it died"))


def test_whoever_was_quicker_is_respected(desk: Desk) -> None:
    """Nobody held the pair when this one looked."""
    wanted = desk.mark("anna@ops1")
    store = _Busy(lambda store: put_mark(store, desk.mark("ben@ops2")), times=1)

    def decide(seen: Sequence[Mark]) -> Change:
        verdict = may_hold(wanted, seen, CLOCK.wall())
        return verdict if isinstance(verdict, Refuse) else ((wanted,), ())

    with pytest.raises(Refused, match="the pair is held by ben@ops2"):
        change(store, "shop", decide)
    assert [mark.by for mark in store.marks("shop")] == ["ben@ops2"]


@pytest.mark.parametrize(("times", "noted"), [(1, True), (4, True), (100, False)])
def test_what_is_not_in_the_way_is_looked_at_again_and_not_for_ever(desk: Desk, times: int, noted: bool) -> None:  # noqa: FBT001 - a case
    store = _Busy(_note_failure, times)
    with nullcontext() if noted else pytest.raises(StoreFailed, match="others are at it"):
        change(store, "shop", lambda _: ((desk.mark("anna@ops1"),), ()))
    assert ("anna@ops1" in {mark.by for mark in store.marks("shop")}) is noted
