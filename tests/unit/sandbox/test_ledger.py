from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.sandbox.ledger import (
    Balance,
    Entry,
    Told,
    acknowledged,
    balance,
    errors_by_kind,
    longest_by_kind,
    most_errors_of_one,
    outage_ms,
    percentile,
)


def _entry(
    key: str, told: Told = Told.OK, *, at_s: float = 0.0, server: int | None = 1, kind: str = "pooled", worker: str = "", error: str = ""
) -> Entry:
    return Entry(key=key, worker=worker or kind, kind=kind, told=told, begun_s=at_s, ended_s=at_s, server=server, error=error)


NOTHING = Balance(lost=(), duplicated=(), resurrected=())


@pytest.mark.parametrize(
    ("told", "found", "expected"),
    [
        pytest.param(Told.OK, ["k"], NOTHING, id="acknowledged-and-there"),
        pytest.param(Told.OK, [], Balance(lost=("k",), duplicated=(), resurrected=()), id="acknowledged-and-not-there-is-lost"),
        pytest.param(Told.OK, ["k", "k"], Balance(lost=(), duplicated=("k",), resurrected=()), id="there-twice-is-duplicated"),
        pytest.param(Told.FAILED, [], NOTHING, id="failed-and-not-there"),
        pytest.param(Told.FAILED, ["k"], Balance(lost=(), duplicated=(), resurrected=("k",)), id="failed-and-there-is-resurrected"),
        pytest.param(Told.UNKNOWN, [], NOTHING, id="unknown-may-be-absent"),
        pytest.param(Told.UNKNOWN, ["k"], NOTHING, id="unknown-may-be-there"),
        pytest.param(Told.UNKNOWN, ["k", "k"], Balance(lost=(), duplicated=("k",), resurrected=()), id="unknown-may-not-be-there-twice"),
    ],
)
def test_what_a_client_was_told_against_what_is_there(told: Told, found: list[str], expected: Balance) -> None:
    assert balance([_entry("k", told)], found) == expected


def _acks(*acks: tuple[float, int]) -> tuple[Entry, ...]:
    return acknowledged(_entry(f"k{number}", at_s=at_s, server=server) for number, (at_s, server) in enumerate(acks))


@pytest.mark.parametrize(
    ("acks", "to", "expected"),
    [
        pytest.param([(9, 1), (10.5, 1), (10.75, 2), (12, 2)], 2, 250.0, id="last-of-the-old-to-first-of-the-new"),
        pytest.param([(9.9, 1), (11.5, 2)], 2, 1600.0, id="across-the-whole-window"),
        pytest.param([(9, 1), (10, 1), (10.5, 1), (10.6, 2), (12, 2)], 2, 100.0, id="a-longer-pause-of-one-server-is-no-outage"),
        pytest.param([(9.9, 1), (10.25, 1), (10.75, 1), (11.1, 1)], 2, 500.0, id="rolled-back-longest-pause"),
        pytest.param([(9, 1), (10.5, 2), (10.6, 1), (12, 2)], 2, 0.0, id="an-overlap-is-not-negative"),
        pytest.param([(10.5, 1), (12, 2)], 2, None, id="nothing-before-the-window"),
        pytest.param([(9, 1), (10.5, 2)], 2, None, id="nothing-after-the-window"),
        pytest.param([], 2, None, id="nothing-at-all"),
    ],
)
def test_outage_of_the_window_from_10_to_11(acks: list[tuple[float, int]], to: int, expected: float | None) -> None:
    measured = outage_ms(_acks(*acks), 10.0, 11.0, to)
    assert measured == (None if expected is None else pytest.approx(expected))


def test_errors_are_counted_by_kind_of_client_and_a_kind_without_any_is_named() -> None:
    entries = [
        _entry("a", Told.FAILED, error="1290"),
        _entry("b", Told.UNKNOWN, error="2013"),
        _entry("c", Told.FAILED, error="1290"),
        _entry("d", kind="fresh"),
    ]
    assert errors_by_kind(entries) == {"fresh": {}, "pooled": {"1290": 2, "2013": 1}}


def test_the_longest_write_is_told_for_each_kind_of_client_whatever_came_of_it() -> None:
    quick, slow = _entry("a", at_s=5), replace(_entry("b", Told.FAILED, at_s=3), begun_s=1)
    assert longest_by_kind([quick, slow, quick, _entry("c", kind="fresh")]) == {"fresh": 0.0, "pooled": 2000.0}


def test_most_errors_of_one_client_counts_one_client_one_kind_and_one_window() -> None:
    entries = [
        _entry("a", Told.FAILED, at_s=1, worker="p-1"),
        _entry("b", Told.FAILED, at_s=2, worker="p-1"),
        _entry("c", Told.FAILED, at_s=2, worker="p-2"),
        _entry("d", Told.FAILED, at_s=9, worker="p-2"),
        _entry("e", Told.FAILED, at_s=2, kind="fresh"),
        _entry("f", at_s=2, worker="p-2"),
    ]
    assert most_errors_of_one(entries, "pooled", 0, 5) == 2


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        pytest.param([], 0.5, None, id="of-none"),
        pytest.param([3.0], 0.99, 3.0, id="of-one"),
        pytest.param([4.0, 1.0, 3.0, 2.0], 0.5, 2.0, id="half-of-four"),
        pytest.param([float(n) for n in range(1, 101)], 0.99, 99.0, id="99-of-100"),
        pytest.param([float(n) for n in range(1, 21)], 0.99, 20.0, id="99-percent-of-20-is-the-largest"),
    ],
)
def test_percentile_is_the_nearest_rank(values: list[float], share: float, expected: float | None) -> None:
    assert percentile(values, share) == expected


def test_a_line_of_a_ledger_is_read_as_it_was_written() -> None:
    entry = _entry("k", Told.UNKNOWN, at_s=1.5, server=None, error="2013 on connecting")
    assert Entry.from_line(entry.to_line()) == entry


def test_half_a_line_is_an_error_and_not_an_entry() -> None:
    with pytest.raises(ValueError, match="unpack"):
        Entry.from_line("k\tpooled-1\tpoo")
