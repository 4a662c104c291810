from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.decisions.losses import Chain, agreed, fold, judge, judge_change
from interlock.model.losses import Image, LossKind, Odd, RowChange

A: Image = {"id": 1, "v": "a"}
B: Image = {"id": 1, "v": "b"}
C: Image = {"id": 1, "v": "c"}
ODD: Image = {"id": 1, "v": Odd("[1.50]", "JSON with a decimal")}
THERE, AGAIN, PERSON = LossKind.ALREADY_THERE, LossKind.REAPPLICABLE, LossKind.CONFLICTING


def change(before: Image | None, after: Image | None, problem: str = "", key: tuple[str, ...] = ("id",)) -> RowChange:
    return RowChange(schema="app", table="t", key=key, before=before, after=after, problem=problem)


JUDGED = {
    "inserted, and absent": (None, A, None, AGAIN, "there is no such row since"),
    "inserted, and the same was written": (None, A, A, THERE, "the row is as it was left"),
    "inserted, and another was written": (None, A, B, PERSON, "a row of this key was written since"),
    "updated, and untouched": (A, B, A, AGAIN, "nobody wrote the row since"),
    "updated, and the same was written": (A, B, B, THERE, "the row is as it was left"),
    "updated, and written since": (A, B, C, PERSON, "written since: v"),
    "updated, and deleted since": (A, B, None, PERSON, "the row is gone since"),
    "deleted, and untouched": (A, None, A, AGAIN, "nobody wrote the row since"),
    "deleted, and gone": (A, None, None, THERE, "the row is gone, as it was left"),
    "deleted, and written since": (A, None, B, PERSON, "written since: v"),
    "inserted and deleted again, and absent": (None, None, None, THERE, "the row is gone, as it was left"),
    "updated to what can't be written": (A, ODD, A, PERSON, "a value can't be written again exactly: JSON with a decimal"),
    "updated to what can't be written, and the same is there": (A, ODD, ODD, THERE, "the row is as it was left"),
    "what can't be compared": (
        ODD,
        B,
        {"id": 1, "v": Odd("[1.5]", "JSON with a decimal")},
        PERSON,
        "it can't be compared: JSON with a decimal",
    ),
    "NULL is a value": ({"id": 1, "v": None}, B, {"id": 1, "v": None}, AGAIN, "nobody wrote the row since"),
    "NULL is not empty": ({"id": 1, "v": None}, B, {"id": 1, "v": ""}, PERSON, "written since: v"),
    "bytes are not their text": ({"id": 1, "v": b"a"}, B, A, PERSON, "written since: v"),
}


@pytest.mark.parametrize(("first", "last", "now", "kind", "why"), JUDGED.values(), ids=JUDGED)
def test_a_chain_is_judged_by_the_row_that_is_there(
    first: Image | None, last: Image | None, now: Image | None, kind: LossKind, why: str
) -> None:
    found = judge(Chain(first=first, last=last), now)
    assert (found.kind, found.why) == (kind, why)


def test_another_row_with_its_unique_value_keeps_it_from_being_put_back() -> None:
    found = judge(Chain(first=None, last=A), None, ["tag=7"])
    assert (found.kind, found.why) == (PERSON, "another row has its unique value: tag=7")


FOLDED: dict[str, tuple[list[RowChange], dict[int, tuple[Image | None, Image | None, str]]]] = {
    "one after the other": ([change(None, A), change(A, B), change(B, C)], {1: (None, C, "")}),
    "a row that moves": ([change(A, {"id": 2, "v": "a"})], {1: (A, None, ""), 2: (None, {"id": 2, "v": "a"}, "")}),
    "a gap between two": ([change(None, A), change(B, C)], {1: (None, C, "the log does not tell every change of this row")}),
    "one that can't be judged": ([change(A, B, "half a row"), change(B, C)], {1: (A, C, "half a row")}),
    "a table without a key": ([change(None, A, key=())], {}),
}


@pytest.mark.parametrize(("changes", "chains"), FOLDED.values(), ids=FOLDED)
def test_changes_of_a_key_are_one_chain(changes: list[RowChange], chains: Mapping[int, tuple[Image | None, Image | None, str]]) -> None:
    found = {row[2][0]: (chain.first, chain.last, chain.problem) for row, chain in fold(changes).items()}
    assert found == chains


