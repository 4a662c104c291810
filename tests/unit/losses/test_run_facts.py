"""What the journal of a failover tells of the most that can be lost by it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from interlock.clock import SystemClock
from interlock.losses.run_facts import run_facts, run_that_gave_up
from interlock.model.losses import Bound
from interlock.ports import Record, RunHeader
from interlock.report.losses_text import last_word
from interlock.simulated.store import MemoryStore

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HEADER = RunHeader(run="r1", playbook="failover", topology="shop", started_at=NOW, state="succeeded", outcome="succeeded")


def channel(received: str, silent_s: float | None) -> Mapping[str, object]:
    return {"channel": {"server": "west", "source": "east", "received": received, "silent_s": silent_s}}


def bound(*bodies: tuple[str, Mapping[str, object]]) -> Bound:
    """A record each second."""
    records = [
        Record(seq=number, kind=kind, at=NOW + timedelta(seconds=number), body=body) for number, (kind, body) in enumerate(bodies, start=1)
    ]
    return run_facts(HEADER, records, ("east", "west")).bound


OPENING = ("opening", {"server": "west", "position": "1-1-40", "others": {"east": "fenced from outside by power"}})
LATER = ("intended", {"before": {"replicas": [{"channels": [channel("1-1-44", 0.0)["channel"]]}]}})


@pytest.mark.parametrize(
    ("records", "received", "heard_at"),
    [
        ([("acting", {"before": channel("1-1-41", 4.5)}), OPENING], "1-1-41", NOW - timedelta(seconds=3.5)),
        ([("acting", {"before": channel("1-1-41", None)}), OPENING], "1-1-41", None),
        ([OPENING], "", None),
        (
            [("acting", {"before": channel("1-1-40", 1.0)}), ("acting", {"before": channel("1-1-41", 2.0)}), OPENING, LATER],
            "1-1-41",
            NOW,
        ),
    ],
    ids=["told", "the server does not tell", "nothing was noted", "the last look before the opening counts, and none after it"],
)
def test_the_bound_is_what_was_seen_before_the_opening(
    records: list[tuple[str, Mapping[str, object]]], received: str, heard_at: datetime | None
) -> None:
    found = bound(*records)
    assert (found.held, found.received, found.heard_at) == ("1-1-40", received, heard_at)


def test_the_age_of_the_last_word_is_told_as_of_the_opening() -> None:
    known = Bound(held="1-1-40", opened_at=NOW, heard_at=NOW - timedelta(seconds=4.2))
    assert last_word(known) == "2026-03-01T11:59:55Z for the last time, 4.2s before the opening"
    assert last_word(Bound(held="1-1-40", opened_at=NOW)) is None


SAID = "what west lacks of east after binlog.000003:4711 is given up, and I answer for it"
MOVED = ("move-segment", "succeeded", SAID)
GAVE_UP = {
    "the one that opened by it": ([MOVED], "r1"),
    "one that halted behind its opening": ([("move-segment", "halted", SAID)], "r1"),
    "the last of several": ([MOVED, ("quiesce", "succeeded", ""), MOVED], "r3"),
    "none that went back": ([("move-segment", "rolled_back", SAID)], ""),
    "none of another place": ([("quiesce", "succeeded", SAID.replace("4711", "4712"))], ""),
    "none before a rejoin": ([MOVED, ("rejoin", "succeeded", "")], ""),
    "one before a rejoin that did not come to its end": ([MOVED, ("rejoin", "rolled_back", "")], "r1"),
}


@pytest.mark.parametrize(("runs", "expected"), GAVE_UP.values(), ids=GAVE_UP)
def test_who_gave_up_what_a_channel_keeps_back(runs: list[tuple[str, str, str]], expected: str) -> None:
    store = MemoryStore(SystemClock())
    for number, (playbook, outcome, given_up) in enumerate(runs, start=1):
        at = NOW + timedelta(minutes=number)
        store.create_run(RunHeader(run=f"r{number}", playbook=playbook, topology="shop", started_at=at, state=outcome, outcome=outcome))
        opening = Record(seq=1, kind="opening", at=at, body={**OPENING[1], "given_up": given_up})
        store.append(f"r{number}", [opening], durable=True)
    assert run_that_gave_up(store, "shop", SAID) == expected
