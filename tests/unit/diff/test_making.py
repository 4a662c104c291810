from __future__ import annotations

import json

import pytest

from interlock.diff.making import Wanted, wanted_of
from interlock.errors import UsageError
from interlock.model.codec import DAMAGED

WANTED = Wanted(tables=("app.t", "a b.c.d"), schemas=("shop",), exclude=("shop.sessions",), max_load=7, lag_s=1.5)


@pytest.mark.parametrize("wanted", [Wanted(), WANTED], ids=["all", "chosen"])
def test_who_goes_on_compares_what_was_wanted(wanted: Wanted) -> None:
    assert wanted_of(json.loads(json.dumps(wanted.plain()))) == wanted


@pytest.mark.parametrize(
    "changed",
    [{"tables": "app.t"}, {"schemas": None}, {"max_load": "many"}, {"lag_s": []}],
    ids=["a text for a list", "null for a list", "no number", "a list for a number"],
)
def test_what_was_changed_by_hand_is_not_guessed(changed: dict[str, object]) -> None:
    with pytest.raises(DAMAGED):
        wanted_of({**WANTED.plain(), **changed})


def test_a_table_is_named_with_its_schema() -> None:
    assert WANTED.selection().tables == (("app", "t"), ("a b", "c.d"))
    with pytest.raises(UsageError) as refused:
        Wanted(tables=("orders",)).selection()
    assert (refused.value.message, refused.value.hint) == ("'orders' is no table", "write SCHEMA.TABLE, or --schema for all of a schema")