MOVED: Image = {"id": 2, "v": "a"}
AGREED = {
    "both as they were": (A, None, AGAIN, ""),
    "both as they were left": (None, MOVED, THERE, ""),
    "the old one was written since": (B, None, PERSON, "a row moved between two keys, and at the other: written since: v"),
    "only the new one is there": (A, MOVED, PERSON, "only a part of what was moved is there"),
}


@pytest.mark.parametrize(("first", "second", "kind", "why"), AGREED.values(), ids=AGREED)
def test_rows_between_which_a_value_moved_are_judged_alike(first: Image | None, second: Image | None, kind: LossKind, why: str) -> None:
    moved = change(A, MOVED)
    now = {1: first, 2: second}
    judged = agreed([moved], {row: judge(chain, now[int(str(row[2][0]))]) for row, chain in fold([moved]).items()})
    assert {its.kind for its in judged.values()} == {kind}
    assert judge_change(moved, judged).kind is kind
    assert why in {"", *(its.why for its in judged.values())}


def test_what_has_no_key_or_a_problem_is_a_persons_to_decide() -> None:
    assert judge_change(change(None, A, key=()), {}).why == "the table has no key: nobody can tell which row it is"
    assert judge_change(change(A, B, "half a row"), {}).why == "half a row"


# -- any history -------------------------------------------------------------------------------------------------------------------------

Table = dict[int, str]
KEYS, VALUES = st.integers(1, 4), st.sampled_from("abc")
STEPS = st.lists(st.tuples(st.sampled_from(["put", "drop", "move"]), KEYS, KEYS, VALUES), max_size=12)


def played(start: Table, steps: list[tuple[str, int, int, str]]) -> tuple[Table, list[RowChange]]:
    """What a server logs, and what its table is then."""
    table, log = dict(start), []
    for verb, key, other, value in steps:
        before: Image | None = {"id": key, "v": table[key]} if key in table else None
        if verb == "put" and table.get(key) != value:
            log.append(change(before, {"id": key, "v": value}))
            table[key] = value
        elif verb == "drop" and before is not None:
            log.append(change(before, None))
            del table[key]
        elif verb == "move" and before is not None and other not in table:
            log.append(change(before, {"id": other, "v": table[key]}))
            table[other] = table.pop(key)
    return table, log


@given(st.dictionaries(KEYS, VALUES), STEPS, STEPS)
def test_putting_back_what_can_be_never_touches_what_was_written_since(
    start: Table, lost: list[tuple[str, int, int, str]], since: list[tuple[str, int, int, str]]
) -> None:
    """For any lost history and any later one: each key that is judged ends as the rule says, with guards that only take exact rows."""
    old, log = played(start, lost)
    survivor, _ = played(start, since)
    chains = fold(log)
    rows = {row: ({"id": row[2][0], "v": survivor[int(str(row[2][0]))]} if row[2][0] in survivor else None) for row in chains}
    judged = agreed(log, {row: judge(chain, rows[row]) for row, chain in chains.items()})
    table = dict(survivor)
    for one in log:
        if judge_change(one, judged).kind is AGAIN:
            _put_back(table, one)
    for row, its in judged.items():
        key = int(str(row[2][0]))
        if its.kind is AGAIN:
            assert table.get(key) == old.get(key)
        if its.kind is PERSON:
            assert table.get(key) == survivor.get(key)
        if its.kind is THERE:
            assert survivor.get(key) == old.get(key)


def _put_back(table: Table, one: RowChange) -> None:
    """As a guarded statement does: nothing happens unless the row is exactly as it was found."""
    if one.before is not None and table.get(int(str(one.before["id"]))) != one.before["v"]:
        return
    if one.after is not None and (one.before is None or one.before["id"] != one.after["id"]) and int(str(one.after["id"])) in table:
        return
    if one.before is not None:
        del table[int(str(one.before["id"]))]
    if one.after is not None:
        table[int(str(one.after["id"]))] = str(one.after["v"])
