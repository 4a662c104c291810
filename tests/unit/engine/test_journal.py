"""The journal: what is on the disk before an effect, and what every prefix of a journal tells."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.engine.journal import RecordKind, read_progress
from interlock.engine.states import EXIT_CODES, State
from interlock.errors import StoreFailed
from interlock.ports import Record
from unit.engine.stage import Stage, short

FAILS = "- check: sql\n  with: {server: west, query: SELECT x, matches: never}"


def journal_of(stage: Stage, **steps: str) -> tuple[Record, ...]:
    return stage.store.records(stage.run(short(**steps)).run)


def halted() -> tuple[Record, ...]:
    stage = Stage()
    return journal_of(stage, after=FAILS, end="on_failure: halt\n")


JOURNALS = {"succeeded": journal_of(Stage()), "rolled_back": journal_of(Stage(), after=FAILS), "halted": halted()}
prefixes = st.sampled_from(sorted(JOURNALS)).flatmap(lambda name: st.tuples(st.just(name), st.integers(0, len(JOURNALS[name]))))


@given(prefixes)
def test_every_prefix_of_a_journal_can_be_read(prefix: tuple[str, int]) -> None:
    name, length = prefix
    progress = read_progress(JOURNALS[name][:length])
    assert progress.last_seq == length
    assert (progress.outcome is not None) == (length == len(JOURNALS[name]))
    assert bool(progress.started) == (length > 0)
    for intent in progress.intents.values():
        assert intent.before is not None
        assert not intent.undone or intent.begun
    if progress.intents:
        assert progress.state is not State.CHECKING


@given(prefixes, st.data())
def test_a_longer_prefix_knows_no_less(prefix: tuple[str, int], data: st.DataObject) -> None:
    name, length = prefix
    shorter = read_progress(JOURNALS[name][: data.draw(st.integers(0, length))])
    longer = read_progress(JOURNALS[name][:length])
    assert shorter.passed <= longer.passed
    assert shorter.intents.keys() <= longer.intents.keys()
    assert list(longer.intents)[: len(shorter.intents)] == list(shorter.intents)
    assert shorter.opening <= longer.opening


@pytest.mark.parametrize("name", JOURNALS)
def test_an_intent_with_its_undo_stands_before_its_effect_and_is_durable(name: str) -> None:
    """In the order of the journal; that the record is on the disk is seen by killing the machine in test_killed."""
    intended: set[str] = set()
    for record in JOURNALS[name]:
        if record.kind == RecordKind.INTENDED:
            intended.add(str(record.body["step"]))
            assert {"before", "script", "undo", "args", "action"} <= record.body.keys()
        if record.kind == RecordKind.ACTING:
            assert str(record.body["step"]) in intended


@pytest.mark.parametrize("name", JOURNALS)
def test_a_journal_ends_with_its_outcome_and_exit_code(name: str) -> None:
    last = JOURNALS[name][-1]
    assert (last.kind, last.body["outcome"], last.body["exit_code"]) == ("ended", name, int(EXIT_CODES[State(name)]))
    assert [record.seq for record in JOURNALS[name]] == list(range(1, len(JOURNALS[name]) + 1))


@pytest.mark.parametrize(
    ("kind", "body"),
    [("flown", {}), ("moved", {}), ("moved", {"target": "elsewhere"}), ("acting", {"step": "never intended"}), ("resolved", {"inputs": 3}),
     ("started", {"epoch": "one"})],
    ids=["unknown kind", "empty", "unknown state", "unknown step", "no mapping", "no number"],
)  # fmt: skip
def test_a_record_that_makes_no_sense_is_named(kind: str, body: dict[str, object]) -> None:
    records = JOURNALS["succeeded"]
    broken = replace(records[4], kind=kind, body=body)
    with pytest.raises(StoreFailed, match=r"record 5 .* makes no sense") as caught:
        read_progress([*records[:4], broken, *records[5:]])
    assert "interlock status" in caught.value.hint
